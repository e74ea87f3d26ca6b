"""The real engine on a program, over a throw-away backend and throw-away clouds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from slipway.infra.home import ROOT
from slipway.simulator import compute
from slipway.simulator.books import Books

EXAMPLES = Path(__file__).parent / "examples"
SECONDS = 300  # of one command: the first `up` of a stack trains the models that its store lacks
BINARIES = (ROOT / ".slipway" / "bin", Path(sys.executable).parent)
DOUBLES, PLUGINS = Path(__file__).parent / "bin", Path(__file__).parent / "site"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".slipway", "__pycache__", ".*_cache")


def written(folder: Path, code: str, stack: str = "example") -> Path:
    """Makes `folder` a program of one file, with the settings of one stack."""
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    (folder / f"Pulumi.{stack}.yaml").write_text("config:\n  aws:region: eu-central-1\n")
    (folder / "__main__.py").write_text(code)
    return folder


class Throwaway:
    """One stack of a program. `folder` takes a copy of the program, backend, home and books.

    The stand-ins run in a process of their own, as plugins do; leaving the context ends them. With a `kubeconfig` file
    the Kubernetes one works on that cluster; with the real `plugin` as well, the engine starts that in its place. With
    `docker` that for Docker works on the daemon at $DOCKER_HOST, and the docker command is the real one; else that is a
    stand-in as well. Buckets are folders.
    """

    def __init__(
        self, folder: Path, program: Path, stack: str = "example", scenario: Path | None = None, kubeconfig: str = "",
        docker: bool = False, plugin: Path | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.program, self.stack, self.scenario = folder, folder / "program", stack, scenario
        # The engine writes its salt beside the program.
        shutil.copytree(program, self.program, ignore=NOT_COPIED, dirs_exist_ok=True)
        if (program / ".venv").exists() and not (self.program / ".venv").exists():
            (self.program / ".venv").symlink_to(program / ".venv")
        (folder / "state").mkdir(parents=True, exist_ok=True)
        self.books, self.docker_books = Books(folder / "books.json"), folder / "docker.json"
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [
                    *([] if docker else [str(DOUBLES)]),
                    *([] if kubeconfig else [str(DOUBLES / "eks")]),
                    *([str(plugin.parent)] if plugin else []),
                    *map(str, BINARIES),
                    os.environ["PATH"],
                ]
            ),
            "SLIPWAY_LET_IN": str(folder / "let-in"),
            "SLIPWAY_DOCKER_BOOKS": str(self.docker_books),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{PLUGINS}",
            "SLIPWAY_BUCKETS": str(folder / "buckets"),
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "simulated",
            "SLIPWAY_GRANT_SECONDS": "0",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }  # fmt: skip
        self.real = [*(["--cluster"] if kubeconfig else []), *(["--docker"] if docker else [])]
        self.packages = ["aws", "gcp", "docker"] if plugin else []  # that have stand-ins; none is all
        if kubeconfig:
            self.environment["KUBECONFIG"] = kubeconfig
        self.fault, self.seconds = "", SECONDS
        self._ours = program == ROOT  # and so deployed by the role that is made for it
        self._stand_ins: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start(self.fault)
        if not any((self.folder / "state").rglob(f"{self.stack}.json")):
            self.pulumi("stack", "init", self.stack)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, fault: str = "") -> None:
        """Starts the stand-ins, anew if they run; their books stay."""
        self.stop()
        command = [sys.executable, "-m", "slipway.simulator", "--books", str(self.books.file), *self.real]
        command += ["--scenario", str(self.scenario)] if self.scenario else []
        command += self.packages
        environment = {**self.environment, "SLIPWAY_FAULT": fault, "SLIPWAY_DEPLOYS": self.stack if self._ours else ""}
        self._stand_ins = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._stand_ins.stdout
        providers, _, monitoring = self._stand_ins.stdout.readline().strip().partition(" ")
        assert providers, "the stand-ins did not start"
        self.environment |= {
            "PULUMI_DEBUG_PROVIDERS": providers,
            "GOOGLE_MONITORING_CUSTOM_ENDPOINT": monitoring,
            "GOOGLE_COMPUTE_CUSTOM_ENDPOINT": f"{monitoring}{compute.PATH[1:]}",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "stand-in",
        }

    def stop(self) -> None:
        if self._stand_ins:
            self._stand_ins.kill()
            self._stand_ins.communicate()
            self._stand_ins = None

    def pulumi(self, *arguments: str, fails: bool | None = False) -> str:
        """What `pulumi ARGUMENTS` says. Asserts success, or failure where it `fails`; None takes either."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.program, env=self.environment, capture_output=True, text=True, timeout=self.seconds,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert fails is None or (done.returncode != 0) == fails, said
        return said

    def up(self, *flags: str, fails: bool | None = False) -> str:
        return self.pulumi("up", *self._options(), "--yes", "--skip-preview", *flags, fails=fails)

    def preview(self, *flags: str, fails: bool | None = False) -> str:
        return self.pulumi("preview", *self._options(), *flags, fails=fails)

    def destroy(self, fails: bool | None = False) -> str:
        return self.pulumi("destroy", *self._options(), "--yes", "--skip-preview", fails=fails)

    def release(self, *options: str, typed: str | None = None, fails: bool | None = False) -> str:
        """What `slipway release` says to the stack's name, or to what was `typed`."""
        done = subprocess.run(
            [sys.executable, "-m", "slipway.cli", "release", self.stack, *options], input=f"{typed or self.stack}\n",
            cwd=self.program, env=self.environment, capture_output=True, text=True, timeout=self.seconds,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert fails is None or (done.returncode != 0) == fails, said
        return said

    def start_up(self) -> subprocess.Popen[bytes]:
        """An update that the test may kill."""
        command = ["pulumi", "--non-interactive", "up", *self._options(), "--yes", "--skip-preview"]
        return subprocess.Popen(
            command, cwd=self.program, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def recover(self, *options: str, fails: bool | None = False) -> str:
        """What `slipway recover` says, run as `make` runs it."""
        return self.slipway("recover", *options, fails=fails)

    def slipway(self, *arguments: str, fails: bool | None = False) -> str:
        """What a command of ours says of the stack."""
        done = subprocess.run(
            [sys.executable, "-m", "slipway.cli", *arguments, "--stack", self.stack],
            cwd=self.program, env=self.environment, capture_output=True, text=True, timeout=self.seconds,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert fails is None or (done.returncode != 0) == fails, said
        return said

    def state(self) -> dict[str, Any]:
        """The deployment as the backend has it: resources and pending operations."""
        (file,) = (self.folder / "state" / ".pulumi" / "stacks").rglob(f"{self.stack}.json")
        return json.loads(file.read_text())["checkpoint"]["latest"] or {}

    def resources(self) -> list[dict[str, Any]]:
        return list(self.state().get("resources") or [])

    def astray(self) -> list[str]:
        """What the books and the state do not agree on: orphans, ghosts and duplicates."""
        in_state = sorted(
            (each["type"], each["id"]) for each in self.resources()
            if each["custom"] and not each["type"].startswith(("pulumi:", "pulumi-python:"))
        )  # fmt: skip
        in_books = sorted((each["type"], each["id"]) for each in self.books.all())
        names = [(each["type"], each["name"]) for each in self.books.all()]
        return [
            *(f"orphan {each}" for each in in_books if each not in in_state),
            *(f"ghost {each}" for each in in_state if each not in in_books),
            *(f"duplicate {each}" for each in set(names) if names.count(each) > 1),
        ]

    def _options(self) -> list[str]:
        return ["--stack", self.stack]
