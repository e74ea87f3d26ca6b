"""Clusters after an update that was killed or failed: still being made, failed half-way, or gone with all in them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from slipway.infra.platforms.table import clouds
from slipway.ops.state.pulumi import export_state, pulumi, short
from slipway.pipeline.errors import PipelineError

CLUSTERS = tuple(kind for cloud in clouds() for kind in cloud.recovery.clusters)
# What is read while it is still being made, by its output `status`.
AWAITED = tuple(kind for cloud in clouds() for kind in cloud.recovery.awaited)
BUSY = ("CREATING", "PENDING", "UPDATING", "DELETING")
# Never worked, so nothing is in it; the states are those of docs.aws.amazon.com/eks/latest/APIReference.
STILLBORN = ("FAILED", "CREATE_FAILED")
MINUTES, SECONDS = 30, 15


def read_clusters(stack: str) -> Iterator[str]:
    """Reads anew what the state knows of clusters: one that is gone is recorded as gone."""
    try:
        _refresh(stack, _of(stack, (*CLUSTERS, *AWAITED)))
    except PipelineError as error:
        yield f"The clusters could not be read: {error}"


def settle_clusters(stack: str) -> Iterator[str]:
    """Waits for what the cloud is still at, and takes away what failed while it was made.

    Raises:
        PipelineError: the cloud is not done after half an hour, or what failed can't be taken away.
    """
    end, said = time.monotonic() + 60 * MINUTES, ""
    while busy := [each for each in _of(stack, AWAITED) if _status(each) in BUSY]:
        told = f"{short(busy[0]['urn'])} is {_status(busy[0])}: waiting for the cloud"
        if told != said:
            yield told
        if time.monotonic() > end:
            raise PipelineError(f"{told} took longer than {MINUTES} minutes: slipway recover again later")
        said = told
        time.sleep(SECONDS)
        _refresh(stack, busy)
    for each in _of(stack, AWAITED):
        if _status(each) in STILLBORN:
            if each.get("protect"):  # as all of production is, what never worked too
                pulumi("state", "unprotect", each["urn"], "--stack", stack, "--yes")
            pulumi("destroy", "--stack", stack, "--yes", "--skip-preview", "--target", each["urn"])
            yield f"{short(each['urn'])} was {_status(each)}: taken away, to be made again"


def forget_lost(stack: str, planned: list[dict[str, Any]]) -> Iterator[str]:
    """Forgets what was in a cluster that is to be made anew. Else the engine asks the lost one for each object, and no
    update gets any further. `planned`: records that are to be created."""
    names = {str(each["inputs"].get("name")): each["urn"] for each in planned if each["type"] in CLUSTERS}
    exported = export_state(stack)
    resources = exported["deployment"].get("resources") or []
    providers = {each["urn"] for each in resources if _cluster_of(each) in names}
    lost = {each["urn"] for each in resources if (each.get("provider") or "").rpartition("::")[0] in providers}
    if not lost:
        return
    exported["deployment"]["resources"] = [_without(each, lost) for each in resources if each["urn"] not in lost]
    pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    yield f"{', '.join(map(short, names.values()))} is gone, and with it {len(lost)} objects in it: forgotten"


def _cluster_of(record: dict[str, Any]) -> str:
    """The name of the cluster that a Kubernetes provider leads to: its identifier is an ARN, or Google's path."""
    identifier = (record.get("inputs") or {}).get("clusterIdentifier")
    return re.split("[/:]", str(identifier))[-1] if record["type"] == "pulumi:providers:kubernetes" else ""


def _without(record: dict[str, Any], lost: set[str]) -> dict[str, Any]:
    """A record that refers to nothing that is lost."""
    inputs = record.get("propertyDependencies") or {}
    return {
        **{key: value for key, value in record.items() if key != "deletedWith" or value not in lost},
        "dependencies": [each for each in record.get("dependencies") or [] if each not in lost],
        "propertyDependencies": {
            key: [each for each in urns or [] if each not in lost] for key, urns in inputs.items()
        },
    }


def _of(stack: str, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    resources = export_state(stack)["deployment"].get("resources") or []
    return [each for each in resources if each["type"] in kinds and not each.get("delete")]


def _refresh(stack: str, records: list[dict[str, Any]]) -> None:
    named = [argument for each in records for argument in ("--target", each["urn"])]
    if named:
        pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", *named)


def _status(record: dict[str, Any]) -> str:
    return str((record.get("outputs") or {}).get("status", ""))
