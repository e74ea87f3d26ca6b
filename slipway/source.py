"""What a source file does, as a hash: comments, docstrings and layout do not count. Standard library only."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

# A new number builds every model and image again: for a change that no file shows.
FORMAT = 1
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_hash(file: Path) -> str:
    """SHA-256 (hex) of a file's bytes; of Python, of its syntax tree. The same for every version of Python that reads
    the file. Raises SyntaxError where Python can't."""
    content = file.read_bytes()
    if file.suffix != ".py":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha256("\n".join(_parts(ast.parse(content))).encode()).hexdigest()


def _parts(node: ast.AST) -> Iterator[str]:
    """The tree as text. `ast.dump` would do, but its text differs between versions; so do fields that are empty."""
    yield type(node).__name__
    documented = isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    for name, value in ast.iter_fields(node):
        each = value[1:] if documented and name == "body" else value
        if each is None or each == [] or name in ("kind", "type_comment", "type_ignores"):
            continue
        yield name
        for item in each if isinstance(each, list) else [each]:
            if isinstance(item, ast.AST):
                yield from _parts(item)
            else:
                yield repr(item)
    yield "."
