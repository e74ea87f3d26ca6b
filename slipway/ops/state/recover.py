"""Puts a stack in order after an update that was killed or failed half-way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

from slipway.infra.platforms.table import clouds
from slipway.ops.state.adopt import Found, adopt, begin
from slipway.ops.state.clusters import forget_lost, read_clusters, settle_clusters
from slipway.ops.state.import_ids import REPEATABLE, import_id, is_findable
from slipway.ops.state.owner import identity_of, refuse_foreign, take_identity
from slipway.ops.state.pulumi import export_state, project_name, pulumi, short, steps
from slipway.ops.state.settings import backend
from slipway.ops.state.tagged import tagged_resources
from slipway.pipeline.errors import PipelineError

CREATING = "creating"
BROKEN, PENDING, FAILED = "broken", "pending", "failed"
# Providers of what lies outside of this machine.
CLOUD_PROVIDERS = [f"pulumi:providers:{name}" for name in (*(cloud.package for cloud in clouds()), "kubernetes")]


def recover_stack(stack: str, backup: bool = False, adopted: str = "") -> Iterator[str]:
    """Does what has to be done, and says each thing that it found and did. Silent and quick where nothing is wrong.

    Removes locks of dead owners. Pending creates, and after a failed update everything that the program would create,
    are looked up in the cloud by their fixed names or by the stack's tags: what is there is imported into the state,
    what is not is forgotten. Clusters that are still being made are waited for, and what was in one that is gone is
    forgotten. Never touches a stack while a live process holds its lock. `backup`: the state is
    an old one, so what it lacks is looked up; first, where that of a `file://` backend can't be read, the one before it
    takes its place. `adopted`: the identity of a stack whose state was lost; what carries it is looked up. Only what
    carries the state's own identity is taken in, and nothing at all where the stack's bucket or namespace is another's.

    Raises:
        PipelineError: an update is running, the state can't be read, or a pending create is of a type that can't be
            looked up.
    """
    folder = backend_folder(backend())
    for plugin in orphaned_plugins(sys.prefix):
        plugin.kill()
        yield f"Ended process {plugin.pid}, a plugin whose engine was killed"
    for lock in stale_locks(folder):
        lock.unlink(missing_ok=True)
        yield f"Removed the lock of an update that was killed: {lock.name}"
    project = project_name()
    if not live_locks(folder, project, stack):
        for file in _cut_off(folder, project, stack):
            file.unlink(missing_ok=True)
            yield f"Removed {file.name}, which a killed update had left half-written"
    if backup and folder and not live_locks(folder, project, stack):
        yield from _take_backup(folder, project, stack)
    resources, wrong = _glance(folder, project, stack)
    wrong |= {FAILED} if backup or adopted else set()
    if not (wrong and live_locks(folder, project, stack)) and not adopted:
        yield from refuse_foreign(project, stack, resources)
    if not wrong:
        return
    if held := live_locks(folder, project, stack):
        raise PipelineError(f"{stack} is being updated by another process ({held[0].name}): nothing was touched")
    if BROKEN in wrong:
        pulumi("state", "repair", "--stack", stack, "--yes")
        yield f"The state of {stack} was not in order: repaired"
    if PENDING in wrong:
        yield from _settle_pending(project, stack)
    if backup:
        # An old state also knows of what has been replaced since.
        pulumi("refresh", "--stack", stack, "--yes", "--skip-preview")
    unmarked = False
    if adopted:
        said, unmarked = take_identity(project, stack, resources, adopted)
        yield said
    if FAILED in wrong:
        yield from read_clusters(stack)
        yield from _find_unrecorded(project, stack, bool(adopted), unmarked)
    if wrong & {PENDING, FAILED}:
        yield from settle_clusters(stack)


def orphaned_plugins(virtualenv: str) -> list[psutil.Process]:
    """Hosts of dynamic providers that ran on this virtualenv and have outlived their engine.

    The engine starts one under a shell; when it is killed, neither hears of it.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if "pulumi.dynamic" not in command or os.path.dirname(os.path.dirname(command[0])) != virtualenv:
                continue
            line = [parent.name() for parent in process.parents()]
            if not any("pulumi" in name and not name.startswith("pulumi-resource") for name in line):
                found.append(process)
    return found


