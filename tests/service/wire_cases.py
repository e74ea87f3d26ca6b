"""Requests with structure, right ones and nearly right ones, and what each has to be answered with.

Every maker takes a random generator and gives a Case. What is right is decided here by other means than the service's:
numpy's own reader of .npy, Python's json, gzip and struct.
"""

import base64
import gzip
import io
import json
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from tests.service import json_bodies
from tests.service.json_bodies import by_json

F4 = np.dtype("float32")
MOST_SAMPLES = 1024
HUGE = [0, -1, 2**31, 2**32, 2**39, 2**40, 2**62, 2**63, 2**64, 10**30, 10**300]
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 4.5, 1e300, "", "4", "x" * 2000, [], {}, [[]], [None], {"a": 1}, 2**40, 2**63),
    *([1, 2, 3], [True, 4], ["1", "4"], [1, -4], [0, 2**39, 2**39], [2**62, 4], [1] * 33, [1] * 80, "ä€\u2028"),
]
PREDICT, INFER = "/predict", "/v2/models/classifier/infer"
RAW, NPY, JSON = "application/octet-stream", "application/x-npy", "application/json"


@dataclass
class Case:
    """One request. `features`: the batch that has to be answered, None where it has to be refused; `free`: both may be.
    `alone`: it may break its connection, and end without an answer."""

    kind: str
    path: str
    body: bytes
    headers: list[tuple[str, str | bytes]] = field(default_factory=list)
    features: np.ndarray | None = None
    free: bool = False
    alone: bool = False
    method: str = "POST"
    length: str | None = None

    def request(self, always: list[tuple[str, str]]) -> bytes:
        given = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {self.path} HTTP/1.1".encode("latin-1", "replace")]
        length = [] if "transfer-encoding" in given else [("content-length", self.length or str(len(self.body)))]
        for name, value in [*(each for each in always if each[0] not in given), *length, *self.headers]:
            lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()))
        return b"\r\n".join([*lines, b"", b""]) + self.body


def features(rng: Random) -> np.ndarray:
    rows = [[rng.choice((0.0, 1.0, -2.5, 3.25, 1e-3)) for _ in range(4)] for _ in range(rng.choice((1, 1, 2, 5)))]
    return np.array(rows, F4)


def batch(array: np.ndarray) -> np.ndarray | None:
    """The batch that an array is for the classifier; None where it is none."""
    array = array[None] if array.shape == (4,) else array
    good = array.dtype == F4 and array.ndim == 2 and array.shape[1] == 4 and 0 < len(array) <= MOST_SAMPLES
    return array if good and np.isfinite(array).all() else None


def npy(rng: Random) -> Case:
    array = features(rng)
    if rng.random() < 0.5:
        array = array[0]
    descr, order, shape = "'<f4'", rng.choice(("False", "True")), str(array.shape)
    content = array.tobytes("F" if order == "True" else "C")
    version, width, padding = (1, 0), 2, b" " * rng.randrange(64)
    change = rng.randrange(14)
    if change == 0:
        descr = rng.choice(_DESCRS)
    elif change == 1:
        order = rng.choice(("None", "1", "'True'", "true", "0"))
    elif change in (2, 3):
        shape = rng.choice((_odd_shape(rng), str(rng.choice(ODD)), rng.choice(_SHAPES)))
    elif change == 4:
        content = rng.choice((content[:-1], content + b"\0", b"", content * 2, b"\xff" * len(content)))
    elif change == 5:
        version, width = rng.choice((((2, 0), 4), ((3, 0), 4), ((9, 9), 4), ((0, 0), 2), ((1, 1), 2), ((255, 255), 4)))
    fields = [f"'descr': {descr}", f"'fortran_order': {order}", f"'shape': {shape}"]
    rng.shuffle(fields)
    if change == 6:
        fields[rng.randrange(3)] = rng.choice(("", "'x': 1", "'descr': '<f4'", "**{}", "'shape': (4,)"))
    header = b"{" + ", ".join(fields).encode("latin-1", "backslashreplace") + b", }" + padding + b"\n"
    if change == 7:
        header = rng.choice(
            (b"(" * 900, b"-" * 900 + b"1", b"[" * 90 + b"]" * 90, b"{" * 500, header * 9, b"", b"\xff")
        )
    size = len(header) if change != 8 else rng.choice((0, 1, len(header) - 1, len(header) + 1, 65535))
    body = b"\x93NUMPY" + bytes(version) + (size % 256**width).to_bytes(width, "little") + header + content
    if change == 9:
        body = bytes_changed(rng, body)
    return Case("npy", PREDICT, body, [("content-type", NPY)], _of_npy(body))


