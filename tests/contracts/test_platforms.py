"""One contract for all platforms: a new one joins by a line in stacks.py."""

from types import SimpleNamespace

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.table import PLATFORMS

from tests.contracts import rules
from tests.contracts.stacks import STACKS
from tests.recorder import Recorder, run_program

RULES = [rules.unlabelled, rules.overlong, rules.unencrypted, rules.public, rules.untolerated]


@pytest.fixture(scope="module", params=STACKS)
def platform(request):
    return request.param


@pytest.fixture(scope="module")
def program(platform):
    return run_program(**STACKS[platform])


def test_every_platform_answers_with_the_same_outputs(program):
    for service in program.outputs["services"].values():
        assert service.keys() == {"url", "callers", "model", "artifactUri", "costPer1kUsd"}
        assert service["url"].startswith("https://") or "whoever" in service["callers"] or "pods" in service["callers"]
        assert service["url"].startswith(("http://", "https://")) and not service["url"].endswith("/")
        assert service["model"].keys() == {"name", "digest", "variant", "metric"}


def test_the_doctor_looks_where_the_program_puts_the_pods(platform, program):
    kubectl, config = PLATFORMS[platform].kubectl, StackConfig.model_validate(STACKS[platform])
    namespaces = {args.inputs["metadata"]["namespace"] for args in program.of_type("Deployment")}
    assert namespaces == ({kubectl.namespace(config, "slipway", "test")} if kubectl else set())


@pytest.mark.parametrize("rule", [*RULES, rules.unowned], ids=lambda rule: rule.__name__)
def test_every_platform_keeps(rule, program):
    assert list(rule(program)) == []


def declared(typ, **inputs):
    return SimpleNamespace(typ=typ, name="bad", inputs=inputs, custom=True)


CONTAINER = {"name": "a", "resources": {"limits": {"nvidia.com/gpu": 1}}}
BROKEN = {
    "unlabelled": [declared("aws:ec2/vpc:Vpc", tags={"a": "b"})],
    "unowned": [declared("aws:ec2/vpc:Vpc", tags={"slipway:stack": "a/b"})],
    "overlong": [declared("aws:lb/loadBalancer:LoadBalancer", name="x" * 33)],
    "unencrypted": [declared("gcp:storage/bucket:Bucket", name="open")],
    "public": [declared("aws:eks/cluster:Cluster", vpcConfig={"publicAccessCidrs": ["0.0.0.0/0"]})],
    "untolerated": [
        declared("aws:eks/nodeGroup:NodeGroup", taints=[{"key": "nvidia.com/gpu"}]),
        declared("kubernetes:apps/v1:Deployment", spec={"template": {"spec": {"containers": [CONTAINER]}}}),
    ],
}


@pytest.mark.parametrize("rule", [*RULES, rules.unowned], ids=lambda rule: rule.__name__)
def test_what_breaks_a_rule_is_named(rule):
    program = Recorder()
    program.declared = BROKEN[rule.__name__]
    (line,) = rule(program)
    assert program.declared[-1].typ in line


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("example", ["aws", "gcp"])
def test_the_simulators_examples_keep(rule, example, examples):
    assert list(rule(examples[example])) == []


CLUSTERS = [name for name in STACKS if PLATFORMS[name].kubectl]


@pytest.mark.parametrize("name", CLUSTERS)
def test_pods_of_the_namespace_and_of_those_that_are_named_may_call_a_service(name):
    access = {**STACKS[name]["access"], "clientNamespaces": ["web"]}
    ran = run_program(**{**STACKS[name], "access": access})
    (policy,) = [each for each in ran.of_type("NetworkPolicy") if each.name == "digits"]
    asked = policy.inputs["spec"]["ingress"][0]["from"]
    assert {"podSelector": {}} in asked
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}} in asked
    space = policy.inputs["metadata"]["namespace"]
    assert ran.outputs["services"]["digits"]["callers"].startswith(f"pods of the cluster in {space}, web;")
    # The namespace lets its own pods out to them.
    (closed,) = [each for each in ran.of_type("NetworkPolicy") if each.inputs["metadata"]["name"] == "default-deny"]
    assert {"podSelector": {}} in closed.inputs["spec"]["egress"][1]["to"]


@pytest.mark.parametrize("name", sorted(STACKS.keys() - {*CLUSTERS}))
def test_a_platform_without_namespaces_refuses_them(name):
    access = {**STACKS[name].get("access", {}), "clientNamespaces": ["web"]}
    with pytest.raises(ConfigError, match=f"access.clientNamespaces: platform {name} has no namespaces: remove it"):
        run_program(**{**STACKS[name], "access": access})
