"""Stands for `python -m slipway.service` in tests of the supervisor: same arguments, quick.

It answers its artifact's text.

An artifact file that starts with "broken" makes it exit before it is ready. With a file in $DYING it notes there when
it started, and ends as soon as it is ready.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--artifact", type=Path)
for name in ("--fd", "--ready-fd", "--parent-fd", "--metrics-fd"):
    parser.add_argument(name, type=int)
options = parser.parse_args()
text = options.artifact.read_text()
if text.startswith("broken"):
    sys.exit(f"model.onnx is damaged: {text}")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.5)
        body = f"{text} {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=options.fd)
# Two workers wake up for one connection; the slower must not block in accept.
server.socket.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())


def end_with_parent():
    os.read(options.parent_fd, 1)
    server.shutdown()


threading.Thread(target=end_with_parent, daemon=True).start()
os.write(options.ready_fd, b"ready\n")
os.close(options.ready_fd)
if noted := os.environ.get("DYING"):
    with open(noted, "a") as file:
        file.write(f"{time.time()}\n")
    sys.exit(1)
server.serve_forever(poll_interval=0.05)
