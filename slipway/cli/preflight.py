"""`slipway preflight`: asks what the checks of infra/preflight.py want to know. Where nobody answers, it says so."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from cli.recover import backend_folder, live_locks
from cli.stack import STACK, config_of

if TYPE_CHECKING:
    from infra.config import StackConfig
    from infra.preflight import Answers, Said

MARKS = {"ok": ("green", "ok"), "failed": ("red", "failed"), "unknown": ("yellow", "unknown")}
# What the kubeconfigs call.
TOOLS = {"aws": "aws", "gcp": "gke-gcloud-auth-plugin"}


@click.command()
@STACK
@click.option("--skip", multiple=True, help="Leave a check out, by its name. $SLIPWAY_SKIP takes several, with commas.")
@click.option("--advise", is_flag=True, help="Exit with 0 whatever is found: a preview changes nothing.")
def preflight(stack: str, skip: tuple[str, ...], advise: bool) -> None:
    """Say what would fail before money is spent. Exits with 1 where something would; silent on this machine alone."""
    from infra.preflight import CHECKS, FAILED, run

    config = config_of(stack)
    named = frozenset({*skip, *filter(None, os.environ.get("SLIPWAY_SKIP", "").split(","))})
    if wrong := sorted(named - CHECKS.keys()):
        raise click.UsageError(f"no check is called {', '.join(wrong)}; there are {', '.join(CHECKS)}")
    findings = run(config, answers(config, stack), named)
    for each in findings:
        color, word = MARKS[each.outcome]
        click.secho(f"{word:8}", fg=color, nl=False, err=True)
        click.echo(f"{each.check}: {each.says}", err=True)
    sys.exit(1 if any(each.outcome == FAILED for each in findings) and not advise else 0)


def answers(config: StackConfig, stack: str) -> Answers:
    """What can be found out from here."""
    from infra.preflight import Answers

    found = Answers()
    match config.platform:
        case "aws":
            from cli.preflight_aws import answers_aws

            found = answers_aws(config, stack)
        case "gcp":
            from cli.preflight_gcp import answers_gcp

            found = answers_gcp(config)
        case "kubernetes":
            from cli.reach import address

            hosts = [address(each.host) for each in config.services.values() if each.host]
            found = Answers(said={"domain": hosts})
    return replace(found, lock=_lock(stack), said={**found.said, **_images(config, found), "tools": _tools(config)})


def _lock(stack: str) -> str:
    """Who holds the stack, where the backend is a folder; the engine asks any other itself."""
    project = str(yaml.safe_load(Path("Pulumi.yaml").read_text())["name"])
    held = live_locks(backend_folder(os.environ.get("PULUMI_BACKEND_URL", "")), project, stack)
    if not held:
        return ""
    with contextlib.suppress(OSError, ValueError, KeyError):
        owner = json.loads(held[0].read_text())
        return f"{owner['username']}@{owner['hostname']}, process {owner['pid']}, since {owner['timestamp'][:19]}"
    return held[0].name


def _builds(config: StackConfig) -> bool:
    return config.platform != "local" and any(not each.image for each in config.services.values())


def _tools(config: StackConfig) -> list[Said]:
    wanted = [TOOLS[config.platform]] if config.platform in TOOLS else []
    wanted += ["docker"] if _builds(config) else []
    there = {each: bool(shutil.which(each)) for each in wanted}
    return [
        (good, f"{each} is on PATH" if good else f"{each} is not on PATH: install it") for each, good in there.items()
    ]


def _images(config: StackConfig, found: Answers) -> dict[str, list[Said]]:
    """Where images come from and go to, where some are to be built."""
    if not _builds(config):
        return {}
    from cli.reach import base_image, registry

    asked: dict[str, Callable[[], Said]] = {"image": lambda: base_image(config.image.base)}
    own = config.kubernetes.registry
    match config.platform:
        case "aws" if config.aws.account or found.account:
            host = f"{config.aws.account or found.account}.dkr.ecr.{config.aws.region}.amazonaws.com"
            login = (
                f"aws ecr get-login-password --region {config.aws.region} | docker login -u AWS --password-stdin {host}"
            )
            asked["registry"] = lambda: registry(host, login)
        case "gcp":
            where = f"{config.gcp.region}-docker.pkg.dev"
            asked["registry"] = lambda: registry(where, f"gcloud auth configure-docker {where}")
        case "kubernetes" if own:
            asked["registry"] = lambda: registry(own.partition("/")[0], f"docker login {own.partition('/')[0]}")
    return {name: [question()] for name, question in asked.items()}
