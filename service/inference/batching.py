"""Runs the model for requests that come side by side: together where that is faster, each on its own where not."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from math import ceil
from time import perf_counter
from typing import TypeVar

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from slipway.service.errors import Refused
from slipway.service.inference.model import Model
from slipway.service.samples.validation import Samples
from slipway.service.settings import Settings
from slipway.service.telemetry.metrics import Metrics
from slipway.service.telemetry.timings import Timings

# A run of less than this does not even queue: a place in the queue costs about 0.02 ms.
_AT_ONCE_SECONDS = 0.002
# A thread for the run costs a twelfth of a 5 ms model (other core, cold caches). A run on the event loop delays the
# probes and refusals that come meanwhile by its own length, and can't be stopped: it is for models that always take as
# long.
_INLINE_SECONDS = 0.02

_log = logging.getLogger("slipway")
T = TypeVar("T")
Outputs = dict[str, np.ndarray]
# The contexts of a run's requests, its samples, its seconds, and what it raised.
OnRun = Callable[[list[Context], int, float, Exception | None], None]


class Batcher:
    """One model, one run at a time, and the requests that wait for it.

    Owns the queue and the thread for runs that take long. Nothing waits for company: a free model takes at once
    whatever has come by then. `on_run` is called after each run of the model, in whichever thread ran it.
    """

    on_run: OnRun | None = None

    def __init__(self, model: Model, settings: Settings, metrics: Metrics, stages: Timings) -> None:
        self._model, self._settings, self._metrics, self._stages = model, settings, metrics, stages
        self._queue: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "model")
        self._inline = _INLINE_SECONDS if model.signature.steady else _AT_ONCE_SECONDS

    async def run(self, samples: Samples) -> Outputs:
        """The model's outputs for `samples`.

        Raises Refused: 422 for what the model itself can't take, 429 where too many wait, 504 where the answer would
        come after `timeout_seconds`. Then, and where the task is cancelled, the place in the queue is free at once,
        and a run that nobody waits for is stopped.
        """
        if self._worker is None and self._model.batch == 1 and self._is_short(samples.count, _AT_ONCE_SECONDS):
            return self._run_one(samples, None, self._context())
        self.admit()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(samples, loop.create_future(), self._context())
        self._queue.append(waiting)
        self._metrics.waiting(len(self._queue))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        timer = loop.call_later(self._settings.timeout_seconds, self._expire, waiting)
        try:
            return await waiting.outputs
        except asyncio.CancelledError:
            self._leave(waiting)
            raise
        finally:
            timer.cancel()

    def admit(self) -> None:
        """Raises Refused (429) while the queue is full."""
        waiting = len(self._queue)
        if waiting >= self._settings.max_queue:
            wait = max(1, ceil(self._model.seconds * waiting))
            raise Refused(429, "overloaded", f"{waiting} requests are waiting already", retry_after=wait)

    def close(self) -> None:
        """Let go of the thread once its run is over."""
        self._thread.shutdown()

    async def _work(self) -> None:
        try:
            while batch := self._take():
                if self._is_short(sum(each.samples.count for each in batch), self._inline):
                    self._settle(batch, self._answers(batch, None))
                    await asyncio.sleep(0)  # the answers go out, and others come in
                else:
                    await self._work_beside(batch)
        finally:
            self._worker = None

    def _take(self) -> "list[_Waiting]":
        """The requests for the next run: the first, and those behind it that may share its run."""
        batch: list[_Waiting] = []
        room = self._model.batch
        while self._queue:
            first = self._queue[0]
            if batch and (first.samples.count > room or first.shapes() != batch[0].shapes()):
                break
            self._queue.popleft()
            if not first.outputs.done():  # its task is about to leave
                batch.append(first)
                room -= first.samples.count
        self._metrics.waiting(len(self._queue))
        return batch

    async def _work_beside(self, batch: "list[_Waiting]") -> None:
        options = onnxruntime.RunOptions()
        for each in batch:
            each.run = (batch, options)
        answers = self._thread.submit(self._answers, batch, options)
        self._settle(batch, await asyncio.wrap_future(answers))

    def _answers(
        self, batch: "list[_Waiting]", options: onnxruntime.RunOptions | None
    ) -> "list[Outputs | BaseException]":
        """One answer or exception for each request; a failure of several is found by running each on its own."""
        if len(batch) > 1:
            try:
                samples, contexts = [each.samples for each in batch], [each.context for each in batch]
                count = sum(each.count for each in samples)
                return [*self._ran(partial(_together, self._model, samples, options), count, contexts)]
            except Exception as error:
                if options is not None and options.terminate:
                    return [error] * len(batch)
                _log.warning("a run of %d requests failed; running each on its own", len(batch))
        answers: list[Outputs | BaseException] = []
        for each in batch:
            try:
                answers.append(self._run_one(each.samples, options, each.context))
            except Exception as error:
                answers.append(error)
        return answers

    def _run_one(self, samples: Samples, options: onnxruntime.RunOptions | None, context: Context | None) -> Outputs:
        try:
            return self._ran(partial(self._model.run, samples.inputs, options), samples.count, [context])
        except InvalidArgument as error:  # such as a word that the model's table does not have
            reason = str(error).splitlines()[0][-200:]
            raise Refused(422, "model_refused", f"the model can't take this input: {reason}") from None

    def _ran(self, run: Callable[[], T], samples: int, contexts: list[Context | None]) -> T:
        """What `run` returns; the run is counted and told of. A run that raises is told of alone."""
        begun, error = perf_counter(), None
        try:
            outputs = run()
            self._stages.ran(samples, perf_counter() - begun)
            return outputs
        except Exception as raised:
            error = raised
            raise
        finally:
            if self.on_run:
                self.on_run([each for each in contexts if each], samples, perf_counter() - begun, error)

    def _context(self) -> Context | None:
        return copy_context() if self.on_run else None

    def _settle(self, batch: "list[_Waiting]", answers: "list[Outputs | BaseException]") -> None:
        for each, answer in zip(batch, answers, strict=True):
            if each.outputs.done():
                continue
            if isinstance(answer, BaseException):
                each.outputs.set_exception(answer)
            else:
                each.outputs.set_result(answer)

    def _expire(self, waiting: "_Waiting") -> None:
        if waiting.outputs.done():
            return
        message = f"no answer within {self._settings.timeout_seconds:g} seconds"
        waiting.outputs.set_exception(Refused(504, "timeout", message))
        self._leave(waiting)

    def _leave(self, waiting: "_Waiting") -> None:
        """Give its place up; stop its run where all have left it."""
        if waiting.run:
            batch, options = waiting.run
            options.terminate = all(each.outputs.done() for each in batch)
        elif waiting in self._queue:
            self._queue.remove(waiting)
            self._metrics.waiting(len(self._queue))

    def _is_short(self, samples: int, limit: float) -> bool:
        return self._model.seconds * samples < limit


class _Waiting:
    __slots__ = ("context", "outputs", "run", "samples")

    def __init__(self, samples: Samples, outputs: asyncio.Future[Outputs], context: Context | None) -> None:
        self.samples, self.outputs, self.context = samples, outputs, context
        self.run: tuple[list[_Waiting], onnxruntime.RunOptions] | None = None

    def shapes(self) -> list[tuple[int, ...]]:
        return [array.shape[1:] for array in self.samples.inputs.values()]


def _together(model: Model, requests: list[Samples], options: onnxruntime.RunOptions | None) -> list[Outputs]:
    inputs = {name: np.concatenate([each.inputs[name] for each in requests]) for name in requests[0].inputs}
    outputs = model.run(inputs, options)
    answers, start = [], 0
    for each in requests:
        end = start + each.count
        answers.append({name: values[start:end] for name, values in outputs.items()})
        start = end
    return answers
