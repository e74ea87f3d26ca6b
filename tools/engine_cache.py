"""The cache of Pulumi engines: where it lies, who may write to it, and how a new one appears all at once."""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "3.259.0"
LIST = ".files.json"  # what each file was like when it was made
# What an engine needs beside a language host: the command, the script that runs a program, dynamic providers.
NAMES = ("pulumi", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


class Problem(Exception):
    """What went wrong and how the user can put it right; shown without a traceback."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"error: {what}\n  fix: {fix}")


def say(line: str) -> None:
    print(line, flush=True)


def engine_home() -> Path:
    """The folder of all cached engines; SLIPWAY_HOME moves it."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SLIPWAY_HOME") or Path(cache, "slipway"), "engine")


def cached() -> Path | None:
    """The folder of the wanted version, if it is complete, and as it was made."""
    folder = engine_home() / VERSION
    complete = all(os.access(folder / name, os.X_OK) for name in NAMES)
    return folder if complete and is_as_made(folder) else None


def is_as_made(folder: Path) -> bool:
    """Whether the files of a folder that was `staged` are as they were."""
    listed = folder / LIST
    try:
        # A version before this one wrote no list.
        return not listed.exists() or bool(json.loads(listed.read_text()) == files_of(folder))
    except (OSError, ValueError):
        return False


def files_of(folder: Path) -> dict[str, list[int]]:
    """Bytes and time of each file of an engine."""
    found = ((path, path.stat()) for path in sorted(folder.iterdir()) if path.name != LIST)
    return {path.name: [about.st_size, int(about.st_mtime)] for path, about in found}


def platform_name() -> str:
    """This machine as Pulumi's releases name it, such as linux-x64."""
    systems = {"Linux": "linux", "Darwin": "darwin"}
    machines = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    system, machine = platform.system(), platform.machine()
    if system not in systems or machine.lower() not in machines:
        raise Problem(
            f"{system} on {machine} is not supported",
            "use Linux or macOS on x86-64 or arm64 (on Windows: WSL)",
        )
    return f"{systems[system]}-{machines[machine.lower()]}"


@contextmanager
def locked(home: Path | None = None, what: str = "the Pulumi engine") -> Iterator[None]:
    """Hold a cache, by default the engine's: a second run waits here and then finds what the first one made."""
    import fcntl  # not on Windows, which platform_name has refused by now

    home = home or engine_home()
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another run is preparing {what}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(home: Path | None = None, name: str = VERSION) -> Iterator[Path]:
    """A folder to fill, under the lock: `name` in the cache if the block succeeds, and gone if it does not."""
    home = home or engine_home()
    for left in home.glob(".staging-*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=home))
    try:
        yield staging
        staging.chmod(0o755)
        (staging / LIST).write_text(json.dumps(files_of(staging)))
        shutil.rmtree(home / name, ignore_errors=True)  # incomplete, or it would have been found
        staging.replace(home / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def elapsed(seconds: float) -> str:
    """`75` as `1 min 15 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def progress(line: str, last: bool = False) -> None:
    """A line that replaces the one before on a terminal, and is a line of its own in a log."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K  {line}", end="\n" if last else "", flush=True)
    else:
        say(f"  {line}")
