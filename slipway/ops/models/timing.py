"""How long a service takes from its process's start to its first answer, found out once for each artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.infra.runtime import RUNTIMES, Runtime
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import PipelineError
from slipway.pipeline.service_process import NotServed, running
from slipway.pipeline.store import Store

if TYPE_CHECKING:
    from slipway.ops.models.builds import Model

NOTE = "started"


def measured(model: Model, home: Path) -> dict[str, Any]:
    """{startSeconds, memoryBytes} of a built model on this machine; None for what could not be found out.

    `memoryBytes`: the peak of a process with the model alone, as its report has it.
    """
    assert model.path is not None and model.digest is not None
    report = model.report()
    chosen = next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
    noted = model.store.note(NOTE, model.digest, ("seconds",))
    if noted is None:
        noted = {"seconds": _start(RUNTIMES[model.kind], model.path, home)}
        if noted["seconds"] is not None:
            keep(model.store, model.digest, noted["seconds"])
    return {"startSeconds": noted["seconds"], "memoryBytes": chosen.get("memoryBytes")}


def keep(store: Store, digest: str, seconds: float) -> None:
    """Notes how long a service of an artifact took to start on this machine."""
    store.put_note(NOTE, digest, {"seconds": seconds})


def service_command(runtime: Runtime, home: Path) -> list[str]:
    """What starts a service of this kind on this machine's processor. Raises PipelineError without its environment."""
    return [str(environment([runtime.lock("none")], home / "envs")), "-m", runtime.module]


def _start(runtime: Runtime, artifact: Path, home: Path) -> float | None:
    try:
        with running(service_command(runtime, home), artifact) as service:
            return service.seconds
    except (PipelineError, NotServed):
        return None  # whoever serves will hear why
