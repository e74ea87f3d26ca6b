"""A stack for each pull request: its template, and which ones were forgotten."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from slipway.infra.home import ROOT

TEMPLATE = ROOT / "environments" / "pull-request.yaml"
NAME = re.compile(r"pr-(\d+)")


def expired(stacks: list[dict[str, Any]], before: datetime) -> list[str]:
    """The pull requests' stacks whose last update was before that time. One that is being updated is none of them."""
    found = []
    for each in stacks:
        name, last = str(each["name"]).rsplit("/", 1)[-1], each.get("lastUpdate")
        if not NAME.fullmatch(name) or each.get("updateInProgress") or not last:
            continue
        if datetime.fromisoformat(str(last).replace("Z", "+00:00")) < before:
            found.append(name)
    return found
