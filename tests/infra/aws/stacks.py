"""Stacks on AWS that the tests run: the worked example, and others that differ where it matters."""

from copy import deepcopy

import yaml
from slipway.infra.home import ROOT

ROLE = "arn:aws:iam::123456789012:role/{}"
DEPLOYER = ROLE.format("slipway-deploy")
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-test/{}@sha256:" + "a" * 64
JWT = {"jwks": "https://issuer.example.org/keys", "issuer": "https://issuer.example.org/", "audience": "models"}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
VPC = {
    "id": "vpc-0123456789abcdef0",
    "cidr": "10.8.0.0/16",
    "privateSubnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "publicSubnets": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
}
SPOT = {"name": "spot", "capacity": "spot", "instances": ["g6.xlarge", "g6.2xlarge"], "max": 3}
STEADY = {"name": "steady", "capacity": "on-demand", "instances": ["g6.xlarge"], "max": 2, "min": 1}


def example():
    """Pulumi.aws.yaml, as Pulumi hands it over."""
    content = yaml.safe_load((ROOT / "Pulumi.aws.yaml").read_text())["config"]
    return {key.removeprefix("slipway:"): value for key, value in content.items()}


def dev():
    """The least: no GPU, no public name."""
    return stack(
        cluster={"deployer": DEPLOYER, "allow": ["203.0.113.7/32"]},
        observability={"prometheus": False},
        services={"digits": {"model": "models/digits", "image": IMAGE.format("digits")}},
    )


def production():
    """Managed node groups, a gateway per zone, a certificate that is there, callers by network, tokens at the edge."""
    return stack(
        environment="production",
        network={"nat": "perZone", "endpoints": True},
        cluster={
            "compute": "managed", "deployer": DEPLOYER, "admins": [ROLE.format("ops")], "public": False,
            "gpu": [SPOT, STEADY],
        },
        endpoint={"domain": "ml.example.org", "certificate": CERTIFICATE, "jwt": True, "rate": 1000},
        observability={"emails": ["ops@example.org"]},
        budget={"monthlyUsd": 4000},
        privacy={"retentionDays": 20, "regions": ["eu-central-1", "us-east-1"]},
        access={"jwt": JWT, "allow": ["198.51.100.0/24", "2001:db8::/48"]},
        services={
            "digits": {
                "model": "models/digits", "image": IMAGE.format("digits"), "host": "digits.ml.example.org",
                "accelerator": "nvidia", "scale": {"min": 2, "max": 4, "onDemand": 1},
            }
        },
    )  # fmt: skip


def existing():
    """A VPC and a cluster that were there before."""
    return stack(
        network={"vpc": VPC},
        cluster={"existing": "shared"},
        endpoint={"domain": "ml.example.org", "zone": "Z0123456789ABC", "internal": True, "waf": False},
        services={
            "digits": {"model": "models/digits", "image": IMAGE.format("digits"), "host": "digits.ml.example.org"}
        },
    )


VARIANTS = {"example": example, "dev": dev, "production": production, "existing": existing}


def stack(environment="dev", access=None, privacy=None, services=None, **aws):
    """A configuration of the program."""
    return deepcopy(
        {
            "platform": "aws",
            "environment": environment,
            "aws": {"region": "us-east-1", "account": "123456789012", **aws},
            "access": access or {"jwt": JWT},
            "privacy": privacy or {},
            "services": services,
        }
    )
