"""The sweep of a Google Cloud project, with a double for `gcloud`."""

import json

import pytest
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.gcp.sweep import sweep as sweep_project

from tests.infra.gcp.stacks import dev

MINE, OTHER = "team-a-0123abcd", "team-b-4567abcd"
LABELS = {"labels": {"slipway-stack": "slipway-pr-7", "slipway-identity": MINE}}
KEY = {"name": "//cloudkms/key", "assetType": "cloudkms.googleapis.com/CryptoKey", **LABELS}
BUCKET = {"name": "//storage/models", "assetType": "storage.googleapis.com/Bucket", **LABELS}
ADDRESS = {"name": "//compute/edge", "assetType": "compute.googleapis.com/GlobalAddress", **LABELS}


@pytest.fixture
def swept(tmp_path, monkeypatch):
    def sweep(answer, environment="dev", fails=False, identity=MINE):
        double = tmp_path / "gcloud"
        (tmp_path / "answer").write_text(answer)
        script = "echo denied >&2; exit 1" if fails else f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/answer'
        double.write_text(f"#!/bin/sh\n{script}\n")
        double.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        config = StackConfig.model_validate({**dev(), "environment": environment})
        return sweep_project("pr-7", identity, config)

    return sweep


def test_what_is_there_is_left_but_for_the_key(swept, tmp_path):
    looked, left = swept(json.dumps([ADDRESS, KEY, BUCKET]))
    assert left == ["//compute/edge", "//storage/models"]
    assert "stays, as Google deletes none: //cloudkms/key" in looked
    asked = (tmp_path / "asked").read_text()
    assert "--scope=projects/example-project" in asked and "--query=labels.slipway-stack=slipway-pr-7" in asked


def test_production_leaves_what_it_retains(swept):
    looked, left = swept(json.dumps([ADDRESS, BUCKET]), "production")
    assert left == ["//compute/edge"] and "retained, as production does: //storage/models" in looked


def test_what_another_stack_of_the_same_name_has_is_told_and_is_no_left_over(swept):
    looked, left = swept(json.dumps([ADDRESS]), identity=OTHER)
    assert left == [] and looked[1:] == [f"left alone, of {MINE}: //compute/edge"]
    assert swept(json.dumps([ADDRESS]), identity="")[1] == [f"//compute/edge, of {MINE}"]


def test_an_empty_project_is_said_to_be_one(swept):
    looked, left = swept("[]")
    assert left == [] and "nothing found" in looked[0]


def test_a_project_that_can_not_be_looked_at_is_not_called_empty(swept):
    looked, left = swept("", fails=True)
    assert looked == [] and "denied" in left[0]
