"""Copies of artifacts on the real engine, buckets being folders. The tests run in this order."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import verify

from slipway.simulator.throwaway import EXAMPLES, Throwaway
from tests.artifacts import own_home, promoted
from tests.cluster.conftest import configure

pytestmark = pytest.mark.engine
FOLDER = "s3://models-123/models/digits"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    with Throwaway(folder, EXAMPLES / "stored") as stack:
        stack.environment["AWS_SECRET_ACCESS_KEY"] = "never-in-a-state"
        stack.environment["SLIPWAY_HOME"] = str(own_home(folder / "cache"))
        configure(stack, "stored", folder=FOLDER, artifact=promoted(folder / "store"))
        yield stack


def outputs(stack):
    return json.loads(stack.pulumi("stack", "output", "--json", "--stack", stack.stack))


def copies(stack):
    """{name: its newest file's time} of all that the bucket holds."""
    held = (stack.folder / "buckets" / "models-123" / "models" / "digits").iterdir()
    return {each.name: max(file.stat().st_mtime_ns for file in each.iterdir()) for each in held}


def test_an_artifact_is_copied_whole_under_its_digest(stack):
    stack.up()
    (name,) = copies(stack)
    folder = stack.folder / "buckets" / "models-123" / "models" / "digits" / name
    assert verify(folder) == name.replace("-", ":")
    assert outputs(stack) == {
        "uri": f"{FOLDER}@{name.replace('-', ':')}",
        "size": sum(file.stat().st_size for file in folder.iterdir()),
    }


def test_no_credential_reaches_the_state(stack):
    assert not any(b"never-in-a-state" in file.read_bytes() for file in stack.folder.rglob("state/**/*.json*"))


def test_a_second_update_changes_and_writes_nothing(stack):
    before = copies(stack)
    stack.up("--expect-no-changes")
    assert copies(stack) == before


def test_another_clone_changes_and_writes_nothing(stack, tmp_path):
    before = copies(stack)
    with Throwaway(tmp_path, stack.program) as other:
        shutil.copytree(stack.folder / "state", other.folder / "state", dirs_exist_ok=True)
        other.environment["SLIPWAY_BUCKETS"] = stack.environment["SLIPWAY_BUCKETS"]
        other.up("--expect-no-changes")
    assert copies(stack) == before


def test_another_machine_brings_the_artifact_back_by_its_name(stack, tmp_path):
    uri = outputs(stack)["uri"]
    command = [sys.executable, "-m", "slipway.cli", "model", "describe", uri, "--json"]
    environment = {**stack.environment, "SLIPWAY_HOME": str(tmp_path)}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert verify(Path(json.loads(said)["path"])) == uri.rpartition("@")[2]


def test_a_new_model_adds_one_copy_and_leaves_the_old_one(stack):
    before = copies(stack)
    configure(stack, "stored", artifact=promoted(stack.folder / "store", "other weights"))
    said = stack.up()
    assert "replace" not in said
    after = copies(stack)
    assert len(after) == 2 and before.items() <= after.items()
    assert outputs(stack)["uri"].rpartition("@")[2].replace(":", "-") in after.keys() - before.keys()


def test_a_copy_that_is_gone_is_made_again(stack):
    before = copies(stack)
    name = outputs(stack)["uri"].rpartition("@")[2].replace(":", "-")
    shutil.rmtree(stack.folder / "buckets" / "models-123" / "models" / "digits" / name)
    stack.up()
    assert copies(stack).keys() == before.keys()


def test_a_bucket_that_can_not_be_used_leaves_the_state_as_it_was_and_says_why(stack):
    before = outputs(stack)
    given = stack.environment.pop("SLIPWAY_BUCKETS")  # as if every request failed
    stack.preview("--expect-no-changes")  # a copy that nobody can look at is taken to be there
    configure(stack, "stored", artifact=promoted(stack.folder / "store", "third weights"))
    said = stack.up(fails=True)
    assert f"{FOLDER} can't be used: " in said and "look at its name and your credentials" in said
    assert "Traceback" not in said
    assert outputs(stack) == before
    stack.environment["SLIPWAY_BUCKETS"] = given
    stack.up()
    assert len(copies(stack)) == 3


def test_destroy_leaves_the_copies(stack):
    stack.destroy()
    assert len(copies(stack)) == 3
