"""What a model's own code reads from outside its folder, as Python tells: files, and hosts that are looked up.

What C libraries open by themselves (HDF5, Parquet, databases) and what other processes read escapes.
"""

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/run", "/opt")


class Reads:
    """Notes reads while `noticed` is entered. One for each process, as Python's audit hooks stay.

    `declared`: paths and URIs that model.yaml names as data. Where it names a URI no host is noted, as an address says
    not which bucket it is asked for. Code and data of installed packages, and caches, are no data of the model.
    """

    def __init__(self, folder: Path, declared: Sequence[str]) -> None:
        self.files: set[str] = set()
        self.hosts: set[str] = set()
        self._on, self._written = False, set[str]()
        self._watches_hosts = not any("://" in each for each in declared)
        local = [str((folder / Path(each).expanduser()).resolve()) for each in declared if "://" not in each]
        own = {str(folder.absolute()), str(folder.resolve())}
        self._known = tuple(f"{each}{os.sep}" for each in {*own, *local, *_installed()})
        self._hook = self._note
        sys.addaudithook(self._hook)

    @contextmanager
    def noticed(self) -> Iterator[None]:
        before, self._on = self._on, True
        try:
            yield
        finally:
            self._on = before

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            self._opened(*arguments[:3])
        elif event == "socket.getaddrinfo" and self._watches_hosts and isinstance(arguments[0], str):
            self.hosts.add(arguments[0])

    def _opened(self, name: Any, mode: Any, flags: Any) -> None:
        if not isinstance(name, str | bytes):
            return
        given, path = os.path.abspath(os.fsdecode(name)), os.path.realpath(os.fsdecode(name))
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITING):
            self._written.add(path)
            return
        known = any(f"{each}{os.sep}".startswith(self._known) for each in (given, path))  # a link in the folder counts
        if path not in self._written and not known and os.path.isfile(path):
            self.files.add(path)


def _installed() -> Iterator[str]:
    home = Path.home()
    caches = [os.environ.get("XDG_CACHE_HOME"), str(home / ".cache"), str(home / ".config")]
    caches += [os.environ.get("MPLCONFIGDIR"), os.environ.get("KERAS_HOME")]
    ours = str(Path(__file__).resolve().parents[2] / "slipway")
    service = str(Path(__file__).resolve().parents[2] / "service")
    for each in (*SYSTEM, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *caches, ours, service):
        if each:
            yield os.path.realpath(each)
