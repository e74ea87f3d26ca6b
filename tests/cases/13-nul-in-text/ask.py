r"""Right: "alpha\0-evil" is not taken for "alpha", neither in JSON nor in the bytes of /v2."""

import json
import struct
import sys

from client import post, predict

(port,) = sys.argv[1:]
text = [predict(port, {"word": [word]})["y"].index(1) for word in ("alpha", "alpha\0-evil", "\0alpha", "")]
raw = b"alpha\0-evil"
content = struct.pack("<I", len(raw)) + raw
word = {"name": "word", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(content)}}
head = json.dumps({"inputs": [word]}).encode()
headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
v2 = post(port, "/v2/models/m/infer", head + content, headers)["outputs"][0]["data"]
print(text, v2)
sys.exit(text != [0, 3, 3, 3] or v2 != [0, 0, 0, 1])
