"""A pod serves what was judged: an artifact comes out of a bucket whole, or not at all."""

import subprocess
import sys

import pytest
from slipway.service.artifact import ArtifactError, seal, verify
from slipway.service.inference.fetch import PIECE, fetch


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """A folder of artifacts with one in it, of more than one piece; and its name."""
    root = tmp_path_factory.mktemp("bucket")
    made = root / "made"
    (made / "deep").mkdir(parents=True)
    (made / "model.onnx").write_bytes(bytes(range(256)) * (PIECE // 256) + b"the end")
    (made / "deep" / "empty").touch()
    digest = seal(made)
    made.rename(root / digest.replace(":", "-"))
    return f"{root.as_uri()}@{digest}"


def digest_of(artifact):
    return artifact.rpartition("@")[2]


def test_an_artifact_arrives_as_it_was_judged(bucket, tmp_path):
    fetch(bucket, tmp_path / "model")
    assert verify(tmp_path / "model") == digest_of(bucket)


def test_what_a_killed_try_has_left_is_no_hindrance(bucket, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"half" * PIECE)
    fetch(bucket, tmp_path / "model")
    assert verify(tmp_path / "model") == digest_of(bucket)


def test_what_is_there_and_whole_is_not_asked_for_again(bucket, tmp_path):
    fetch(bucket, tmp_path / "model")
    fetch(f"file:///nowhere@{digest_of(bucket)}", tmp_path / "model")


@pytest.mark.parametrize("broken", ["model.onnx", "manifest.json"])
def test_other_content_under_its_name_is_refused(bucket, tmp_path, broken):
    digest = digest_of(bucket)
    fetch(bucket, tmp_path / digest.replace(":", "-"))
    (tmp_path / digest.replace(":", "-") / broken).write_bytes(b"{}")
    with pytest.raises(ArtifactError, match=broken):
        fetch(f"{tmp_path.as_uri()}@{digest}", tmp_path / "model")


def test_a_process_that_can_not_fetch_says_why_in_a_line_and_fails(tmp_path):
    missing = f"{tmp_path.as_uri()}@sha256:{'0' * 64}"
    command = [sys.executable, "-m", "slipway.service.inference.fetch", missing, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"slipway: {tmp_path.as_uri()}/sha256-0000") and "can't be read" in line
