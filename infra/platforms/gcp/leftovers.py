"""What the controllers of a cluster may leave in the stack's network, which then can't be deleted."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider
from slipway.infra.platforms.gcp.preflight import token
from slipway.infra.resources.command import SlipwayError
from slipway.infra.resources.provider import plain_errors

# The variable is the plugin's own, for who reaches Google by another name.
ENDPOINT, GOOGLE = "GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "https://compute.googleapis.com/compute/v1/"
# How GKE's controllers for load balancers, services and nodes name what they make; people's own rules stay.
THEIRS = re.compile(r"(k8s|k8s1|k8s2|gkegw1|gkemcg1|gke)-.+")
# Endpoint groups hold firewall rules' targets, so they go first.
KINDS = ("networkEndpointGroups", "firewalls")
SECONDS, WAIT = 120, httpx.Timeout(20, connect=5)


class NetworkLeftoversProvider(ResourceProvider):
    """Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["network"], props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        another = olds["network"] != news["network"]
        return DiffResult(changes=another, replaces=["network"] if another else [])

    @plain_errors
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Removes endpoint groups and firewall rules of the network's own controllers. What it can't ask about it
        leaves to Google's own refusal; what Google does not let go is named."""
        found, why = token()
        if not found:
            sys.stderr.write(f"nobody has looked for what the cluster left in {props['network']}: {why}\n")
            return
        compute = httpx.Client(
            base_url=os.environ.get(ENDPOINT) or GOOGLE, headers={"authorization": f"Bearer {found}"}, timeout=WAIT
        )
        with compute:
            try:
                left = _swept(compute, props["project"], props["network"])
            except (httpx.HTTPError, ValueError) as error:
                sys.stderr.write(f"nobody has looked for what the cluster left in {props['network']}: {error}\n")
                return
        if left:
            raise SlipwayError(f"the network {props['network']} is still used: remove {', '.join(left)}, and go on")


class NetworkLeftovers(Resource, module="slipway", name="NetworkLeftovers"):
    """Owns nothing. It is deleted after the cluster and before the network, and looks through the network then."""

    def __init__(
        self, name: str, project: pulumi.Input[str], network: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__(NetworkLeftoversProvider(), name, {"project": project, "network": network}, opts)


def _swept(compute: httpx.Client, project: str, network: str) -> list[str]:
    """Removes what is the controllers'; the names of what is still there when it has waited long enough."""
    end = time.monotonic() + SECONDS
    for kind in KINDS:
        for place in _theirs(compute, project, network, kind):
            sys.stderr.write(f"removing {place}, which the cluster has left\n")
            compute.delete(f"projects/{project}/{place}")
    while left := [place for kind in KINDS for place in _theirs(compute, project, network, kind)]:
        if time.monotonic() > end:
            break
        time.sleep(1)
    return left


def _theirs(compute: httpx.Client, project: str, network: str, kind: str) -> Iterator[str]:
    """As `zones/europe-west4-a/networkEndpointGroups/k8s1-...`."""
    within = "aggregated" if kind == "networkEndpointGroups" else "global"
    page: dict[str, str] | None = {}
    while page is not None:
        answered = compute.get(f"projects/{project}/{within}/{kind}", params=page)
        answered.raise_for_status()
        answer = answered.json()
        listed = answer.get("items") or []
        groups = [each.get(kind) or [] for each in listed.values()] if isinstance(listed, dict) else [listed]
        for each in (each for group in groups for each in group):
            if str(each.get("network", "")).endswith(f"/{network.rpartition('/')[2]}") and THEIRS.fullmatch(
                each["name"]
            ):
                yield str(each["selfLink"]).partition(f"projects/{project}/")[2]
        page = {"pageToken": answer["nextPageToken"]} if answer.get("nextPageToken") else None