def raw(rng: Random) -> Case:
    array = features(rng)
    content, shape = array.tobytes(), ",".join(map(str, array.shape))
    headers: list[tuple[str, str | bytes]] = [("content-type", RAW)]
    change = rng.randrange(6)
    if change == 0:
        shape = rng.choice(
            (_odd_shape(rng)[1:-1], "0,999999999999,4", "0" * 5000 + "4", "4", "1,4,", "", "1;4", "+1,4")
        )
    elif change == 1:
        content = rng.choice((content[:-1], content + bytes(4), b"", bytes(16 * 1025), b"\xff" * 16, content * 2))
    elif change == 2:
        shape = rng.choice(("2,2", "1,1,4", " 1 , 4 ", "-1,4", "1,٤", "1e0,4", "0x1,4", ",".join("1" * 40), "true,4"))
    named = change != 3 and rng.random() < 0.7
    if named:
        headers.append(("x-tensor-shape", shape))
    return Case("raw", PREDICT, content, headers, _of_raw(content, shape if named else None))


def nested(rng: Random) -> Case:
    body = json_bodies.body(rng, (4,)).replace(b'"x"', b'"features"')
    change = rng.randrange(6)
    if change < 3:
        body = json_bodies.mutated(rng, body)
    elif change == 3:
        deep = rng.choice((30, 500, 50_000))
        inner = rng.choice((b"[" * deep + b"1" + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep, b"[" * deep))
        body = rng.choice(
            (inner, body.replace(b"[", b"[" + inner + b",", 1), b'{"inputs":{"features":' + inner + b"}}")
        )
    elif change == 4:
        value = json.dumps(rng.choice(ODD)).encode()
        body = rng.choice(
            (value, b'{"inputs":%b}' % value, b'{"inputs":{"features":%b}}' % value, b"\xef\xbb\xbf" + body)
        )
    given = by_json(body)
    inputs = given.get("inputs") if isinstance(given, dict) and len(given) == 1 else None
    rows = inputs.get("features") if isinstance(inputs, dict) and len(inputs) == 1 else None
    found = json_bodies.tensor(rows, (4,), F4)
    expected = None if found is None else batch(np.array(found[2], F4).reshape(found[1]))
    return Case("json", PREDICT, body, [("content-type", JSON)], expected)


def v2(rng: Random) -> Case:
    array = features(rng)
    entry: dict[str, Any] = {"name": "features", "datatype": "FP32", "shape": list(array.shape)}
    request: dict[str, Any] = {"inputs": [entry]}
    content = array.tobytes()
    binary = rng.random() < 0.5
    if binary:
        entry["parameters"] = {"binary_data_size": len(content)}
    else:
        entry["data"], content = (array if rng.random() < 0.5 else array.ravel()).tolist(), b""
    if rng.random() < 0.3:
        request |= {
            "id": "7",
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": rng.random() < 0.5}}],
        }
    change = rng.randrange(10)
    if change in (0, 1):
        where = rng.choice(
            (entry, entry, request, entry.setdefault("parameters", {}), request.setdefault("parameters", {}))
        )
        name = rng.choice([*where, "binary_data_size", "binary_data_output", "data", "shape", "id", "outputs", "x"])
        where[name] = rng.choice([*ODD, *HUGE[1:], 16])
    elif change == 2:
        entry["shape"] = rng.choice([[0, size, size] for size in HUGE] + [[size, 4] for size in HUGE])
    elif change == 3:
        content = rng.choice((content[:-1], content + b"\0", content * 2, b"\xff" * len(content)))
    elif change == 4:
        request["inputs"] = rng.choice(
            ([entry, entry], [], [entry, {**entry, "name": "y"}], {"a": entry}, [rng.choice(ODD)])
        )
    elif change == 5:
        where, name = rng.choice(((entry, "name"), (entry, "datatype"), (entry, "shape"), (request, "inputs")))
        del where[name]
    elif change == 6:
        entry["datatype"] = rng.choice(("INT64", "BYTES", "BOOL", "FP64", "FP16", "UINT8", "fp32", "FP8"))
    head = json.dumps(request).encode()
    if change == 7:
        head = json_bodies.mutated(rng, head)
    size: str | None = str(len(head)) if binary or rng.random() < 0.3 else None
    if change == 8:
        size = rng.choice((str(len(head) - 1), str(len(head) + 1), "0" * 5000, "-1", "1e1", "", str(10**30), None))
    if change == 9:
        deep = rng.choice((30, 50_000))
        head = head[:-1] + b',"x":' + b"[" * deep + b"]" * deep + b"}"
        size = str(len(head)) if size else None
    headers: list[tuple[str, str | bytes]] = [("content-type", RAW if binary else JSON)]
    if size is not None:
        headers.append(("inference-header-content-length", size))
    return Case("v2", INFER, head + content, headers, _of_v2(head + content, size))


