"""A shared store shows whole artifacts only, and its first writer of a key wins."""

import json

import pytest

from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from tests.artifacts import sealed

KEY = "k" * 64


@pytest.fixture(params=["memory", "file"])
def bucket(request, tmp_path):
    (tmp_path / "shared").mkdir()
    uri = f"memory://{tmp_path.name}/artifacts" if request.param == "memory" else (tmp_path / "shared").as_uri()
    return Bucket(uri)


def overwrite(bucket, name, content):
    """As another who may write to the store does; None removes."""
    from fsspec.core import url_to_fs

    files, root = url_to_fs(bucket.uri)
    if content is None:
        files.rm_file(f"{root}/{name}")
    else:
        files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
        files.pipe_file(f"{root}/{name}", content)


def folder_of(digest):
    return digest.replace(":", "-")


def test_what_one_machine_pushes_another_fetches(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    assert bucket.push(KEY, tmp_path / "one") == digest
    (tmp_path / "two").mkdir()
    assert bucket.find(KEY) == digest
    assert bucket.fetch(digest, tmp_path / "two")
    assert (tmp_path / "two" / "model.onnx").read_text() == "weights"


def test_the_first_writer_of_a_key_wins(bucket, tmp_path):
    first = sealed(tmp_path / "one")
    sealed(tmp_path / "two", b"others")
    assert bucket.push(KEY, tmp_path / "one") == first
    assert bucket.push(KEY, tmp_path / "two") == first


def test_without_its_manifest_an_artifact_is_not_there(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    bucket.push(KEY, tmp_path / "one")
    overwrite(bucket, f"{folder_of(digest)}/manifest.json", None)
    (tmp_path / "two").mkdir()
    assert not bucket.fetch(digest, tmp_path / "two")


def test_a_damaged_artifact_is_not_taken_and_its_next_push_mends_it(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    bucket.push(KEY, tmp_path / "one")
    overwrite(bucket, f"{folder_of(digest)}/model.onnx", b"broken")
    (tmp_path / "two").mkdir()
    assert not bucket.fetch(digest, tmp_path / "two")
    assert bucket.push(KEY, tmp_path / "one") == digest
    (tmp_path / "three").mkdir()
    assert bucket.fetch(digest, tmp_path / "three")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", json.dumps({"digest": 7}).encode()])
def test_a_damaged_key_is_replaced(bucket, tmp_path, content):
    digest = sealed(tmp_path / "one")
    overwrite(bucket, f"keys/{KEY}.json", content)
    assert bucket.find(KEY) is None
    assert bucket.push(KEY, tmp_path / "one") == digest
    assert bucket.find(KEY) == digest


def test_an_unknown_file_system_is_told():
    with pytest.raises(BadInput, match=r"nowhere://x can't be reached"):
        Bucket("nowhere://x")


@pytest.fixture(scope="module")
def doubles(probe):
    """What a shared store does on doubles of S3's and Google's servers, through the clients that users install."""
    return probe("buckets", "tests/pipeline/buckets.txt")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_object_storage_keeps_the_same_promises(doubles, scheme):
    seen = dict(doubles[scheme])
    assert seen.pop("before") is None
    assert seen.pop("winnersOfARace") == 1  # of eight writers of one key at once
    assert seen.pop("fetchesWhatIsNotThere") is False
    assert f"{scheme}://nowhere/artifacts can't be used" in seen.pop("noBucket")
    versions = ("lost", "restored", "restoresNothingElse") if scheme == "s3" else ()
    assert seen == dict.fromkeys(
        ("pushed", "found", "fetched", "firstWriterWins", "damagedIsNotTaken", "mended", "winnerIsWhole", *versions),
        True,
    )
