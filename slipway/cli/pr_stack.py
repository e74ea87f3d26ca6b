"""`slipway pr-stack`: a stack for each pull request, and the sweep of those that were forgotten."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from slipway.infra.home import ROOT
from slipway.ops.state.pulumi import pulumi
from slipway.ops.state.recover import recover_stack
from slipway.pipeline.errors import PipelineError

TEMPLATE = ROOT / "environments" / "pull-request.yaml"
NAME = re.compile(r"pr-(\d+)")


@click.group("pr-stack")
def pr_stack() -> None:
    """A short-lived stack for each pull request."""


@pr_stack.command()
@click.argument("number", type=click.IntRange(min=1))
def write(number: int) -> None:
    """Write Pulumi.pr-NUMBER.yaml from environments/pull-request.yaml."""
    file = ROOT / f"Pulumi.pr-{number}.yaml"
    file.write_text(TEMPLATE.read_text().replace("{number}", str(number)))
    click.echo(file.name)


@pr_stack.command()
@click.option(
    "--hours", type=click.IntRange(min=1), default=72, show_default=True, help="Idle for so long is forgotten."
)
def sweep(hours: int) -> None:
    """Destroy every pr-* stack that nobody has updated for so long; exits with 1 where one stays."""
    left = []
    for stack in expired(json.loads(pulumi("stack", "ls", "--json")), datetime.now(UTC) - timedelta(hours=hours)):
        click.echo(f"{stack}: not updated for {hours} hours, taken down")
        try:
            for line in recover_stack(stack):
                click.echo(f"{stack}: {line}")
            pulumi("destroy", "--stack", stack, "--yes", "--skip-preview", "--suppress-outputs")
            pulumi("stack", "rm", stack, "--yes", "--preserve-config")
            Path(ROOT / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)
        except PipelineError as error:
            left.append(stack)
            click.echo(f"{stack}: {error}", err=True)
    sys.exit(1 if left else 0)


def expired(stacks: list[dict[str, Any]], before: datetime) -> list[str]:
    """The pull requests' stacks whose last update was before that time. One that is being updated is none of them."""
    found = []
    for each in stacks:
        name, last = str(each["name"]).rsplit("/", 1)[-1], each.get("lastUpdate")
        if not NAME.fullmatch(name) or each.get("updateInProgress") or not last:
            continue
        if datetime.fromisoformat(str(last).replace("Z", "+00:00")) < before:
            found.append(name)
    return found
