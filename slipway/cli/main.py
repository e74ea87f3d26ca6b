"""The command group: exit codes, signals, and errors as one message."""

import copy
import signal
import sys
from typing import Any, NoReturn

import click

from slipway.cli.ask import explain, feedback, predict
from slipway.cli.comment import comment
from slipway.cli.cost import cost
from slipway.cli.doctor import doctor
from slipway.cli.drift import drift
from slipway.cli.image import image
from slipway.cli.load import load
from slipway.cli.model import model
from slipway.cli.pr_stack import pr_stack
from slipway.cli.preflight import preflight
from slipway.cli.stack import recover, stack
from slipway.cli.venv import venv
from slipway.infra.errors import Unanswered
from slipway.pipeline.errors import PipelineError

EXIT_CODES = {"input": 2, "refused": 3}
INTERRUPTED = 130


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            return super().invoke(ctx)
        except (PipelineError, Unanswered) as error:
            click.secho("error: ", fg="red", bold=True, nl=False, err=True)
            click.echo(str(error), err=True)
            sys.exit(EXIT_CODES.get(getattr(error, "kind", ""), 1))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def slipway() -> None:
    """From a model folder to a served, optimized model."""


for each in (
    *(venv, image, model, stack, recover, doctor, predict, explain, feedback, load, comment, cost, drift),
    *(pr_stack, preflight),
):
    slipway.add_command(each)


def _renamed(old: str, command: click.Command) -> None:
    """Keeps a command's old name, hidden, for one version."""
    alias = copy.copy(command)
    alias.name, alias.hidden = old, True
    alias.deprecated = f"it is called {command.name} now."
    slipway.add_command(alias)


_renamed("env", venv)
_renamed("environment", pr_stack)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
