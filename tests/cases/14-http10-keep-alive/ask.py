"""Right: an HTTP/1.0 client gets `connection: keep-alive`, or its connection is closed; never silence."""

import json
import socket
import sys
import time

(port,) = sys.argv[1:]
body = json.dumps({"inputs": {"x": [0.1] * 8}}).encode()
silent = False
for connection in ("", "Connection: Keep-Alive\r\n"):
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{connection}\r\n"
    got, begun = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", int(port))) as client:
        client.settimeout(5)
        client.sendall(b"POST /predict HTTP/1.0\r\n" + head.encode() + body)
        try:
            while b"keep-alive" not in got.lower() and (part := client.recv(65536)):
                got += part
        except TimeoutError:
            silent = True
    print(repr(connection), got.split(b"\r\n")[0].decode(), f"done after {time.monotonic() - begun:.2f} s")
sys.exit(silent)
