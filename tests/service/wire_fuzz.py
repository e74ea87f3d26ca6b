"""Sends the cases of wire_cases to server processes, and holds every answer to what is right."""

import asyncio
import io
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import onnxruntime

from tests.callers import HEADERS, access
from tests.service.credentials import JWT
from tests.service.wire_cases import MAKERS, TEXTS, Case

CONNECTIONS = 16
_PATIENCE = 30.0
ALWAYS = [("host", "x"), *HEADERS.items(), ("x-forwarded-for", "192.0.2.7")]
OPTIONS = ("--body-seconds", "5", "--explain-seconds", "0.01", "--log-requests", "0.2", "--log-inputs", "0.2")


class Fuzz:
    """The workers of two models behind a proxy that is believed, and what came back. `wrong`: a line for each case that
    was answered with 5xx, with 200 where it is not right, with anything else where it is, or not at all."""

    def __init__(self, start: Callable, artifacts: dict[str, Path], folder: Path) -> None:
        rules = folder / "access.json"
        rules.write_text(access(jwt=JWT, allow=["192.0.2.0/24"], trustedProxies=["127.0.0.0/8"]))
        rules.chmod(0o600)
        # Each has the socket that `start` was made with, so that there is one process at a time.
        self._start = lambda name: start(artifacts[name], *OPTIONS, SLIPWAY_ACCESS=str(rules))
        self._session = onnxruntime.InferenceSession(artifacts["classifier"] / "model.onnx")
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.right = 0
        self.wrong: list[str] = []
        self.failures: list[str] = []

    def run(self, name: str, count: int, seed: int) -> None:
        """`count` cases against a new process of a model: the classifier, or the echo of texts."""
        worker, rng = self._start(name), random.Random(seed)
        makers = MAKERS if name == "classifier" else TEXTS
        lines = worker.process.stderr
        reading = threading.Thread(target=lambda: self.failures.extend(line for line in lines if '"ERROR"' in line))
        reading.start()
        cases = (makers[number % len(makers)](rng) for number in range(count))
        port = int(worker.url.rpartition(":")[2])
        # BentoML is loaded by the first request for a path of its own.
        httpx.get(f"{worker.url}/docs.json", headers=dict(ALWAYS), timeout=300)
        asyncio.run(self._all(port, cases))
        worker.leave()
        worker.process.wait(30)
        reading.join()

    async def _all(self, port: int, cases) -> None:
        await asyncio.gather(*(self._some(port, cases) for _ in range(CONNECTIONS)))

    async def _some(self, port: int, cases) -> None:
        reader = writer = None
        for case in cases:
            if writer is None or case.alone:
                if writer is not None:
                    writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if case.alone:
                case.headers.append(("connection", "close"))
            try:
                async with asyncio.timeout(_PATIENCE):
                    status, headers, body, closed = await _ask(reader, writer, case)
            except TimeoutError:
                status, headers, body, closed = -1, {}, b"", True
            if closed or case.alone:
                writer.close()
                writer = None
            self._judge(case, status, headers, body)
        if writer is not None:
            writer.close()

    def _judge(self, case: Case, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        self.statuses[case.kind, status] += 1
        problem = ""
        if status >= 500 or status < 0 or (status == 0 and not case.alone):
            problem = "failed" if status >= 500 else "no answer"
        elif 300 <= status < 400 or b"location" in headers:
            problem = "leads elsewhere"
        elif not case.free and (status == 200) != (case.features is not None):
            problem = "has to be refused" if case.features is None else "is right"
        elif status == 200 and not case.free:
            self.right += 1
            problem = "" if self._is_answer(case.features, headers, body) else "another answer"
        if problem:
            request = case.request(ALWAYS)
            shown = request if len(request) < 1500 else request[:1200] + b" ... " + request[-200:]
            self.wrong.append(f"{case.kind}: {problem}, status {status} {body[:200]!r}: {shown!r}")

    def _is_answer(self, asked: np.ndarray, headers: dict[bytes, bytes], body: bytes) -> bool:
        split = headers.get(b"inference-header-content-length")
        if asked.dtype == object:
            return json.loads(body)["outputs"][0]["data"] == asked.ravel().tolist()
        (expected,) = self._session.run(None, {"features": asked})
        if split is not None:
            found = np.frombuffer(body[int(split) :], np.float32)
        elif headers[b"content-type"] == b"application/octet-stream":
            found = np.frombuffer(body, np.float32)
        elif headers[b"content-type"] == b"application/x-npy":
            found = np.load(io.BytesIO(body))
        else:
            outputs = json.loads(body)["outputs"]
            found = np.float32(outputs[0]["data"] if isinstance(outputs, list) else outputs["probabilities"])
        return found.size == expected.size and np.allclose(found.ravel(), expected.ravel(), 1e-4, 1e-6)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, case: Case
) -> tuple[int, dict[bytes, bytes], bytes, bool]:
    """Status, headers and body of an answer, and whether the connection is at its end; 0 where there is no answer."""
    try:
        writer.write(case.request(ALWAYS))
        status = 100
        while status == 100:
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
        pairs = (line.partition(b": ") for line in head.split(b"\r\n")[1:-2])
        headers = {name.lower(): value for name, _, value in pairs}
        body = b"" if case.method == "HEAD" else await reader.readexactly(int(headers.get(b"content-length", b"0")))
        return status, headers, body, headers.get(b"connection") == b"close"
    except (OSError, asyncio.IncompleteReadError):
        return 0, {}, b"", True
