"""Whose a stack's names are: refused by name where they are another's, before anything is touched or even asked."""

import pytest
from slipway.infra.config.stack import StackConfig
from slipway.infra.resources import identity as made
from slipway.infra.resources.identity import ADOPTED, TYPE, StackIdentityProvider

from slipway.ops.state import owner
from slipway.ops.state.adopt import _is_foreign, begin
from slipway.pipeline.errors import BadInput, PipelineError
from tests.contracts.stacks import STACKS

MINE, OTHER = "team-a-0123abcd", "team-b-4567abcd"
ANCHORS = {
    "kubernetes": ("kubernetes:core/v1:Namespace", "slipway-prod"),
    "aws": ("aws:s3/bucket:Bucket", "slipway-prod-models-123456789012"),
    "gcp": ("gcp:storage/bucket:Bucket", "slipway-prod-models-example-project"),
}


def state(identity="", *anchors):
    held = [{"type": TYPE, "urn": "urn:identity", "outputs": {"value": identity}}] if identity else []
    return held + [{"type": kind, "urn": f"urn:{id_}", "id": id_} for kind, id_ in anchors]


@pytest.fixture(params=ANCHORS)
def platform(request, monkeypatch):
    monkeypatch.setattr(StackConfig, "from_file", lambda _: StackConfig.model_validate(STACKS[request.param]))
    return request.param


@pytest.fixture
def carried(monkeypatch):
    """What is carried by what is asked for; the list notes who was asked."""
    asked = []

    def answers(found):
        monkeypatch.setattr(owner, "carried_by", lambda anchor: asked.append((anchor.type, anchor.id)) or found)
        return asked

    return answers


def refuse(*resources):
    return list(owner.refuse_foreign("slipway", "prod", list(resources)))


@pytest.mark.parametrize("mine", ["", MINE])
@pytest.mark.parametrize("found", [OTHER, ""])
def test_what_is_there_and_another_s_or_nobody_s_is_refused_with_its_owner_and_the_way_on(
    platform, carried, mine, found
):
    asked = carried(found)
    with pytest.raises(owner.Foreign) as refused:
        refuse(*state(mine))
    said = str(refused.value)
    assert (
        ANCHORS[platform][1] in said and "Nothing was touched" in said and (f"belongs to {found}" in said or not found)
    )
    assert f"slipway recover --stack prod --adopt {found}" in said
    assert asked == [ANCHORS[platform]]


def test_what_the_state_has_is_not_asked_for(platform, carried):
    """Also of a stack of an earlier version, whose state has no identity yet."""
    asked = carried(OTHER)
    assert refuse(*state("", ANCHORS[platform])) == refuse(*state(MINE, ANCHORS[platform])) == asked == []


@pytest.mark.parametrize("found", [None, MINE])
def test_what_is_not_there_or_its_own_is_no_hindrance(platform, carried, found):
    carried(found)
    assert refuse(*state(MINE)) == []


def test_where_nobody_can_be_asked_it_says_so_and_goes_on(platform, monkeypatch):
    def silent(_):
        raise PipelineError("pulumi preview:\nno valid credential sources")

    monkeypatch.setattr(owner, "carried_by", silent)
    (line,) = refuse()
    assert line.endswith("no valid credential sources") and "Could not check who owns" in line


@pytest.mark.parametrize("name", ["local", "docker"])
def test_a_platform_without_a_bucket_or_a_namespace_is_not_asked(name, carried, monkeypatch):
    monkeypatch.setattr(StackConfig, "from_file", lambda _: StackConfig.model_validate(STACKS[name]))
    assert refuse() == carried(OTHER) == []
    with pytest.raises(BadInput, match="no identity to adopt"):
        owner.take_identity("slipway", "prod", [], MINE)


