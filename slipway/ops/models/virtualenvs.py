"""Virtualenvs made from lock files, once each."""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput, PipelineError, shown
from slipway.service.foreign import json_object

STAMP = ".complete"


def environment(files: list[Path], envs: Path) -> Path:
    """The python of the virtualenv that holds exactly what the lock files list; made where it is not there yet, and
    anew where a file of it was changed or lost since.

    It is keyed by the files' content and Python's minor version. Raises BadInput for requirements without hashes.
    """
    contents = [_locked(file) for file in files]
    hashes = sorted(hashlib.sha256(each).hexdigest() for each in contents)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = envs / hashlib.sha256(" ".join([version, *hashes]).encode()).hexdigest()[:32]
    python = folder / "bin" / "python"
    if not _is_whole(folder):
        _make_once(folder, python, files)
    return python


def _is_whole(folder: Path) -> bool:
    """Whether each file is as large and old as the stamp says; what a process has added since does no harm."""
    try:
        content = (folder / STAMP).read_bytes()
        if not content:  # of a version that only said that it is there
            with suppress(OSError):
                _stamp(folder)
            return True
        listed = json_object(content)
        same = all(_seen(os.path.join(folder, name)) == seen for name, seen in listed.items())
        return same and bool(listed) and os.access(folder / "bin" / "python", os.X_OK)
    except (OSError, ValueError):
        return False


def _stamp(folder: Path) -> None:
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names if name != STAMP)
    content = json.dumps({file.relative_to(folder).as_posix(): _seen(file) for file in files})
    temporary = folder / f"{STAMP}.new"
    temporary.write_text(content)
    temporary.replace(folder / STAMP)


def _seen(file: Path | str) -> list[int]:
    found = os.lstat(file)
    return [found.st_size, int(found.st_mtime)]


def _locked(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{shown(file)} can't be read: {error.strerror}") from error
    joined = content.decode(errors="replace").replace("\\\n", " ")
    for line in (each.strip() for each in joined.splitlines()):
        if line and not line.startswith(("#", "-")) and "--hash=" not in line:
            raise BadInput(
                f"{shown(file)}: {line.partition(' ')[0]!r} has no hash, so what it installs is not fixed. "
                "Lock the file: slipway model lock NAME, where NAME is the model's folder name"
            )
    return content


def _make_once(folder: Path, python: Path, files: list[Path]) -> None:
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another slipway that makes this environment")
        lock.acquire()
    try:
        if not _is_whole(folder):
            why = "again, as it is damaged" if (folder / STAMP).exists() else "once"
            report(f"making the environment of {', '.join(shown(file) for file in files)} ({why})")
            _make(folder, python, files)
    finally:
        lock.release()


def _make(folder: Path, python: Path, files: list[Path]) -> None:
    lists = [argument for file in files for argument in ("--requirements", str(file))]
    # uv links files to those in its own cache, which may have been damaged with them.
    damaged = folder.with_suffix(".damaged")
    if (folder / STAMP).exists():
        damaged.touch()
    anew = ["--no-cache"] if damaged.exists() else []
    # A virtualenv holds its own path, so it is made in place; the stamp tells a whole one from a broken-off one.
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _uv("pip", "install", *anew, "--python", str(python), "--require-hashes", *lists)
    _stamp(folder)
    damaged.unlink(missing_ok=True)


def _uv(*arguments: str) -> None:
    import uv

    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment["UV_COMPILE_BYTECODE"] = "1"
    command = [uv.find_uv_bin(), *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=2, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if not line.startswith(" + "):  # one line for each of many packages
                    sys.stderr.write(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise PipelineError(f"uv {' '.join(arguments[:2])} failed with code {process.returncode}; its reason is above")
