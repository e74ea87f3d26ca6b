"""What serves: pods that are safe, GPUs that are there, rollouts that end, models that were judged."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rules.reading import UNKNOWN, Item, containers, pods

GPU = "nvidia.com/gpu"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
NODE_GROUP, NODE_POOL = "aws:eks/nodeGroup:NodeGroup", "kubernetes:karpenter.sh/v1:NodePool"
GKE_POOL = "gcp:container/nodePool:NodePool"
# Machines of AWS and Google with NVIDIA GPUs.
GPU_MACHINE = re.compile(r"(g4dn|g5|g6e?|gr6|g7e|p[345]\w*)\.|(a[234]|g[24])-")
# GPUs of a machine, where it has not one.
GPUS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
NOTHING = (0, "0", "0%")
PROBES = ("livenessProbe", "readinessProbe")


def by_digest(item: Item) -> Iterator[str]:
    for container in containers(item, first=True):
        image = container.get("image")
        if image is not UNKNOWN and "@sha256:" not in str(image):
            yield f"container {container.get('name')} runs {image}: name the image by its digest"


def safe_pods(item: Item) -> Iterator[str]:
    for spec in pods(item):
        security = spec.get("securityContext") or {}
        serving = list(containers(item))
        for container in containers(item, first=True):
            own = {**security, **(container.get("securityContext") or {})} if security is not UNKNOWN else {}
            name = container.get("name")
            if own.get("runAsNonRoot") not in (True, UNKNOWN):
                yield f"container {name} may run as root: set runAsNonRoot"
            if own.get("allowPrivilegeEscalation") not in (False, UNKNOWN):
                yield f"container {name} may gain privileges: set allowPrivilegeEscalation: false"
            limits = (container.get("resources") or {}).get("limits") or {}
            if limits is not UNKNOWN and "memory" not in limits:
                yield f"container {name} has no memory limit"
            for probe in PROBES:
                if item.type == DEPLOYMENT and container in serving and not container.get(probe):
                    yield f"container {name} has no {probe}"


def gpu_pools(item: Item) -> Iterator[str]:
    """A GPU pool has a most, keeps others off by a taint, and costs nothing when idle: a base is on-demand."""
    match item.type:
        case "aws:eks/nodeGroup:NodeGroup" if _is_gpu(item):
            if not item.get("scalingConfig", "maxSize"):
                yield "has no maximum: set scalingConfig.maxSize"
            if GPU not in [each.get("key") for each in item.each("taints")]:
                yield f"takes any pod: taint it with {GPU}"
            if _number(item.get("scalingConfig", "minSize")) and item.get("capacityType") == "SPOT":
                yield "keeps spot nodes: let it start at 0, or make the base on-demand"
        case "kubernetes:karpenter.sh/v1:NodePool" if _is_gpu(item):
            if not item.get("spec", "limits", GPU):
                yield f"has no maximum: set limits.{GPU}"
            if GPU not in [each.get("key") for each in item.each("spec", "template", "spec", "taints")]:
                yield f"takes any pod: taint it with {GPU}"
        case "gcp:container/nodePool:NodePool" if _is_gpu(item):
            # GKE taints GPU nodes itself.
            scaling = item.get("autoscaling")
            if scaling is None:
                yield "has no autoscaling: set a minimum of 0 and a maximum"
            elif isinstance(scaling, Mapping):
                if not (scaling.get("totalMaxNodeCount") or scaling.get("maxNodeCount")):
                    yield "has no maximum: set autoscaling.totalMaxNodeCount"
                floor = _number(scaling.get("totalMinNodeCount")) or _number(scaling.get("minNodeCount"))
                if floor and item.get("nodeConfig", "spot") is True:
                    yield "keeps spot nodes: let it start at 0, or make the base on-demand"


def gpus_fit(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """What a pod asks for is on one node of a pool, and all pods that have to be there find their GPUs."""
    sizes = [size for each in items if (size := _pool_size(each))]
    if not sizes and not any(each.type in (NODE_GROUP, GKE_POOL, NODE_POOL) for each in items):
        return  # The nodes are another stack's.
    largest, total = max((each for each, _ in sizes), default=0), sum(most for _, most in sizes)
    wanted = 0
    for item in items:
        asked = _asked(item)
        if asked > largest:
            yield item, f"asks for {asked} GPUs, and no node of the stack has more than {largest}"
        wanted += asked * (_number(item.get("spec", "replicas")) or 1 if asked else 0)
        if wanted > total >= asked > 0:
            yield item, f"with it the pods need {wanted} GPUs, and the pools have {total} at most"


def rollouts_end(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """A drain may always take one pod, and a new pod finds its place before the old one goes, or after."""
    total = sum(most for each in items if (size := _pool_size(each)) for most in size[1:])
    replicas = {
        _selector(each): _number(each.get("spec", "replicas")) or 1 for each in items if each.type == DEPLOYMENT
    }
    for item in items:
        if item.type.endswith(":PodDisruptionBudget"):
            least, gone = item.get("spec", "minAvailable"), item.get("spec", "maxUnavailable")
            count = sum(number for labels, number in replicas.items() if labels >= _selector(item))
            if gone in NOTHING or str(least) == "100%" or (count and _number(least) >= count):
                yield item, "lets no pod go, so no node can ever be drained: allow one"
        if item.type == DEPLOYMENT:
            strategy = item.get("spec", "strategy", "rollingUpdate") or {}
            if strategy is UNKNOWN or item.get("spec", "strategy", "type") == "Recreate":
                continue
            surge, gone = strategy.get("maxSurge", "25%"), strategy.get("maxUnavailable", "25%")
            if gone in NOTHING and surge in NOTHING:
                yield item, "can never roll: allow maxSurge or maxUnavailable"
            pods_at_most = _most(item, items)
            need = _asked(item) * (pods_at_most + max(_number(surge), 1))
            if total and _asked(item) and gone in NOTHING and need > total:
                yield (
                    item,
                    (
                        f"a rollout needs {need} GPUs and the pools have {total} at most, so the new pod waits for "
                        "the old one for ever: set rollout.unavailable 1, or raise the pool"
                    ),
                )


def model_judged(item: Item) -> Iterator[str]:
    """The artifact is there with its report, and what it chose is inside its budget."""
    if not item.type.endswith("slipway:ModelArtifact"):
        return
    report = _report(str(item.get("model")), item.get("variantPin"))
    if report is None:
        yield "is not built, so it was not judged: run `slipway stack build` first, as make does"
        return
    chosen = report["choice"]["variant"]
    found = next((each for each in report["variants"] if each["name"] == chosen), None)
    if found is None or not found["withinBudget"]:
        yield f"its report does not find {chosen} inside its budget"


def judged_for_target(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """What was chosen for one kind of hardware may be slow on another, or not run there at all."""
    for item in items:
        served = [each for each in items if each.type == DEPLOYMENT and each.name == item.name]
        if not item.type.endswith("slipway:ModelArtifact") or not served:
            continue
        report = _report(str(item.get("model")), item.get("variantPin"))
        target, runs = (report or {}).get("hardware", {}).get("target"), "nvidia" if _asked(served[0]) else "cpu"
        if target not in (None, runs):
            yield item, f"was judged for {target} and is served on {runs}: set target: {runs} in its model.yaml"


@functools.cache
def _report(model: str, pin: Any) -> Mapping[str, Any] | None:
    root = Path(__file__).resolve().parents[2]
    options = ["--variant", pin] if isinstance(pin, str) else []
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", "model", "describe", model, *options, "--json"],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
    )  # fmt: skip
    folder = json.loads(done.stdout)["path"] if done.returncode == 0 else None
    file = Path(folder) / "report.json" if folder else None
    return json.loads(file.read_text()) if file and file.is_file() else None


def _is_gpu(item: Item) -> bool:
    match item.type:
        case "aws:eks/nodeGroup:NodeGroup":
            return "NVIDIA" in str(item.get("amiType")) or any(
                GPU_MACHINE.match(str(e)) for e in item.each("instanceTypes")
            )
        case "kubernetes:karpenter.sh/v1:NodePool":
            return any(GPU_MACHINE.match(f"{name}.") or GPU_MACHINE.match(name) for name in _karpenter(item))
        case "gcp:container/nodePool:NodePool":
            machine = str(item.get("nodeConfig", "machineType"))
            return bool(GPU_MACHINE.match(machine) or item.each("nodeConfig", "guestAccelerators"))
    return False


def _karpenter(item: Item) -> list[str]:
    """The types and families of a pool of Karpenter's."""
    asked = item.each("spec", "template", "spec", "requirements")
    return [str(name) for each in asked if "instance-" in str(each.get("key")) for name in each.get("values") or ()]


