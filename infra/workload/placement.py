"""Onto which nodes pods go: ordered kinds of nodes as the scheduler takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from slipway.infra.workload.cluster import Placement
from slipway.infra.workload.names import Manifest

ARCH = "kubernetes.io/arch"
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
# The same on all nodes. A pod that wishes for nothing is spread over zones and hosts all the same, which weighs as much
# for the scheduler as the order of the kinds of nodes.
ALIKE = "kubernetes.io/os"


def scheduling(placements: Sequence[Placement], select: Mapping[str, str], arch: str | None = None) -> Manifest:
    """Fields of a pod's spec: the first kind of node that has room is taken. `select`: the pods to spread. `arch`: the
    nodes' processor, or several with commas between; None: any."""
    processors = arch.split(",") if arch else []
    if len(processors) == 1:
        placements = [replace(each, selector={ARCH: processors[0], **each.selector}) for each in placements]
    one = len(placements) == 1
    fields: Manifest = {
        "tolerations": _tolerations(placements),
        "runtimeClassName": placements[0].runtime_class,
        "topologySpreadConstraints": [_spread(key, select) for key in ((ZONE, HOST) if one else (ALIKE,))],
    }
    if one:
        fields["nodeSelector"] = dict(placements[0].selector)
    else:
        common = _common(placements)
        fields["nodeSelector"] = common
        fields["affinity"] = {"nodeAffinity": _ordered([_without(each, common) for each in placements])}
    if len(processors) > 1:
        fields["affinity"] = {"nodeAffinity": _on(processors, fields.get("affinity", {}).get("nodeAffinity", {}))}
    return {key: value for key, value in fields.items() if value}


def _ordered(placements: Sequence[Placement]) -> Manifest:
    """Any of them will do, the earlier the better; one without a selector is every node."""
    terms = [_term(each) for each in placements if each.selector]
    step = 99 // (len(placements) - 1)
    preferred = [
        {"weight": 100 - step * rank, "preference": _term(each)}
        for rank, each in enumerate(placements)
        if each.selector
    ]
    found: Manifest = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
    if len(terms) == len(placements):
        found["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    return found


def _on(processors: Sequence[str], affinity: Manifest) -> Manifest:
    """The same on nodes of these processors alone."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    wanted = {"key": ARCH, "operator": "In", "values": [*processors]}
    terms = affinity.get(key, {}).get("nodeSelectorTerms", [{"matchExpressions": []}])
    return {
        **affinity,
        key: {"nodeSelectorTerms": [{"matchExpressions": [*each["matchExpressions"], wanted]} for each in terms]},
    }


def _common(placements: Sequence[Placement]) -> dict[str, str]:
    """What all kinds of nodes are selected by."""
    first, *others = (each.selector for each in placements)
    return {key: value for key, value in first.items() if all(each.get(key) == value for each in others)}


def _without(placement: Placement, common: Mapping[str, str]) -> Placement:
    kept = {key: value for key, value in placement.selector.items() if key not in common}
    return replace(placement, selector=kept)


def _term(placement: Placement) -> Manifest:
    wanted = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(placement.selector.items())]
    return {"matchExpressions": wanted}


def _tolerations(placements: Sequence[Placement]) -> Manifest:
    found: list[Mapping[str, object]] = []
    for each in placements:
        found += [one for one in each.tolerations if one not in found]
    return [dict(each) for each in found]


def _spread(key: str, select: Mapping[str, str]) -> Manifest:
    """A wish, not a condition: a full zone must not keep a new version from starting."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(select)},
        "matchLabelKeys": ["pod-template-hash"],
    }
