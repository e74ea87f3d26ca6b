"""The way from a Gateway to a service: only what callers need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.workload.names import Manifest, metadata


@dataclass(frozen=True, kw_only=True)
class HttpRouteArgs:
    """`paths`: prefixes that callers need. `gateway`: name and namespace of one that is there; `section`: one of its
    listeners, None for all that fit."""

    service: pulumi.Input[str]
    port: int
    paths: Sequence[str]
    host: str
    namespace: pulumi.Input[str]
    gateway: tuple[pulumi.Input[str], pulumi.Input[str]]
    section: str | None = None


def http_route(name: str, args: HttpRouteArgs, opts: pulumi.ResourceOptions) -> k8s.apiextensions.CustomResource:
    """An HTTPRoute with the paths of the API alone: the page, documentation, metrics and health stay inside.

    Ready once the Gateway has taken it."""
    parent: Manifest = {"name": args.gateway[0], "namespace": args.gateway[1]}
    if args.section:
        parent["sectionName"] = args.section
    spec: Manifest = {
        "parentRefs": [parent],
        "hostnames": [args.host],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path}} for path in args.paths],
                "backendRefs": [{"name": args.service, "port": args.port}],
            }
        ],
    }
    # Accepted and ResolvedRefs, in whichever order the Gateway's controller writes them.
    taken = {
        "pulumi.com/waitFor": json.dumps(
            [f"jsonpath={{.status.parents[0].conditions[{n}].status}}=True" for n in (0, 1)]
        )
    }
    return k8s.apiextensions.CustomResource(
        name,
        api_version="gateway.networking.k8s.io/v1",
        kind="HTTPRoute",
        metadata=metadata(name, args.namespace, name, taken),
        spec=spec,
        opts=opts,
    )
