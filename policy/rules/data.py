"""What is stored: encrypted, tagged, protected in production, and paid for with open eyes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.reading import UNKNOWN, Item

STATEFUL = (
    "aws:ecr/repository:Repository", "aws:kms/key:Key", "aws:s3/bucket:Bucket",
    "gcp:artifactregistry/repository:Repository", "gcp:kms/cryptoKey:CryptoKey", "gcp:storage/bucket:Bucket",
)  # fmt: skip
CLUSTERS = ("aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster")
# What costs money while nobody looks.
PAID = (*CLUSTERS, "aws:eks/nodeGroup:NodeGroup", "gcp:container/nodePool:NodePool")
BUDGETS = ("aws:budgets/budget:Budget", "gcp:billing/budget:Budget")
AWS_TAGS = ("slipway:stack", "slipway:name")
LABELS = ("slipway-stack", "slipway-name")
# Of AWS, what has tags and is found again by them; the rest is found by its name.
_TAGGED = (
    "acm/certificate:Certificate", "amp/workspace:Workspace", "cloudwatch/logGroup:LogGroup", "ec2/eip:Eip",
    "ec2/internetGateway:InternetGateway", "ec2/launchTemplate:LaunchTemplate", "ec2/natGateway:NatGateway",
    "ec2/routeTable:RouteTable", "ec2/securityGroup:SecurityGroup", "ec2/subnet:Subnet", "ec2/vpc:Vpc",
    "ec2/vpcEndpoint:VpcEndpoint", "ecr/repository:Repository", "eks/cluster:Cluster", "eks/nodeGroup:NodeGroup",
    "kms/key:Key", "lb/loadBalancer:LoadBalancer", "lb/targetGroup:TargetGroup", "s3/bucket:Bucket",
    "wafv2/webAcl:WebAcl",
)  # fmt: skip
TAGGED = tuple(f"aws:{each}" for each in _TAGGED)
LABELLED = {
    "gcp:artifactregistry/repository:Repository": "labels",
    "gcp:container/cluster:Cluster": "resourceLabels",
    "gcp:kms/cryptoKey:CryptoKey": "labels",
    "gcp:storage/bucket:Bucket": "labels",
    "kubernetes:apps/v1:Deployment": "metadata",
    "kubernetes:core/v1:Namespace": "metadata",
    "kubernetes:core/v1:Service": "metadata",
}


def encrypted(item: Item) -> Iterator[str]:
    match item.type:
        case "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration":
            how = item.get("rules", 0, "applyServerSideEncryptionByDefault", "sseAlgorithm")
            if how not in ("aws:kms", "aws:kms:dsse", UNKNOWN):
                yield f"is encrypted with {how}: use aws:kms and the stack's key"
        case "aws:ecr/repository:Repository":
            if item.get("encryptionConfigurations", 0, "encryptionType") not in ("KMS", UNKNOWN):
                yield "is not encrypted with a key of yours: set encryptionType KMS"
        case "aws:eks/cluster:Cluster":
            if not item.get("encryptionConfig", "provider"):
                yield "its secrets are not encrypted with a key of yours: set encryptionConfig"
        case "aws:cloudwatch/logGroup:LogGroup":
            if not item.get("kmsKeyId"):
                yield "is not encrypted with a key of yours: set kmsKeyId"
        case "aws:kms/key:Key":
            if item.get("enableKeyRotation") not in (True, UNKNOWN):
                yield "is never rotated: set enableKeyRotation"
        case "aws:ec2/launchTemplate:LaunchTemplate":
            for device in item.each("blockDeviceMappings"):
                if str((device.get("ebs") or {}).get("encrypted")).lower() not in ("true", "unknown"):
                    yield f"disk {device.get('deviceName')} is not encrypted"
        case "gcp:storage/bucket:Bucket":
            if not item.get("encryption", "defaultKmsKeyName"):
                yield "is not encrypted with a key of yours: set encryption.defaultKmsKeyName"
        case "gcp:artifactregistry/repository:Repository":
            if not item.get("kmsKeyName"):
                yield "is not encrypted with a key of yours: set kmsKeyName"
        case "gcp:kms/cryptoKey:CryptoKey":
            if not item.get("rotationPeriod"):
                yield "is never rotated: set rotationPeriod"
        case "gcp:container/cluster:Cluster":
            if item.get("databaseEncryption", "state") not in ("ENCRYPTED", UNKNOWN):
                yield "its secrets are not encrypted with a key of yours: set databaseEncryption"


def tagged(item: Item) -> Iterator[str]:
    """`slipway recover` and the sweep find by these what no state knows of."""
    if item.type in TAGGED:
        tags = item.get("tagsAll") if isinstance(item.get("tagsAll"), dict) else item.get("tags")
        if tags is not UNKNOWN and (missing := [each for each in AWS_TAGS if each not in {*(tags or {}), *item.given}]):
            yield f"lacks the tags {', '.join(missing)}"
    elif key := LABELLED.get(item.type):
        labels = item.get("metadata", "labels") if key == "metadata" else item.get(key)
        if labels is not UNKNOWN and (
            missing := [each for each in LABELS if each not in {*(labels or {}), *item.given}]
        ):
            yield f"lacks the labels {', '.join(missing)}"


def protected(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """A protected resource is neither deleted nor replaced: the engine refuses both, but for the update that first
    protects it. That one `slipway stack build` and the comment on a pull request look through (cli/preview.py)."""
    if outputs(items).get("environment") != "production":
        return
    for item in items:
        if item.type in STATEFUL and not item.protected:
            yield item, "holds data of production and is not protected: set protect, so that it stays"
        if item.type in CLUSTERS and not item.protected:
            yield item, "runs all that production serves and is not protected: set protect, so that it stays"


def budgeted(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    paid = sorted((each for each in items if each.type in PAID), key=lambda each: each.urn)
    limit = (outputs(items).get("monthlyCostUsd") or {}).get("limit")
    if paid and not limit and not any(each.type in BUDGETS for each in items):
        yield paid[0], "costs money and the stack has no budget: set maxMonthlyUsd, or the platform's budget"


def outputs(items: Sequence[Item]) -> Mapping[str, Any]:
    """What the program exports: a policy knows nothing else of its configuration."""
    return next((each.inputs for each in items if each.type == "pulumi:pulumi:Stack"), {})
