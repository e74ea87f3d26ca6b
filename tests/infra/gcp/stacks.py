"""Stacks on Google Cloud that the tests run: the worked example, and others that differ where it matters."""

from copy import deepcopy

import yaml
from slipway.infra.home import ROOT

IMAGE = "europe-west4-docker.pkg.dev/example-project/images/{}@sha256:" + "a" * 64
JWT = {"jwks": "https://issuer.example.org/keys", "issuer": "https://issuer.example.org/", "audience": "models"}
KEY = "projects/keys/locations/europe-west4/keyRings/shared/cryptoKeys/models"
VPC = {"network": "shared", "subnetwork": "shared-nodes", "pods": "shared-pods", "services": "shared-services"}
PLACE = {"machine": "g2-standard-8", "zones": ["europe-west4-a"]}
SPOT = {"name": "spot", "capacity": "spot", **PLACE, "max": 3}
STEADY = {"name": "steady", "capacity": "on-demand", **PLACE, "max": 2, "min": 1}


def example():
    """Pulumi.gcp.yaml, as Pulumi hands it over."""
    content = yaml.safe_load((ROOT / "Pulumi.gcp.yaml").read_text())["config"]
    return {key.removeprefix("slipway:"): value for key, value in content.items()}


def dev():
    """The least: one zone, no GPU, no public name."""
    return stack(
        cluster={"zone": "europe-west4-a", "cpu": {"min": 1}},
        services={"digits": {"model": "models/digits", "image": IMAGE.format("digits")}},
    )


def production():
    """A key that is there, GPUs that are shared, callers by network, a budget, and GitHub's jobs."""
    return stack(
        environment="production",
        key=KEY,
        cluster={
            "channel": "STABLE", "group": "gke-security-groups@example.org",
            "maintenance": {"days": ["SU"], "hours": 12},
            "gpu": [SPOT, {**STEADY, "sharing": "time", "sharers": 4}],
        },
        endpoint={"domain": "ml.example.org", "rate": 1000},
        observability={"emails": ["ops@example.org"]},
        budget={"monthly": 4000, "currency": "EUR", "billingAccount": "01AB23-CD45EF-678901"},
        ci={"repository": "example/models", "repositoryId": "123456789", "deploy": "production"},
        access={"jwt": JWT, "allow": ["198.51.100.0/24", "2001:db8::/48"]},
        services={
            "digits": {
                "model": "models/digits", "image": IMAGE.format("digits"), "host": "digits.ml.example.org",
                "accelerator": "nvidia", "scale": {"min": 2, "max": 4, "onDemand": 1},
            },
            "linear": {"model": "models/linear", "image": IMAGE.format("linear"), "modelFrom": "volume"},
        },
    )  # fmt: skip


def autopilot():
    """Nodes of Google's own, in a VPC that was there before, and an edge that only that reaches."""
    return stack(
        cluster={"compute": "autopilot", "gpu": [SPOT, {**STEADY, "min": 0}]},
        network={"vpc": {**VPC, "proxies": "10.9.0.0/23"}},
        endpoint={"domain": "ml.example.org", "zone": "ml-example-org", "internal": True},
        services={
            "digits": {
                "model": "models/digits", "image": IMAGE.format("digits"), "host": "digits.ml.example.org",
                "accelerator": "nvidia",
            }
        },
    )  # fmt: skip


def existing():
    """A cluster that was there before."""
    return stack(
        cluster={"existing": "shared", "zone": "europe-west4-b"},
        endpoint={"domain": "ml.example.org", "waf": False},
        services={
            "digits": {"model": "models/digits", "image": IMAGE.format("digits"), "host": "digits.ml.example.org"}
        },
    )


VARIANTS = {"example": example, "dev": dev, "production": production, "autopilot": autopilot, "existing": existing}


def stack(environment="dev", access=None, services=None, **gcp):
    """A configuration of the program."""
    return deepcopy(
        {
            "platform": "gcp",
            "environment": environment,
            "gcp": {"project": "example-project", "region": "europe-west4", **gcp},
            "access": access or {"jwt": JWT},
            "services": services,
        }
    )
