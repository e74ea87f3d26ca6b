"""A shared store shows whole artifacts only, and its first writer of a key wins."""

import json

import pytest

from service.artifact import seal
from service.pipeline.bucket import Bucket
from service.pipeline.errors import BadInput

KEY = "k" * 64


@pytest.fixture(params=["memory", "file"])
def bucket(request, tmp_path):
    uri = f"memory://{tmp_path.name}/artifacts" if request.param == "memory" else (tmp_path / "shared").as_uri()
    return Bucket(uri)


def sealed(folder, content="weights"):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_text(content)
    return seal(folder)


def test_what_one_machine_pushes_another_fetches(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    assert bucket.push(KEY, tmp_path / "one") == digest
    (tmp_path / "two").mkdir()
    assert bucket.find(KEY) == digest
    assert bucket.fetch(digest, tmp_path / "two")
    assert (tmp_path / "two" / "model.onnx").read_text() == "weights"


def test_the_first_writer_of_a_key_wins(bucket, tmp_path):
    first = sealed(tmp_path / "one")
    sealed(tmp_path / "two", "others")
    assert bucket.push(KEY, tmp_path / "one") == first
    assert bucket.push(KEY, tmp_path / "two") == first


def test_without_its_manifest_an_artifact_is_not_there(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    bucket.push(KEY, tmp_path / "one")
    bucket._files.rm_file(f"{bucket._artifact(digest)}/manifest.json")
    (tmp_path / "two").mkdir()
    assert not bucket.fetch(digest, tmp_path / "two")


def test_a_damaged_artifact_is_not_taken_and_its_next_push_mends_it(bucket, tmp_path):
    digest = sealed(tmp_path / "one")
    bucket.push(KEY, tmp_path / "one")
    bucket._files.pipe_file(f"{bucket._artifact(digest)}/model.onnx", b"broken")
    (tmp_path / "two").mkdir()
    assert not bucket.fetch(digest, tmp_path / "two")
    assert bucket.push(KEY, tmp_path / "one") == digest
    (tmp_path / "three").mkdir()
    assert bucket.fetch(digest, tmp_path / "three")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", json.dumps({"digest": 7}).encode()])
def test_a_damaged_key_is_replaced(bucket, tmp_path, content):
    digest = sealed(tmp_path / "one")
    bucket._files.makedirs(f"{bucket._root}/keys", exist_ok=True)
    bucket._files.pipe_file(bucket._key(KEY), content)
    assert bucket.find(KEY) is None
    assert bucket.push(KEY, tmp_path / "one") == digest
    assert bucket.find(KEY) == digest


def test_an_unknown_file_system_is_told():
    with pytest.raises(BadInput, match=r"nowhere://x can't be reached"):
        Bucket("nowhere://x")
