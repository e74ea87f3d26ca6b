"""Why something is not ready: its pods' states, their last lines, and the events."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.simulator.kube.api import Api, Object

LOG_LINES = 8
PODS = 3


def explain(api: Api, live: Object) -> Iterator[str]:
    """One text per finding, pods first."""
    for pod in _pods(api, live)[:PODS]:
        name = f"pod {pod['metadata']['name']}"
        yield from (f"{name}: {each}" for each in _conditions(pod))
        for status in pod["status"].get("containerStatuses") or ():
            yield from (f"{name}: {each}" for each in _container(api, pod, status))
        yield from (f"{name}: {each}" for each in _events(api, pod))
    yield from _events(api, live)


def _pods(api: Api, live: Object) -> list[Object]:
    """Those that are not ready, youngest first."""
    if live["kind"] == "Pod":
        return [live]
    labels = live.get("spec", {}).get("selector") or {}
    labels = labels.get("matchLabels", {}) if "matchLabels" in labels else labels
    if not labels or not all(isinstance(each, str) for each in labels.values()):
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = api.list("v1", "Pod", live["metadata"]["namespace"], labelSelector=selector)
    waiting = [each for each in pods if not _is_ready(each)]
    return sorted(waiting, key=lambda each: each["metadata"]["creationTimestamp"], reverse=True)


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _conditions(pod: Object) -> Iterator[str]:
    for each in pod["status"].get("conditions") or ():
        if each["type"] == "PodScheduled" and each["status"] != "True":
            yield f"not scheduled: {each.get('message', each.get('reason', ''))}"


def _container(api: Api, pod: Object, status: Object) -> Iterator[str]:
    state, before = status.get("state") or {}, status.get("lastState") or {}
    ended = state.get("terminated") or before.get("terminated")
    waiting = state.get("waiting")
    words = [f"waits for {waiting['reason']}"] if waiting else []
    words += [f"ended with {ended['exitCode']} ({ended['reason']})"] if ended else []
    words += ["runs and is not ready"] if state.get("running") and not status["ready"] else []
    if not words:
        return
    yield f"container {status['name']} {', '.join(words)}"
    where = (pod["metadata"]["namespace"], pod["metadata"]["name"], status["name"], LOG_LINES)
    said = api.log(*where) or api.log(*where, previous=True)
    yield from (f"container {status['name']} said: {line}" for line in said.splitlines())


def _events(api: Api, live: Object) -> Iterator[str]:
    found = api.list(
        "v1", "Event", live["metadata"].get("namespace", "default"),
        fieldSelector=f"involvedObject.uid={live['metadata']['uid']},type=Warning",
    )  # fmt: skip
    yield from dict.fromkeys(f"{each['reason']}: {each['message']}" for each in found[-5:])
