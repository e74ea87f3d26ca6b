"""IAM documents, and the tag that names each resource."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from slipway.infra.names import NAME_TAG

AWS_POLICY = "arn:aws:iam::aws:policy/"


def document(*statements: Mapping[str, Any]) -> str:
    """A policy of statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], resources: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources), **more}


def trusted_by(service: str, *actions: str, **more: Any) -> str:
    """The trust policy of a role for an AWS service: `eks` of eks.amazonaws.com."""
    principal = {"Service": f"{service}.amazonaws.com"}
    return document({"Effect": "Allow", "Principal": principal, "Action": list(actions or ["sts:AssumeRole"]), **more})


def pod_trust(cluster: str, namespace: str, account: str) -> str:
    """The trust policy of a role that EKS Pod Identity gives to one service account's pods, by its session tags."""
    tags = {"eks-cluster-name": cluster, "kubernetes-namespace": namespace, "kubernetes-service-account": account}
    condition = {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()}}
    return trusted_by("pods.eks", "sts:AssumeRole", "sts:TagSession", Condition=condition)


def tagged(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Puts the logical name on whatever takes tags: `slipway recover` finds by it what has no fixed name."""
    if not args.type_.startswith("aws:") or not hasattr(type(args.resource), "tags"):
        return None
    own: Any = args.props.get("tags") or {}
    tags = {**own, NAME_TAG: args.name}
    return pulumi.ResourceTransformationResult(props={**args.props, "tags": tags}, opts=args.opts)
