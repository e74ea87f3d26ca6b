"""The cluster's commands, built from their Go modules: versions and checksums are in go/*/go.mod and go.sum."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from slipway.infra.home import ROOT

from tests.cluster.cache import Unfit, key_of, made, say

sys.path.append(str(ROOT / "tools"))  # scripts that run before there is a virtualenv, so no package
import plugins
from engine_build import run_go
from engine_cache import Problem

MODULES = Path(__file__).parent / "go"
KUBE = "k8s.io/kubernetes/cmd/"
# {module: {command: package}}, in the order in which they share most.
COMMANDS = {
    "pause": {"pause": "."},
    "etcd": {"etcd": "go.etcd.io/etcd/server/v3"},
    "kubernetes": {
        name: KUBE + name
        for name in (
            "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
        )
    },
    "kwok": {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    "metrics-server": {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
}  # fmt: skip
# What checks manifests, rules and workflows; no cluster is needed for it, and no cluster needs it.
CHECKERS = {
    "actionlint": {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    "kube-score": {"kube-score": "github.com/zegl/kube-score/cmd/kube-score"},
    "scrape": {"scrape": "."},
}
# What a module ships beside its commands and they need.
FILES = {"kwok": ("kustomize/stage/node/fast", "kustomize/stage/pod/fast")}
VERSIONED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def kubernetes_plugin() -> Path | None:
    """The real Kubernetes plugin, where it is there: `make plugins` brings it. SLIPWAY_STAND_IN=1 leaves it aside."""
    return None if os.environ.get("SLIPWAY_STAND_IN") else plugins.found()


def commands(module: str) -> Path:
    """The folder of a module's built commands; minutes the first time. Raises Unfit without a Go that can build it."""
    source = MODULES / module
    key = key_of(_flags(module), *FILES.get(module, ()), *sorted(source.glob("*")))
    return made(module, key, lambda into: _build(module, into), "building from source, once for this machine")


def shipped(module: str, path: str) -> Path:
    """Where the files of a module are that `module`'s go.mod asks for; downloaded where they are not there yet."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path]
        run_go(["go", "mod", "download", path], Path(scratch), MODULES / module)
        return Path(run_go(command, Path(scratch), MODULES / module).strip())


def _required(module: str) -> tuple[str, str]:
    """(path, version) of the one module that a go.mod asks for directly."""
    found = re.search(r"^require (\S+) (v\S+)$", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    return (found[1], found[2]) if found else (module, "v0.0")


def _build(module: str, into: Path) -> None:
    try:
        _run(module, into)
    except Problem as error:
        raise Unfit(str(error).removeprefix("error: ")) from None


def _run(module: str, into: Path) -> None:
    source = MODULES / module
    scratch = into / ".scratch"
    scratch.mkdir()
    for name, package in {**COMMANDS, **CHECKERS}[module].items():
        say(f"  {' '.join(_required(module))}: {name}")
        # One set of flags for all: with another, everything that they share is compiled again.
        options = ["-v", "-mod=readonly", "-trimpath", "-ldflags", _flags(module), "-o", str(into / name)]
        run_go(["go", "build", *options, package], scratch, source, CGO_ENABLED="0")
    if wanted := FILES.get(module):
        path, _ = _required(module)
        shipped = Path(run_go(["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path], scratch, source).strip())
        for file in (file for each in wanted for file in sorted((shipped / each).glob("*.yaml"))):
            if file.name != "kustomization.yaml":
                shutil.copy(file, into)
    shutil.rmtree(scratch)


def _flags(module: str) -> str:
    version = _required(module)[1]
    major, minor = version.removeprefix("v").split(".")[:2]
    named = {"gitVersion": version, "gitMajor": major, "gitMinor": minor} if module == "kubernetes" else {}
    return " ".join(["-s -w", *(f"-X {place}.{key}={value}" for place in VERSIONED for key, value in named.items())])
