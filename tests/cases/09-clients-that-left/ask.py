"""Right: after 30 clients have left, a request takes hardly longer than alone."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request

GONE = 30
port, metrics = sys.argv[1:]
body = json.dumps({"inputs": {"x": [0.1, 0.2, 0.3, 0.4]}}).encode()
head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
head += f"content-length: {len(body)}\r\n\r\n"


def ask() -> tuple[int, float]:
    """Status and seconds of one request."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"content-type": "application/json"})
    begun = time.monotonic()
    try:
        code = urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        code = error.code
    return code, time.monotonic() - begun


alone = min(ask()[1] for _ in range(3))
clients = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(GONE)]
for client in clients:
    client.sendall(head.encode() + body)
time.sleep(0.1)
for client in clients:
    client.close()
time.sleep(0.2)
code, after = ask()
counts = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics").read().decode().splitlines()
print(*(row for row in counts if row.startswith("bentoml_service_request_total") and "/predict" in row), sep="\n")
print(f"alone {alone:.2f} s; after {GONE} clients left: {code} in {after:.2f} s")
sys.exit(after > 5 * alone + 0.5)
