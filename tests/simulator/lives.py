"""Every variant of the stacks on AWS and Google Cloud through its whole life in the simulator: up, up again, destroyed,
swept; nothing is deleted that is not empty or still used.

python -m tests.simulator.lives [--write] [aws-dev ...]    writes the table of docs/simulator.md
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from slipway.infra.home import ROOT

from slipway.simulator.simulate import Life, simulate
from tests.engine.cloud import CloudStack
from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp

PAGE = ROOT / "docs" / "simulator.md"
BEGIN, END = "<!-- made by tests/simulator/lives.py -->\n", "<!-- up to here -->"
HEAD = """\
| variant | what it is | resources | up again | left after the destroy | when |
|---|---|---|---|---|---|
"""
# The examples are the stacks of Pulumi.aws.yaml and Pulumi.gcp.yaml: what `make simulate` takes.
VARIANTS: dict[str, Callable[[], dict[str, Any]]] = {
    f"{cloud}-{name}": make for cloud, them in (("aws", aws), ("gcp", gcp)) for name, make in them.VARIANTS.items()
}


def life(name: str, folder: Path) -> Life:
    """Of one variant. Raises AssertionError at the first step that is not as it should be."""
    config = {f"slipway:{key}": value for key, value in VARIANTS[name]().items()}
    with CloudStack(folder, name, "", config) as stack:
        stack.seconds = 1800
        return simulate(stack, with_checkov=False)


def row(name: str, found: Life) -> str:
    about = " ".join((VARIANTS[name].__doc__ or "").split())
    left = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left.items())) or "nothing"
    today = date.today().isoformat()
    return f"| {name} | {about} | {found.resources} | {found.again} | {left} | {today} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(VARIANTS), metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument("--write", action="store_true", help="into docs/simulator.md; rows of others stay")
    options = parser.parse_args()
    for name in options.names:
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            try:
                with contextlib.redirect_stdout(said):
                    found = life(name, Path(folder))
            except AssertionError as error:
                raise SystemExit(f"{said.getvalue()}\n{name}: {error}") from None
        print(made := row(name, found), flush=True)
        if options.write:
            _write(name, made)


def _write(name: str, made: str) -> None:
    text = PAGE.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    rows = {line.split()[1]: line for line in text[start:end].splitlines() if re.match(r"\| \w+-\w+ \|", line)}
    rows[name] = made
    table = HEAD + "".join(f"{rows[each]}\n" for each in VARIANTS if each in rows)
    PAGE.write_text(text[:start] + table + text[end:])


if __name__ == "__main__":
    main()
