"""Copies of artifacts by digest in a stack's bucket, as `s3://bucket/models/digits`: put there, looked for, brought
back, never taken away. They have none of the keys that builds look for.

`python -m slipway.ops.models.copies URI put FOLDER`, `... holds DIGEST` or `... fetch DIGEST FOLDER` is run by a
Python that has its client: see stores.py.
"""

import json
import sys
from pathlib import Path
from typing import Any

from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from slipway.service.manifest import ArtifactError


def main() -> int:
    """Answers as JSON; 1 with the reason where the bucket can't be used."""
    uri, task, what, *folder = sys.argv[1:]
    answer: dict[str, Any]
    try:
        copies = Bucket(uri)
        match task:
            case "put":
                answer = {"size": copies.put(Path(what))}
            case "fetch":
                answer = {"fetched": copies.fetch(what, Path(*folder))}
            case _:
                answer = {"found": copies.holds(what)}
    except (ArtifactError, BadInput) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
