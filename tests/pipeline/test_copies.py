"""What a deployer copies into a bucket its pods fetch, through the clients that both have."""

import pytest

from cli.models import ROOT


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
    assert seen.pop("noBucket") == "FileNotFoundError"
    rest = ("size", "held", "neverWrittenAgain", "oldStays", "fetched", "broughtBack", "halfIsNotHeld")
    assert seen == dict.fromkeys(rest, True)


def test_the_clients_that_copy_are_those_that_are_tested():
    def pins(file):
        return {line for line in (ROOT / file).read_text().splitlines() if line[:1].isalpha()}

    assert pins("cli/buckets.txt") <= pins("tests/pipeline/buckets.txt")
