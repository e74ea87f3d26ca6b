"""The rooms of the code: who imports whom, and where the names of platforms are known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from slipway.infra.home import ROOT
from slipway.infra.platforms.table import PLATFORMS

# By the first column of CONTRIBUTING's table: what its code may import of ours.
TABLE = dict(
    re.findall(r"^\| `([\w/.]+)` \| [^|]+ \| ([^|]*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
)
ALL = "anything"
# Who else may name a platform, and why.
NAMES_ALLOWED = {
    "slipway/simulator/__main__.py": "provider packages: which have a stand-in of their own",
    "slipway/simulator/provider.py": "provider packages: objects in a cluster, and what is told of each",
}


def sources(room: str) -> list[Path]:
    place = ROOT / room
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [file for file in found if "examples" not in file.parts and "site" not in file.parts]


def room_of(path: str) -> str:
    """The room of a file or module path below the root: the longest name in the table that it begins with."""
    return max((name for name in TABLE if f"{path}/".startswith(name) or path == name), key=len, default="")


def imported(file: Path, now: bool = False) -> Iterator[str]:
    """The modules of ours that a file imports, as paths below the root. `now`: when it is loaded itself, not later."""
    tree = ast.parse(file.read_text())
    nodes = _at_once(tree.body) if now else ast.walk(tree)
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("slipway"):
            continue
        for name in node.names:
            for module in (f"{node.module}.{name.name}", node.module or ""):
                if path := _path(module):
                    yield path
                    break


def _at_once(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _at_once(node.orelse)
        else:
            yield node


def _path(module: str) -> str:
    parts = module.split(".")
    inside = "/".join(parts[1:])
    for stem in (f"slipway/{inside}", inside):
        for file in (f"{stem}.py", f"{stem}/__init__.py"):
            if (ROOT / file).is_file():
                return file
    return ""


@pytest.mark.parametrize("room", TABLE)
def test_a_room_imports_what_the_table_in_contributing_lets_it(room):
    allowed = re.findall(r"`([\w/.]+)`", TABLE[room])
    if ALL in TABLE[room]:
        return
    for file in sources(room):
        own = room_of(file.relative_to(ROOT).as_posix())
        if own != room:  # a room of its own inside of this one
            continue
        for path in imported(file):
            fits = (
                path == "slipway/__init__.py" or room_of(path) == room or any(path.startswith(each) for each in allowed)
            )
            assert fits, f"{file.relative_to(ROOT)} imports {path}"


def test_every_source_file_is_in_a_room_of_the_table():
    for folder in ("infra", "service", "slipway", "policy", "tools", "bench"):
        for file in {*sources(folder)} - {ROOT / "slipway" / "__init__.py"}:
            assert room_of(file.relative_to(ROOT).as_posix()), file
    assert {ALL in TABLE[room] for room in TABLE} == {True, False}


@pytest.mark.parametrize("folder", ["infra", "service", "slipway"])
def test_no_file_waits_for_itself(folder):
    """Whatever a file imports when it is loaded is loaded without it."""
    graph = {file.relative_to(ROOT).as_posix(): set(imported(file, now=True)) for file in sources(folder)}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above, name])
        if name not in done:
            for each in graph.get(name, ()):
                visit(each, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_what_commands_do_knows_no_click():
    for file in [*sources("slipway/ops"), *sources("slipway/pipeline"), *sources("infra"), *sources("service")]:
        assert not re.search(r"^\s*(import|from) click\b", file.read_text(), re.MULTILINE), file


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where code decides by a platform's name: comparisons, cases, and the keys of literals."""
    for node in ast.walk(tree):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        if isinstance(node, ast.MatchValue):
            found = [node.value]
        if isinstance(node, ast.Dict):
            found = [*node.keys]
        for each in found:
            items = each.elts if isinstance(each, (ast.Tuple, ast.List, ast.Set)) else [each]
            for item in items:
                if isinstance(item, ast.Constant) and item.value in PLATFORMS:
                    yield node.lineno if hasattr(node, "lineno") else 0, item.value


def test_only_a_platform_s_own_folder_and_the_table_know_its_name():
    used = set()
    for folder in ("infra", "slipway", "service", "policy"):
        for file in sources(folder):
            place = file.relative_to(ROOT).as_posix()
            own = re.match(r"infra/platforms/(\w+)/", place)
            for line, name in names_in(ast.parse(file.read_text())):
                if place in NAMES_ALLOWED:
                    used.add(place)
                elif not own or own[1] != name:
                    pytest.fail(f"{place}:{line} decides by the name {name!r}: put the difference into its row")
    assert used == NAMES_ALLOWED.keys(), "an exception that nobody needs any more"


def test_a_decision_by_a_name_is_seen():
    code = "match p:\n    case 'aws': ...\na = p in ('gcp', 'local')\nb = {'docker': 1}\nc = 'kubernetes' == p\n"
    assert [name for _, name in sorted(names_in(ast.parse(code)))] == ["aws", "gcp", "local", "docker", "kubernetes"]
