"""A package index as companies have them: https with a certificate of their own, and a password."""

from __future__ import annotations

import base64
import http.server
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "builder", "canary-of-the-index"


@dataclass
class Index:
    """`url` holds the password; `certificate` is the file that who trusts it needs."""

    url: str
    certificate: Path


@contextmanager
def serving(folder: Path, wheels: Path, address: str) -> Iterator[Index]:
    """Serves the wheels of a folder to whoever reaches the address of this machine."""
    key, certificate = folder / "index.key", folder / "index.pem"
    subject = ["-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    files: dict[str, dict[str, Path]] = {}
    for wheel in wheels.glob("*.whl"):
        project = re.sub("[-_.]+", "-", wheel.name.partition("-")[0]).lower()
        files.setdefault(project, {})[wheel.name] = wheel
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("authorization") != f"Basic {secret}":
                self.send_response(401)
                self.send_header("www-authenticate", 'Basic realm="index"')
                self.send_header("content-length", "0")
                self.end_headers()
                return
            _, _, project, name = f"{self.path.rstrip('/')}///".split("/")[:4]  # /simple/<project>/<file>
            found = files.get(project, {})
            body = found[name].read_bytes() if name in found else _page(found)
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/octet-stream" if name in found else "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Index(f"https://{USER}:{PASSWORD}@{address}:{server.server_port}/simple", certificate)
    finally:
        server.shutdown()
        server.server_close()


def _page(files: dict[str, Path]) -> bytes:
    return ("<html><body>" + "".join(f'<a href="{name}">{name}</a>' for name in files) + "</body></html>").encode()
