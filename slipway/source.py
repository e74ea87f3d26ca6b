"""What a source file does, as a hash: comments, docstrings and layout do not count. Standard library only."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

# A new number builds every model and image again: for a change that no file shows.
FORMAT = 1
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SILENT = ("ctx", "kind", "type_comment", "type_ignores")


def source_hash(file: Path) -> str:
    """SHA-256 (hex) of a file's bytes; of Python, of its syntax tree. The same for every version of Python that reads
    the file. Raises SyntaxError where Python can't."""
    content = file.read_bytes()
    if file.suffix != ".py":
        return hashlib.sha256(content).hexdigest()
    parts: list[str] = []
    _write(ast.parse(content), parts)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _write(node: ast.AST, parts: list[str]) -> None:
    """The tree as text. `ast.dump` would do, but its text differs between versions; so do fields that are empty."""
    parts.append(type(node).__name__)
    for name in node._fields:
        value: Any = getattr(node, name, None)
        if name == "body" and isinstance(node, _DOCUMENTED) and _is_docstring(value[0] if value else None):
            value = value[1:]
        if value is None or value == [] or name in _SILENT:
            continue
        parts.append(name)
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, ast.AST):
                _write(each, parts)
            else:
                parts.append(repr(each))
    parts.append(".")


def _is_docstring(first: ast.stmt | None) -> bool:
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
