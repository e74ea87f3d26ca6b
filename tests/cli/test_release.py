"""`slipway release`: what it lets go of, and what it asks before. The engine is a double."""

import json

import pytest
from click.testing import CliRunner

from slipway.cli.main import slipway
from slipway.ops.state import clusters
from slipway.ops.state import release as ops
from slipway.ops.state.preview import Preview, lost
from slipway.pipeline.errors import PipelineError

PREFIX = "urn:pulumi:prod::slipway::"
ROOT = {"urn": f"{PREFIX}pulumi:pulumi:Stack::slipway-prod", "type": "pulumi:pulumi:Stack"}


def record(kind, name, **more):
    return {"urn": f"{PREFIX}{kind}::{name}", "type": kind, **more}


BUCKET = record("aws:s3/bucket:Bucket", "models", protect=True, retainOnDelete=True)
BALANCER = record("aws:lb/loadBalancer:LoadBalancer", "edge", protect=True, inputs={"enableDeletionProtection": True})
ROUTE = record("aws:lb/listenerRule:ListenerRule", "linear", protect=True)


class Engine:
    """A double: a state that is written as it was read, and what a preview says."""

    def __init__(self, monkeypatch):
        stack = {**ROOT, "outputs": {"environment": "production"}}
        self.resources, self.ran = [stack, *(dict(each) for each in (BUCKET, BALANCER, ROUTE))], []
        self.preview = Preview()
        monkeypatch.setattr(ops, "export_state", lambda _: {"deployment": {"resources": self.resources}})
        monkeypatch.setattr(ops, "run_preview", lambda _: self.preview)
        monkeypatch.setattr(ops, "pulumi", self.pulumi)

    def pulumi(self, *arguments, stdin="", env=None):
        self.ran.append(arguments[0])
        if arguments[:2] == ("stack", "import"):
            self.resources = json.loads(stdin)["deployment"]["resources"]
        elif arguments[0] == "up":
            assert env["SLIPWAY_RELEASING"] == "prod"
            assert arguments[-2:] == ("--target", BALANCER["urn"])

    @property
    def protected(self):
        return [each["urn"] for each in self.resources if each.get("protect")]


@pytest.fixture
def engine(monkeypatch):
    return Engine(monkeypatch)


def typed(name, *options):
    return CliRunner().invoke(slipway, ["release", "prod", *options], input=f"{name}\n")


def test_another_name_touches_nothing(engine):
    said = typed("prd")
    assert said.exit_code == 3 and "nothing was touched" in said.output
    assert engine.ran == [] and len(engine.protected) == 3


def test_all_of_it_is_released_with_the_clouds_own_protection_and_a_mark_for_another_environment(engine):
    said = typed("prod")
    assert said.exit_code == 0 and "make down STACK=prod" in said.output
    assert engine.ran == ["up", "stack"] and engine.protected == []
    assert engine.resources[0]["outputs"] == {"environment": "released"}
    assert "Nothing of prod is protected" in typed("prod").output


def test_an_update_s_release_takes_what_is_replaced_or_no_longer_declared_and_leaves_no_mark(engine):
    same = [{"op": "same", "urn": each["urn"]} for each in (ROOT, BALANCER)]
    engine.preview = Preview(
        steps=[*same, {"op": "replace", "urn": BUCKET["urn"]}, {"op": "refresh", "urn": ROUTE["urn"]}],
        errors=[
            "unable to replace resource as it is currently marked for protection",
            f"{ROUTE['urn']} cannot be deleted",
        ],
    )
    assert "Bucket models" in typed("prod", "--update").output
    assert engine.ran == ["stack"] and engine.protected == [BALANCER["urn"]]
    assert engine.resources[0]["outputs"] == {"environment": "production"}


def test_an_update_that_needs_nothing_releases_nothing(engine):
    engine.preview = Preview(steps=[{"op": "same", "urn": each["urn"]} for each in engine.resources])
    assert "deletes and replaces nothing" in typed("prod", "--update").output
    assert engine.ran == []


@pytest.mark.parametrize(
    "error", ["models/digits: no such folder", "as part of replacing b as it is currently marked for protection"]
)
def test_a_preview_that_ends_early_releases_nothing_and_says_the_other_way(engine, error):
    """What the program had not come to would be taken for what it no longer declares."""
    engine.preview = Preview(errors=[error])
    said = typed("prod", "--update")
    assert said.exit_code == 1 and error in said.output and "without --update" in " ".join(said.output.split())
    assert engine.ran == []


def test_a_protected_stack_is_not_to_be_taken_down(engine):
    with pytest.raises(PipelineError, match="3 resources are protected, and nothing was deleted.*slipway release prod"):
        ops.refuse_held("prod")
    typed("prod")
    ops.refuse_held("prod")


@pytest.mark.parametrize(("before", "refused"), [("staging", 1), ("production", 0), ("released", 0)])
def test_the_update_that_first_protects_replaces_nothing_and_a_released_one_may(before, refused):
    stack = {"op": "same", "urn": ROOT["urn"], "oldState": {**ROOT, "outputs": {"environment": before}}}
    replaced = {"op": "replace", "urn": BUCKET["urn"], "oldState": BUCKET, "newState": BUCKET}
    assert len(lost([stack, replaced])) == refused


def test_a_cluster_that_never_worked_is_taken_away_in_production_too(monkeypatch):
    ran = []
    failed = record("aws:eks/nodeGroup:NodeGroup", "cpu", protect=True, outputs={"status": "CREATE_FAILED"})
    monkeypatch.setattr(clusters, "export_state", lambda _: {"deployment": {"resources": [failed]}})
    monkeypatch.setattr(clusters, "pulumi", lambda *arguments: ran.append(arguments[:2]))
    assert list(clusters.settle_clusters("prod")) == ["NodeGroup cpu was CREATE_FAILED: taken away, to be made again"]
    assert ran == [("state", "unprotect"), ("destroy", "--stack")]