def packed(rng: Random) -> Case:
    case = rng.choice((npy, raw, nested, v2))(rng)
    coding, pack = rng.choice((("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip", gzip.compress)))
    body, expected = pack(case.body), case.features
    change = rng.randrange(5)
    if change == 0:
        body = bytes_changed(rng, body)
        expected, case.free = None, True  # some bytes of gzip's header say nothing
    elif change == 1:
        body = rng.choice((body[:-1], body + b"\0", body[:10], b"", case.body, body[:-8] + bytes(8)))
        expected = None
    elif change == 2:
        body, expected = _BOMBS[pack], None
    elif change == 3:
        coding = rng.choice(("zstd", "br", "gzip,gzip", "gzip, identity", "compress", "\xff", "gz ip"))
        expected = None
    case.kind, case.body, case.features = "packed", body, expected
    case.headers.append(("content-encoding", coding))
    return case


def texts(rng: Random) -> Case:
    """Of the model that gives a text back."""
    found = [rng.choice(("", "a", "hello", "ä€", "alpha\0evil", "x" * 300)) for _ in range(rng.choice((1, 2, 3)))]
    content = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in found)
    shape: Any = [len(found), 1]
    change = rng.randrange(6)
    if change == 0:
        content = bytes_changed(rng, content)
    elif change == 1:
        content = rng.choice(
            (content[:-1], content + b"\0", b"\xff\xff\xff\xff" + content, struct.pack("<I", 2**31), b"")
        )
    elif change == 2:
        shape = rng.choice([[0, size, size] for size in HUGE] + ODD)
    entry = {"name": "text", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [entry]}).encode()
    headers: list[tuple[str, str | bytes]] = [
        ("content-type", RAW),
        ("inference-header-content-length", str(len(head))),
    ]
    expected = _of_texts(content, shape)
    return Case("texts", "/v2/models/echo/infer", head + content, headers, expected)


def headed(rng: Random) -> Case:
    """A good request with one or two headers that are odd, or wrong, or only look so."""
    array = features(rng)
    body = json.dumps({"inputs": {"features": array.tolist()}}).encode()
    case = Case("headers", PREDICT, body, [("content-type", JSON)], array)
    chosen = {name: (value, good) for name, value, good in rng.sample(_HEADERS, rng.choice((1, 1, 2)))}
    case.headers = [each for each in case.headers if each[0] not in chosen]
    for name, (value, good) in chosen.items():
        case.headers.append((name, value))
        case.free |= good is None
        if good is False:
            case.features = None
    if rng.random() < 0.3:
        size = len(body)
        case.length = rng.choice(
            (f"00{size}", "0" * 5000 + str(size), "9" * 5000, f"+{size}", f"{size}.0", hex(size), "-1")
        )
        case.length = rng.choice(
            (case.length, "1e2", "", "18446744073709551616", str(size - 1), f"{size},{size}", f"{size} ")
        )
        case.free, case.alone = True, True
    case.alone |= any(name in ("transfer-encoding", "expect", "connection", "upgrade") for name, _ in case.headers)
    return case


def elsewhere(rng: Random) -> Case:
    """Other paths and methods: never 5xx, and never somewhere else."""
    path = rng.choice(
        ("/", "/docs.json", "/livez", "/v2", "/feedback", "/explain", "/status", "/model/card.md", "/ui", INFER)
    )
    path = rng.choice(
        (path, path + "/", "/" + path, path + "?a=%ff&b", path + "/../x", path + "%00", "*", "http://x" + path)
    )
    method = rng.choice(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "get", "X"))
    body = json.dumps(rng.choice(ODD)).encode() if rng.random() < 0.5 else b""
    told = {"token": rng.choice(("", "AAAA", "é", "A" * 999, None)), "label": rng.choice(ODD)}
    body = json.dumps(told).encode() if path.startswith("/feedback") else body
    host = rng.choice(("x", "other.example", "[::1", "", "a b", "x:99999999", "\xff"))
    headers: list[tuple[str, str | bytes]] = [("host", host), ("content-type", JSON)]
    return Case("elsewhere", path, body, headers, free=True, alone=True, method=method)


