"""A process proves that it answers right before it accepts anything."""

import numpy as np
import orjson
from slipway.service.artifact import HELD_OUT, ArtifactError
from slipway.service.exchange import Message
from slipway.service.http.app import App
from slipway.service.inference.model import Model
from slipway.service.samples.validation import Validator
from slipway.service.settings import Settings

# Wide enough for another processor's rounding, int8 kernels among it; far too narrow for another model.
TOLERANCE = 0.01
SAME = 0.995  # of held-out samples, where an output is no float


async def prove(app: App, model: Model) -> None:
    """Warm the model up, send the artifact's example through `app` and compare with its recorded answer.

    Outputs agree within TOLERANCE, absolute and relative; labels exactly. So do the answers to the samples that an
    artifact has along which was judged on other hardware, alone and together. Raises ArtifactError with the reason.
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
    if (model.artifact.path / HELD_OUT).exists():
        _prove_held_out(model)
    status, _ = await _call(app, "GET", "/readyz", b"")
    if status != 200:
        raise ArtifactError(f"/readyz answered {status}")


def _prove_held_out(model: Model) -> None:
    with np.load(model.artifact.path / HELD_OUT) as held:
        inputs = {spec.name: _typed(held[f"input:{spec.name}"], spec.dtype) for spec in model.signature.inputs}
        outputs = {
            spec.name: _typed(held[f"output:{spec.name}"], spec.dtype)
            for spec in model.signature.outputs
            if f"output:{spec.name}" in held
        }
    count = len(next(iter(inputs.values())))
    for size, how in ((1, "alone"), (count, "together")):
        if size > 1 and any(spec.shape[0] is not None for spec in model.signature.inputs):
            continue
        parts = [
            model.run({name: array[at : at + size] for name, array in inputs.items()}) for at in range(0, count, size)
        ]
        for name, recorded in outputs.items():
            here = np.concatenate([part[name] for part in parts])
            if not _alike(here, recorded):
                raise ArtifactError(f"{HELD_OUT}: {name} of {count} samples, {how}, differs here from what was judged")


def _alike(here: np.ndarray, recorded: np.ndarray) -> bool:
    """Floats within TOLERANCE of the largest, everything else for nearly all samples."""
    if here.shape != recorded.shape:
        return False
    if recorded.dtype.kind != "f":
        return bool((here == recorded).reshape(len(here), -1).all(axis=1).mean() >= SAME)
    largest = float(np.abs(np.nan_to_num(recorded)).max(initial=0))
    return np.allclose(here, recorded, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True)


def _typed(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype(object) if dtype == "string" else array


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
