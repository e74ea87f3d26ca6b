"""`slipway pr-stack`: a stack for each pull request, and the sweep of those that were forgotten."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from slipway.infra.home import ROOT
from slipway.ops.pr_stacks import TEMPLATE, expired
from slipway.ops.state.pulumi import pulumi
from slipway.ops.state.recover import recover_stack
from slipway.pipeline.errors import PipelineError


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
