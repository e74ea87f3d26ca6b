"""A built model is in the shared store too; lost or damaged on either side, it comes back under the same digest."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT, home
from slipway.service.artifact import seal

from slipway.ops.models.builds import build, described
from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.restore import restore
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from tests.artifacts import own_home

PLANE = str(ROOT / "tests" / "models" / "plane")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(home, shared store, digest) of a small model that one machine has built; environments are shared."""
    folder = tmp_path_factory.mktemp("whole")
    environment([PIPELINE_LOCK], home() / "envs")
    (folder / "shared").mkdir()
    variables = {"SLIPWAY_HOME": str(own_home(folder / "home")), "SLIPWAY_STORE": (folder / "shared").as_uri()}
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", "model", "build", PLANE, "--json"],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "home", folder / "shared", json.loads(done.stdout)["digest"]


@pytest.fixture
def copies(built, tmp_path, monkeypatch):
    """The two copies, whole, and the digest."""
    own, shared, digest = built
    for folder in (own / "artifacts", shared):
        shutil.copytree(folder, tmp_path / folder.name)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setenv("SLIPWAY_STORE", (tmp_path / "shared").as_uri())
    name = digest.replace(":", "-")
    return tmp_path, tmp_path / "artifacts" / name, tmp_path / "shared" / name, digest


def damage(folder, how):
    if how == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "model.onnx").write_bytes(b"broken")


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_what_this_machine_lost_comes_from_the_store(copies, how):
    where, here, there, digest = copies
    damage(here, how)
    assert restore(PLANE, where).startswith(f"{digest} was fetched from ")
    assert restore(PLANE, where).startswith(f"{digest} is whole, here and in ")
    assert (here / "model.onnx").read_bytes() == (there / "model.onnx").read_bytes()


@pytest.mark.parametrize("how", ["gone", "damaged", "key"])
def test_what_the_store_lost_comes_from_this_machine(copies, how):
    where, here, there, digest = copies
    if how == "key":
        shutil.rmtree(there.parent / "keys")
    damage(there, "damaged" if how == "key" else how)
    assert restore(PLANE, where).startswith(f"{digest} was put back into ")
    assert restore(PLANE, where).startswith(f"{digest} is whole, here and in ")
    assert (here / "model.onnx").read_bytes() == (there / "model.onnx").read_bytes()


@pytest.mark.parametrize("how", ["never there", "without a key", "cut", "without a manifest"])
def test_a_build_ends_with_its_artifact_in_the_shared_store_also_where_it_was_built_before(copies, how):
    where, _, there, digest = copies
    match how:
        case "never there":
            shutil.rmtree(there)
            shutil.rmtree(there.parent / "keys")
        case "without a key":
            shutil.rmtree(there.parent / "keys")
        case "cut":
            (there / "model.onnx").write_bytes(b"")
        case _:
            (there / "manifest.json").unlink()
    built = build(PLANE, where)
    assert (built.digest, built.built) == (digest, False)
    bucket = Bucket(there.parent.as_uri())
    (where / "fetched").mkdir()
    assert bucket.find(built.inputs_key) == digest and bucket.fetch(digest, where / "fetched")


def test_an_artifact_that_the_shared_store_holds_is_not_written_again(copies):
    where, _, there, _ = copies
    before = {file: file.stat().st_mtime_ns for file in there.parent.rglob("*")}
    build(PLANE, where)
    assert before == {file: file.stat().st_mtime_ns for file in there.parent.rglob("*")}


def test_where_another_machine_was_first_its_artifact_counts_here_too(copies):
    where, _, there, digest = copies
    shutil.rmtree(there.parent)
    there.parent.mkdir()
    artifact = there.parent.with_name("other") / digest.replace(":", "-")
    shutil.copytree(where / "artifacts" / artifact.name, artifact)
    (artifact / "card.md").write_text("built on another machine")
    other, key = seal(artifact), described(PLANE, where).inputs_key
    Bucket(there.parent.as_uri()).push(key, artifact)
    assert build(PLANE, where).digest == described(PLANE, where).digest == other != digest


def test_a_build_fails_where_the_shared_store_can_not_take_its_artifact(copies, monkeypatch):
    where, _, there, _ = copies
    shutil.rmtree(there.parent)
    with pytest.raises(BadInput, match=f"SLIPWAY_STORE={there.parent.as_uri()}: .* mount it, or make it"):
        build(PLANE, where)
    there.parent.mkdir()
    (there.parent / "keys").write_text("")
    with pytest.raises(BadInput, match=f"{there.parent.as_uri()} can't be used"):
        build(PLANE, where)


def test_a_promoted_model_comes_back_under_the_digest_that_names_it(copies):
    where, _, there, digest = copies
    ref = f"{there.parent.as_uri()}@{digest}"
    assert restore(ref, where).startswith(f"{digest} is whole")


def test_where_no_whole_copy_is_left_nothing_is_made_up(copies):
    where, here, there, digest = copies
    damage(here, "gone")
    damage(there, "damaged")
    with pytest.raises(BadInput, match=f"no whole copy of {digest} is left"):
        restore(PLANE, where)
