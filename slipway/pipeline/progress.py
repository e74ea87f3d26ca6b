"""Lines that say what a long build is doing."""

import sys
import time
from typing import TextIO


class Progress:
    """Phases of one model on a stream, each with the seconds since the start."""

    def __init__(self, model: str, stream: TextIO = sys.stderr) -> None:
        self._model, self._stream, self._started = model, stream, time.monotonic()

    def phase(self, what: str) -> None:
        print(f"{self._model}: {time.monotonic() - self._started:5.1f} s  {what}", file=self._stream, flush=True)
