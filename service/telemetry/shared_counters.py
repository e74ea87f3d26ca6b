"""Counters that the workers of one service share: each adds to its own, and whoever is asked adds them up.

They are in memory without a file, which the supervisor makes for a release and its workers inherit. A mapped file on a
disk that is full, fails or is read-only kills the process that adds to it (SIGBUS).
"""

import mmap
import os
from collections.abc import Iterator

import numpy as np

# FD:SLOT:SLOTS: the memory, the part of it that is this worker's, and how many parts there are. A worker that is
# started again gets the part of the one that died, and counts on.
VARIABLE = "SLIPWAY_COUNTERS"


class SharedCounters:
    """`count` float64 numbers of this process, beside those of the workers that share the memory in $SLIPWAY_COUNTERS.

    Workers have to make the same ones in the same order. `mine` and `array` are the same numbers, to be added to: the
    first is quicker for one of them. Without such memory, or room in it, this process counts alone.
    """

    def __init__(self, count: int) -> None:
        self._memory = memory = _inherited()
        self._start, self._count = memory.take(count) if memory else None, count
        self.mine = memoryview(bytearray(8 * count)).cast("d")
        if memory and self._start is not None:
            self.mine = memory.numbers(memory.slot, self._start, count)
        self.array: np.ndarray = np.asarray(self.mine)

    def workers(self, *, living: bool = False) -> Iterator[tuple[int, "memoryview[float]"]]:
        """Each worker's process number and numbers, which it may be adding to. Counts of dead workers stay."""
        memory, start = self._memory, self._start
        if memory is None or start is None:
            yield os.getpid(), self.mine
            return
        for slot, pid in memory.pids():
            if not living or is_alive(pid):
                yield pid, memory.numbers(slot, start, self._count)

    def sum(self, *, living: bool = False) -> np.ndarray:
        """The numbers of all workers, or of the living, added up; of one length with `mine`."""
        total = np.zeros(self._count)
        for _, numbers in self.workers(living=living):
            total += np.asarray(numbers)
        return total


def living_workers() -> list[int]:
    """The process numbers of the living workers of this service."""
    memory = _inherited()
    return sorted(pid for _, pid in memory.pids() if is_alive(pid)) if memory else [os.getpid()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Memory:
    """The shared memory. The first number of a slot is its worker's process number, 0 while it had none."""

    def __init__(self, text: str) -> None:
        """Raises OSError and ValueError where the text names no such memory."""
        self.text = text
        descriptor, self.slot, self._slots = map(int, text.split(":"))
        self._all = memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size)).cast("d")
        self._size = len(self._all) // self._slots
        self._used = 1
        self._all[self.slot * self._size] = os.getpid()

    def take(self, count: int) -> int | None:
        """Where the next `count` numbers of each slot start; None where no room is left for them."""
        start, end = self._used, self._used + count
        if end > self._size:
            return None
        self._used = end
        return start

    def numbers(self, slot: int, start: int, count: int) -> "memoryview[float]":
        return self._all[slot * self._size + start :][:count]

    def pids(self) -> Iterator[tuple[int, int]]:
        """Each slot that has, or had, a worker, and its process number."""
        for slot in range(self._slots):
            if pid := int(self._all[slot * self._size]):
                yield slot, pid


_memory: _Memory | None = None


def _inherited() -> _Memory | None:
    """The memory in $SLIPWAY_COUNTERS, mapped once."""
    global _memory
    text = os.environ.get(VARIABLE, "")
    if _memory is None or _memory.text != text:
        try:
            _memory = _Memory(text) if text else None
        except (OSError, ValueError):
            _memory = None
    return _memory
