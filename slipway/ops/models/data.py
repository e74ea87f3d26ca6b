"""Data that a model declares outside its folder: what it is now, for the model's key."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from slipway.ops.models import stores
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.keys import content_hash
from slipway.pipeline.settings import FILE


def fingerprints(folder: Path, declared: list[str]) -> dict[str, str]:
    """By declared name: the hash of a file's or folder's content, or what its store says of a URI.

    Raises BadInput for what is not there or can't be asked for.
    """
    return {name: _fingerprint(folder, name) for name in declared}


def _fingerprint(folder: Path, name: str) -> str:
    parts = urlsplit(name)
    if "://" in name and parts.scheme != "file":
        try:
            return stores.version(name)
        except BadInput as error:
            raise BadInput(f"{shown(folder / FILE)}: data: {error}") from None
    path = folder / (Path(unquote(parts.path)) if "://" in name else Path(name).expanduser())
    if not path.exists():
        raise BadInput(f"{shown(folder / FILE)}: data: {name} is not there, looked for at {shown(path)}")
    try:
        return content_hash(path)
    except OSError as error:
        raise BadInput(f"{shown(folder / FILE)}: data: {name} can't be read: {error.strerror}") from error
