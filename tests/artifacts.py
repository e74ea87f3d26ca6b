"""Artifacts that no pipeline has built, for tests of what is done with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from slipway.infra.home import home
from slipway.service.artifact import Signature, TensorSpec, seal, verify

REPORT = {
    "choice": {"variant": "fp32"},
    "metric": {"name": "r2", "direction": "higher", "budget": 0.0},
    "variants": [{"name": "fp32", "metric": 1.0}],
    "provenance": {"evaluationDataSha256": "e" * 64},
}


def own_home(folder: Path) -> Path:
    """Makes `folder` a cache root ($SLIPWAY_HOME) without artifacts, that has this user's environments."""
    (home() / "envs").mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    (folder / "envs").symlink_to(home() / "envs")
    return folder


def sealed(folder: Path, content: bytes = b"weights") -> str:
    """Makes an artifact folder of a model alone, which no service can run; its digest."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    return seal(folder)


def promoted(store: Path, content: str = "weights", name: str = "digits") -> str:
    """Puts an artifact whose model is `content` into a store; `<uri>@sha256:...`. No service can run it."""
    staged = store / "staged"
    staged.mkdir(parents=True)
    tensor = TensorSpec(name="x", dtype="float32", shape=(None, 4))
    signature = Signature(name=name, task="regression", inputs=(tensor,), outputs=(tensor,))
    for file, value in (("signature", signature.to_json()), ("report", REPORT)):
        (staged / f"{file}.json").write_text(json.dumps(value))
    (staged / "model.onnx").write_text(content)
    seal(staged)
    return _kept(store, staged)


def promoted_copy(store: Path, folder: Path, note: str = "") -> str:
    """Puts an artifact folder into a store, with a report; `<uri>@sha256:...`. A `note` makes it another one."""
    staged = store / "staged"
    shutil.copytree(folder, staged)
    (staged / "report.json").write_text(json.dumps({**REPORT, "note": note}))
    seal(staged)
    return _kept(store, staged)


def _kept(store: Path, staged: Path) -> str:
    digest = verify(staged)
    staged.rename(store / digest.replace(":", "-"))
    return f"{store.as_uri()}@{digest}"
