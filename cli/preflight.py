"""`slipway preflight`: asks the cloud what the checks of infra/preflight.py want to know. Offline, it says so."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from cli.recover import backend_folder, live_locks
from cli.stack import STACK, config_of

if TYPE_CHECKING:
    from infra.config import StackConfig

SECONDS = 15
OFFLINE = (
    "Could not connect",
    "Unable to locate credentials",
    "timed out",
    "Name or service not known",
    "EndpointConnection",
)
MARKS = {"ok": ("green", "ok"), "failed": ("red", "failed"), "unknown": ("yellow", "unknown")}


@click.command()
@STACK
@click.option("--skip", multiple=True, help="Leave a check out, by its name. $SLIPWAY_SKIP takes several, with commas.")
def preflight(stack: str, skip: tuple[str, ...]) -> None:
    """Say what would fail before money is spent. Exits with 1 where something would; silent on this machine alone."""
    from infra.preflight import CHECKS, FAILED, run

    config = config_of(stack)
    named = {*skip, *filter(None, os.environ.get("SLIPWAY_SKIP", "").split(","))}
    if wrong := sorted(named - CHECKS.keys()):
        raise click.UsageError(f"no check is called {', '.join(wrong)}; there are {', '.join(CHECKS)}")
    findings = run(config, {**answers(config, stack), "skipped": named})
    for each in findings:
        color, word = MARKS[each.outcome]
        click.secho(f"{word:8}", fg=color, nl=False, err=True)
        click.echo(f"{each.check}: {each.says}", err=True)
    sys.exit(1 if any(each.outcome == FAILED for each in findings) else 0)


def answers(config: StackConfig, stack: str) -> dict[str, Any]:
    """What can be found out from here. A key that is not in it could not be asked for."""
    found: dict[str, Any] = {}
    project = str(yaml.safe_load(Path("Pulumi.yaml").read_text())["name"])
    if held := live_locks(backend_folder(os.environ.get("PULUMI_BACKEND_URL", "")), project, stack):
        found["lock"] = _owner(held[0])
    match config.platform:
        case "aws":
            found |= _aws(config)
        case "gcp":
            found["tools"] = {"gke-gcloud-auth-plugin": bool(shutil.which("gke-gcloud-auth-plugin"))}
            said, why = ask("gcloud", "config", "get-value", "project")
            found |= {"account": said.strip() or None} if said else {"whyNot": why, "offline": "unknown"}
        case "kubernetes":
            hosts = [each.host for each in config.services.values() if each.host]
            found["hosts"] = {host: _address(host) for host in hosts}
    return found


def _aws(config: StackConfig) -> dict[str, Any]:
    from infra.preflight import GPU_QUOTAS, gpu_pools

    region = ["--region", config.aws.region] if config.aws.region else []
    found: dict[str, Any] = {"tools": {"aws": bool(shutil.which("aws"))}}
    said, why = ask("aws", "sts", "get-caller-identity", *region, "--output", "json")
    if said is None:
        # Without an answer of any kind the rest would only time out one by one.
        offline = "unknown" if any(each in why for each in OFFLINE) or not found["tools"]["aws"] else "failed"
        return found | {"whyNot": why, "offline": offline}
    found["account"] = json.loads(said)["Account"]
    if machines := sorted({each for pool in gpu_pools(config).values() for each in pool if "." in each}):
        named = f"Name=instance-type,Values={','.join(machines)}"
        said, _ = ask(
            "aws", "ec2", "describe-instance-type-offerings", *region, "--location-type", "availability-zone",
            "--filters", named, "--output", "json",
        )  # fmt: skip
        if said is not None:
            offers: dict[str, list[str]] = {}
            for each in json.loads(said)["InstanceTypeOfferings"]:
                offers.setdefault(each["InstanceType"], []).append(each["Location"])
            found["offered"] = offers
    quotas: dict[str, tuple[float, float]] = {}
    for pool in config.aws.cluster.gpu:
        code = GPU_QUOTAS[pool.capacity]
        command = ["service-quotas", "get-service-quota", "--service-code", "ec2", "--quota-code", code]
        said, _ = ask("aws", *command, *region, "--output", "json")
        if said is not None:
            asked = quotas.get(code, (0.0, 0.0))[0] + 4 * pool.max  # the smallest machine with a GPU has 4 vCPUs
            quotas[code] = (asked, float(json.loads(said)["Quota"]["Value"]))
    found["quotas"] = quotas
    said, _ = ask("aws", "eks", "describe-cluster-versions", *region, "--output", "json")
    if said is not None:
        found["versions"] = [each["clusterVersion"] for each in json.loads(said)["clusterVersions"]]
    return found


def ask(*command: str) -> tuple[str | None, str]:
    """What a cloud's command answers; None where it can't be run or says no, and why."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return None, f"{command[0]} is not on PATH"
    except subprocess.TimeoutExpired:
        return None, f"{command[0]} timed out"
    return (done.stdout, "") if done.returncode == 0 else (None, done.stderr.strip()[-300:])


def _owner(lock: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError):
        held = json.loads(lock.read_text())
        return f"{held['username']}@{held['hostname']}, process {held['pid']}, since {held['timestamp'][:19]}"
    return lock.name


def _address(host: str) -> str:
    with contextlib.suppress(OSError):
        return f"is at {socket.gethostbyname(host)}"
    return ""
