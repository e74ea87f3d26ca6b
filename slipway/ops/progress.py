"""What a long step says meanwhile: on standard error, as standard output is for answers."""

from __future__ import annotations

import sys


def report(line: str) -> None:
    """Prints the line at once."""
    print(line, file=sys.stderr, flush=True)
