"""What is not as the last update left it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slipway.ops.state.pulumi import short

WHAT = {"update": "changed", "delete": "gone"}
# Not for previews to read (docs/adr/0035), by type, as a user calls them: Helm keeps its releases in Secrets.
UNREAD = {
    "kubernetes:core/v1:Secret": "Secrets",
    "kubernetes:helm.sh/v3:Release": "Helm releases",
    "aws:budgets/budget:Budget": "budgets",
    "gcp:billing/budget:Budget": "budgets",
}


def unread() -> list[str]:
    """What has `pulumi refresh` leave the unread kinds alone."""
    return [argument for kind in UNREAD for argument in ("--exclude", f"**{kind}::**")]


def drifted(steps: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    """Each resource that differs, what happened to it, and the inputs it shows in."""
    for step in steps:
        if step["op"] not in WHAT and step["op"] != "refresh":
            continue
        old, new = step.get("oldState") or {}, step.get("newState") or {}
        keys = sorted(key.split(".")[0] for key in step.get("detailedDiff") or ())
        if step["op"] == "refresh" and not keys:
            keys = _changed(old.get("inputs") or {}, new.get("inputs") or {})
            if not keys and (new or not old):
                continue
        what = "gone" if step["op"] == "delete" or not new else "changed"
        yield short(step["urn"]), what, sorted({*keys})


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        key for key in sorted({*old, *new}) if not key.startswith("__") and _told(old.get(key)) != _told(new.get(key))
    ]


def _told(value: Any) -> Any:
    """Without what is empty: an API server leaves `value: ""` out of what it keeps, and so does a refresh."""
    if isinstance(value, Mapping):
        return {key: told for key, each in value.items() if (told := _told(each)) is not None} or None
    if isinstance(value, list):
        return [_told(each) for each in value] or None
    return None if value == "" else value