# Of the classifier's service, of the echo's.
MAKERS: tuple[Callable[[Random], Case], ...] = (npy, raw, nested, v2, packed, headed, elsewhere)
TEXTS: tuple[Callable[[Random], Case], ...] = (texts,)

_DESCRS = [
    *("'>f4'", "'=f4'", "'f4'", "'float32'", "'<f8'", "'<i4'", "'|b1'", "'|O'", "'<U4'", "'<f2'", "'<f16'", "'<c8'"),
    *(
        "'|V4'",
        "'<M8[s]'",
        "('<f4',(4,))",
        "('<f4',(2**31,2**31))",
        "[('a','<f4')]",
        "[('\\ud800','<f4')]",
        "'\\ud800'",
    ),
    *(
        "None",
        "5",
        "'S0'",
        "'V0'",
        "'<f4,<f4'",
        "'4f4'",
        "'(2,2)f4'",
        "''",
        "'\\q'",
        "['<f4']",
        "b'<f4'",
        "'<f4' '<f4'",
    ),
]
_BOMBS = {pack: pack(b" " * 30_000_000) for pack in (gzip.compress, zlib.compress)}
_DEEP = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5900) + b".e30.eA"
_SHAPES = [
    "()",
    "(4)",
    "4",
    "(4.0,)",
    "(True, 4)",
    "(1, 4L)",
    "((4,),)",
    "('4',)",
    "(-1, 4)",
    "(0, 4)",
    "(4, 0)",
    "(1,4,1)",
]
# Name, value, and whether a request with it is good; None: it may be either.
_HEADERS: list[tuple[str, str | bytes, bool | None]] = [
    ("content-type", "application/json; charset=utf-8", True),
    ("content-type", "Application/JSON", True),
    ("content-type", "application/json; charset=utf-16", False),
    ("content-type", "text/plain", False),
    ("content-type", "", False),
    ("content-type", b"\xff\x80", False),
    ("accept", "application/x-npy", True),
    ("accept", "*/*;q=0.1, text/html", True),
    ("accept", b"\xff" * 300, True),
    ("accept-encoding", "gzip", True),
    ("accept-encoding", "gzip;q=;;,,=,*;q=x", True),
    ("accept-encoding", b"\xff;q=0", True),
    ("content-encoding", "identity", True),
    ("content-encoding", "gzip", False),
    ("content-encoding", b"\xff", False),
    ("x-request-id", "4111111111111111", True),
    ("x-request-id", b"\xff\xfe", True),
    ("x-request-id", "x" * 5000, True),
    ("traceparent", "00-" + "0" * 5000, True),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
    ("inference-header-content-length", "0" * 5000, True),
    ("x-tensor-shape", "0" * 5000, True),
    ("x-forwarded-for", "192.0.2.7:80", True),
    ("x-forwarded-for", "[::ffff:192.0.2.7]:80", True),
    ("x-forwarded-for", "198.51.100.1, 192.0.2.7", True),
    ("x-forwarded-for", "192.0.2.9, 198.51.100.1", False),
    ("x-forwarded-for", "192.0.2.7:" + "0" * 5000, False),
    ("x-forwarded-for", "[" * 5000, False),
    ("x-forwarded-for", "192.0.2.7," * 900, False),
    ("x-forwarded-for", b"\xff\xb2", False),
    ("x-forwarded-for", "999999999999", False),
    ("forwarded", 'for="192.0.2.7:80"', True),
    ("forwarded", "for=192.0.2.8", False),
    ("forwarded", 'for="' + "\\" * 500, False),
    ("forwarded", "for=" + "=;" * 400, False),
    ("forwarded", b'for="\xff"', False),
    ("authorization", "", False),
    ("authorization", "Bearer " + "x" * 9000, False),
    ("authorization", "Bearer eyJ." + "." * 500, False),
    ("authorization", "Bearer W1tbW1tbW1tbW1tbW1tb." * 2 + "x", False),
    ("authorization", b"Bearer " + _DEEP, False),
    ("authorization", b"Bearer \xff", False),
    ("authorization", "Basic eDp5", False),
    ("expect", "100-continue", None),
    ("expect", "x" * 500, None),
    ("connection", "close, x", None),
    ("upgrade", "h2c", None),
    ("transfer-encoding", "chunked", None),
    ("transfer-encoding", "gzip", None),
    ("cookie", "a" * 20_000, True),
    ("x", "y" * 60_000, None),
    ("range", "bytes=0-1e9", True),
    ("host", "[::1", True),
    ("keep-alive", "9" * 5000, True),
]


