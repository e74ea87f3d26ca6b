"""F11: workers of a supervised service are killed while clients ask."""

import asyncio
import random
import sys
import time
from dataclasses import dataclass

import numpy as np
import onnxruntime
import psutil
from slipway.infra.platforms.local import runtime
from slipway.infra.runtime import ONNX
from slipway.service.client import AsyncClient, Retry, SlipwayError

from tests.callers import KEY, access
from tests.service.conftest import ROOT

CALLERS, WORKERS = 8, 2
OWNER = runtime.Owner("x", "stack slipway/test in file:///here")


@dataclass
class Found:
    """`lost`: calls that raised. `wrong`: answers that were not the model's."""

    answered: int = 0
    lost: int = 0
    wrong: int = 0
    kills: int = 0
    longest: float = 0.0


def kill_workers(port, artifact, seconds, every, retry=Retry()):  # noqa: B008 - it is frozen
    """Two workers, eight callers that ask without a pause; one of the workers is killed every `every` seconds."""
    release = runtime.Release(
        python=sys.executable,
        module=ONNX.module,
        code=str(ROOT),
        artifact=str(artifact),
        workers=WORKERS,
        environment={},
    )
    runtime.roll(port, OWNER, release, access())
    try:
        return asyncio.run(_run(port, artifact, seconds, every, retry))
    finally:
        runtime.stop(port, OWNER)


async def _run(port, artifact, seconds, every, retry):
    found, end = Found(), time.monotonic() + seconds
    session = onnxruntime.InferenceSession(artifact / "model.onnx", providers=["CPUExecutionProvider"])

    async def ask(client, rng):
        while time.monotonic() < end:
            asked = rng.normal(size=4).astype(np.float32)
            begin = time.monotonic()
            try:
                answer = await client.predict(asked)
            except SlipwayError:
                found.lost += 1
                continue
            found.longest = max(found.longest, time.monotonic() - begin)
            found.answered += 1
            found.wrong += not np.array_equal(answer.output, session.run(None, {"features": asked[None]})[0][0])

    async def kill():
        while time.monotonic() + every < end:
            await asyncio.sleep(every)
            pids = [pid for pid in (runtime.serving(port) or {}).get("pids", []) if psutil.pid_exists(pid)]
            if pids:
                psutil.Process(random.choice(pids)).kill()
                found.kills += 1

    async with AsyncClient(f"http://127.0.0.1:{port}", KEY, retry=retry) as client:
        await asyncio.gather(kill(), *(ask(client, np.random.default_rng(n)) for n in range(CALLERS)))
    return found
