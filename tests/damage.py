"""How a file that Slipway believes later is damaged, what becomes of it, and the table of both in docs/recovery.md."""

from collections.abc import Callable, Iterable

from slipway.infra.home import ROOT

PAGE = ROOT / "docs" / "recovery.md"
BEGIN, END = "<!-- made by `python -m tests.test_damage` -->\n", "<!-- up to here: files -->"
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "garbled": lambda content: bytes(byte ^ 0x5A for byte in content),
}
# Ends: it is as it was before; the message has the file's name and nothing is done; it starts with nothing.
HEALS, NAMED, ANEW = "heals", "named", "begins anew"
# Of a run folder, where a supervisor lives: held by tests/infra/local/test_runtime.py.
RUN = {
    "desired.json": "made again by `make up`",
    "status.json": "made again by `make up`; with `desired.json` damaged too the port is named: `make down`, `make up`",
    "lock": "the supervisor is found by its command, and no other process gets a signal",
    "access.json": "the service is made again by `make up`",
}


def table(rows: Iterable[tuple[str, dict[str, str], str]]) -> str:
    """`rows`: the file, its end for each way of DAMAGE, what happens."""
    lines = [f"| file | {' | '.join(DAMAGE)} | what happens |", "|---" * (len(DAMAGE) + 2) + "|"]
    lines += [f"| `{name}` | {' | '.join(ends[how] for how in DAMAGE)} | {then} |" for name, ends, then in rows]
    return "\n".join(lines) + "\n"


def on_page() -> str:
    """The table that docs/recovery.md has."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def write(made: str) -> None:
    """Puts a table in the place of the one that docs/recovery.md has."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + begin + made + END + rest.partition(END)[2])
