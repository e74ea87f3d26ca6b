"""Which version of data a URI names, as its store tells, without reading it.

`python -m slipway.ops.models.versions URI` is run by a Python that has the store's client: see stores.py.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

# What stores call it; of those that tell none of it, size and time stand in.
MARKS = (
    *("VersionId", "version_id", "generation", "ETag", "etag"),
    *("md5Hash", "content_md5", "Content-MD5", "Digest", "checksum"),
)
TIMES = ("LastModified", "last_modified", "updated", "Last-Modified", "mtime", "modified", "created")


def version(uri: str) -> str:
    """SHA-256 over names and marks of one object, or of all below a folder. Raises FileNotFoundError, ValueError."""
    from fsspec.core import url_to_fs

    files, root = url_to_fs(uri)
    files.invalidate_cache()
    found = files.find(root, detail=True) if files.isdir(root) else {root: files.info(root)}
    if not found:
        raise FileNotFoundError(uri)
    told = sorted((name.removeprefix(root), mark(uri, info)) for name, info in found.items())
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def mark(uri: str, info: Mapping[str, Any]) -> str:
    for names, also in ((MARKS, ()), (TIMES, ("size",))):
        for name in names:
            if info.get(name):
                return " ".join([name, str(info[name]), *(str(info.get(each)) for each in also)])
    raise ValueError(f"{uri}: its store tells neither version nor time of it, so a change can't be seen")


def main() -> int:
    uri = sys.argv[1]
    try:
        print(json.dumps({"version": version(uri)}))
    except FileNotFoundError:
        print(f"{uri} is not there", file=sys.stderr)
    except ValueError as error:
        print(error, file=sys.stderr)
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        print(f"{uri} can't be asked for: {reason}; look at its name and your credentials", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
