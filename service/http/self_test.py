"""A process proves that it answers right before it accepts anything."""

import numpy as np
import orjson
from slipway.service.artifact import ArtifactError
from slipway.service.exchange import Message
from slipway.service.http.app import App
from slipway.service.inference.model import Model
from slipway.service.samples.validation import Validator
from slipway.service.settings import Settings

# Wide enough for another processor's rounding, int8 kernels among it; far too narrow for another model.
TOLERANCE = 0.01


async def prove(app: App, model: Model) -> None:
    """Warm the model up, send the artifact's example through `app` and compare with its recorded answer.

    Outputs agree within TOLERANCE, absolute and relative; labels exactly. Raises ArtifactError with the reason.
    """
    example, expected = model.artifact.read("example"), model.artifact.read("example.response")
    request = orjson.dumps(example)
    try:
        model.warm_up(Validator(model.signature, Settings()).nested(example).inputs)
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise ArtifactError(f"example.json: {str(error).splitlines()[0]}") from error

    status, body = await _call(app, "POST", "/predict", request)
    if status != 200:
        raise ArtifactError(f"example.json: /predict answered {status}: {body.decode()}")
    _compare(orjson.loads(body), expected)
    status, _ = await _call(app, "GET", "/readyz", b"")
    if status != 200:
        raise ArtifactError(f"/readyz answered {status}")


def _compare(found: dict, expected: dict) -> None:  # type: ignore[type-arg]
    if found["outputs"].keys() != expected["outputs"].keys():
        raise ArtifactError(f"example.response.json: the model's outputs are {', '.join(found['outputs'])}")
    for name, values in expected["outputs"].items():
        here, recorded = np.asarray(found["outputs"][name]), np.asarray(values)
        if here.shape != recorded.shape or not _close(here, recorded):
            raise ArtifactError(f"example.response.json: {name} differs here by more than {TOLERANCE}")
    if found.get("label") != expected.get("label"):
        difference = f"{expected.get('label')!r}, here {found.get('label')!r}"
        raise ArtifactError(f"example.response.json: the recorded label is {difference}")


def _close(here: np.ndarray, recorded: np.ndarray) -> bool:
    if recorded.dtype.kind == "U":
        return bool((here == recorded).all())
    return np.allclose(here, recorded, rtol=TOLERANCE, atol=TOLERANCE)


async def _call(app: App, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send, trusted=True)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
