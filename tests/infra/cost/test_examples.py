"""The worked examples' prices, recomputed from the table's bare figures by counts that are written down here."""

from decimal import Decimal

import pytest
import yaml
from slipway.infra.cost import stack as program
from slipway.infra.cost.prices import TABLE
from slipway.infra.home import ROOT

from tests.recorder import run_program

REGION = "us-east-1"
# Of the billed resources of each example: 95.0 % and 90.9 %.
AWS_PRICED, AWS_BILLED = 19, 20
GCP_PRICED, GCP_BILLED = 10, 11
# How many of what, in the lowest, the expected and the highest case; usage as in UsageConfig's defaults.
AWS = [
    ("aws/eks-cluster", 1, 1, 1),
    ("aws/instance/m7i.large", 2, 2, 2),  # general-purpose, system
    ("aws/spot/g6.xlarge", 0, 1, 4),
    ("aws/instance/g6.xlarge", 0, 1, 2),
    ("aws/gp3", 2 * 80, 2 * 80 + 2 * 100, 2 * 80 + 6 * 100),
    ("aws/nat-gateway", 1, 1, 1),
    ("aws/nat-data", 0, 20, 20),
    ("aws/public-ipv4", 1 + 3, 1 + 3, 1 + 3),
    ("aws/alb", 1, 1, 1),
    ("aws/waf-acl", 1, 1, 1),
    ("aws/waf-rule", 3, 3, 3),
    ("aws/waf-requests", 0, 10, 10),
    ("aws/kms-key", 1, 1, 1),
    ("aws/s3", 0, 2 * 5, 2 * 5),
    ("aws/logs", 0, 3 * 10, 3 * 10),
    ("aws/alarm", 4, 4, 4),
    ("aws/dashboard", 1, 1, 1),
    ("aws/prometheus-samples", 0, 200, 200),
]
GCP = [
    ("gcp/gke-cluster", 1, 1, 1),
    ("gcp/instance/e2-standard-4", 2, 2, 6),
    ("gcp/spot/g2-standard-8", 0, 1, 4),
    ("gcp/instance/g2-standard-8", 0, 1, 2),
    ("gcp/pd-balanced", 2 * 50, 2 * 50 + 2 * 100, 6 * 50 + 6 * 100),
    ("gcp/nat-vm", 2, 4, 12),
    ("gcp/nat-data", 0, 20, 20),
    ("gcp/kms-key-version", 1, 1, 1),
    ("gcp/storage", 0, 5, 5),
    ("gcp/artifact-registry", 0, 2 * 10, 2 * 10),
    ("gcp/forwarding-rule", 2, 2, 2),
    ("gcp/lb-data", 0, 50, 50),
]


def figure(item, region):
    """A month's price of one, read from the file with nothing of ours between."""
    for row in yaml.safe_load(TABLE.read_text())["prices"]:
        name = item.removeprefix(f"{row['item']}/")
        if name in row["usd"] and f"{row['item']}/{name}" == item and row["region"] in (region, "global"):
            return Decimal(str(row["usd"][name])) * (730 if row["per"] == "hour" else 1)
    raise KeyError(item)


def recomputed(counts, region):
    cases = [sum(figure(item, region) * Decimal(str(each[case])) for item, *each in counts) for case in range(3)]
    return [round(float(each), 2) for each in cases]


@pytest.fixture
def seen(monkeypatch):
    """What the running program estimated."""
    found = []
    real = program.estimate
    monkeypatch.setattr(program, "estimate", lambda *asked: found.append(real(*asked)) or found[-1])
    return found


def test_the_aws_example_costs_what_the_table_says(seen):
    content = yaml.safe_load((ROOT / "Pulumi.aws.yaml").read_text())["config"]
    config = {key.removeprefix("slipway:"): value for key, value in content.items()}
    assert config["aws"]["region"] == REGION
    for service in config["services"].values():
        service["image"] = "registry.example.org/a@sha256:" + "0" * 64
    run_program("aws", **config)
    (found,) = seen
    # Not to be counted in whole pieces: the share of Auto Mode in its machines, and the traffic's share of an hour.
    nodes = {"aws/instance/m7i.large": (2, 2, 2), "aws/instance/g6.xlarge": (0, 2, 6)}
    shares = [sum(figure(item, REGION) * each[case] for item, each in nodes.items()) for case in range(3)]
    lcu = [Decimal(0), *[figure("aws/alb-lcu", REGION) * Decimal(str(50 / 730))] * 2]
    extra = [Decimal("0.12") * share + units for share, units in zip(shares, lcu, strict=True)]
    expected = [base + float(more) for base, more in zip(recomputed(AWS, REGION), extra, strict=True)]
    total = found.total
    assert [float(total.min), float(total.expected), float(total.max)] == pytest.approx(expected, abs=0.02)
    assert (len(found.priced), len(found.resources)) == (AWS_PRICED, AWS_BILLED) and AWS_PRICED / AWS_BILLED >= 0.9
    assert [line.name for line in found.unknown] == ["metrics"]  # the scraper


def test_the_gcp_example_costs_what_the_table_says(seen):
    content = yaml.safe_load((ROOT / "Pulumi.gcp.yaml").read_text())["config"]
    config = {key.removeprefix("slipway:"): value for key, value in content.items() if key.startswith("slipway:")}
    for service in config["services"].values():
        service["image"] = "registry.example.org/a@sha256:" + "0" * 64
    run_program("gcp", settings={key: value for key, value in content.items() if key.startswith("gcp:")}, **config)
    (found,) = seen
    total = found.total
    assert [float(total.min), float(total.expected), float(total.max)] == pytest.approx(
        recomputed(GCP, "europe-west4"), abs=0.02
    )
    assert (len(found.priced), len(found.resources)) == (GCP_PRICED, GCP_BILLED) and GCP_PRICED / GCP_BILLED >= 0.9
    assert [line.name for line in found.unknown] == ["firewall"]  # Cloud Armor
