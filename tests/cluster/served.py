"""Our own program on the cluster: a copy of the project whose stack serves tests' models by `platform: kubernetes`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from slipway.infra.home import ROOT

from slipway.simulator.throwaway import Throwaway
from tests.cluster import cluster, places
from tests.cluster.build import kubernetes_plugin
from tests.cluster.service_image import service_image

KEY = "k" * 5 + "0123456789abcdefghijklmnopqrstuvwxyz"
PARTS = ("__main__.py", "Pulumi.yaml", "infra", "service", "slipway", "requirements.txt", "README.md")


class Served(Throwaway):
    """A stack of the project. `models/<name>` are copies of tests/models/plane, told apart by their slope."""

    def __init__(
        self, folder: Path, services: dict[str, dict[str, Any]], docker: bool = False, **settings: Any
    ) -> None:
        source = folder / "source"
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / part).exists():
                source.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / part, source / part)
        (source / ".venv").symlink_to(Path(sys.prefix))
        for name in services:
            shutil.copytree(ROOT / "tests" / "models" / "plane", source / "models" / name)
        real = kubernetes_plugin()
        super().__init__(folder, source, kubeconfig=str(places.kubeconfig()), docker=docker, plugin=real)
        self.environment["PYTHONPATH"] = self.environment["PYTHONPATH"].replace(str(ROOT), str(self.program), 1)
        self.services, self.settings = services, {"namespace": folder.name, **settings}
        self.write()

    def __enter__(self) -> Served:
        super().__enter__()
        self.pulumi("config", "set", "--secret", "--path", "slipway:apiKeys.tests", KEY)
        return self

    def write(self) -> None:
        """The stack's file, from `services` and `settings`."""
        file = self.program / f"Pulumi.{self.stack}.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        services = {
            name: {"model": f"models/{name}", "resources": {"cpu": "50m"}, **each}
            for name, each in self.services.items()
        }
        config = {
            **(kept.get("config") or {}),
            "slipway:platform": "kubernetes",
            "slipway:kubernetes": self.settings,
            "slipway:services": services,
        }
        file.write_text(yaml.safe_dump({**kept, "config": config}))

    def train(self, name: str, slope: float, broken: dict[str, bytes] | None = None) -> None:
        """Gives a service a model of another slope, and an image that serves it. `broken`: files of the image."""
        model = self.program / "models" / name / "model.py"
        lines = [f"SLOPE = {slope}" if line.startswith("SLOPE =") else line for line in model.read_text().splitlines()]
        model.write_text("\n".join(lines) + "\n")
        self.slipway("model", "build", f"models/{name}")
        path = json.loads(self.slipway("model", "describe", f"models/{name}", "--json").splitlines()[-1])["path"]
        self.set(name, image=service_image(f"tests/{name}", Path(path), broken))

    def set(self, name: str, **keys: Any) -> None:
        """Changes keys of a service; None takes one out."""
        self.services[name] = {
            key: value for key, value in {**self.services[name], **keys}.items() if value is not None
        }
        self.write()

    def slipway(self, *arguments: str, fails: bool | None = False) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "slipway.cli", *arguments],
            cwd=self.program, env=self.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert fails is None or (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "output", "--json"))["services"]


def building(
    folder: Path, docker: Any, services: dict[str, dict[str, Any]], image: dict[str, str] | None = None, **settings: Any
) -> Served:
    """A stack in a new folder, whose program builds its images itself, with the tests' own Docker daemon. `image`: the
    settings of `slipway:image`, where they are others."""
    folder.mkdir()
    stack = Served(folder, services, docker=True, **settings)
    stack.environment |= {key: docker.environment[key] for key in ("DOCKER_HOST", "DOCKER_CONFIG")}
    stack.environment["PATH"] = f"{docker.path}:{stack.environment['PATH']}"
    stack.seconds = 900
    file = stack.program / f"Pulumi.{stack.stack}.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"]["slipway:image"] = image or {"base": docker.base, "python": "3.11"}
    file.write_text(yaml.safe_dump(content))
    return stack


def address(api: Any, namespace: str, service: str) -> str:
    """Of a service, inside the cluster."""
    from slipway.simulator.kube.api import Ref

    return api.get(Ref("v1", "Service", namespace, service))["spec"]["clusterIP"]


ASK = """
import json, sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen
url, key, body = sys.argv[1:]
headers = {"content-type": "application/json", **({"authorization": "Bearer " + key} if key else {})}
try:
    with urlopen(Request(url, body.encode() or None, headers), timeout=20) as response:
        print(json.dumps([response.status, response.read().decode()]))
except HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
"""


def ask(url: str, body: str = "", key: str = KEY) -> tuple[int, str]:
    """A request from inside the cluster's network: status and answer."""
    enter = ["nsenter", "--target", str(cluster.inside()), "--net"]
    done = subprocess.run([*enter, sys.executable, "-c", ASK, url, key, body], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    status, text = json.loads(done.stdout)
    return status, text


def predict(api: Any, namespace: str, service: str, x: list[float]) -> float:
    """What a service answers for four numbers."""
    url = f"http://{address(api, namespace, service)}:3000/predict"
    status, text = ask(url, json.dumps({"inputs": {"x": x}}))
    assert status == 200, text
    return float(json.loads(text)["outputs"]["y"][0])
