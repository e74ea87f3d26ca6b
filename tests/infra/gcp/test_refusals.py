"""Configurations of Google Cloud stacks that are refused: each names its key and the fix, and nothing is registered."""

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig

from tests.infra.gcp.stacks import KEY, SPOT, STEADY, VPC
from tests.infra.gcp.stacks import production as good
from tests.infra.refusals import MISSING, changed, handed_over
from tests.recorder import run_program


def pool(**changes):
    return {"gcp__cluster__gpu": [SPOT, {**STEADY, **changes}]}


def autopilot(**cluster):
    return {"gcp__cluster": {"compute": "autopilot", "gpu": [SPOT, {**STEADY, "min": 0}], **cluster}}


REFUSED = [
    ({"gcp__project": MISSING}, ["slipway:gcp.project: is not set", "the project's id"]),
    ({"gcp__project": "Example Project"}, ["slipway:gcp.project", "'Example Project'"]),
    ({"gcp__project": 210987654321}, ["slipway:gcp.project", "string"]),
    ({"gcp__region": MISSING}, ["slipway:gcp.region: is not set", "europe-west4"]),
    (
        {"privacy": {"regions": ["europe-west1"]}},
        ["slipway:gcp.region: europe-west4 is none of privacy.regions (europe-west1)", "take one of these"],
    ),
    ({"gcp__region": "europe-west4-a"}, ["slipway:gcp.region", "'europe-west4-a'"]),
    ({"gcp__regoin": "europe-west4"}, ["slipway:gcp.regoin: no such key", "region"]),
    ({"gcp__labels": {"Team": "a"}}, ["slipway:gcp.labels", "'Team'", "lower-case"]),
    ({"gcp__labels": {"slipway-stack": "a"}}, ["slipway:gcp.labels", "reserved"]),
    ({"gcp__labels": {"team": "x" * 64}}, ["slipway:gcp.labels", "at most 63"]),
    ({"gcp__key": "my-key"}, ["slipway:gcp.key", "'my-key'"]),
    ({"gcp__key": KEY.replace("west4", "west1")}, ["slipway:gcp.key: it is not in europe-west4"]),
    ({"gcp__network__nodes": "10.0.0.1/20"}, ["slipway:gcp.network.nodes", "is no network"]),
    ({"gcp__network__nodes": "8.8.0.0/20"}, ["slipway:gcp.network.nodes", "not a private range"]),
    ({"gcp__network__nodes": "10.0.0.0/29"}, ["slipway:gcp.network.nodes", "too small", "/28"]),
    ({"gcp__network__pods": "10.0.0.0/14"}, ["slipway:gcp.network.nodes: 10.0.0.0/20 overlaps with pods", "move one"]),
    ({"gcp__network__pods": "10.30.0.0/22"}, ["slipway:gcp.network.pods", "too small", "/21"]),
    ({"gcp__network__vpc": {"network": "shared"}}, ["slipway:gcp.network.vpc.subnetwork: is not set"]),
    (
        {"gcp__network": {"vpc": VPC, "nodes": "10.1.0.0/20"}},
        ["slipway:gcp.network.nodes: an existing VPC", "leave it out"],
    ),
    (
        {"gcp__network__vpc": VPC, "gcp__endpoint": {"domain": "ml.example.org", "internal": True}},
        ["slipway:gcp.network.vpc.proxies: is not set"],
    ),
    ({"gcp__cluster__compute": "auto"}, ["slipway:gcp.cluster.compute", "'autopilot'"]),
    ({"gcp__cluster__zone": "us-central1-a"}, ["slipway:gcp.cluster.zone: us-central1-a is no zone of europe-west4"]),
    ({"gcp__cluster__zone": "europe-west4-b"}, ["cluster.gpu.spot.zones: the cluster is in europe-west4-b alone"]),
    ({"gcp__cluster__channel": "regular"}, ["slipway:gcp.cluster.channel", "'REGULAR'"]),
    ({"gcp__cluster__group": "admins@example.org"}, ["slipway:gcp.cluster.group", "'admins@example.org'"]),
    (
        {"gcp__cluster__maintenance": {"days": ["SU"], "hours": 6}},
        ["cluster.maintenance: hours: 1 x 6", "48 in 32 days"],
    ),
    ({"gcp__cluster__maintenance": {"days": ["Sunday"]}}, ["slipway:gcp.cluster.maintenance.days", "'SU'"]),
    ({"gcp__cluster__cpu": {"min": 0}}, ["slipway:gcp.cluster.cpu.min", "1"]),
    ({"gcp__cluster__cpu": {"min": 9, "max": 3}}, ["slipway:gcp.cluster.cpu.min: 9 is more than max, 3"]),
    ({"gcp__cluster__cpu": {"machine": "big"}}, ["slipway:gcp.cluster.cpu.machine", "'big'"]),
    (
        {"gcp__cluster__cpu": {"machine": "t2a-standard-4"}},
        ["slipway:gcp.cluster.cpu.machine: t2a-standard-4", "amd64"],
    ),
    (autopilot(zone="europe-west4-a"), ["slipway:gcp.cluster.zone: Autopilot is in a whole region"]),
    (autopilot(cpu={"min": 3}), ["slipway:gcp.cluster.cpu: Autopilot makes nodes"]),
    (autopilot(gpu=[SPOT, STEADY]), ["slipway:gcp.cluster.gpu.steady.min: Autopilot keeps no idle node"]),
    (
        autopilot(gpu=[SPOT, {**STEADY, "min": 0, "sharing": "mps", "sharers": 2}]),
        ["slipway:gcp.cluster.gpu.steady.sharing", "use compute standard"],
    ),
    ({"gcp__cluster__existing": "shared"}, ["slipway:gcp.cluster.gpu: an existing cluster brings its own nodes"]),
    (
        {"gcp__cluster": {"existing": "shared"}, "gcp__network__vpc": VPC},
        ["slipway:gcp.network.vpc: an existing cluster is in its VPC already"],
    ),
    (
        {"gcp__cluster": {"existing": "shared"}, "gcp__endpoint": {"domain": "ml.example.org", "internal": True}},
        ["slipway:gcp.endpoint.internal: is not offered with an existing cluster"],
    ),
    (pool(machine="n1-standard-4"), ["slipway:gcp.cluster.gpu.1.machine", "'n1-standard-4'", "g2-standard-8"]),
    (pool(zones=[]), ["slipway:gcp.cluster.gpu.1.zones"]),
    (
        {"gcp__cluster__gpu": [{"name": "l4", "machine": "g2-standard-4", "max": 9}]},
        ["gcp.cluster.gpu.0.zones: is not set"],
    ),
    (pool(zones=["europe-west1-b"]), ["cluster.gpu.steady.zones: europe-west1-b is no zone of europe-west4"]),
    (pool(zones=["europe-west4-a"] * 2), ["cluster.gpu.steady.zones", "named twice"]),
    (pool(name="spot"), ["slipway:gcp.cluster.gpu: 'spot' is taken"]),
    (pool(name="cpu"), ["slipway:gcp.cluster.gpu: 'cpu' is taken", "none is called cpu"]),
    (pool(min=3), ["slipway:gcp.cluster.gpu.steady.min: 3 is more than max, 2"]),
    (pool(capacity="preemptible"), ["slipway:gcp.cluster.gpu.1.capacity", "'on-demand'"]),
    (pool(sharing="time"), ["slipway:gcp.cluster.gpu.steady.sharers: 1 with sharing time"]),
    (
        pool(sharing="mps", sharers=2),
        ["slipway:gcp.cluster.gpu.steady.sharing: mps wants pods in the node's own IPC", "use time"],
    ),
    (pool(sharers=4), ["slipway:gcp.cluster.gpu.steady.sharers: 4 with sharing none"]),
    ({"gcp__cluster__gpu": []}, ["services.digits.accelerator: no node has a GPU", "gcp.cluster.gpu"]),
    ({"gcp__cluster__gpu": [STEADY]}, ["services.digits.scale", "gcp.cluster.gpu"]),
    (
        {"gcp__cluster__gpu": [SPOT, {**SPOT, "name": "other"}]},
        ["services.digits.scale.onDemand: gcp.cluster.gpu needs a pool of spot nodes and one on demand"],
    ),
    ({"services__digits__scale__max": 40}, ["services.digits.scale.max", "gcp.cluster.gpu"]),
    ({"gcp__endpoint": {}}, ["slipway:gcp.endpoint.domain: is not set", "ml.example.org"]),
    ({"gcp__endpoint__domain": "example"}, ["slipway:gcp.endpoint.domain", "'example'"]),
    ({"gcp__endpoint__waf": False}, ["slipway:gcp.endpoint.rate: Cloud Armor counts"]),
    ({"gcp__endpoint__rate": 1}, ["slipway:gcp.endpoint.rate", "10"]),
    ({"services__digits__host": "digits.example.com"}, ["services.digits.host", "one label under gcp.endpoint.domain"]),
    ({"services__digits__host": "a.b.ml.example.org"}, ["services.digits.host", "one label under"]),
    ({"services__linear__host": "digits.ml.example.org"}, ["services.linear.host", "is taken by 'digits'"]),
    ({"gcp__budget": {"monthly": 100}}, ["slipway:gcp.budget.billingAccount: is not set", "01AB23-CD45EF-678901"]),
    ({"gcp__budget__monthly": MISSING}, ["slipway:gcp.budget.monthly: is not set"]),
    ({"gcp__budget__billingAccount": "mine"}, ["slipway:gcp.budget.billingAccount", "'mine'"]),
    ({"gcp__budget__currency": "euro"}, ["slipway:gcp.budget.currency", "'euro'"]),
    ({"gcp__observability__emails": ["ops"]}, ["slipway:gcp.observability.emails", "'ops'"]),
    ({"gcp__ci": {"deploy": "production"}}, ["slipway:gcp.ci.repository: is not set", "owner/name"]),
    ({"gcp__ci__repository": "models"}, ["slipway:gcp.ci.repository", "'models'"]),
    ({"gcp__ci": {"repository": "a/b"}}, ["slipway:gcp.ci.repositoryId: is not set", "gh api repos/a/b --jq .id"]),
    ({"gcp__ci": {"repository": "a/b", "repositoryId": "b"}}, ["slipway:gcp.ci.repositoryId", "'b'"]),
    ({"image": {"arch": "arm64"}}, ["slipway:image.arch: arm64: the nodes are amd64"]),
    ({"services__digits__port": 3001}, ["services.digits.port: platform gcp has none", "remove it"]),
    ({"services__linear__scale": {"min": 1, "max": 4, "on": "inflight"}}, ["services.linear.scale.on", "or cpu"]),
    ({"services__linear__scale": {"max": 4, "on": "requests", "target": 9}}, ["services.linear.scale.on", "set host"]),
    ({"services__linear__scale": {"max": 4, "on": "requests"}}, ["services.linear.scale: target: is not set", "load"]),
    (
        {"services__digits__scale": {"min": 2, "max": 4, "onDemand": 1, "on": "requests", "target": 9}},
        ["services.digits.scale.onDemand: requests are counted for all pods"],
    ),
    (
        {"services__linear__scale": {"min": 0, "max": 4, "on": "requests", "target": 9}},
        ["services.linear.scale: min: where there is no pod nobody counts"],
    ),
]


@pytest.mark.parametrize(("change", "named"), REFUSED)
def test_a_wrong_setting_is_refused_naming_key_and_fix(change, named):
    with pytest.raises(ConfigError) as refusal:
        StackConfig.parse(handed_over(changed(good(), change)))
    for part in named:
        assert part in str(refusal.value)


@pytest.mark.parametrize("change", [change for change, _ in REFUSED])
def test_a_refused_stack_registers_nothing(change, recorders):
    with pytest.raises(ConfigError):
        run_program(**changed(good(), change))
    assert [each.typ for each in recorders[0].declared] == []


def test_the_stack_that_the_refusals_start_from_is_good():
    assert StackConfig.parse(handed_over(good())).gcp.cluster.gpu[0].name == "spot"
