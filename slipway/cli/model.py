"""`slipway model`: describe, build, show, bill, restore, compare, copy, find, new, lock."""

import json
from typing import TYPE_CHECKING, Any

import click

from slipway.infra.home import home

if TYPE_CHECKING:
    from slipway.ops.models.builds import Model

JSON = click.option("--json", "as_json", is_flag=True, help="JSON on standard output, a line for each object.")

TARGET = click.option(
    "--target", type=click.Choice(["cpu", "nvidia"]), help="Optimize for this hardware, whatever model.yaml says."
)


@click.group()
def model() -> None:
    """Build models, look at them, and lock what they need."""


@model.command()
@click.argument("ref")
@click.option("--variant", help="As a build with this pinned variant.")
@TARGET
@JSON
def describe(ref: str, variant: str | None, target: str | None, as_json: bool) -> None:
    """Say what REF is now, without building: its inputsKey, and digest and path where it is built."""
    from slipway.ops.models.builds import described

    found = described(ref, home(), variant, target)
    fields = _identity(found) | {"path": None if found.path is None else str(found.path)}
    if as_json:
        click.echo(json.dumps(fields))
    else:
        for name, value in fields.items():
            click.echo(f"{name:10} {value or 'not built'}")


@model.command()
@click.argument("refs", metavar="REF...", nargs=-1, required=True)
@click.option("--variant", help="Build this variant or fail; without it the fastest inside the budget is taken.")
@TARGET
@click.option("--serving", help="The artifact that serves now, by digest or uri: a worse or slower one is refused.")
@click.option("--accept-worse", is_flag=True, help="Take one that is worse or slower than what serves now.")
@click.option(
    "--in-stack", is_flag=True, hidden=True, help="The service of a stack is built: its file has the remedies."
)
@click.option("--retrain", is_flag=True, help="Train again although nothing changed; notes it in the folder.")
@click.option("--again", is_flag=True, help="Judge anew what was refused before.")
@JSON
@click.option("--verbose", is_flag=True, help="Show tracebacks and what libraries print.")
def build(
    refs: tuple[str, ...],
    variant: str | None,
    target: str | None,
    serving: str | None,
    accept_worse: bool,
    in_stack: bool,
    again: bool,
    retrain: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Build the models that the store lacks, and show their variants and which one was chosen.

    Exit codes: 0 built or there already, 2 something in the folder is wrong, 3 refused by the gate.
    """
    from slipway.cli.tables import print_build, print_refusal
    from slipway.ops.models.builds import build as build_one
    from slipway.ops.models.builds import retrained
    from slipway.ops.models.gate import BY_HAND, IN_STACK, gate
    from slipway.pipeline.errors import Refused

    remedy = IN_STACK if in_stack else BY_HAND

    if serving and len(refs) > 1:
        raise click.UsageError("--serving goes with one REF")
    for ref in refs:
        try:
            if retrain:
                built = retrained(ref, home(), variant, verbose, target)
            else:
                built = build_one(ref, home(), variant, verbose, again, target)
        except Refused as error:
            if error.report:
                print_refusal(error.report)
            raise
        if built.built or not as_json:
            print_build(built, to_stderr=as_json)
        comparison = gate(built, serving, home(), accept_worse, verbose, remedy) if serving else None
        if as_json:
            click.echo(json.dumps(_result(built) | ({"comparison": comparison} if comparison else {})))


@model.command()
@click.argument("ref")
@JSON
def show(ref: str, as_json: bool) -> None:
    """Show the report of a built model."""
    from rich.markdown import Markdown

    from slipway.cli.tables import console

    found = _built(ref)
    if as_json:
        click.echo(json.dumps(found.report()))
        return
    card = (found.store.path(found.digest or "") / "card.md").read_text(encoding="utf-8", errors="replace")
    # Others may have written it, and a terminal does what it is told by such characters.
    lines = ["".join(filter(str.isprintable, line)) for line in card.splitlines() if not line.startswith("![")]
    console().print(Markdown("\n".join(lines)))
    click.echo(f"{found.path}\nTensorBoard logs: {found.store.logs(found.digest or '')}")


@model.command()
@click.argument("ref")
@JSON
def bill(ref: str, as_json: bool) -> None:
    """Write the bill of materials (CycloneDX) of a built model beside it: its files, and the packages that made it."""
    from slipway.ops.models.bills import put_bill

    written = put_bill(_built(ref), home())
    click.echo(written.read_text() if as_json else str(written))


@model.command()
@click.argument("ref")
@JSON
def measure(ref: str, as_json: bool) -> None:
    """How long a service of a built model takes to start here, and the memory that the model needs."""
    from slipway.ops.models.timing import measured

    found = measured(_built(ref), home())
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:13} {'not known' if value is None else value}")


@model.command()
@click.argument("ref")
def restore(ref: str) -> None:
    """Make a built model whole again, here and in $SLIPWAY_STORE, from the copy or the version that is whole."""
    from slipway.ops.models.restore import restore as make_whole

    click.echo(make_whole(ref, home()))


@model.command()
@click.argument("ours", metavar="REF")
@click.argument("theirs", metavar="OTHER")
@JSON
def compare(ours: str, theirs: str, as_json: bool) -> None:
    """Run REF, a built model folder, and OTHER side by side on REF's evaluation data."""
    from slipway.cli.tables import print_comparison
    from slipway.ops.models.gate import compare as side_by_side
    from slipway.pipeline.errors import BadInput

    first, second = _built(ours), _built(theirs)
    if first.folder is None:
        raise BadInput(f"{ours} is an artifact, which brings no data along; name a model folder first")
    result = side_by_side(first, second.store.path(second.digest or ""), home())
    if as_json:
        click.echo(json.dumps(result))
    elif not result["comparable"]:
        raise BadInput(f"{ours} and {theirs}: {result['problem']}")
    else:
        print_comparison((first.ref, second.ref), result)


@model.command()
@click.argument("ref")
@click.option("--to", "uri", required=True, help="A folder of artifacts, as s3://bucket/models/digits.")
@JSON
def copy(ref: str, uri: str, as_json: bool) -> None:
    """Put a copy of a built model into a bucket under its digest; what the bucket holds already is left as it is."""
    from slipway.ops.models.stores import copied

    found = _built(ref)
    assert found.path is not None
    answer = {"uri": f"{uri}@{found.digest}", "size": copied(found.path, uri)}
    click.echo(json.dumps(answer) if as_json else answer["uri"])


@model.command()
@click.argument("copy")
@JSON
def find(copy: str, as_json: bool) -> None:
    """Say whether a bucket holds COPY, <uri>@sha256:...; null where it can't be asked."""
    from slipway.ops.models.refs import Promoted, parse_ref
    from slipway.ops.models.stores import holds
    from slipway.pipeline.errors import BadInput

    target, found = parse_ref(copy), None
    if not isinstance(target, Promoted):
        raise BadInput(f"{copy} names no copy in a bucket; write <uri>@sha256:<64 hex digits>")
    try:
        found = holds(target.uri, target.digest)
    except BadInput as error:
        click.echo(f"{copy} is taken to be there: {error}", err=True)
    click.echo(json.dumps({"found": found}) if as_json else json.dumps(found))


@model.command()
@click.argument("name")
@click.option("--task", type=click.Choice(["classification", "regression", "embedding"]), default="classification")
@click.option("--framework", type=click.Choice(["keras", "sklearn", "pytorch", "onnx"]), default="keras")
@JSON
def new(name: str, task: str, framework: str, as_json: bool) -> None:
    """Start a model folder models/NAME, and say what to fill in."""
    from slipway.ops.models.scaffold import scaffold
    from slipway.pipeline.errors import shown

    folder, steps = scaffold(name, task, framework)
    if as_json:
        click.echo(json.dumps({"name": name, "folder": shown(folder), "next": steps}))
        return
    click.echo(f"{shown(folder)} is there. Next:")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")


@model.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--upgrade", is_flag=True, help="Take the newest versions that fit.")
@JSON
def lock(names: tuple[str, ...], upgrade: bool, as_json: bool) -> None:
    """Lock requirements.in of the models NAME, with what the pipeline needs; of the pipeline without a NAME."""
    from slipway.ops.models.locks import lock_model, lock_pipeline

    for written in [lock_model(name, upgrade) for name in names] or [lock_pipeline(upgrade)]:
        if written:
            click.echo(json.dumps({"lock": str(written)}) if as_json else written)


def _built(ref: str) -> "Model":
    from slipway.ops.models.builds import described
    from slipway.pipeline.errors import BadInput

    found = described(ref, home())
    if found.path is None:
        raise BadInput(f"{ref} is not built; run: slipway model build {ref}")
    return found


def _identity(found: "Model") -> dict[str, Any]:
    return {
        "name": found.name,
        "ref": found.ref,
        "inputsKey": found.inputs_key,
        "kind": found.kind,
        "target": found.target,
        "digest": found.digest,
    }


def _result(built: "Model") -> dict[str, Any]:
    report = built.report()
    variant = report["choice"]["variant"]
    figure = next(each["metric"] for each in report["variants"] if each["name"] == variant)
    return _identity(built) | {
        "path": str(built.path),
        "uri": built.uri,
        "variant": variant,
        "metric": {"name": report["metric"]["name"], "value": figure},
        "built": built.built,
    }
