"""What can go wrong, by what a caller can do about it."""

from typing import Any

import httpx


class SlipwayError(Exception):
    """Whatever this client raises."""


class WrongInput(SlipwayError, ValueError):
    """Input that does not fit the model's signature; nothing was sent."""


class Unreachable(SlipwayError):
    """No answer: no connection, or one that broke."""

    retry_after: float | None = None


class DeadlineExceeded(SlipwayError, TimeoutError):
    """No answer in time; the cause is what the last attempt met, if there was one."""


class Refused(SlipwayError):
    """The service answered and refused. `field` and `index` name the input and the sample at fault, where one is."""

    def __init__(self, status: int, error: dict[str, Any], retry_after: float | None) -> None:
        self.status, self.retry_after = status, retry_after
        self.code: str = str(error.get("code") or "unknown")
        self.field: str | None = error.get("field")
        self.index: int | None = error.get("index")
        self.request_id: str | None = error.get("requestId")
        super().__init__(f"{status} {self.code}: {error.get('message') or 'no reason was given'}")


class BadRequest(Refused):
    """The request is wrong and stays so: 400, 404, 405, 406, 408, 413, 415, 422."""


class NotAllowed(Refused):
    """The key is missing, wrong or expired, or the address may not ask: 401, 403."""


class Conflict(Refused):
    """The prediction's token was scored already, or is another version's: 409."""


class Overloaded(Refused):
    """Too many requests: 429."""


class ServiceFailed(Refused):
    """The service or something before it failed: 5xx."""


def refused(response: httpx.Response) -> Refused:
    """The error for an answer of 400 and above, whoever gave it."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    error = body.get("error")
    if not isinstance(error, dict):  # the Open Inference Protocol's form
        error = body | {"message": error}
    status, after = response.status_code, response.headers.get("retry-after", "")
    kinds = {401: NotAllowed, 403: NotAllowed, 409: Conflict, 429: Overloaded}
    kind = kinds.get(status, ServiceFailed if status >= 500 else BadRequest)
    return kind(status, error, float(after) if after.isdigit() else None)
