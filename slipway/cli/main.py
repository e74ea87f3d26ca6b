"""The command group: exit codes, signals, and errors as one message."""

import signal
import sys
from typing import Any, NoReturn

import click

from cli.ask import explain, feedback, predict
from cli.comment import comment
from cli.cost import cost
from cli.doctor import doctor
from cli.drift import drift
from cli.env import env
from cli.environment import environment
from cli.image import image
from cli.load import load
from cli.model import model
from cli.preflight import preflight
from cli.stack import recover, stack
from service.pipeline.errors import PipelineError

EXIT_CODES = {"input": 2, "refused": 3}
INTERRUPTED = 130


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminated)
        try:
            return super().invoke(ctx)
        except PipelineError as error:
            click.secho("error: ", fg="red", bold=True, nl=False, err=True)
            click.echo(str(error), err=True)
            sys.exit(EXIT_CODES.get(error.kind, 1))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def slipway() -> None:
    """From a model folder to a served, optimized model."""


slipway.add_command(env)
slipway.add_command(image)
slipway.add_command(model)
slipway.add_command(stack)
slipway.add_command(recover)
slipway.add_command(doctor)
for each in (predict, explain, feedback, load):
    slipway.add_command(each)
slipway.add_command(comment)
slipway.add_command(cost)
slipway.add_command(drift)
slipway.add_command(environment)
slipway.add_command(preflight)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