def _pool_size(item: Item) -> tuple[int, int] | None:
    """GPUs of a node, and of the pool at most; None where it has none."""
    if not _is_gpu(item):
        return None
    match item.type:
        case "aws:eks/nodeGroup:NodeGroup":
            each = max((GPUS.get(str(kind).split(".")[-1], 1) for kind in item.each("instanceTypes")), default=1)
            return each, each * _number(item.get("scalingConfig", "maxSize"))
        case "kubernetes:karpenter.sh/v1:NodePool":
            each = max((GPUS.get(kind.split(".")[-1], 1) for kind in _karpenter(item)), default=1)
            return each, _number(item.get("spec", "limits", GPU))
    each = _number(item.get("nodeConfig", "guestAccelerators", 0, "count")) or 1
    scaling = item.get("autoscaling") or {}
    zones = len(item.each("nodeLocations")) or 1
    most = _number(scaling.get("totalMaxNodeCount")) or _number(scaling.get("maxNodeCount")) * zones
    return each, each * most


def _asked(item: Item) -> int:
    """GPUs of one pod."""
    limits = ((each.get("resources") or {}).get("limits") or {} for each in containers(item))
    return sum(_number(each.get(GPU)) for each in limits if each is not UNKNOWN)


def _most(item: Item, items: Sequence[Item]) -> int:
    """Pods of a Deployment at most: its autoscaler's figure, or its own."""
    name = item.get("metadata", "name")
    for each in items:
        if each.type.endswith(":HorizontalPodAutoscaler") and each.get("spec", "scaleTargetRef", "name") == name:
            return _number(each.get("spec", "maxReplicas"))
    return _number(item.get("spec", "replicas")) or 1


def _selector(item: Item) -> frozenset[tuple[str, str]]:
    labels = item.get("spec", "selector", "matchLabels")
    return frozenset((key, str(value)) for key, value in labels.items()) if isinstance(labels, Mapping) else frozenset()


def _number(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return 0
