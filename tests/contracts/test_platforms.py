"""One contract for all platforms: a new one joins by a line in PLATFORMS."""

from types import SimpleNamespace

import pytest

from tests.contracts import rules
from tests.infra.gcp.stacks import dev as gcp_stack
from tests.recorder import Recorder, run_program

SERVICES = {"digits": {"model": "models/digits"}}
IMAGE = "registry.example/digits@sha256:" + "a" * 64
PLATFORMS = {
    "local": {"platform": "local", "services": SERVICES},
    "docker": {
        "platform": "docker",
        "services": SERVICES,
        "access": {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}},
    },
    "kubernetes": {
        "platform": "kubernetes",
        "services": {"digits": {**SERVICES["digits"], "image": IMAGE, "scale": {"min": 2, "max": 4}}},
        "access": {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}},
    },
    "gcp": gcp_stack(),
}
RULES = [rules.unlabelled, rules.overlong, rules.unencrypted, rules.public, rules.untolerated]


@pytest.fixture(scope="module", params=PLATFORMS)
def program(request):
    return run_program(**PLATFORMS[request.param])


def test_every_platform_answers_with_the_same_outputs(program):
    for service in program.outputs["services"].values():
        assert service.keys() == {"url", "model", "artifactUri", "costPer1kUsd"}
        assert service["url"].startswith(("http://", "https://")) and not service["url"].endswith("/")
        assert service["model"].keys() == {"name", "digest", "variant", "metric"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_platform_keeps(rule, program):
    assert list(rule(program)) == []


def declared(typ, **inputs):
    return SimpleNamespace(typ=typ, name="bad", inputs=inputs, custom=True)


CONTAINER = {"name": "a", "resources": {"limits": {"nvidia.com/gpu": 1}}}
BROKEN = {
    "unlabelled": [declared("aws:ec2/vpc:Vpc", tags={"a": "b"})],
    "overlong": [declared("aws:lb/loadBalancer:LoadBalancer", name="x" * 33)],
    "unencrypted": [declared("gcp:storage/bucket:Bucket", name="open")],
    "public": [declared("aws:eks/cluster:Cluster", vpcConfig={"publicAccessCidrs": ["0.0.0.0/0"]})],
    "untolerated": [
        declared("aws:eks/nodeGroup:NodeGroup", taints=[{"key": "nvidia.com/gpu"}]),
        declared("kubernetes:apps/v1:Deployment", spec={"template": {"spec": {"containers": [CONTAINER]}}}),
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_breaks_a_rule_is_named(rule):
    program = Recorder()
    program.declared = BROKEN[rule.__name__]
    (line,) = rule(program)
    assert program.declared[-1].typ in line


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("example", ["aws", "gcp"])
def test_the_simulators_examples_keep(rule, example, examples):
    assert list(rule(examples[example])) == []
