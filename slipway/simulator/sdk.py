"""What the installed Python SDKs say of their own types, so that a new SDK version needs no edits here."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import sys
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import _types

DEPRECATED = re.compile(r'pulumi\.log\.warn\("""(\w+) is deprecated: (.*?)"""', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One input: its resolved type, and what the SDK says of it."""

    hint: Any
    required: bool
    deprecated: str = ""


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource of an SDK: `arguments` and `outputs` by their names on the wire."""

    arguments: Mapping[str, Argument]
    outputs: frozenset[str]
    deprecated: str = ""


@functools.cache
def resource_type(token: str) -> ResourceType | None:
    """The type that `aws:ec2/vpc:Vpc` or `pulumi:providers:aws` names; None where the SDK has none."""
    with warnings.catch_warnings():
        # The SDKs warn of their own deprecated modules when they load them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _resource_type(token)


def _resource_type(token: str) -> ResourceType | None:
    if token.startswith("pulumi:providers:"):
        cls = importlib.import_module(f"pulumi_{token.split(':')[2]}").Provider
    else:
        place = _registry(token.split(":")[0]).get(token)
        if place is None:
            return None
        module, name = place
        cls = getattr(importlib.import_module(module), name)
    source = sys.modules[cls.__module__]
    (args,) = [name for name in source.__all__ if name.endswith("Args")]
    return ResourceType(
        arguments=arguments_of(getattr(source, args)),
        outputs=frozenset(_types.resource_types(cls)),
        deprecated=dict(DEPRECATED.findall(_code(cls._internal_init))).get(cls.__name__, ""),
    )


def provider_type(package: str) -> ResourceType:
    """The provider of a package itself."""
    found = resource_type(f"pulumi:providers:{package}")
    assert found, f"pulumi_{package} has no provider"
    return found


@functools.cache
def arguments_of(cls: Any) -> Mapping[str, Argument]:
    """The arguments of an `*Args` class, by their names on the wire."""
    names = _types.input_type_py_to_pulumi_names(cls)
    init = vars(cls)["__init__"]
    signature, deprecated = inspect.signature(init).parameters, dict(DEPRECATED.findall(_code(init)))
    hints = _types.input_type_types(cls)
    return {
        wire: Argument(
            hint=hints[wire],
            required=signature[python].default is inspect.Parameter.empty,
            deprecated=deprecated.get(python, ""),
        )
        for python, wire in names.items()
    }


@functools.cache
def function_arguments(token: str) -> frozenset[str] | None:
    """The argument names of a function such as `aws:ec2/getVpc:getVpc`; None where the SDK has none."""
    package, place, name = token.split(":")
    folder = place.rpartition("/")[0].replace("/", ".").removeprefix("index")
    python = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    module = importlib.import_module(f"pulumi_{package}{'.' if folder else ''}{folder}")
    function = getattr(module, python, None)
    return frozenset(re.findall(r"__args__\['(\w+)'\]", _code(function))) if function else None


@functools.cache
def _registry(package: str) -> dict[str, tuple[str, str]]:
    """{token: (module, class)}, as the SDK registers it for the engine in its `__init__.py`."""
    init = Path(importlib.import_module(f"pulumi_{package}").__file__ or "")
    for node in ast.walk(ast.parse(init.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "register":
            (text,) = (each.value for each in node.keywords if each.arg == "resource_modules")
            modules = json.loads(ast.literal_eval(text))
            return {token: (module["fqn"], name) for module in modules for token, name in module["classes"].items()}
    raise LookupError(f"pulumi_{package} registers no resources")


def _code(function: Any) -> str:
    return textwrap.dedent(inspect.getsource(function))
