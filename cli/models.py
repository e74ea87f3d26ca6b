"""What a REF names: a model folder, or an artifact by store and digest."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.pipeline.errors import BadInput, shown

ROOT = Path(__file__).resolve().parents[1]
PIPELINE_LOCK = ROOT / "service" / "pipeline" / "requirements.txt"

_PROMOTED = re.compile(r"(?P<uri>[a-z0-9]+://.+)@(?P<digest>sha256:[0-9a-f]{64})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Promoted:
    """An artifact that was judged before: `store` is the folder of the store that holds it."""

    store: Path
    digest: str


def parse_ref(ref: str) -> Path | Promoted:
    """The model folder, absolute, or the promoted artifact that a REF names. Raises BadInput."""
    if "://" in ref:
        return _promoted(ref)
    for folder in (Path(ref), ROOT / "models" / ref):
        if folder.is_dir():
            return checked_name(folder.absolute())
    raise BadInput(f"there is no model folder {ref}; the models are {_known()}")


def checked_name(folder: Path) -> Path:
    """The folder, where its name can name a model: it becomes part of the names of services. Raises BadInput."""
    if not _NAME.fullmatch(folder.name):
        raise BadInput(
            f"{folder.name!r} can't name a model: use up to 40 lower-case letters, digits and hyphens for the folder"
        )
    return folder


def lock_of(folder: Path) -> Path:
    """The lock file of a model's environment: its own, or the pipeline's where it brings no requirements."""
    own, wanted = folder / "requirements.txt", folder / "requirements.in"
    if wanted.exists() and not own.exists():
        raise BadInput(f"{shown(wanted)} is not locked; run: slipway model lock {folder.name}")
    return own if own.exists() else PIPELINE_LOCK


def _promoted(ref: str) -> Promoted:
    match = _PROMOTED.fullmatch(ref)
    if match is None:
        raise BadInput(f"{ref} names no artifact; write <store uri>@sha256:<64 hex digits>")
    parts = urlsplit(match["uri"])
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise BadInput(f"{match['uri']}: only stores in folders can be read, as file:///path/to/artifacts")
    return Promoted(Path(unquote(parts.path)), match["digest"])


def _known() -> str:
    return ", ".join(sorted(shown(each) for each in (ROOT / "models").glob("*") if each.is_dir())) or "none"
