"""Copies of artifacts in a stack's bucket: put there, looked for, brought back, never taken away.

`python -m slipway.ops.models.copies URI put FOLDER`, `... holds DIGEST` or `... fetch DIGEST FOLDER` is run by a
Python that has its client: see stores.py.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from slipway.service.artifact import MANIFEST, verify


class Copies(Bucket):
    """Artifacts by digest under a URI such as `s3://bucket/models/digits`, without the keys that builds look for."""

    def put(self, folder: Path) -> int:
        """Takes a copy of a sealed artifact, where it holds none yet; returns the artifact's bytes."""
        digest = verify(folder)
        names = [*json.loads((folder / MANIFEST).read_bytes())["files"], MANIFEST]  # last, as it says that all is there
        if not self.holds(digest):
            for name in names:
                path = f"{self._artifact(digest)}/{name}"
                self._make_room(path.rpartition("/")[0])
                self._files.put_file(str(folder / name), path)
        return sum((folder / name).stat().st_size for name in names)

    def holds(self, digest: str) -> bool:
        """Whether the manifest is there, and each file that it lists. Who fetches them checks their content."""
        root = self._artifact(digest)
        try:
            manifest = self._files.cat_file(f"{root}/{MANIFEST}")
        except FileNotFoundError:
            return False
        if f"sha256:{hashlib.sha256(manifest).hexdigest()}" != digest:
            return False
        return all(self._files.exists(f"{root}/{name}") for name in json.loads(manifest)["files"])


def main() -> int:
    """Answers as JSON; 1 with the reason where the bucket can't be used."""
    uri, task, what, *folder = sys.argv[1:]
    answer: dict[str, Any]
    try:
        copies = Copies(uri)
        match task:
            case "put":
                answer = {"size": copies.put(Path(what))}
            case "fetch":
                answer = {"fetched": copies.fetch(what, Path(*folder))}
            case _:
                answer = {"found": copies.holds(what)}
    except BadInput as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        print(f"{uri} can't be used: {reason}; look at its name and your credentials", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
