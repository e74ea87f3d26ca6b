"""What the pipeline can say no with. Standard library only: the command and the build process share it."""

from pathlib import Path


class PipelineError(Exception):
    """A refusal with a message for the user; `kind` travels between processes."""

    kind = "failed"


class BadInput(PipelineError):
    """The model folder, its settings, data or requirements can't be used as they are."""

    kind = "input"


class Refused(PipelineError):
    """A model was built and judged, and the gate keeps it out of the store."""

    kind = "refused"


def from_kind(kind: str, message: str) -> PipelineError:
    return {each.kind: each for each in (BadInput, Refused)}.get(kind, PipelineError)(message)


def shown(path: Path) -> str:
    """A path as a message shows it: relative to the current folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
