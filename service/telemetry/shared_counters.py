"""Counters that the workers of one service share: each adds to a file of its own, and whoever is asked adds them up."""

import glob
import mmap
import os
import re

import numpy as np


class SharedCounters:
    """`count` float64 numbers of this process, in PROMETHEUS_MULTIPROC_DIR where that is set.

    Owns its file and leaves the folder alone. `mine` and `array` are the same numbers, to be added to: the first is
    quicker for one of them. Counts of dead workers stay.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name, self._bytes = name, count * 8
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self.mine = self._map()
        self.array: np.ndarray = np.asarray(self.mine)

    def sum(self, *, living: bool = False) -> np.ndarray:
        """The numbers of all workers, or of the living, added up; of one length with `mine`."""
        if not self._folder:
            return np.array(self.mine)
        found = [np.frombuffer(content) for pid, content in self._contents() if not living or is_alive(pid)]
        total: np.ndarray = np.sum(found, axis=0) if found else np.zeros(len(self.mine))
        return total

    def pids(self) -> list[int]:
        """The living workers."""
        if not self._folder:
            return [os.getpid()]
        return sorted(pid for pid, _ in self._contents() if is_alive(pid))

    def _map(self) -> "memoryview[float]":
        if not self._folder:
            return memoryview(bytearray(self._bytes)).cast("d")
        descriptor = os.open(f"{self._folder}/{self._name}_{os.getpid()}.bin", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, self._bytes)
            return memoryview(mmap.mmap(descriptor, self._bytes)).cast("d")
        finally:
            os.close(descriptor)

    def _contents(self) -> list[tuple[int, bytes]]:
        found = []
        for path in glob.glob(f"{self._folder}/{self._name}_*.bin"):
            match = re.search(r"_(\d+)\.bin$", path)
            with open(path, "rb") as file:
                content = file.read()
            if match and len(content) == self._bytes:
                found.append((int(match[1]), content))
        return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
