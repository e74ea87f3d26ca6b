"""What a deployer copies into a bucket its pods fetch, through the clients that both have."""

import subprocess
import sys

import pytest
from slipway.infra.home import ROOT
from slipway.service.manifest import MANIFEST


@pytest.fixture(scope="module")
def doubles(probe):
    return probe("copies", "tests/pipeline/buckets.txt")


# What a pod shows to who hands it credentials: its service account's token; on Google Cloud its address is enough.
@pytest.mark.parametrize(("scheme", "shown"), [("s3", "of-the-service-account"), ("gs", "Google")])
def test_a_copy_is_whole_immutable_and_fetched_by_a_pod_with_its_own_identity(doubles, scheme, shown):
    seen = dict(doubles[scheme])
    assert seen.pop("before") is False
    assert seen.pop("askedAs") == [shown]
    missing = seen.pop("missing")
    assert missing.startswith(f"slipway: {scheme}://models/models/digits/sha256-000") and "404" in missing
    assert seen.pop("noBucket") == "BadInput"
    rest = ("size", "held", "neverWrittenAgain", "oldStays", "fetched", "broughtBack", "halfIsNotHeld")
    assert seen == dict.fromkeys(rest, True)


@pytest.mark.parametrize("task", ["fetch", "holds"])
def test_why_a_bucket_can_not_be_used_is_said_once(tmp_path, task):
    digest = f"sha256:{'0' * 64}"
    (tmp_path / digest.replace(":", "-") / MANIFEST).mkdir(parents=True)  # no file: an error of the file system's own
    said = told(tmp_path.as_uri(), task, digest, tmp_path / "fetched")
    assert said.startswith(f"{tmp_path.as_uri()} can't be used: ")
    assert said.count("can't be used") == said.count("look at its name and your credentials") == 1


def test_an_unknown_kind_of_bucket_is_told_as_such():
    assert told("nowhere://x", "holds", "sha256:0") == "nowhere://x can't be reached: Protocol not known: nowhere\n"


def told(*arguments):
    command = [sys.executable, "-m", "slipway.ops.models.copies", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_the_clients_that_copy_are_those_that_are_tested():
    def pins(file):
        return {line for line in (ROOT / file).read_text().splitlines() if line[:1].isalpha()}

    assert pins("slipway/ops/models/buckets.txt") <= pins("tests/pipeline/buckets.txt")
