"""Buckets that are folders of $SLIPWAY_BUCKETS: a test double of S3 and Google's storage, as an fsspec plugin.

On PYTHONPATH it takes the place of s3fs and gcsfs, by its entry points. It knows no account: any name is a bucket.
"""

import os

from fsspec.implementations.local import LocalFileSystem


class Buckets(LocalFileSystem):
    """`s3://name/key` is the file `$SLIPWAY_BUCKETS/name/key`."""

    protocol = ("s3", "s3a", "gs", "gcs")

    def __init__(self, **given: object) -> None:
        super().__init__(auto_mkdir=True)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        root = os.environ["SLIPWAY_BUCKETS"]
        name = str(path).split("://", 1)[-1].removeprefix(root)
        return f"{root}/{name.strip('/')}"

    def put_file(self, lpath: str, rpath: str, **_: object) -> None:
        """From this machine's own files, where the base class would look in the bucket for them as well."""
        with open(lpath, "rb") as file:
            self.pipe_file(rpath, file.read())
