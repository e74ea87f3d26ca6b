"""`slipway release`: takes the protection off production, for one update or for good."""

import click

LISTED = 20


@click.command()
@click.argument("stack")
@click.option("--update", is_flag=True, help="Only what the next update, as configured now, would delete or replace.")
def release(stack: str, update: bool) -> None:
    """Take the protection off a production STACK, so that it can be taken down, or changed to another environment.

    Asks for the stack's name. The next update that succeeds protects everything again.
    """
    from slipway.ops.state.release import Held, needed, protected
    from slipway.ops.state.release import release as take_off

    found = protected(stack)
    if not found.records:
        click.echo(f"Nothing of {stack} is protected.")
        return
    if update:
        found = needed(stack, found)
    if not found.records:
        click.echo(
            f"The next update of {stack} deletes and replaces nothing that is protected. To take the stack down: "
            f"slipway release {stack}"
        )
        return
    what = "the next update may delete or replace" if update else "whoever may deploy can delete"
    click.echo(f"Without their protection {what} these {len(found.records)} resources of {stack}:")
    for name in found.names[:LISTED]:
        click.echo(f"  {name}")
    if len(found.names) > LISTED:
        click.echo(f"  and {len(found.names) - LISTED} more")
    if found.retained:
        click.echo(f"{len(found.retained)} of them stay in the cloud even then: data, and what guards it.")
    if click.prompt("Type the stack's name to release them", default="", show_default=False) != stack:
        raise Held(f"that is not {stack!r}: nothing was touched")
    for line in take_off(stack, found, everything=not update):
        click.echo(line)
    click.echo(f"Next: {f'make up STACK={stack}' if update else f'make down STACK={stack}'}")
