"""The BentoML service: the same requests and answers as the hot path, through BentoML's own server."""

from typing import Any

import bentoml
from slipway.service.api.responses import answer
from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import ASGIApp
from slipway.service.inference.model import load_model
from slipway.service.samples.validation import Validator
from slipway.service.settings import read_settings
from starlette.responses import Response


class Predict:
    """One model; found through SLIPWAY_ARTIFACT, else in the folder `artifact` beside this package."""

    def __init__(self) -> None:
        self._settings = read_settings([])
        self._model = load_model(self._settings.artifact, self._settings.provider, self._settings.threads)
        self._validator = Validator(self._model.signature, self._settings)

    # A Response of our own keeps the answer to the byte; BentoML would give float32 in float64's digits.
    @bentoml.api(route="/predict")
    def predict(self, inputs: dict[str, Any]):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Run the model on one sample of each input, or on a batch of them."""
        signature = self._model.signature
        try:
            samples = self._validator.nested({"inputs": inputs})
            result = answer(self._model.run(samples.inputs), samples, signature)
        except Refused as refused:
            return Response(encode(refused.body()), refused.status, media_type="application/json")
        return Response(encode(result), media_type="application/json")


# For `bentoml serve slipway.service.http.bento_service:service` and for Bentos.
service = bentoml.service(Predict)


def behind_hot_path() -> ASGIApp:
    """The service as an ASGI application without metrics and access log: the application in front has its own."""
    quiet = {"metrics": {"enabled": False}, "logging": {"access": {"enabled": False}}}
    return bentoml.service(**quiet)(Predict).to_asgi()  # type: ignore[no-any-return]
