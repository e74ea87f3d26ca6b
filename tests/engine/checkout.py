"""A copy of the project at a path of its own, driven with the real engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml
from slipway.infra.home import ROOT
from slipway.infra.local_key import local_key

PARTS = ("__main__.py", "Pulumi.yaml", "infra", "service", "slipway", "requirements.txt", "README.md")


class Checkout:
    """`models/<name>` are copies of tests/models/plane. `ports`: the service's port by model name."""

    def __init__(self, path: Path, state: Path, ports: dict[str, int]) -> None:
        self.path = path
        path.mkdir(parents=True)
        state.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, path / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / part).exists():
                shutil.copyfile(ROOT / part, path / part)
        (path / ".venv").symlink_to(Path(sys.prefix))
        for name in ports:
            shutil.copytree(ROOT / "tests" / "models" / "plane", path / "models" / name)
        services = {name: {"model": f"models/{name}", "port": port, "workers": 1} for name, port in ports.items()}
        self.configure(services)
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_HOME": str(state / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(path),
            "PATH": f"{ROOT / '.slipway' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self.run("pulumi", "stack", "select", "test", "--create")

    def configure(self, services: dict[str, Any]) -> None:
        """Writes the stack file, keeping the engine's own entries."""
        file = self.path / "Pulumi.test.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**kept, "config": {"slipway:services": services}}))

    def run(self, *command: str, fails: bool = False, umask: int = -1) -> str:
        """Runs a command in the checkout; its output. Asserts that it succeeds, or that it does not."""
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=300, umask=umask
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said
        return said

    def build(self, fails: bool = False) -> str:
        return self.run(sys.executable, "-m", "slipway.cli", "stack", "build", "--stack", "test", fails=fails)

    def up(self, *flags: str, fails: bool = False, umask: int = -1) -> str:
        return self.run("pulumi", "up", "--stack", "test", "--yes", "--skip-preview", *flags, fails=fails, umask=umask)

    def changes(self) -> dict[str, str]:
        """What a preview would do: {"kind name": "create" | "update" | ...}, without what stays the same."""
        answer = subprocess.run(
            ["pulumi", "preview", "--stack", "test", "--json"],
            cwd=self.path, env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        steps = json.loads(answer.stdout).get("steps", [])
        planned = {}
        for step in steps:
            kind, name = step["urn"].split("::")[-2:]
            if step["op"] not in ("same", "refresh", "read"):
                planned[f"{kind.rsplit(':', 1)[-1]} {name}"] = step["op"]
        return planned

    def state(self) -> dict[str, Any]:
        exported: dict[str, Any] = json.loads(self.run("pulumi", "stack", "export", "--stack", "test"))
        return exported


def predict(port: int, x: list[float]) -> float:
    request = Request(
        f"http://127.0.0.1:{port}/predict",
        data=json.dumps({"inputs": {"x": x}}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {local_key()}"},
    )
    with urlopen(request, timeout=60) as response:
        value: float = json.loads(response.read())["outputs"]["y"][0]
    return value
