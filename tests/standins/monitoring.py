"""A stand-in of Cloud Monitoring's lists, over HTTP on this machine: what the books hold, two to a page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.books import Books

TYPES = {
    "alertPolicies": "gcp:monitoring/alertPolicy:AlertPolicy",
    "dashboards": "gcp:monitoring/dashboard:Dashboard",
    "notificationChannels": "gcp:monitoring/notificationChannel:NotificationChannel",
    "uptimeCheckConfigs": "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
}
PAGE = 2


def serve(books: Books) -> str:
    """Starts it; the address."""

    class Lists(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            version, project, _, kind = url.path.strip("/").split("/")
            if self.headers["authorization"] != "Bearer stand-in" or version != (
                "v1" if kind == "dashboards" else "v3"
            ):
                self.send_error(403, f"{project} {kind}")
                return
            held, start = list(_held(books, kind)), int(parse_qs(url.query).get("pageToken", ["0"])[0])
            answer: dict[str, Any] = {kind: held[start : start + PAGE]}
            if start + PAGE < len(held):
                answer["nextPageToken"] = str(start + PAGE)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def _held(books: Books, kind: str) -> Iterator[dict[str, Any]]:
    for entry in books.all():
        if entry["type"] == TYPES[kind]:
            own = json.loads(entry["inputs"].get("dashboardJson") or "{}")
            yield {"name": entry["arn"], "userLabels": entry["inputs"].get("userLabels") or {}, **own}
