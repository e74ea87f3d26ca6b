"""What the pipeline can say no with. Standard library only: the command and the build process share it."""

from pathlib import Path
from typing import Any


class PipelineError(Exception):
    """A refusal with a message for the user; `kind` travels between processes."""

    kind = "failed"


class BadInput(PipelineError):
    """The model folder, its settings, data or requirements can't be used as they are."""

    kind = "input"


class Refused(PipelineError):
    """A model was built and judged, and the gate keeps it out; `report` compares the variants, where there is one."""

    kind = "refused"

    def __init__(self, message: str, report: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.report = report


def from_outcome(outcome: dict[str, Any]) -> PipelineError:
    """The error that an outcome.json tells of."""
    kind, message = outcome["kind"], outcome["message"]
    if kind == Refused.kind:
        return Refused(message, outcome.get("report"))
    return BadInput(message) if kind == BadInput.kind else PipelineError(message)


def shown(path: Path) -> str:
    """A path as a message shows it: relative to the current folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