def stale_locks(folder: Path | None) -> list[Path]:
    """Lock files of a `file://` backend whose owner was on this machine and is dead.

    A lock of another machine, of a live process or that can't be read is never in it: that is for its owner, or for
    `pulumi cancel`, to decide.
    """
    locks = sorted((folder / ".pulumi" / "locks").rglob("*.json")) if folder else []
    return [lock for lock in locks if _owner_is_dead(lock)]


def live_locks(folder: Path | None, project: str, stack: str) -> list[Path]:
    """The locks of one stack that are held, or may be."""
    locks = (folder / ".pulumi" / "locks").rglob("*.json") if folder else ()
    return [lock for lock in locks if lock.parent.name == stack and lock.parent.parent.name in (project, "locks")]


def backend_folder(backend_url: str) -> Path | None:
    """The folder of a `file://` backend; None for any other."""
    parts = urlsplit(backend_url)
    return Path(unquote(parts.netloc + parts.path)).expanduser() if parts.scheme == "file" else None


def _cut_off(folder: Path | None, project: str, stack: str) -> list[Path]:
    """Attribute files of a stack's state that were cut off. The engine writes the state itself whole or not at all, but
    not these; it can't load a state beside a broken one, and does without them."""
    files = (folder / ".pulumi" / "stacks" / project).glob(f"{stack}.json*.attrs") if folder else ()
    return [file for file in files if not _is_json(file)]


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return True


