"""The command group: exit codes, signals, and errors as one message."""

import copy
import importlib
import signal
import sys
from typing import Any, NoReturn

import click

from slipway.infra.errors import Unanswered
from slipway.pipeline.errors import PipelineError

EXIT_CODES = {"input": 2, "refused": 3}
INTERRUPTED = 130
VERSION = "0.2.0"
# By name, the module and the command in it. A command is loaded when it is run: most need little of the others.
COMMANDS = {
    "comment": ("comment", "comment"),
    "cost": ("cost", "cost"),
    "doctor": ("doctor", "doctor"),
    "drift": ("drift", "drift"),
    "explain": ("ask", "explain"),
    "feedback": ("ask", "feedback"),
    "image": ("image", "image"),
    "load": ("load", "load"),
    "model": ("model", "model"),
    "open": ("page", "open_page"),
    "pr-stack": ("pr_stack", "pr_stack"),
    "predict": ("ask", "predict"),
    "preflight": ("preflight", "preflight"),
    "recover": ("stack", "recover"),
    "release": ("release", "release"),
    "stack": ("stack", "stack"),
    "venv": ("venv", "venv"),
}
# Names of the version before, hidden, for one version.
RENAMED = {"env": "venv", "environment": "pr-stack"}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(RENAMED.get(cmd_name, cmd_name))
        if place is None:
            return None
        module, name = place
        command: click.Command = getattr(importlib.import_module(f"slipway.cli.{module}"), name)
        if cmd_name in RENAMED:
            command = copy.copy(command)
            command.name, command.hidden = cmd_name, True
            command.deprecated = f"It is called {RENAMED[cmd_name]} now."
        return command

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
@click.version_option(VERSION, prog_name="slipway")
def slipway() -> None:
    """From a model folder to a served, optimized model."""


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
