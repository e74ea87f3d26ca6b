"""Checks who owns a stack's names: the identity in its state against the one on its bucket or namespace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig
from slipway.infra.home import ROOT
from slipway.infra.names import IDENTITY_LABEL, IDENTITY_TAG
from slipway.infra.platforms.row import Anchor
from slipway.infra.platforms.table import row_of
from slipway.infra.resources.identity import ADOPTED, NAME, TYPE, fresh
from slipway.ops.state.pulumi import export_state, program, pulumi, short
from slipway.ops.state.tagged import ask_cloud
from slipway.pipeline.errors import BadInput, PipelineError

ABSENT = "does not exist"  # the engine's words for a resource that the provider does not find

ALONE = """
from slipway.infra.resources.identity import StackIdentity

StackIdentity()
"""

CARRIED = """
import json, os
import pulumi
import pulumi_{package} as {package}

anchor = os.environ["SLIPWAY_ANCHOR"]

def write(labels):
    with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
        json.dump(dict(labels or {{}}), answer)

pulumi.export("asked", pulumi.Output.from_input({labels}).apply(write))
"""


class Foreign(PipelineError):
    """Another stack owns this stack's names; nothing was touched."""

    kind = "refused"


def identity_of(resources: Sequence[dict[str, Any]]) -> str:
    """The identity in a state; empty if it has none."""
    found = (each.get("outputs") or {} for each in resources if each["type"] == TYPE and not each.get("delete"))
    return str(next(found, {}).get("value") or "")


def recorded_identity(stack: str) -> str:
    """The identity in the state of a stack; empty if it has none. Raises NoStack."""
    return identity_of(export_state(stack)["deployment"].get("resources") or [])


def anchor_of(project: str, stack: str) -> Anchor | None:
    """The resource that shows who owns the stack; None if the platform needs none, or if the configuration is invalid,
    which the next step reports."""
    try:
        config = StackConfig.from_file(stack)
        return row_of(config).anchor(config, project, stack)
    except ConfigError:
        return None


def carried_by(anchor: Anchor) -> str | None:
    """The identity on the anchor; empty if it has none, None if the anchor does not exist.

    Raises:
        PipelineError: the cloud or cluster can't be reached.
    """
    asking = CARRIED.format(package=anchor.package, labels=anchor.labels)
    try:
        labels = ask_cloud(asking, anchor.package, anchor.settings, {"SLIPWAY_ANCHOR": anchor.id})
    except PipelineError as error:
        if ABSENT in str(error):
            return None
        raise
    return str(labels.get(IDENTITY_TAG) or labels.get(IDENTITY_LABEL) or "")


def refuse_foreign(project: str, stack: str, resources: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Checks the owner of the stack's bucket or namespace if the state does not contain it: for a new stack, after a
    lost state, or after a first update that failed. Reports a check that could not be made.

    Raises:
        Foreign: it exists with another identity than the state's, or with none.
    """
    anchor = anchor_of(project, stack)
    if anchor is None or any(each["type"] == anchor.type and each.get("id") == anchor.id for each in resources):
        return
    try:
        found = carried_by(anchor)
    except PipelineError as error:
        yield f"Could not check who owns {_named(anchor)}: {str(error).splitlines()[-1]}"
        return
    mine = identity_of(resources)
    if found is None or (found and found == mine):
        return
    owned = f"belongs to {found}" if found else "has no identity: an earlier version or another program made it"
    raise Foreign(
        f"{_named(anchor)} already exists and {owned}. The state of {stack} here {f'is {mine}' if mine else 'is new'}. "
        f"Nothing was touched. If another stack owns it, give this stack another name. If the state of this stack was "
        f"lost, run: slipway recover --stack {stack} --adopt {found or fresh()}"
    )


def take_identity(project: str, stack: str, resources: Sequence[dict[str, Any]], wanted: str) -> tuple[str, bool]:
    """Writes the identity `wanted` into a state that has none, if the stack's bucket or namespace has that identity or
    none: (message, whether it had none).

    Raises:
        Foreign: it has another identity. BadInput: there is nothing to adopt, or the state has another identity.
    """
    anchor, mine = anchor_of(project, stack), identity_of(resources)
    if anchor is None:
        raise BadInput(f"{stack} has no bucket and no namespace of its own: there is no identity to adopt")
    found = carried_by(anchor)
    if found is None:
        raise BadInput(f"{_named(anchor)} does not exist: there is nothing to adopt. Run make up STACK={stack}")
    if found and found != wanted:
        raise Foreign(f"{_named(anchor)} belongs to {found}, not to {wanted}: nothing was touched")
    if mine and mine != wanted:
        raise BadInput(
            f"the state of {stack} already belongs to {mine}: take it down first, or start from an empty state"
        )
    if not mine:
        _write(project, stack, wanted)
    return (
        f"The state of {stack} has the identity {wanted} now, as {_named(anchor)} {'has' if found else 'may'}",
        not found,
    )


def _write(project: str, stack: str, identity: str) -> None:
    """Creates the identity in the state, and nothing else: by a program that has nothing else. What a whole program
    asks of resources that are not created yet would be missing in it, and what it imports would be imported."""
    with program(project, ALONE) as folder:
        with suppress(FileNotFoundError):  # it knows how the state's secrets are encrypted
            shutil.copyfile(ROOT / f"Pulumi.{stack}.yaml", folder / f"Pulumi.{stack}.yaml")
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, ADOPTED: identity, "PYTHONPATH": path}
        urn = f"urn:pulumi:{stack}::{project}::{TYPE}::{NAME}"
        pulumi("up", "--stack", stack, "--yes", "--skip-preview", "--target", urn, cwd=folder, env=environment)


def _named(anchor: Anchor) -> str:
    return short(f"{anchor.type}::{anchor.id}")
