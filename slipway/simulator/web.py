"""A double of any HTTP service on this machine: fixed answers by path, and what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Any  # (status, JSON or text, headers), JSON or text alone, or a function of (path, body) that answers so


class Web:
    """`answers` by the beginning of a path with its query, the longest that fits; anything else is 404. Of headers,
    `:method` is the method. `asked`: the
    (method, path, body, headers) of each request."""

    def __init__(self, address: str, answers: dict[str, Answer]) -> None:
        self.address, self.answers = address, answers
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []

    def answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        self.asked.append((method, path, body, headers))
        fitting = [each for each in self.answers if path.startswith(each)]
        found = self.answers[max(fitting, key=len)] if fitting else (404, {"error": {"message": "not found"}}, {})
        if callable(found):
            found = found(path, body, headers)
        return found if isinstance(found, tuple) else (200, found, {})


@contextmanager
def web(answers: dict[str, Answer]) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {":method": self.command, **{key.lower(): value for key, value in self.headers.items()}}
            status, content, more = double.answer(self.command, self.path, body, headers)
            text = content if isinstance(content, str) else json.dumps(content)
            self.send_response(status)
            for name, value in {"content-length": str(len(text.encode())), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_POST = do_HEAD = do_DELETE = reply

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double = Web(f"http://127.0.0.1:{server.server_port}", answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
