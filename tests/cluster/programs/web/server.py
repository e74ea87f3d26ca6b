"""What the pods run: says its version. Takes its settings from the environment."""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = os.environ["VERSION"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False


def end(*_):
    """Serves on until no new connection is sent here any more: the endpoint is withdrawn while this waits."""
    drain = float(os.environ["DRAIN_SECONDS"])
    if not drain:
        os._exit(0)
    threading.Thread(target=lambda: (time.sleep(drain), server.shutdown())).start()


if os.environ.get("FAIL"):
    sys.exit(f"no such model: {os.environ['FAIL']}")
server = Server(("", 8080), Answer)
signal.signal(signal.SIGTERM, end)
server.serve_forever()
server.server_close()
