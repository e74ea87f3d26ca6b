"""Configurations of AWS stacks that are refused: each names its key and the fix, and nothing is registered."""

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig

from tests.infra.aws.stacks import CERTIFICATE, DEPLOYER, ROLE, SPOT, STEADY, VPC
from tests.infra.aws.stacks import production as good
from tests.infra.refusals import MISSING, changed, handed_over
from tests.recorder import run_program


def pool(**changes):
    return {"aws__cluster__gpu": [{**STEADY, **changes}]}


PUBLIC = {"aws__cluster__public": True}
AUTO = {"aws__cluster__compute": "auto"}
JWT_FILE = {"jwks": "keys.json", "issuer": "i", "audience": "a"}
REFUSED = [
    ({"aws__region": MISSING}, ["slipway:aws.region: is not set", "us-east-1"]),
    ({"aws__region": "Frankfurt"}, ["slipway:aws.region", "'Frankfurt'"]),
    (
        {"privacy__regions": ["eu-central-1", "eu-west-1"]},
        ["slipway:aws.region: us-east-1 is none of privacy.regions (eu-central-1, eu-west-1)", "take one of these"],
    ),
    ({"privacy__retentionDays": 0}, ["slipway:privacy.retentionDays", "greater than or equal to 1"]),
    ({"aws__account": MISSING}, ["slipway:aws.account: is not set", "the only account"]),
    ({"aws__account": "12345"}, ["slipway:aws.account", "'12345'"]),
    ({"aws__account": 123456789012}, ["slipway:aws.account", "string"]),
    ({"aws__regoin": "us-east-1"}, ["slipway:aws.regoin: no such key", "region"]),
    ({"aws__network__nats": 3}, ["slipway:aws.network.nats: no such key", "nat"]),
    ({"aws__tags": {"aws:team": "a"}}, ["slipway:aws.tags", "'aws:team'", "reserved"]),
    ({"aws__network__cidr": "10.0.0.0/33"}, ["slipway:aws.network.cidr", "is no network"]),
    ({"aws__network__cidr": "10.0.0.0/20"}, ["slipway:aws.network.cidr", "/16 to /19"]),
    ({"aws__region": "cn-north-1"}, ["slipway:aws.region: cn-north-1 is of another partition", "commercial"]),
    ({"aws__region": "us-gov-west-1"}, ["slipway:aws.region: us-gov-west-1 is of another partition"]),
    (
        {"aws__cluster__deployer": DEPLOYER.replace("arn:aws:", "arn:aws-cn:")},
        ["slipway:aws.cluster.deployer", "aws-cn"],
    ),
    (
        {"aws__observability__emails": [f"{n}@example.org" for n in range(11)]},
        ["slipway:aws.budget.emails: a budget takes 10", "name 10"],
    ),
    ({"aws__network__cidr": "8.8.0.0/16"}, ["slipway:aws.network.cidr", "not a private range"]),
    ({"aws__network__cidr": "fd00::/48"}, ["slipway:aws.network.cidr", "IPv6"]),
    ({"aws__network__cidr": "172.20.0.0/18"}, ["slipway:aws.network.cidr", "overlaps", "serviceCidr"]),
    ({"aws__network__zones": ["us-east-1a"]}, ["slipway:aws.network.zones", "two different"]),
    ({"aws__network__zones": ["us-east-1a", "eu-central-1b"]}, ["zones: 'eu-central-1b' is no zone of us-east-1"]),
    ({"aws__network__nat": "perzone"}, ["slipway:aws.network.nat", "'perZone'"]),
    ({"aws__network__nat": "none"}, ["slipway:aws.network.nat: compute managed", "use single"]),
    (
        {**AUTO, "aws__network": {"nat": "none"}, "aws__cluster__gpu": [{**STEADY, "min": 0, "max": 9}]},
        ["slipway:aws.network.endpoints: without a NAT gateway", "set it true"],
    ),
    ({"aws__network__vpc": {**VPC, "id": "10.0.0.0"}}, ["slipway:aws.network.vpc.id", "'10.0.0.0'"]),
    ({"aws__network__vpc": {**VPC, "privateSubnets": VPC["privateSubnets"][:1]}}, ["network.vpc.privateSubnets", "2"]),
    ({"aws__network__vpc": {**VPC, "publicSubnets": []}}, ["network.vpc.publicSubnets", "endpoint.internal"]),
    ({"aws__network__vpc": {**VPC, "publicSubnets": VPC["privateSubnets"]}}, ["network.vpc: a subnet is named twice"]),
    ({"aws__network__vpc": {**VPC, "cidr": "172.20.1.0/24"}}, ["network.vpc.cidr", "overlaps"]),
    ({"aws__network__logDays": 45}, ["slipway:aws.network.logDays", "45"]),
    ({"aws__cluster__compute": "fargate"}, ["slipway:aws.cluster.compute", "'managed'"]),
    ({"aws__cluster__version": "1.3"}, ["slipway:aws.cluster.version", "'1.3'"]),
    ({"aws__cluster__existing": "shared"}, ["network.vpc: is not set: an existing cluster", "aws.cluster.gpu"]),
    ({"aws__cluster__deployer": MISSING}, ["slipway:aws.cluster.deployer: is not set", "ARN"]),
    (
        {"aws__cluster__deployer": "arn:aws:sts::123456789012:assumed-role/deploy/me"},
        ["slipway:aws.cluster.deployer", "assumed-role"],
    ),
    ({"aws__cluster__deployer": ROLE.format("x").replace("1234", "9999")}, ["is not of account 123456789012"]),
    ({"aws__cluster__viewers": [DEPLOYER]}, ["is named twice", "different roles"]),
    (PUBLIC, ["slipway:aws.cluster.allow: nobody could ask", "public: false"]),
    ({**PUBLIC, "aws__cluster__allow": ["0.0.0.0/0"]}, ["slipway:aws.cluster.allow", "half the internet"]),
    ({"aws__cluster__allow": ["203.0.113.7/32"]}, ["slipway:aws.cluster.allow: the API is private"]),
    ({"aws__cluster__cpu": {"min": 5, "max": 2}}, ["slipway:aws.cluster.cpu.min: 5 is more than max, 2"]),
    ({"aws__cluster__gpu": []}, ["services.digits.accelerator: no node has a GPU", "aws.cluster.gpu"]),
    (pool(instances=["m7i.large"]), ["slipway:aws.cluster.gpu", "'m7i.large' is no type or family with NVIDIA"]),
    (pool(instances=["g5g.xlarge"]), ["slipway:aws.cluster.gpu", "'g5g.xlarge'", "x86"]),
    (pool(instances=["g6"]), ["aws.cluster.gpu.steady.instances: 'g6' is a family", "g6.xlarge"]),
    (pool(instances=[]), ["slipway:aws.cluster.gpu", "instances"]),
    (pool(instances=["g6.xlarge", "g5.xlarge"]), ["gpu.steady.instances", "make a pool of each"]),
    (pool(capacity="spot"), ["aws.cluster.gpu.steady.instances: one type alone", "name several"]),
    (pool(min=7), ["aws.cluster.gpu.steady.min: 7 is more than max, 2"]),
    (pool(name="a-name-that-is-far-too-long"), ["slipway:aws.cluster.gpu", "name"]),
    ({"aws__cluster__gpu": [SPOT, {**STEADY, "name": "spot"}]}, ["aws.cluster.gpu: 'spot' is taken"]),
    (AUTO, ["aws.cluster.gpu.steady.min: compute auto keeps no idle node"]),
    ({"aws__cluster__gpu": [SPOT]}, ["scale.onDemand: aws.cluster.gpu needs a pool of spot and one of on-demand"]),
    (
        {"aws__cluster__gpu": [{**SPOT, "max": 2}, STEADY]},
        ["services.digits.rollout.surge: a new pod needs 1 spare of 4 GPUs", "wait forever", "unavailable: 1"],
    ),
    (
        {"aws__cluster__gpu": [{**SPOT, "max": 1}, {**STEADY, "max": 1}]},
        ["scale.max: all services together ask for 4 GPUs, and aws.cluster.gpu has 2", "raise max"],
    ),
    ({"aws__endpoint__domain": MISSING}, ["slipway:aws.endpoint.domain: is not set"]),
    ({"aws__endpoint__domain": "example"}, ["slipway:aws.endpoint.domain", "'example'"]),
    ({"aws__endpoint__certificate": MISSING}, ["slipway:aws.endpoint.certificate: is missing", "zone"]),
    ({"aws__endpoint__zone": "Z0123456789ABC"}, ["slipway:aws.endpoint.certificate: leave it out"]),
    ({"aws__endpoint__certificate": CERTIFICATE.replace("us-east-1", "eu-central-1")}, ["it is not of us-east-1"]),
    ({"aws__endpoint__zone": "ml.example.org"}, ["slipway:aws.endpoint.zone", "'ml.example.org'"]),
    ({"aws__endpoint__waf": False}, ["slipway:aws.endpoint.rate: the firewall counts", "waf: true"]),
    ({"access": {"jwt": JWT_FILE}}, ["slipway:aws.endpoint.jwt: access.jwt has to name", "https"]),
    (
        {"apiKeys": {"a": "0123456789abcdefghijklmnopqrstuvwxyz"}},
        ["slipway:aws.endpoint.jwt: the load balancer would refuse apiKeys"],
    ),
    ({"aws__budget": {"monthlyUsd": 0}}, ["slipway:aws.budget.monthlyUsd"]),
    ({"aws__observability": {}}, ["slipway:aws.budget.emails: is empty", "name an address"]),
    ({"aws__observability__emails": ["ops"]}, ["slipway:aws.observability.emails", "'ops'"]),
    ({"services__digits__host": "digits.example.com"}, ["services.digits.host", "aws.endpoint.domain ml.example.org"]),
    ({"services__digits__host": "a.b.ml.example.org"}, ["services.digits.host", "one label under"]),
    ({"image": {"arch": "arm64"}}, ["slipway:image.arch: arm64: the nodes are amd64"]),
    ({"services__digits__port": 3001}, ["services.digits.port: platform aws has none", "remove it"]),
    ({"services__digits__scale": {"min": 2, "max": 4, "on": "inflight"}}, ["services.digits.scale.on", "use cpu"]),
    (
        {"services__other": {"model": "models/linear", "host": "digits.ml.example.org"}},
        ["services.other.host: digits.ml.example.org is taken by 'digits'"],
    ),
]