def _owner_is_dead(lock: Path) -> bool:
    try:
        owner = json.loads(lock.read_text())
        here, pid = owner["hostname"] == socket.gethostname(), int(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not here:
        return False
    try:
        process = psutil.Process(pid)
        # A killed process keeps its entry until its parent has asked for it.
        return process.status() == psutil.STATUS_ZOMBIE or "pulumi" not in process.name()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _take_backup(folder: Path, project: str, stack: str) -> Iterator[str]:
    """Puts the state before the last one in the place of one that can't be read, and says so."""
    file = folder / ".pulumi" / "stacks" / project / f"{stack}.json"
    before = file.with_name(f"{file.name}.bak")
    if not file.exists() or _is_json(file):
        return
    if not _is_json(before):
        raise PipelineError(
            f"neither {file} nor {before.name} can be read: bring back a version of your backend's backup"
        )
    broken = file.replace(file.with_name(f"{file.name}.broken"))
    shutil.copyfile(before, file)
    yield f"The state could not be read: the one before it is in its place, and it is kept as {broken.name}"


def _glance(folder: Path | None, project: str, stack: str) -> tuple[list[dict[str, Any]], set[str]]:
    """What a stack has, and what is wrong with it, if anything. A file backend is read without the engine."""
    if folder is None:
        history = json.loads(pulumi("stack", "history", "--stack", stack, "--json", "--page-size", "1") or "[]")
        deployment, failed = export_state(stack)["deployment"], bool(history) and history[0].get("result") == "failed"
    else:
        file = folder / ".pulumi" / "stacks" / project / f"{stack}.json"
        if not file.exists():
            return [], set()
        try:
            deployment = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        except (ValueError, KeyError, TypeError):
            raise PipelineError(
                f"{file} can't be read as a state; slipway recover --backup puts the one before it in its place"
            ) from None
        entries = sorted((folder / ".pulumi" / "history" / project / stack).glob("*.history.json"))
        failed = bool(entries) and _may_have_failed(entries[-1])
    resources = deployment.get("resources") or []
    found = {
        BROKEN: not _in_order(resources),
        PENDING: bool(deployment.get("pending_operations")),
        # Where no cloud is used, there is nowhere to look.
        FAILED: failed and any(each["type"] in CLOUD_PROVIDERS for each in resources),
    }
    return resources, {name for name, there in found.items() if there}


def _may_have_failed(entry: Path) -> bool:
    """What the history says of an update; one that can't be read is looked after as if it had failed."""
    try:
        return bool(json.loads(entry.read_text())["result"] == "failed")
    except (ValueError, KeyError, TypeError):
        return True


def _in_order(resources: list[dict[str, Any]]) -> bool:
    """Whether everything comes after what it refers to, as the engine demands."""
    seen: set[str] = set()
    for each in resources:
        provider = (each.get("provider") or "").rpartition("::")[0]
        if not {*filter(None, (each.get("parent"), provider)), *(each.get("dependencies") or ())} <= seen:
            return False
        seen.add(each["urn"])
    return True


def _settle_pending(project: str, stack: str) -> Iterator[str]:
    exported = export_state(stack)
    operations = exported["deployment"].get("pending_operations") or []
    creates = [each["resource"] for each in operations if each["type"] == CREATING]
    others = [each["resource"]["urn"] for each in operations if each["type"] != CREATING]
    unknown = [each["urn"] for each in creates if _is_in_cloud(each) and not is_findable(each["type"])]
    if unknown:
        raise PipelineError(
            f"The update was killed while it created {', '.join(unknown)}, which can't be looked up by name or tag. "
            "If it exists: pulumi refresh --import-pending-creates URN --import-pending-creates ID; "
            "if not: pulumi refresh --clear-pending-creates"
        )
    found = list(_look_up([each for each in creates if _is_in_cloud(each)], exported["deployment"], project, stack))
    there = adopt(stack, exported, found, others)
    for resource in creates:
        outcome = "found and imported" if resource["urn"] in there else "not there, forgotten"
        yield f"Pending create of {short(resource['urn'])}: " + (
            outcome if _is_in_cloud(resource) else "to be made again"
        )
    for urn in others:
        yield f"Pending change of {short(urn)}: read anew"


def _find_unrecorded(project: str, stack: str, lost: bool = False, unmarked: bool = False) -> Iterator[str]:
    """A provider that dies while it creates leaves no trace in the state: compare what is planned with what is there.

    Until nothing more is found: what is named by another that has to be found first, as Google's key by its ring.
    `lost`: the state has nothing but an identity. `unmarked`: what carries no identity is this stack's.
    """
    while True:
        try:
            # What is recorded is not asked for: a cluster that is gone would not answer.
            plan = steps("preview", "--stack", stack, "--refresh=false")
        except PipelineError as error:
            yield f"The last update failed, and so does a preview: nothing was looked up in the cloud. {error}"
            return
        creates = [each["newState"] for each in plan if each["op"] in ("create", "create-replacement")]
        planned = [each for each in creates if _is_in_cloud(each)]
        exported = export_state(stack)
        if lost:
            begin(creates, exported)
        found = list(_look_up(planned, exported["deployment"], project, stack, unmarked))
        there = adopt(stack, exported, found, [], unmarked) if found else []
        for urn in there:
            yield f"{short(urn)} was created by an update that failed: imported"
        if not there:
            yield from forget_lost(stack, planned)
            return


def _look_up(
    resources: list[dict[str, Any]], deployment: dict[str, Any], project: str, stack: str, unmarked: bool = False
) -> Iterator[Found]:
    """What is there under the resources' names, or under their tags with the state's identity: a state that has none,
    as of an earlier version, finds what carries none."""
    if not resources:
        return
    mine = {identity_of(deployment.get("resources") or []), *([""] if unmarked else [])}
    providers = {
        f"{each['urn']}::{each.get('id')}": each.get("inputs", {}) for each in deployment.get("resources") or []
    }
    account = next((part for part in json.dumps(deployment).split(":") if len(part) == 12 and part.isdigit()), "")
    tagged: list[tuple[str, str]] = []
    for cloud in clouds():
        if sought := [each for each in resources if each["type"] in cloud.recovery.by_tag]:
            settings = providers.get(sought[0].get("provider", ""), {})
            named = tagged_resources(f"{project}/{stack}", settings, cloud)
            tagged += [(arn, name) for arn, name, identity in named if identity in mine]
    for resource in resources:
        place = {"account": account, **providers.get(resource.get("provider", ""), {})}
        name = resource["urn"].rsplit("::", 1)[1]
        if id_ := import_id(resource["type"], name, resource.get("inputs") or {}, place, tagged):
            yield Found(record=resource, id=id_)


def _is_in_cloud(resource: dict[str, Any]) -> bool:
    """Components, providers, our own dynamic resources and what is repeatable are safe to create once more."""
    kind = resource["type"]
    return (
        bool(resource.get("custom")) and kind not in REPEATABLE and not kind.startswith(("pulumi:", "pulumi-python:"))
    )
