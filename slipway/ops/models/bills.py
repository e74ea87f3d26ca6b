"""Bills of materials (CycloneDX): what an artifact was made with, by package. Beside it, never in its digest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from slipway.infra.runtime import RUNTIMES
from slipway.ops.models.builds import Model
from slipway.ops.models.refs import lock_of
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import BadInput, PipelineError
from slipway.service.manifest import Manifest

NOTE = "bills"
LOCK, WRITER = Path(__file__).with_name("bills.txt"), Path(__file__).with_name("bill_writer.py")
# Run by the Python of an environment: what is installed in it, whatever its lock says.
LIST = """
import json
from importlib.metadata import distributions
print(json.dumps(sorted({(each.name, each.version) for each in distributions()})))
"""


def put_bill(model: Model, home: Path) -> Path:
    """Writes the bill beside the artifact, in the store of this machine; answers where. Raises as `bill` does."""
    content = bill(model, home)
    assert model.digest is not None
    model.store.put_note(NOTE, model.digest, content)
    return model.store.root / NOTE / f"{model.digest}.json"


def bill(model: Model, home: Path) -> dict[str, Any]:
    """CycloneDX of a built model: its files by hash, its licence, and the packages of the environments that made and
    judged it. The same for the same artifact, whenever and wherever it is asked for.

    Raises:
        BadInput: it is not built, or it is named by digest, so that what made it is not known here.
        PipelineError: the bill can't be written.
    """
    if model.path is None:
        raise BadInput(f"{model.ref} is not built: run slipway model build {model.ref}")
    if model.folder is None:
        raise BadInput(f"{model.ref} is named by its digest: ask for its bill by its folder, where it was built")
    made = environment([lock_of(model.folder)], home / "envs")
    served = environment([RUNTIMES[model.kind].lock("none")], home / "envs")
    asked = {
        "name": model.name,
        "digest": model.digest,
        "license": model.report().get("provenance", {}).get("license"),
        "files": dict(sorted(Manifest.read(model.path).files.items())),
        "packages": {"made": _run(made, LIST), "judged": _run(served, LIST)},
    }
    return dict(_run(environment([LOCK], home / "envs"), WRITER.read_text(), asked))


def _run(python: Path, program: str, asked: Any = None) -> Any:
    command = [str(python), "-I", "-c", program]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode:
        raise PipelineError(f"no bill of materials: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)
