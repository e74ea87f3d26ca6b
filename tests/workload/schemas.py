"""Checkers that hold manifests to schemas: Kubernetes' own, and those of custom resources that somebody has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from slipway.infra.home import ROOT

# GKE's own definitions, a YAML file each; they come with no package.
GKE = Path(os.environ.get("SLIPWAY_GKE_CRDS", ROOT.parent / "shared" / "crds"))


def validated(objects: list[dict[str, Any]], version: str, folder: Path) -> str:
    """What kubernetes-validate says of the objects; empty where it takes them."""
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    command = ["-m", "kubernetes_validate", "--strict", "--no-warn", "--quiet", "-k", version, str(file)]
    done = subprocess.run([_python(), *command], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def defined(objects: list[dict[str, Any]], definitions: Path) -> list[str]:
    """What is wrong with custom resources, by a folder of their definitions."""
    command = [_python(), str(Path(__file__).with_name("definitions.py")), str(definitions)]
    text = yaml.safe_dump_all(objects)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def gke_definitions() -> Path:
    """Where GKE's definitions are; a test that needs them is skipped by name where they are not."""
    if not any(GKE.glob("*healthcheckpolicies*.yaml")):
        pytest.skip("GKE's definitions are not here: name their folder with SLIPWAY_GKE_CRDS")
    return GKE


def _python() -> str:
    return subprocess.run(
        [sys.executable, "-m", "slipway.cli", "venv", str(ROOT / "tools" / "kubernetes-validate.txt")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.strip()  # fmt: skip
