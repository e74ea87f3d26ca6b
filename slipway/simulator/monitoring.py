"""A stand-in of Cloud Monitoring's lists: what the books hold, two to a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slipway.simulator.books import Books
from slipway.simulator.web import Answer

TYPES = {
    "alertPolicies": "gcp:monitoring/alertPolicy:AlertPolicy",
    "dashboards": "gcp:monitoring/dashboard:Dashboard",
    "notificationChannels": "gcp:monitoring/notificationChannel:NotificationChannel",
    "uptimeCheckConfigs": "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
}
PAGE = 2


def answer(books: Books, path: str, body: Any, headers: dict[str, str]) -> Answer:
    """What `web` is to answer."""
    url = urlsplit(path)
    version, _, project, kind = url.path.strip("/").split("/")
    if headers.get("authorization") != "Bearer stand-in" or version != ("v1" if kind == "dashboards" else "v3"):
        return 403, {"error": {"message": f"{project} {kind}"}}, {}
    held, start = list(_held(books, kind)), int(parse_qs(url.query).get("pageToken", ["0"])[0])
    more = {"nextPageToken": str(start + PAGE)} if start + PAGE < len(held) else {}
    return {kind: held[start : start + PAGE], **more}


def _held(books: Books, kind: str) -> Iterator[dict[str, Any]]:
    for entry in books.all():
        if entry["type"] == TYPES[kind]:
            own = json.loads(entry["inputs"].get("dashboardJson") or "{}")
            yield {"name": entry["arn"], "userLabels": entry["inputs"].get("userLabels") or {}, **own}
