"""What the language host knows of a Python project: interpreter, packages and the providers they need."""

import base64
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import plugin_pb2


def option(info: Any, name: str) -> str:
    """An option of the project's `runtime` setting, or an empty string."""
    return str(dict(info.options).get(name) or "")


def virtualenv(info: Any) -> Path | None:
    """The virtualenv that the project names, or None where it names none."""
    name = option(info, "virtualenv") or (".venv" if option(info, "toolchain") == "uv" else "")
    return Path(info.root_directory, name) if name else None


def interpreter(info: Any) -> str:
    """The Python that runs the program: the named virtualenv's, or else this process's own."""
    venv = virtualenv(info)
    if venv is None:
        return sys.executable
    python = venv / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"{venv} is not a virtualenv (no bin/python): `pulumi install` creates it")
    return str(python)


def environment(python: str, base: Mapping[str, str]) -> dict[str, str]:
    """`base` as a shell has it after activating the virtualenv of `python`."""
    env = {key: value for key, value in base.items() if key != "PYTHONHOME"}
    folder = Path(python).parent
    if (folder.parent / "pyvenv.cfg").exists():
        env["VIRTUAL_ENV"] = str(folder.parent)
        env["PATH"] = f"{folder}{os.pathsep}{env.get('PATH', '')}"
    return env


def install_commands(info: Any) -> Iterator[list[str]]:
    """The commands that create the virtualenv, if it is missing, and install what the project requires."""
    venv, folder = virtualenv(info), Path(info.program_directory)
    python = str(venv / "bin" / "python") if venv else sys.executable
    if not Path(python).exists():
        yield [sys.executable, "-m", "venv", str(venv)]
    if (folder / "requirements.txt").exists():
        yield [*installer(python), "-r", str(folder / "requirements.txt")]
    elif (folder / "pyproject.toml").exists():
        yield [*installer(python), "-e", str(folder)]


def installer(python: str) -> list[str]:
    """How to install into the virtualenv of `python`: with its own pip, or with uv, which adds no pip."""
    venv = Path(python).parent.parent
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv and (venv / "pyvenv.cfg").exists() and not list(venv.glob("lib/python*/site-packages/pip")):
        return [uv, "pip", "install", "--python", python]
    return [python, "-m", "pip", "install"]


def dependencies(info: Any, transitive: bool) -> list[tuple[str, str]]:
    """Names and versions of the installed packages; unless `transitive`, only those no other one requires."""
    found = list(metadata.distributions(path=[str(folder) for folder in site_packages(info)]))
    needed = {plain(requirement) for package in found for requirement in package.requires or ()}
    named = [(package.metadata["Name"], package.version) for package in found]
    return [(name, version) for name, version in named if transitive or plain(name) not in needed]


def plain(requirement: str) -> str:
    """The comparable name at the start of a requirement: `Foo_Bar>=1; x` is `foo-bar`."""
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def providers(info: Any) -> Iterator[Any]:
    """The providers behind the installed SDKs (pulumi_aws, ...): each SDK carries a pulumi-plugin.json."""
    for path in (p for folder in site_packages(info) for p in sorted(folder.glob("*/pulumi-plugin.json"))):
        plugin = json.loads(path.read_text(encoding="utf-8"))
        if not plugin.get("resource"):
            continue
        package = plugin_pb2.PackageDependency(
            kind="resource",
            name=plugin.get("name") or path.parent.name.removeprefix("pulumi_").replace("_", "-"),
            version=plugin.get("version", ""),
            server=plugin.get("server", ""),
        )
        if extra := plugin.get("parameterization"):
            package.parameterization.CopyFrom(
                plugin_pb2.PackageParameterization(
                    name=extra["name"], version=extra["version"], value=base64.b64decode(extra["value"])
                )
            )
        yield package


def site_packages(info: Any) -> list[Path]:
    """Where the program's Python keeps its packages."""
    venv = virtualenv(info)
    if venv is None:
        return [Path(entry) for entry in sys.path if entry]
    return sorted(venv.glob("lib/python*/site-packages"))
