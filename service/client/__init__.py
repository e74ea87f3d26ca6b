"""A client for models that Slipway serves; installed on its own it is `slipway_client`."""

from .calls import Explanation, Prediction
from .clients import AsyncClient, Client
from .errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    NotAllowed,
    Overloaded,
    Refused,
    ServiceFailed,
    SlipwayError,
    Unreachable,
    WrongInput,
)
from .retries import Retry

__all__ = [
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "Explanation",
    "NotAllowed",
    "Overloaded",
    "Prediction",
    "Refused",
    "Retry",
    "ServiceFailed",
    "SlipwayError",
    "Unreachable",
    "WrongInput",
]
