"""How long a pod takes from its containers' start to ready, where it fetches a model of a gigabyte from a bucket."""

import os
import shutil
import statistics
import time

import httpx
import pytest
from slipway.service.manifest import verify

from tests.faults.large_model import large_artifact
from tests.faults.slow_bucket import bucket, fetching

MATRICES = 4  # of 256 MB
ROUNDS = 3
# Bytes a second of each connection: what AWS advises to count with for S3, one connection for each 85-90 MB/s. Google
# publishes none. The double adds no delay before the first byte.
LIMIT = 85e6

# One connection, one object after the other: what `gcloud storage cp` without slices, or curl, would do.
PLAIN = """
import sys
from pathlib import Path
from obstore.store import from_url
uri, _, digest = sys.argv[1].rpartition("@")
store, folder = from_url(f"{uri}/{digest.replace(':', '-')}"), Path(sys.argv[2])
for each in [one["path"] for page in store.list() for one in page]:
    (folder / each).parent.mkdir(parents=True, exist_ok=True)
    with (folder / each).open("wb") as file:
        file.writelines(store.get(each))
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    large_artifact(folder, MATRICES)
    yield folder
    shutil.rmtree(folder)


def seconds(line, artifact, folder, start, plain=""):
    """(until the model is there, until the service is ready) from the start of the first container."""
    folder.mkdir()
    begun = time.monotonic()
    assert fetching(line, f"gs://models/models/large@{verify(artifact)}", folder, plain).wait(600) == 0
    there = time.monotonic()
    worker = start(folder)
    ready = time.monotonic()
    assert worker.ready == b"ready\n"
    assert httpx.get(f"{worker.url}/readyz", timeout=60).status_code == 200
    worker.close()
    shutil.rmtree(folder)
    return there - begun, ready - begun


def test_a_pod_with_a_gigabyte_from_a_bucket_is_ready_sooner_than_by_a_plain_copy(artifact, tmp_path, start, found):
    size = sum(each.stat().st_size for each in artifact.iterdir())
    with bucket(artifact) as line:
        took = {}
        for limit in (LIMIT, None):
            line.rate = limit
            for way, plain in (("ranges", ""), ("plain", PLAIN)):
                rounds = [seconds(line, artifact, tmp_path / "fetched", start, plain) for _ in range(ROUNDS)]
                took[limit, way] = [statistics.median(each) for each in zip(*rounds, strict=True)]
    told = {key: f"{fetched:.1f} s fetched, {ready:.1f} s ready" for key, (fetched, ready) in took.items()}
    found(
        "F18 a pod fetches a gigabyte",
        f"{size / 1e9:.2f} GB from a double of Google's bucket: fetched and served as a pod's two containers do, "
        f"medians of {ROUNDS}, load {os.getloadavg()[0]:.0f}",
        f"{LIMIT / 1e6:.0f} MB/s a connection (assumed): by ranges {told[LIMIT, 'ranges']}, by a plain copy "
        f"{told[LIMIT, 'plain']}; without a limit: {told[None, 'ranges']}, {told[None, 'plain']}",
    )
    assert took[LIMIT, "ranges"][1] < took[LIMIT, "plain"][1]