def bytes_changed(rng: Random, content: bytes) -> bytes:
    """One to three bytes changed, put in or taken out."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(changed) + 1)
        changed[at : at + rng.choice((0, 1))] = rng.choice((b"", bytes([rng.randrange(256)])))
    return bytes(changed)


def _odd_shape(rng: Random) -> str:
    sizes = [rng.choice((*HUGE, 1, 4)) for _ in range(rng.choice((1, 2, 2, 3, 70)))]
    return f"({','.join(map(str, sizes))},)"


def _of_npy(body: bytes) -> np.ndarray | None:
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[min(version[0], 2)]
        with warnings.catch_warnings(action="ignore"):  # of shapes that Python 2 wrote, such as (1, 4L)
            shape, fortran, dtype = read(stream, max_header_size=1000)
        array = np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")
    except Exception:
        return None
    if (
        version not in ((1, 0), (2, 0), (3, 0))
        or dtype.kind == "V"
        or any(type(size) is not int or size < 0 for size in shape)
    ):
        return None
    return batch(array)


def _of_raw(content: bytes, shape: str | None) -> np.ndarray | None:
    sizes = [len(content) // 16, 4]
    if shape is not None:
        parts = [part.strip() for part in shape.split(",")]
        if not all(part.isascii() and part.isdecimal() and len(part) <= 12 for part in parts):
            return None
        sizes = [int(part) for part in parts]
    try:
        return batch(np.frombuffer(content, F4).reshape(sizes))
    except ValueError:
        return None


def _of_v2(body: bytes, size: str | None) -> np.ndarray | None:
    at = len(body)
    if size is not None:
        at = int(size) if size.isdecimal() and len(size) <= 12 else -1
    request = by_json(body[:at]) if 0 <= at <= len(body) else None
    if not isinstance(request, dict) or not _is_form(request) or len(request["inputs"]) != 1:
        return None
    (entry,) = request["inputs"]
    shape, told, content = entry.get("shape"), entry.get("parameters", {}), body[at:]
    named = (entry.get("name"), entry.get("datatype")) == ("features", "FP32")
    whole = isinstance(shape, list) and all(type(each) is int for each in shape) and isinstance(told, dict)
    if not named or not whole or len(shape) != 2 or shape[1] != 4 or not 0 < shape[0] <= MOST_SAMPLES:
        return None
    if "binary_data_size" in told:
        right = type(told["binary_data_size"]) is int and told["binary_data_size"] == len(content) == 16 * shape[0]
        return batch(np.frombuffer(content, F4).reshape(shape)) if right else None
    data = entry.get("data")
    if content or not isinstance(data, list):
        return None
    found = json_bodies.numbers(data, F4) if len(data) == 4 * shape[0] else None
    if (
        found is None
        and (nested_ := json_bodies.tensor(data, (4,), F4))
        and not nested_[0]
        and nested_[1] == tuple(shape)
    ):
        found = nested_[2]
    return None if found is None else batch(np.array(found, F4).reshape(shape))


def _is_form(request: dict[str, Any]) -> bool:
    """Whether what stands beside the tensors of a request has its types."""
    outputs, told, inputs = request.get("outputs", []), request.get("parameters", {}), request.get("inputs")
    return (
        isinstance(inputs, list)
        and all(isinstance(each, dict) for each in inputs)
        and isinstance(request.get("id", ""), str)
        and len(request.get("id", "")) <= 1000
        and isinstance(told, dict)
        and isinstance(told.get("binary_data_output", False), bool)
        and isinstance(outputs, list)
        and len(outputs) <= 1
        and all(isinstance(each, dict) and each.get("name") == "probabilities" for each in outputs)
        and all(isinstance(each.get("parameters", {}), dict) for each in outputs)
        and all(isinstance(each.get("parameters", {}).get("binary_data", False), bool) for each in outputs)
    )


def _of_texts(content: bytes, shape: Any) -> np.ndarray | None:
    found, at = [], 0
    try:
        while at < len(content):
            (length,) = struct.unpack_from("<I", content, at)
            if at + 4 + length > len(content):
                return None
            found.append(content[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, ValueError):
        return None
    good = shape == [len(found), 1] and all(type(size) is int for size in shape) and found
    return np.array(found, object).reshape(-1, 1) if good else None
