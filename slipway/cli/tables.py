"""Reports as tables in the terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from slipway.ops.models.builds import Model

LOG_WIDTH = 170  # a log: wrapped at 80 the table can't be read


def print_build(built: "Model", to_stderr: bool) -> None:
    """The variants of a built model, the served one in colour; of one that is unchanged a line."""
    report = built.report()
    shown, choice = console(to_stderr), report["choice"]
    if not built.built:
        line = f"{built.name}: unchanged, {choice['variant']} ({built.digest}); slipway model show says more"
        shown.print(line, soft_wrap=True)
        return
    shown.print(_variants(built.name, report))
    shown.print(f"{built.name}: chose {choice['variant']}: {choice['reason']}", soft_wrap=True)
    shown.print(f"{built.digest}  {built.path}", soft_wrap=True, style="dim")


def print_refusal(report: dict[str, Any]) -> None:
    """On standard error, the variants of a model that the gate kept out."""
    console(to_stderr=True).print(_variants(f"{report['model']}, refused", report))


def print_comparison(names: tuple[str, str], result: dict[str, Any]) -> None:
    """Two artifacts on the same data."""
    from rich.table import Table

    table = Table(title=f"{result['samples']} held-out samples, {result['hardware']['cpu']}", title_justify="left")
    for at, heading in enumerate(("", "variant", result["metric"], "p50 ms", "p99 ms", "size")):
        table.add_column(heading, justify="right" if at > 1 else "left")
    for name, side in zip(names, (result["ours"], result["theirs"]), strict=True):
        latency = side["latencyMs"]
        figures = (f"{side['metric']:.4f}", f"{latency['p50']:.4f}", f"{latency['p99']:.4f}", f"{side['sizeBytes']:,}")
        table.add_row(name, side["variant"], *figures)
    shown = console()
    shown.print(table)
    bound = f"at most {result['dropUpper95']:.4f} with 95 % confidence"
    speed = ""
    if result["ratio"]:
        low, ratio, high = result["ratio"]
        speed = f"; it takes {ratio:.2f} times as long ({low:.2f} to {high:.2f})"
    shown.print(f"{names[0]} is worse than {names[1]} by {result['drop']:.4f}, {bound}{speed}", soft_wrap=True)


def console(to_stderr: bool = False) -> "Console":
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def _variants(title: str, report: dict[str, Any]) -> "Table":
    from rich.table import Table

    from slipway.pipeline.render import headings, rows

    names = headings(report)
    table = Table(title=f"{title}: {report['samples']} held-out samples", title_justify="left")
    for at, heading in enumerate(names):
        table.add_column(heading, justify="right" if 0 < at < len(names) - 1 else "left")
    for row in rows(report):
        served = row[0] == report["choice"]["variant"]
        table.add_row(*row[:-1], "chosen" if served else row[-1], style="bold green" if served else None)
    return table