@pytest.mark.parametrize(("change", "named"), REFUSED)
def test_a_wrong_setting_is_refused_naming_key_and_fix(change, named):
    with pytest.raises(ConfigError) as refusal:
        StackConfig.parse(handed_over(changed(good(), change)))
    for part in named:
        assert part in str(refusal.value)


IDENTITY = "pulumi-python:dynamic/slipway:StackIdentity"  # some letters in the state, and nothing elsewhere


@pytest.mark.parametrize(
    ("change", "stack", "named"),
    [
        ({"aws__account": MISSING}, "test", r"aws\.account: is not set"),
        (
            pool(instances=["p5.48xlarge"], max=9) | {"services__digits__scale": {"min": 1, "max": 2}},
            "test",
            r"gpu\.steady\.instances: p5\.48xlarge is not offered in .* of us-east-1, but in no zone",
        ),
        ({"aws__network__zones": ["us-east-1d", "us-east-1e"]}, "test", r"g6\.xlarge.* but in us-east-1a, us"),
        (
            {"aws__network__zones": ["us-east-1a", "us-east-1c"]},
            "test",
            r"aws\.network\.zones: us-east-1c is use1-az3 in this account, .* choose from us-east-1a, us-east-1b, us",
        ),
        ({}, "my_stack", "the stack 'my_stack' names what is made"),
    ],
)
def test_a_refused_stack_registers_nothing_in_the_cloud(change, stack, named, recorders):
    with pytest.raises(ConfigError, match=named):
        run_program(stack=stack, **changed(good(), change))
    assert {each.typ for each in recorders[0].declared} <= {"pulumi:providers:aws", IDENTITY}


def test_the_stack_that_the_refusals_start_from_is_good():
    assert StackConfig.parse(handed_over(good())).aws.cluster.gpu[0].name == "spot"
