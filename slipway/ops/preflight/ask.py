"""Collects what the checks need; what gets no answer is reported as unknown."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace

from slipway.infra.config.stack import StackConfig
from slipway.infra.home import ROOT
from slipway.infra.platforms.answers import WARNED, Answers, Said
from slipway.infra.platforms.table import row_of
from slipway.ops.preflight import connectivity
from slipway.ops.state.pulumi import project_name
from slipway.ops.state.recover import backend_folder, live_locks
from slipway.ops.state.settings import PASSPHRASE, PUBLIC_PASSPHRASE, backend, from_make


def answers(config: StackConfig, stack: str) -> Answers:
    """What can be found out from here."""
    found = row_of(config).preflight(config, stack)
    return replace(
        found,
        lock=_lock(stack),
        said={**found.said, **_images(config, found), "tools": _tools(config), "secrets": _secrets(stack)},
    )


def _lock(stack: str) -> str:
    """Who holds the stack, where the backend is a folder; the engine asks any other itself."""
    held = live_locks(backend_folder(backend()), project_name(), stack)
    if not held:
        return ""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        owner = json.loads(held[0].read_text())
        return f"{owner['username']}@{owner['hostname']}, process {owner['pid']}, since {owner['timestamp'][:19]}"
    return held[0].name


def _secrets(stack: str) -> list[Said]:
    """Whether the stack's file has secrets under the passphrase of the Makefile."""
    file = ROOT / f"Pulumi.{stack}.yaml"
    content = file.read_text() if file.is_file() else ""
    used = os.environ.get(PASSPHRASE) or from_make(stack).get(PASSPHRASE)
    if used != PUBLIC_PASSPHRASE or not re.search(r"\bsecure:", content):
        return []
    fix = f"`pulumi stack change-secrets-provider passphrase --stack {stack}`, and set {PASSPHRASE} from then on"
    told = f"holds secrets, encrypted with a passphrase that everybody knows ({PUBLIC_PASSPHRASE}): run {fix}"
    return [(WARNED, f"{file.name} {told}")]


def _builds(config: StackConfig) -> bool:
    return row_of(config).builds_images and any(not each.image for each in config.services.values())


def _tools(config: StackConfig) -> list[Said]:
    wanted = [*row_of(config).tools, *(["docker"] if _builds(config) else [])]
    there = {each: bool(shutil.which(each)) for each in wanted}
    return [
        (good, f"{each} is on PATH" if good else f"{each} is not on PATH: install it") for each, good in there.items()
    ]


def _images(config: StackConfig, found: Answers) -> dict[str, list[Said]]:
    """Where images come from and go to, where some are to be built."""
    if not _builds(config):
        return {}
    asked: dict[str, Callable[[], Said]] = {"image": lambda: connectivity.base_image(config.image.base)}
    if where := row_of(config).registry(config, found):
        asked["registry"] = lambda: connectivity.registry(*where)
    return {name: [question()] for name, question in asked.items()}