def test_a_lost_state_gets_the_identity_that_is_there_and_no_other(platform, carried, monkeypatch):
    ran = []

    def engine(*arguments, cwd, env):
        assert "StackIdentity()" in (cwd / "__main__.py").read_text()
        ran.append((arguments[0], env[ADOPTED]))

    monkeypatch.setattr(owner, "pulumi", engine)
    carried(MINE)
    with pytest.raises(owner.Foreign, match=f"belongs to {MINE}, not to {OTHER}: nothing was touched"):
        owner.take_identity("slipway", "prod", [], OTHER)
    with pytest.raises(BadInput, match=f"already belongs to {OTHER}: take it down first"):
        owner.take_identity("slipway", "prod", state(OTHER), MINE)
    assert ran == []
    assert owner.take_identity("slipway", "prod", [], MINE)[1] is False and ran == [("up", MINE)]
    carried("")
    assert owner.take_identity("slipway", "prod", [], MINE)[1] is True
    carried(None)
    with pytest.raises(BadInput, match="nothing to adopt"):
        owner.take_identity("slipway", "prod", [], MINE)


def test_an_identity_is_made_once_and_says_who_made_it(monkeypatch):
    provider = StackIdentityProvider()
    monkeypatch.setenv("GITHUB_REPOSITORY", "Team.A/Models_1" + "x" * 90)
    ids = {provider.create({"value": None}).outs["value"] for _ in range(9)}
    assert len(ids) == 9 and all(each.startswith("team-a-models-1x") and len(each) < 64 for each in ids)
    assert provider.create({"adopted": MINE}).outs["value"] == MINE
    assert provider.diff("made", {"value": MINE}, {"value": None, "adopted": OTHER}).changes is False
    monkeypatch.delenv("GITHUB_REPOSITORY")

    def nameless():
        raise KeyError

    monkeypatch.setattr(made.getpass, "getuser", nameless)
    assert provider.create({}).outs["value"]


@pytest.mark.parametrize("held", ["tags", "labels", "effectiveLabels", "userLabels", "resourceLabels"])
def test_what_carries_another_identity_or_none_is_foreign(held):
    mark = "slipway:identity" if held == "tags" else "slipway-identity"
    wanted = {"inputs": {held.replace("effectiveL", "l"): {mark: MINE, "team": "a"}}}
    assert not _is_foreign(wanted, {"outputs": {held: {mark: MINE}}})
    assert _is_foreign(wanted, {"outputs": {held: {mark: OTHER}}}) and _is_foreign(wanted, {"outputs": {held: {}}})
    assert not _is_foreign(wanted, {"outputs": {held: {}}}, unmarked=True)
    assert _is_foreign(wanted, {"outputs": {held: {mark: OTHER}}}, unmarked=True)
    assert not _is_foreign({"inputs": {}}, {"outputs": {held: {mark: OTHER}}})  # what takes none


def test_a_lost_state_gets_components_and_providers_before_what_is_in_them():
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    box = {"urn": "urn:box", "type": "slipway:aws:Box", "parent": "urn:stack"}
    cloud = {"urn": "urn:aws", "type": "pulumi:providers:aws", "custom": True, "inputs": {"region": "x"}}
    inside = {
        "urn": "urn:k8s",
        "type": "pulumi:providers:kubernetes",
        "custom": True,
        "inputs": {"kubeconfig": unknown},
    }
    bucket = {"urn": "urn:b", "type": "aws:s3/bucket:Bucket", "custom": True, "provider": f"urn:aws::{unknown}"}
    pod = {"urn": "urn:p", "type": "kubernetes:core/v1:Pod", "custom": True, "provider": f"urn:k8s::{unknown}"}
    exported = {"deployment": {"resources": [{"urn": "urn:stack", "type": "pulumi:pulumi:Stack"}]}}
    begin([box, cloud, inside, bucket, pod], exported)
    begun = {each["urn"]: each for each in exported["deployment"]["resources"]}
    assert begun.keys() == {"urn:stack", "urn:box", "urn:aws"}
    assert bucket["provider"] == f"urn:aws::{begun['urn:aws']['id']}" and pod["provider"].endswith(unknown)
