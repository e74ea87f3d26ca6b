"""A model that was lost or damaged, on this machine or in the shared store, comes back under the same digest."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.restore import restore
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import BadInput

PLANE = str(ROOT / "tests" / "models" / "plane")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(home, shared store, digest) of a small model that one machine has built; environments are shared."""
    folder = tmp_path_factory.mktemp("whole")
    environment([PIPELINE_LOCK], home() / "envs")
    (folder / "home").mkdir()
    (folder / "home" / "envs").symlink_to(home() / "envs")
    variables = {"SLIPWAY_HOME": str(folder / "home"), "SLIPWAY_STORE": (folder / "shared").as_uri()}
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
