"""What is wrong with a stack, apart from its services: lock, unfinished updates, pods, events, quota, certificate."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway.infra.names import IDENTITY_LABEL
from slipway.infra.platforms.table import row_of
from slipway.infra.workload.names import STACK, stack_label
from slipway.ops.preflight.ask import answers
from slipway.ops.reach import kubectl_of
from slipway.ops.state.pulumi import NoStack, export_state, project_name, short
from slipway.ops.state.recover import backend_folder, live_locks, stale_locks
from slipway.ops.state.settings import backend
from slipway.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.row import Kubectl

OURS = "app.kubernetes.io/managed-by=slipway"
SECONDS = 15
SOON_DAYS = 14
LINES = 5
RECENT = 3600  # seconds
# Reasons of waiting that pass by themselves.
PATIENCE = ("ContainerCreating", "PodInitializing")


def stack_problems(stack: str, config: StackConfig, known: Mapping[str, Any]) -> Iterator[str]:
    """Each thing that looks wrong, with what to do about it. `known`: the stack's outputs."""
    yield from state_problems(stack)
    row = row_of(config)
    if row.kubectl:
        yield from cluster_problems(stack, config, row.kubectl, known)
    if row.cloud:
        yield from cloud_quota_problems(stack, config)
    for name, url in ((name, each["url"]) for name, each in known.get("services", {}).items()):
        if urlsplit(url).scheme == "https" and (problem := certificate_problem(url)):
            yield f"{name}: {problem}"


def state_problems(stack: str) -> Iterator[str]:
    """What an update has left behind: locks and operations that never ended."""
    folder = backend_folder(backend())
    project = project_name()
    if stale := [lock for lock in stale_locks(folder) if lock.parent.name == stack]:
        yield f"lock of an update that was killed ({stale[0].name}): slipway recover removes it"
    elif held := live_locks(folder, project, stack):
        yield f"another process is updating the stack ({held[0].name}): wait for it"
    try:
        deployment = export_state(stack)["deployment"] or {}
    except NoStack:
        yield f"the stack is not up: make up STACK={stack}"
        return
    except PipelineError as error:
        yield f"the state can't be read: {error}; slipway recover repairs what can be repaired"
        return
    for each in deployment.get("pending_operations") or ():
        yield f"{each['type']} {short(each['resource']['urn'])} never ended: slipway recover finds out how it went"


