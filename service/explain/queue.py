"""/explain: the queue before the process that explains."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import orjson
from slipway.service.artifact import Artifact
from slipway.service.errors import Refused, word
from slipway.service.explain.shapley import METHODS
from slipway.service.samples.validation import Validator, parse
from slipway.service.settings import Settings

# From the request to the answer, waiting and the first start of the process included.
_PATIENCE_SECONDS = 30.0
# After which the process gives its memory back.
_IDLE_SECONDS = 300.0
_LINE_BYTES = 64_000_000
_FIELDS = ("inputs", "target", "method")


def explains(artifact: Artifact, settings: Settings) -> bool:
    """Whether answers are explained: the artifact brings baselines along, answers numbers, and settings want it."""
    numbers = artifact.signature.outputs[0].dtype not in ("string", "bool")
    return numbers and (artifact.path / "explanation.npz").exists() and settings.max_explain > 0


class Explain:
    """Explains one sample at a time in a process of its own, which starts with the first request.

    Owns that process: predictions share neither interpreter nor session with it, and go first on the processors.
    """

    def __init__(self, artifact: Artifact, validator: Validator, settings: Settings) -> None:
        self._artifact, self._validator, self._settings = artifact, validator, settings
        self.there = explains(artifact, settings)
        self._waiting, self._turn = 0, asyncio.Lock()
        self._process: Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def __call__(self, body: bytes) -> bytes:
        """The answer as JSON. Raises Refused: 400, 404, 422, 429, 504."""
        self._admit()  # before the work of parsing: what is too much has to cost little
        line = self._request(parse(body))
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._turn:
                told = await self._ask(line)
        except TimeoutError:
            message = f"no explanation within {_PATIENCE_SECONDS:g} seconds"
            raise Refused(504, "timeout", message) from None
        finally:
            self._waiting -= 1
        if told.startswith(b'{"refused"'):
            raise Refused(**orjson.loads(told)["refused"])
        return told

    async def close(self) -> None:
        """End the process."""
        if self._idle:
            self._idle.cancel()
        process, self._process = self._process, None
        if process:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _admit(self) -> None:
        if not self.there:
            raise Refused(404, "not_explained", "the artifact brings no baseline along, or the service is told not to")
        if self._waiting >= self._settings.max_explain:
            again = max(1, round(self._waiting * self._settings.explain_seconds))
            raise Refused(429, "overloaded", f"{self._waiting} explanations are waiting already", retry_after=again)

    def _request(self, given: Any) -> bytes:
        """The line for the process; the sample is checked here already, so that a bad one takes no turn."""
        if type(given) is not dict:
            raise Refused(400, "wrong_type", f"expected an object with 'inputs', got {word(given)}")
        if unknown := next((name for name in given if name not in _FIELDS), None):
            message = f"{unknown[:100]}: unknown field; expected {', '.join(_FIELDS)}"
            raise Refused(400, "unknown_field", message, field=unknown[:100])
        method = given.get("method", "shapley")
        if type(method) is not str or method not in METHODS:
            raise Refused(400, "wrong_type", f"method: none of {', '.join(METHODS)}", field="method")
        target = given.get("target")
        if type(target) not in (str, int, type(None)):
            raise Refused(400, "wrong_type", "target: a class, by name or number, is expected", field="target")
        samples = self._validator.nested({name: value for name, value in given.items() if name == "inputs"})
        if not samples.single:
            raise Refused(400, "wrong_batch", "inputs: one sample is explained at a time", field="inputs")
        asked = {"inputs": given["inputs"], "target": target, "method": method}
        return orjson.dumps(asked | {"seconds": self._settings.explain_seconds}) + b"\n"

    async def _ask(self, line: bytes) -> bytes:
        process = await self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line)
            await process.stdin.drain()
            told = await process.stdout.readline()
        except BaseException:  # also the timeout: nobody waits for this answer, and it must not become the next one's
            await self.close()
            raise
        if not told:
            await self.close()
            raise RuntimeError("the process that explains has ended")
        self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._rest)
        return told

    async def _started(self) -> Process:
        if self._idle:
            self._idle.cancel()
        if self._process is None or self._process.returncode is not None:
            # The same interpreter and code; its files are its own, so that it keeps no socket open.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "slipway.service.explain.worker", str(self._artifact.path)),
                stdin=PIPE,
                stdout=PIPE,
                cwd=Path(__file__).parents[2],
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                limit=_LINE_BYTES,
            )
        return self._process

    def _rest(self) -> None:
        if self._process and not self._turn.locked() and self._process.stdin:
            self._process.stdin.close()  # it ends with its input
            self._process = None
