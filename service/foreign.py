"""Files that others may have written: no link is followed, no pipe or device opened. Standard library only."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 1 << 20


def opened(folder: Path, name: str) -> BinaryIO:
    """A regular file, by its name below a folder that others may write to.

    Raises OSError, also where `name` or a folder on the way to it is a link.
    """
    *above, last = name.split("/")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for each in above:
            inner = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        # A pipe would keep us waiting.
        descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(error.errno, "it is a link, or lies behind one", name) from error
        raise
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", name)
    return os.fdopen(descriptor, "rb")


def pieces(folder: Path, name: str) -> Iterator[bytes]:
    """The content of a file that `opened` opens. Raises OSError."""
    with opened(folder, name) as file:
        while piece := file.read(PIECE):
            yield piece


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`. Raises ValueError for everything else."""
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found