def cluster_problems(
    stack: str, config: StackConfig, kubectl: Kubectl, known: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Asks the cluster with kubectl, as whoever runs this. Looks into no namespace that is another stack's."""
    mine = str((known or {}).get("identity") or "")
    try:
        with kubectl_of(stack, config, kubectl, known or {}) as command:
            ask = [*command, f"--request-timeout={SECONDS}s"]
            if other := _other_owner(ask, mine):
                yield f"{' '.join(command[-2:])} belongs to {other}, not to this stack ({mine}): not inspected"
                return
            yield from _seen_in(ask, stack_label(project_name(), stack))
    except PipelineError as error:
        yield f"nobody has looked at the pods: {error}"


def _seen_in(ask: list[str], stack: str) -> Iterator[str]:
    pods, events = (_items([*ask, "get", what, "-o", "json", *only]) for what, only in
                    (("pods", ["-l", f"{OURS},{STACK}={stack}"]), ("events", [])))  # fmt: skip
    if isinstance(pods, str):
        yield f"the cluster does not answer: {pods}"
        return
    seen = recent(events if isinstance(events, list) else [])
    yield from pod_problems(pods, seen)
    yield from other_problems(seen)
    quotas = _items([*ask, "get", "resourcequotas", "-o", "json"])
    yield from quota_problems(quotas if isinstance(quotas, list) else [])
    for pod in pods:
        if _waiting(pod):
            name = pod["metadata"]["name"]
            said = subprocess.run([*ask, "logs", name, f"--tail={LINES}"], capture_output=True, text=True).stdout
            yield from (f"{name} logs: {line[:200]}" for line in said.splitlines())


def recent(events: Sequence[Mapping[str, Any]], now: datetime | None = None) -> list[Mapping[str, Any]]:
    """Those that were seen in the last hour, the oldest first; clusters may keep others for days."""
    since = (now or datetime.now(UTC)) - timedelta(seconds=RECENT)
    timed = [(_last_seen(each), each) for each in events]
    kept = [(at, each) for at, each in timed if at is None or at >= since]
    return [each for _, each in sorted(kept, key=lambda one: one[0] or since)]


def _last_seen(event: Mapping[str, Any]) -> datetime | None:
    series = (event.get("series") or {}).get("lastObservedTime")
    written = series or event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(written) if written else None


def _other_owner(ask: list[str], mine: str) -> str:
    """The identity that the namespace carries, where it is another than the stack's own."""
    if not mine:
        return ""
    namespace = ask[ask.index("--namespace") + 1]
    done = subprocess.run([*ask, "get", "namespace", namespace, "-o", "json"], capture_output=True, text=True)
    labels = (json.loads(done.stdout).get("metadata") or {}).get("labels") or {} if done.returncode == 0 else {}
    found = str(labels.get(IDENTITY_LABEL, ""))
    return found if found != mine else ""


def pod_problems(pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pods that are not ready or were started again, each with why and its last warning."""
    if not pods:
        yield f"no pod carries the label {OURS}"
    warnings = {
        each["involvedObject"]["name"]: f"{each.get('reason')}: {each.get('message', '')[:200]}"
        for each in events
        if each.get("type") == "Warning"
    }
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        told = f" ({warnings[name]})" if name in warnings else ""
        if problem := _waiting(pod):
            yield f"{name}: {problem}{told}"
        for each in status.get("containerStatuses") or ():
            last = each.get("lastState", {}).get("terminated")
            if each.get("restartCount") and last:
                code, reason = last.get("exitCode"), last.get("reason")
                yield f"{name}: started {each['restartCount']} times anew, last after {reason} ({code})"


def other_problems(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What warns of anything but a pod: no pod comes of a ReplicaSet, an autoscaler knows no load. The last of each."""
    last = {
        f"{each['involvedObject']['kind']} {each['involvedObject']['name']}": each
        for each in events
        if each.get("type") == "Warning" and each["involvedObject"].get("kind") != "Pod"
    }
    for what, each in last.items():
        yield f"{what}: {each.get('reason')}: {each.get('message', '')[:200]}"


def quota_problems(quotas: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the namespace has used up."""
    from kubernetes.utils import parse_quantity as untyped

    parse_quantity: Callable[[str], Decimal] = untyped
    for quota in quotas:
        used = quota.get("status", {}).get("used", {})
        for what, most in quota.get("status", {}).get("hard", {}).items():
            if what in used and parse_quantity(used[what]) >= parse_quantity(most) > 0:
                yield f"quota {quota['metadata']['name']}: all {most} of {what} are used: no more pods come"


def cloud_quota_problems(stack: str, config: StackConfig) -> Iterator[str]:
    """What the account's quotas leave no room for, as `slipway preflight` asks."""
    from slipway.ops.preflight.checks import CHECKS, FAILED, run

    for each in run(config, answers(config, stack), frozenset(CHECKS) - {"quota"}):
        if each.outcome == FAILED:
            yield f"{each.check}: {each.says}"


def _waiting(pod: Mapping[str, Any]) -> str:
    status = pod.get("status", {})
    for each in status.get("containerStatuses") or ():
        waiting = each.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in PATIENCE:
            return f"{waiting.get('reason')} {waiting.get('message', '')[:200]}".strip()
    ready = {each["type"]: each for each in status.get("conditions") or ()}
    for condition, what in (("PodScheduled", "no node takes it"), ("Ready", "not ready")):
        found = ready.get(condition)
        if found and found["status"] != "True" and status.get("phase") != "Succeeded":
            return f"{what}: {found.get('message', '')[:200]}".rstrip(": ")
    return ""


def certificate_problem(url: str, now: datetime | None = None) -> str:
    """What is wrong with the certificate behind an address; empty where it is good for a while."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            found: Any = secured.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not to be trusted: {error.verify_message}"
    except OSError as error:
        return f"{host}:{port} does not answer: {error}"
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    left = (ends - (now or datetime.now(UTC))).days
    return f"its certificate ends in {left} days: see why it is not renewed" if left < SOON_DAYS else ""


def _items(command: list[str]) -> list[Mapping[str, Any]] | str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()[-300:]
    items: list[Mapping[str, Any]] = json.loads(done.stdout)["items"]
    return items
