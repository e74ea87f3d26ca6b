"""Waits as the official plugin does: until what was applied can be used."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from slipway.simulator.kube.api import Api, Object, Ref

SKIP, WAIT_FOR, TIMEOUT = "pulumi.com/skipAwait", "pulumi.com/waitFor", "pulumi.com/timeoutSeconds"
LATE, TIMED_OUT = "ProgressDeadlineExceeded", "timed out waiting for the condition"
DEFAULT_SECONDS = 600.0
PAUSE = 0.2


class NotReady(Exception):
    """It was applied, and is not as it should be. `live`: as it is now."""

    def __init__(self, message: str, live: Object) -> None:
        super().__init__(message)
        self.live = live


def until_ready(api: Api, applied: Object, seconds: float, cancelled: threading.Event) -> Object:
    """The object as it is once it can be used. Raises NotReady when it has failed, the time is over or is cancelled."""
    notes = applied["metadata"].get("annotations") or {}
    missing = _rule(applied)
    if notes.get(SKIP) == "true" or missing is None:
        return applied
    allowed = seconds or float(notes.get(TIMEOUT, DEFAULT_SECONDS))
    ref, end = Ref.to(applied), time.monotonic() + allowed
    while True:
        live = api.get(ref)
        if live is None:
            raise NotReady(f"{ref} was deleted while it was waited for", applied)
        lacks = missing(api, live)
        if not lacks:
            return live
        if lacks.startswith("!"):
            raise NotReady(f"{ref}: {lacks[1:]}", live)
        if time.monotonic() > end:
            # Of a condition that is asked for, the official plugin says no more than this.
            late = TIMED_OUT if notes.get(WAIT_FOR) else f"{lacks}, after {allowed:.0f} s"
            raise NotReady(f"{ref}: {late}", live)
        if cancelled.wait(PAUSE):
            raise NotReady(f"{ref}: {lacks}; the update was cancelled", live)


def lacks(api: Api, live: Object) -> str:
    """What it lacks at this moment to be ready; empty where nothing."""
    missing = _rule(live)
    skipped = (live["metadata"].get("annotations") or {}).get(SKIP) == "true"
    return "" if skipped or missing is None else missing(api, live).removeprefix("!")


def until_gone(api: Api, ref: Ref, seconds: float, cancelled: threading.Event) -> None:
    """Raises NotReady where it is still there when the time is over."""
    end = time.monotonic() + (seconds or DEFAULT_SECONDS)
    while live := api.get(ref):
        if time.monotonic() > end or cancelled.wait(PAUSE):
            left = ", ".join(live["metadata"].get("finalizers") or ()) or "no finalizer"
            raise NotReady(f"{ref} is still being deleted ({left})", live)


Rule = Callable[[Api, Object], str]


def _rule(applied: Object) -> Rule | None:
    """What tells whether an object of the kind is ready: empty, what is missing, or `!` and why it never will be."""
    if wanted := (applied["metadata"].get("annotations") or {}).get(WAIT_FOR):
        conditions = json.loads(wanted) if wanted.startswith("[") else [wanted]
        return lambda _api, live: next((f"{each} is not met" for each in conditions if not _is_met(each, live)), "")
    return RULES.get(applied["kind"])


def _deployment(_api: Api, live: Object) -> str:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    updated, there, ready = (status.get(f"{each}eplicas", 0) for each in ("updatedR", "r", "availableR"))
    if not _is_observed(live) or updated < wanted or there > updated or ready < wanted:
        old = f", {there - updated} old ones are still there" if there > updated else ""
        # The deadline of the rollout is reported and ends nothing: that of the wait alone does.
        late = [each["message"] for each in status.get("conditions") or () if each.get("reason") == LATE]
        return "; ".join([f"{updated} of {wanted} replicas are up to date, {ready} are available{old}", *late])
    return ""


def _stateful_set(_api: Api, live: Object) -> str:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    same = status.get("currentRevision") == status.get("updateRevision")
    if not _is_observed(live) or status.get("readyReplicas", 0) < wanted or not same:
        return f"{status.get('readyReplicas', 0)} of {wanted} replicas are ready"
    return ""


def _daemon_set(_api: Api, live: Object) -> str:
    status = live.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    updated = status.get("updatedNumberScheduled", 0)
    return "" if _is_observed(live) and ready >= wanted <= updated else f"{ready} of {wanted} pods are available"


def _service(api: Api, live: Object) -> str:
    spec, name = live["spec"], live["metadata"]["name"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None" or not spec.get("selector"):
        return ""
    if spec.get("type") == "LoadBalancer" and not (live["status"].get("loadBalancer") or {}).get("ingress"):
        return "it has no address of a load balancer"
    slices = api.list(
        "discovery.k8s.io/v1", "EndpointSlice", live["metadata"]["namespace"],
        labelSelector=f"kubernetes.io/service-name={name}",
    )  # fmt: skip
    ready = [each for one in slices for each in one.get("endpoints") or () if each["conditions"].get("ready")]
    return "" if ready else "no ready pod is behind it"


def _pod(_api: Api, live: Object) -> str:
    phase = live["status"].get("phase", "Pending")
    if phase == "Failed":
        return "!it has failed"
    return "" if phase == "Succeeded" or _has(live, "Ready") else f"it is {phase} and not ready"


def _job(_api: Api, live: Object) -> str:
    failed = [each for each in live["status"].get("conditions") or () if each["type"] == "Failed"]
    if failed and failed[0]["status"] == "True":
        return f"!it has failed: {failed[0].get('message', '')}"
    return "" if _has(live, "Complete") else "it is not complete"


def _claim(api: Api, live: Object) -> str:
    storage = api.get(Ref("storage.k8s.io/v1", "StorageClass", "", live["spec"].get("storageClassName") or "-"))
    if (storage or {}).get("volumeBindingMode") == "WaitForFirstConsumer":
        return ""
    return "" if live["status"].get("phase") == "Bound" else "it is not bound"


def _definition(_api: Api, live: Object) -> str:
    return "" if _has(live, "Established") else "it is not established"


RULES: dict[str, Rule] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Service": _service,
    "Pod": _pod,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}


def _is_observed(live: Object) -> bool:
    return bool(live["status"].get("observedGeneration", 0) >= live["metadata"]["generation"])


def _has(live: Object, condition: str) -> bool:
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _is_met(expression: str, live: Object) -> bool:
    """`condition=Type[=Status]`, or `jsonpath={.a.b}[=value]`."""
    kind, _, rest = expression.partition("=")
    if kind == "condition":
        name, _, status = rest.partition("=")
        conditions = (live.get("status") or {}).get("conditions") or ()
        return any(each["type"] == name and each["status"] == (status or "True") for each in conditions)
    found = re.fullmatch(r"{?\.?([^}=]+)}?(?:=(.*))?", rest)
    if kind != "jsonpath" or not found:
        raise ValueError(f"{WAIT_FOR}: {expression!r} is neither condition=... nor jsonpath={{...}}")
    values = list(_at(live, [part for part in re.split(r"[.\[\]]", found[1]) if part]))
    return any(found[2] is None or str(each) == found[2].strip("\"'") for each in values)


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, list):
        chosen = value if path[0] == "*" else value[int(path[0]) : int(path[0]) + 1]
        for each in chosen:
            yield from _at(each, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])
