"""The two clients: the same calls, with and without await."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import httpx

from .calls import Calls, Explanation, Flow, Prediction, Result
from .retries import Retry, Send

_RETRY = Retry()


class Client(Calls):
    """Asks one service. Owns its connections, which stay open between calls; threads may share it.

    `key`: else $SLIPWAY_KEY. `deadline`: seconds for a call with all its attempts; a call may name its own. `retry`:
    None to send everything once. Redirects are not followed: the key is for this address alone.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        deadline: float = 30.0,
        retry: Retry | None = _RETRY,
        connections: int = 32,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, key, deadline, retry)
        self._http = httpx.Client(limits=_limits(connections), transport=transport, trust_env=self.elsewhere)

    def predict(self, inputs: Any, *, deadline: float | None = None) -> Prediction:
        """Raises WrongInput, Refused's kinds, Unreachable, DeadlineExceeded; so do the other calls."""
        return self._run(self.predicting(inputs, deadline))

    def explain(
        self, inputs: Any, *, target: str | int | None = None, method: str = "shapley", deadline: float | None = None
    ) -> Explanation:
        """Explain the answer to one sample; of a classification the probability of `target`, else the likeliest."""
        return self._run(self.explaining(inputs, target, method, deadline))

    def feedback(self, token: str, label: Any, *, deadline: float | None = None) -> dict[str, Any]:
        """Tell what was true of a prediction: a class or a number, a list of them for a batch, None where unknown."""
        return self._run(self.scoring(token, label, deadline))

    def delete_feedback(self, token: str, *, deadline: float | None = None) -> dict[str, Any]:
        """Take back what was said of a prediction; `deleted` says of how many samples this replica knew it."""
        return self._run(self.deleting(token, deadline))

    def status(self, *, deadline: float | None = None) -> dict[str, Any]:
        return self._run(self.asking_status(deadline))

    def example(self, *, deadline: float | None = None) -> dict[str, Any]:
        """A sample that the model takes."""
        return self._run(self.fetching_example(deadline))

    def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        """Name, digest, version, task and signature of the model, and the limits of requests."""
        return self._run(self.describing(deadline))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self, flow: Flow[Result]) -> Result:
        outcome: Any = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            outcome = None
            if not isinstance(step, Send):
                time.sleep(step.seconds)
                continue
            step.request.extensions["timeout"] = httpx.Timeout(step.seconds).as_dict()
            try:
                outcome = self._http.send(step.request)
            except httpx.TransportError as error:
                outcome = error


class AsyncClient(Calls):
    """The same with await, for one event loop."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        deadline: float = 30.0,
        retry: Retry | None = _RETRY,
        connections: int = 32,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, key, deadline, retry)
        self._http = httpx.AsyncClient(limits=_limits(connections), transport=transport, trust_env=self.elsewhere)

    async def predict(self, inputs: Any, *, deadline: float | None = None) -> Prediction:
        return await self._run(self.predicting(inputs, deadline))

    async def explain(
        self, inputs: Any, *, target: str | int | None = None, method: str = "shapley", deadline: float | None = None
    ) -> Explanation:
        return await self._run(self.explaining(inputs, target, method, deadline))

    async def feedback(self, token: str, label: Any, *, deadline: float | None = None) -> dict[str, Any]:
        return await self._run(self.scoring(token, label, deadline))

    async def delete_feedback(self, token: str, *, deadline: float | None = None) -> dict[str, Any]:
        return await self._run(self.deleting(token, deadline))

    async def status(self, *, deadline: float | None = None) -> dict[str, Any]:
        return await self._run(self.asking_status(deadline))

    async def example(self, *, deadline: float | None = None) -> dict[str, Any]:
        return await self._run(self.fetching_example(deadline))

    async def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        return await self._run(self.describing(deadline))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, flow: Flow[Result]) -> Result:
        outcome: Any = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            outcome = None
            if not isinstance(step, Send):
                await asyncio.sleep(step.seconds)
                continue
            step.request.extensions["timeout"] = httpx.Timeout(step.seconds).as_dict()
            try:
                async with asyncio.timeout(step.seconds):
                    outcome = await self._http.send(step.request)
            except TimeoutError:
                outcome = httpx.ReadTimeout("no answer in time", request=step.request)
            except httpx.TransportError as error:
                outcome = error


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30.0)
