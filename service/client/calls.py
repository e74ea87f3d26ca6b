"""What can be asked of a service, as steps that a client with or without await carries out."""

import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import numpy as np

from .errors import BadRequest, SlipwayError
from .retries import NEVER, Retry, Send, Wait, attempts
from .tensors import LENGTH, Arrays, decode, encode, fitted

Result = TypeVar("Result")
Flow = Generator[Send | Wait, httpx.Response | httpx.TransportError | None, Result]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An answer; one sample's without a batch axis where one sample was asked about.

    `label` and `probability` are a classification's, of its first output. `token` is what feedback asks for.
    """

    outputs: Arrays
    label: Any = None
    probability: Any = None
    token: str | None = None
    version: str = ""
    request_id: str = ""

    @property
    def output(self) -> np.ndarray:
        """The first output."""
        return next(iter(self.outputs.values()))


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How much of `value` each value of the sample accounts for, beginning from `baseline`.

    `attributions` are arrays of the inputs' shapes; a text's are one number for each of `words`. `standard_error` is
    the noise of the sampling; None if unknown, as the model was too slow for more than one pair of walks.
    """

    method: str
    target: str | int | None
    value: float
    baseline: float
    attributions: Arrays
    words: tuple[str, ...]
    standard_error: float | None
    evaluations: int
    seconds: float


class Calls:
    """The service's address, the key, and what is known of the model. `about` is asked for once."""

    def __init__(self, url: str, key: str | None, deadline: float, retry: Retry | None) -> None:
        self.url = url.rstrip("/")
        self.deadline, self.retry = deadline, retry or NEVER
        # Proxies and certificates of the environment; never a proxy to this machine itself.
        self.elsewhere = httpx.URL(self.url).host not in ("127.0.0.1", "localhost", "::1")
        key = key if key is not None else os.environ.get("SLIPWAY_KEY")
        self.headers = {"authorization": f"Bearer {key}"} if key else {}
        self._about: dict[str, Any] | None = None

    def predicting(self, inputs: Any, deadline: float | None) -> Flow[Prediction]:
        for second in (False, True):
            about = yield from self.describing(deadline)
            specs = about["model"]["inputs"]
            arrays, single = fitted(inputs, specs)
            body, headers = encode(arrays, specs)
            try:
                path = f"/v2/models/{about['model']['name']}/infer"
                response = yield from self._asking("POST", path, deadline, content=body, headers=headers)
                return _prediction(response, about["model"], single)
            except BadRequest as error:
                # Another model may stand there by now: one more look, unless this was it.
                self._about = None
                changed = second or (yield from self.describing(deadline))["version"] == about["version"]
                if error.status == 413 or changed:
                    raise
        raise AssertionError

    def explaining(self, inputs: Any, target: Any, method: str, deadline: float | None) -> Flow[Explanation]:
        about = yield from self.describing(deadline)
        arrays, single = fitted(inputs, about["model"]["inputs"])
        if not single and len(next(iter(arrays.values()))) != 1:
            raise SlipwayError("one sample is explained at a time")
        asked: dict[str, Any] = {"inputs": {name: _plain(array[0]) for name, array in arrays.items()}}
        asked |= {"method": method} | ({} if target is None else {"target": target})
        return _explanation(_json((yield from self._asking("POST", "/explain", deadline, json=asked))))

    def scoring(self, token: str, label: Any, deadline: float | None) -> Flow[dict[str, Any]]:
        asked = {"token": token, "label": label}
        return _json((yield from self._asking("POST", "/feedback", deadline, repeatable=False, json=asked)))

    def deleting(self, token: str, deadline: float | None) -> Flow[dict[str, Any]]:
        return _json((yield from self._asking("POST", "/feedback", deadline, json={"token": token, "delete": True})))

    def asking_status(self, deadline: float | None) -> Flow[dict[str, Any]]:
        return _json((yield from self._asking("GET", "/status", deadline)))

    def fetching_example(self, deadline: float | None) -> Flow[dict[str, Any]]:
        document = _json((yield from self._asking("GET", "/openapi.json", deadline)))
        content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
        return dict(content["application/json"]["example"]["inputs"])

    def describing(self, deadline: float | None) -> Flow[dict[str, Any]]:
        """Name, version and signature of the model, limits of requests."""
        if self._about is None:
            told = _json((yield from self._asking("GET", "/v2", deadline)))
            if "service" not in told:
                raise SlipwayError(f"{self.url} is not a service of Slipway")
            self._about = told["service"]
        return self._about

    def _asking(
        self, method: str, path: str, deadline: float | None, *, repeatable: bool = True, **given: Any
    ) -> Flow[httpx.Response]:
        headers = self.headers | given.pop("headers", {})
        request = httpx.Request(method, self.url + path, headers=headers, **given)
        seconds = self.deadline if deadline is None else deadline
        return (yield from attempts(request, self.retry, seconds, repeatable=repeatable))


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise SlipwayError(f"{response.request.url}: the answer is no object of JSON")
    return told


def _prediction(response: httpx.Response, model: dict[str, Any], single: bool) -> Prediction:
    outputs = decode(response.content, response.headers.get(LENGTH))
    label: Any = None
    probability: Any = None
    if model["task"] == "classification" and model["labels"]:
        first = outputs[model["outputs"][0]["name"]]
        best = first.argmax(axis=1)
        label, probability = [model["labels"][at] for at in best], first.max(axis=1)
        if single:
            label, probability = label[0], float(probability[0])
    return Prediction(
        outputs={name: values[0] if single else values for name, values in outputs.items()},
        label=label,
        probability=probability,
        token=response.headers.get("x-prediction-token"),
        version=_version(response),
        request_id=response.headers.get("x-request-id", ""),
    )


def _version(response: httpx.Response) -> str:
    head = response.content[: int(response.headers.get(LENGTH) or len(response.content))]
    return str(json.loads(head).get("model_version", ""))


def _explanation(told: dict[str, Any]) -> Explanation:
    words: tuple[str, ...] = ()
    credits: Arrays = {}
    for name, values in told["attributions"].items():
        if isinstance(values, dict):
            words, values = tuple(values["words"]), values["values"]
        credits[name] = np.array(values, np.float64)
    return Explanation(
        method=told["method"],
        target=told["target"],
        value=told["value"],
        baseline=told["baseline"],
        attributions=credits,
        words=words,
        standard_error=told["standardError"],
        evaluations=told["evaluations"],
        seconds=told["seconds"],
    )


def _plain(value: Any) -> Any:
    """Nested lists; a missing number is null."""
    array = np.asarray(value)
    if array.dtype.kind == "f" and np.isnan(array).any():
        array = array.astype(object)
        array[array != array] = None
    return array.tolist()
