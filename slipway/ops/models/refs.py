"""What a REF names: a model folder, or an artifact by store and digest."""

import re
from dataclasses import dataclass
from pathlib import Path

from slipway.infra.home import ROOT
from slipway.pipeline.errors import BadInput, shown

PIPELINE_LOCK = ROOT / "slipway" / "pipeline" / "requirements.txt"

_PROMOTED = re.compile(r"(?P<uri>[a-z0-9]+://.+)@(?P<digest>sha256:[0-9a-f]{64})")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Promoted:
    """An artifact that was judged before, in the store at `uri`."""

    uri: str
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
    if not NAME.fullmatch(folder.name):
        raise BadInput(
            f"{folder.name!r} can't name a model: use up to 40 lower-case letters, digits and hyphens for the folder"
        )
    return folder


def lock_of(folder: Path) -> Path:
    """The lock file of a model's environment: its own, or the pipeline's where it brings no requirements.

    Raises BadInput where requirements.in was never locked, or has changed since.
    """
    own, wanted = folder / "requirements.txt", folder / "requirements.in"
    if not wanted.exists():
        return own if own.exists() else PIPELINE_LOCK
    if not own.exists():
        raise BadInput(f"{shown(wanted)} is not locked; run: slipway model lock {folder.name}")
    for source in (wanted, PIPELINE_LOCK.with_suffix(".in")):
        if stale := _unlocked(source, own):
            raise BadInput(
                f"{shown(own)} is stale: it does not hold {stale}, as {shown(source)} asks; "
                f"run: slipway model lock {folder.name}"
            )
    return own


def _unlocked(wanted: Path, lock: Path) -> str | None:
    """The first requirement of `wanted` that no line of `lock` fulfils."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        pins.setdefault(canonicalize_name(name), set()).add(version)
    for line in wanted.read_text(encoding="utf-8").splitlines():
        line = line.partition(" #")[0].strip()
        if not line or line.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise BadInput(f"{shown(wanted)}: {line!r} is no requirement: {str(error).splitlines()[0]}") from error
        if requirement.url or (requirement.marker and not requirement.marker.evaluate()):
            continue
        versions = pins.get(canonicalize_name(requirement.name), set())
        if not any(requirement.specifier.contains(each, prereleases=True) for each in versions):
            return line
    return None


def _promoted(ref: str) -> Promoted:
    match = _PROMOTED.fullmatch(ref)
    if match is None:
        raise BadInput(f"{ref} names no artifact; write <store uri>@sha256:<64 hex digits>")
    return Promoted(match["uri"], match["digest"])


def _known() -> str:
    return ", ".join(sorted(shown(each) for each in (ROOT / "models").glob("*") if each.is_dir())) or "none"
