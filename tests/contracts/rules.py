"""What holds for everything that any platform declares. Each rule yields what breaks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from slipway.infra.names import IDENTITY_LABEL, IDENTITY_TAG
from slipway.infra.resources.identity import OUTLIVES

from slipway.simulator.sdk import resource_type
from tests.recorder import Recorder

STACK_LABELS = ("slipway:stack", "slipway-stack")
# What a name may be, by the service that limits it most.
NAME_LIMITS = {
    "aws:lb/": 32, "aws:s3/": 63, "aws:iam/": 64, "aws:eks/": 100, "aws:ecr/": 256, "gcp:container/": 40,
    "gcp:storage/": 63, "gcp:serviceaccount/": 30, "gcp:": 63, "kubernetes:": 63,
}  # fmt: skip
ANYWHERE = ("0.0.0.0/0", "::/0")
EVERYONE = ("allUsers", "allAuthenticatedUsers", "public-read", "public-read-write")


def unlabelled(program: Recorder) -> Iterator[str]:
    """Everything that takes tags or labels carries the stack's, its own or by its provider's defaults."""
    defaults = " ".join(str(args.inputs) for args in program.declared if args.typ.startswith("pulumi:providers:"))
    for args in program.declared:
        known = resource_type(args.typ) if args.typ.startswith(("aws:", "gcp:")) else None
        where = [key for key in ("tags", "labels", "resourceLabels") if known and key in known.arguments]
        own = str([args.inputs.get(key) for key in where])
        if where and not any(label in own + defaults for label in STACK_LABELS):
            yield f"{args.typ} {args.name} has no {where[0]} of the stack"


def unowned(program: Recorder) -> Iterator[str]:
    """Everything in a cloud or a cluster that takes tags or labels says whose it is; but pods, which their Deployment
    owns, as another label would have them all rolled."""
    for args in program.declared:
        known = resource_type(args.typ) if args.typ.startswith(("aws:", "gcp:")) else None
        where = [key for key in ("tags", "labels", "userLabels", "resourceLabels") if known and key in known.arguments]
        places = [args.inputs.get(key) or {} for key in where]
        if args.typ.startswith("kubernetes:") and (about := args.inputs.get("metadata")):
            places.append(about.get("labels") or {})
        if (
            places
            and args.typ != OUTLIVES
            and not any(mark in place for place in places for mark in (IDENTITY_TAG, IDENTITY_LABEL))
        ):
            yield f"{args.typ} {args.name} does not say whose it is"


def overlong(program: Recorder) -> Iterator[str]:
    """Physical names are as short as the cloud wants them, and made of what it allows."""
    for args in program.declared:
        limit = next((limit for prefix, limit in NAME_LIMITS.items() if args.typ.startswith(prefix)), None)
        metadata = args.inputs.get("metadata") or {}
        for key in ("name", "bucket", "accountId", "nodeGroupName"):
            name = args.inputs.get(key) or (metadata.get(key) if key == "name" else None)
            if limit and name and (len(name) > limit or not re.fullmatch(r"[\w/.:@-]+", name)):
                yield f"{args.typ} {args.name}: {key} {name!r} is longer than {limit} or has odd characters"


def unencrypted(program: Recorder) -> Iterator[str]:
    """Buckets, registries and clusters are encrypted with a key of one's own."""
    for args in program.declared:
        match args.typ:
            case "aws:ecr/repository:Repository":
                good = any(each.get("kmsKey") for each in args.inputs.get("encryptionConfigurations") or ())
            case "aws:eks/cluster:Cluster":
                good = bool(args.inputs.get("encryptionConfig"))
            case "aws:s3/bucket:Bucket":
                settings = program.of_type("BucketServerSideEncryptionConfiguration")
                # Load balancers and S3 can log to no bucket that is encrypted with a key of one's own.
                takes_logs = any(
                    args.inputs.get("bucket") == each.inputs.get("targetBucket")
                    for each in program.of_type("BucketLogging")
                )
                good = any(
                    each.inputs["bucket"] == args.inputs.get("bucket")
                    and ("AES256" if takes_logs else "aws:kms") in str(each.inputs)
                    for each in settings
                )
            case "gcp:storage/bucket:Bucket":
                good = bool((args.inputs.get("encryption") or {}).get("defaultKmsKeyName"))
            case "gcp:artifactregistry/repository:Repository":
                good = bool(args.inputs.get("kmsKeyName"))
            case "gcp:container/cluster:Cluster":
                good = (args.inputs.get("databaseEncryption") or {}).get("state") == "ENCRYPTED"
            case _:
                good = True
        if not good:
            yield f"{args.typ} {args.name} is not encrypted with a key of the stack's"


def public(program: Recorder) -> Iterator[str]:
    """Nothing but an edge's own listener is open to everyone."""
    for args in program.declared:
        inputs = args.inputs
        texts = set(_texts(inputs))
        if texts & set(EVERYONE):
            yield f"{args.typ} {args.name} is for everyone"
        api, nodes = inputs.get("vpcConfig") or {}, inputs.get("privateClusterConfig") or {}
        callers = set(api.get("publicAccessCidrs") or ANYWHERE) if api.get("endpointPublicAccess", True) else set()
        if args.typ == "aws:eks/cluster:Cluster" and callers & set(ANYWHERE):
            yield f"{args.typ} {args.name}: its API is open to everyone"
        if args.typ == "gcp:container/cluster:Cluster" and not nodes.get("enablePrivateNodes"):
            yield f"{args.typ} {args.name}: its nodes have public addresses"


def untolerated(program: Recorder) -> Iterator[str]:
    """Pods that ask for a GPU tolerate the taint that GPU nodes have."""
    nodes = [args.inputs for kind in ("NodeGroup", "NodePool") for args in program.of_type(kind)]
    taints = [each.get("taints") or (each.get("nodeConfig") or {}).get("taints") for each in nodes]
    tainted = "nvidia.com/gpu" in str(taints)
    for args in program.of_type("Deployment"):
        pod = args.inputs["spec"]["template"]["spec"]
        asks = any("nvidia.com/gpu" in str(each.get("resources")) for each in pod["containers"])
        if asks and tainted and not any(each.get("key") == "nvidia.com/gpu" for each in pod.get("tolerations") or ()):
            yield f"{args.typ} {args.name} asks for a GPU and does not tolerate the taint of its nodes"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(each)
