"""AWS's own price lists: one file for each service and region, for anyone.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from slipway.infra.cost.price_list import Figure, lines_of
from slipway.infra.errors import Unanswered

BASE = "https://pricing.us-east-1.amazonaws.com"
# Its JSON has the same figures and has to be read whole: EC2's is some hundred megabytes.
FILE = "{base}/offers/v1.0/aws/{offer}/current/{region}/index.csv"
MACHINE = {
    "Product Family": "Compute Instance(| \\(bare metal\\))", "Tenancy": "Shared", "Operating System": "Linux",
    "Pre Installed S/W": "NA", "CapacityStatus": "Used",
}  # fmt: skip
HERE = r"([A-Z]{2,4}\d?-)?"  # what a region is called at the beginning of a usage type
USAGE, FAMILY, MILLION = "usageType", "Product Family", Decimal(1_000_000)
# Of each service: the item, its unit in the table, which rows are it, and how many of the list's units are one.
ITEMS: dict[str, list[tuple[str, str, dict[str, str], Decimal]]] = {
    "AmazonEC2": [
        ("aws/gp3", "GB-month", {FAMILY: "Storage", "Volume API Name": "gp3"}, Decimal(1)),
        ("aws/nat-gateway", "hour", {FAMILY: "NAT Gateway", USAGE: f"{HERE}NatGateway-Hours"}, Decimal(1)),
        ("aws/nat-data", "GB", {FAMILY: "NAT Gateway", USAGE: f"{HERE}NatGateway-Bytes"}, Decimal(1)),
    ],
    "AmazonVPC": [
        ("aws/public-ipv4", "hour", {USAGE: f"{HERE}PublicIPv4:InUseAddress"}, Decimal(1)),
        ("aws/interface-endpoint", "hour", {FAMILY: "VpcEndpoint", USAGE: f"{HERE}VpcEndpoint-Hours"}, Decimal(1)),
        ("aws/endpoint-data", "GB", {FAMILY: "VpcEndpoint", USAGE: f"{HERE}VpcEndpoint-Bytes"}, Decimal(1)),
    ],
    "AWSELB": [
        ("aws/alb", "hour", {FAMILY: "Load Balancer-Application", USAGE: f"{HERE}LoadBalancerUsage"}, Decimal(1)),
        ("aws/alb-lcu", "hour", {FAMILY: "Load Balancer-Application", USAGE: f"{HERE}LCUUsage"}, Decimal(1)),
    ],
    "AmazonEKS": [("aws/eks-cluster", "hour", {USAGE: f"{HERE}AmazonEKS-Hours:perCluster"}, Decimal(1))],
    "AmazonS3": [("aws/s3", "GB-month", {FAMILY: "Storage", USAGE: f"{HERE}TimedStorage-ByteHrs"}, Decimal(1))],
    "AmazonECR": [("aws/ecr", "GB-month", {USAGE: f"{HERE}TimedStorage-ByteHrs"}, Decimal(1))],
    "awskms": [("aws/kms-key", "month", {USAGE: "[a-z0-9-]+-KMS-Keys"}, Decimal(1))],
    "awswaf": [
        ("aws/waf-acl", "month", {USAGE: f"{HERE}WebACLV2"}, Decimal(1)),
        ("aws/waf-rule", "month", {USAGE: f"{HERE}RuleV2"}, Decimal(1)),
        ("aws/waf-requests", "million requests", {USAGE: f"{HERE}RequestV2-Tier1"}, MILLION),
    ],
    "AmazonCloudWatch": [
        ("aws/logs", "GB", {FAMILY: "Data Payload", USAGE: f"{HERE}DataProcessing-Bytes"}, Decimal(1)),
        ("aws/alarm", "month", {FAMILY: "Alarm", "Alarm Type": "Standard"}, Decimal(1)),
        ("aws/dashboard", "month", {FAMILY: "Dashboard", USAGE: f"{HERE}DashboardsUsageHour"}, Decimal(1)),
    ],
    "AWSSecretsManager": [("aws/secret", "month", {FAMILY: "Secret"}, Decimal(1))],
    "AmazonPrometheus": [
        ("aws/prometheus-samples", "million samples", {USAGE: f"{HERE}AMP:MetricSampleCount"}, MILLION)
    ],
}


def figures(region: str, machines: Collection[str]) -> Iterator[Figure]:
    """What the lists have of a region: the machines on demand, and the items above. Raises Unanswered."""
    for offer, items in ITEMS.items():
        url = FILE.format(base=BASE, offer=offer, region=region)
        dated, rows = _rows(url)
        found: dict[str, tuple[Decimal, Decimal, str]] = {}  # start of the tier, price, unit
        for row in rows:
            for item, per, scale in _items(row, offer, items, machines):
                start, usd = _number(row["StartingRange"]), _number(row["PricePerUnit"])
                # What is free at first is not the price.
                if usd and (item not in found or start < found[item][0]):
                    found[item] = (start, usd * scale, per)
        for item, (_, usd, per) in found.items():
            yield Figure(item=item, region=region, per=per, usd=usd.normalize(), dated=dated, at=url)


def _rows(url: str) -> tuple[str, Iterator[Mapping[str, str]]]:
    """The day of the list and its rows on demand. Five lines tell of the file, the sixth names the columns."""
    lines = lines_of(url)
    about = {each[0]: each[-1] for each in csv.reader(itertools.islice(lines, 5)) if each}
    if "Publication Date" not in about:
        raise Unanswered(f"{url} is no price list of AWS: it begins with {', '.join(about) or 'nothing'}")
    rows = csv.DictReader(lines)
    return about["Publication Date"][:10], (row for row in rows if row.get("TermType") == "OnDemand")


def _items(
    row: Mapping[str, str], offer: str, items: list[tuple[str, str, dict[str, str], Decimal]], machines: Collection[str]
) -> Iterator[tuple[str, str, Decimal]]:
    if offer == "AmazonEC2" and row.get("Instance Type") in machines and _fits(row, MACHINE):
        yield f"aws/instance/{row['Instance Type']}", "hour", Decimal(1)
    for item, per, wanted, scale in items:
        if _fits(row, wanted):
            yield item, per, scale


def _fits(row: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return row.get("Currency") == "USD" and all(
        re.fullmatch(pattern, row.get(column) or "") for column, pattern in wanted.items()
    )


def _number(text: str) -> Decimal:
    try:
        return Decimal(text or 0)
    except InvalidOperation:
        return Decimal(0)
