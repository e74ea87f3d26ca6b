"""Puts a working Pulumi engine where this project can call it: `python3 tools/engine.py --bin .slipway/bin`.

An official `pulumi` on PATH is used as it is. Otherwise the official release is fetched where its host
answers, else the same version is built from its Go module. What it fetched or built stays in
$SLIPWAY_HOME/engine/<version> and is linked into --bin. Needs nothing but the system's Python.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import engine_build
import engine_download
from engine_cache import LIST, NAMES, VERSION, Problem, cached, engine_home, locked, platform_name, say

OLDEST = (3, 200, 0)  # older command lines lack calls that the Python SDK makes
OWNED = (*NAMES, "pulumi-language-python", "pulumi-analyzer-policy-python")
INSTALLER = "https://www.pulumi.com/docs/install/"
HOST_SCRIPT = """#!/bin/sh
# Runs the language host on the project's virtualenv, which holds the Pulumi SDK.
python={python}
if [ ! -x "$python" ]; then
    echo "$python is missing: create the project's virtualenv and install its requirements first" >&2
    exit 1
fi
exec "$python" {host} "$(dirname "$0")/pulumi-language-python-exec" "$@"
"""


def version_of(text: str) -> tuple[int, int, int] | None:
    """The version in what `pulumi version` prints: `v3.259.0`, `3.260.0-alpha.1`; or None."""
    match = re.search(r"^v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def ours(command: Path) -> bool:
    """Whether `command` is one that this tool placed, in this checkout or in another."""
    folder = command.resolve().parent
    return folder.is_relative_to(engine_home().resolve()) or folder.parts[-2:] == (".slipway", "bin")


def installed(bin_dir: Path) -> tuple[Path, str] | None:
    """The first official command on PATH with a Python language host, and its version. Refuses an old one."""
    for folder in os.get_exec_path():
        command = Path(folder, "pulumi")
        if not os.access(command, os.X_OK) or command.is_dir() or ours(command):
            continue
        if command.resolve().parent == bin_dir.resolve():
            continue
        beside = command.resolve().parent / "pulumi-language-python"
        if not os.access(beside, os.X_OK) and not host_on_path(bin_dir):
            say(f"{command} has no pulumi-language-python beside it or on PATH: not used")
            continue
        printed = subprocess.run(
            [command, "version"],
            capture_output=True,
            text=True,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        ).stdout.strip()
        version = version_of(printed)
        if version is None or version < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise Problem(
                f"{command} is version {printed or 'unknown'}; {wanted} or newer is needed",
                f"upgrade it ({INSTALLER}) or take it off PATH",
            )
        return command, printed.removeprefix("v")
    return None


def host_on_path(bin_dir: Path) -> bool:
    """Whether an official language host is on PATH, our own set aside."""
    hosts = (Path(folder, "pulumi-language-python") for folder in os.get_exec_path())
    return any(os.access(h, os.X_OK) and not ours(h) and h.parent.resolve() != bin_dir.resolve() for h in hosts)


def obtain() -> Path:
    """The folder in the cache with a complete engine, fetched or built now if it is not there yet."""
    if folder := cached():
        return folder
    platform = platform_name()
    with locked():
        if folder := cached():
            return folder
        why = engine_download.fetch(platform)
        if why is not None:
            say(f"{why}; building the engine from source instead")
            engine_build.build(why, INSTALLER)
    folder = cached()
    assert folder is not None
    return folder


def place(folder: Path, bin_dir: Path, project: Path) -> bool:
    """Make `bin_dir` hold the engine of `folder`, and say whether anything there had to change."""
    bin_dir.mkdir(parents=True, exist_ok=True)
    changed = False
    for source in sorted(each for each in folder.iterdir() if each.name != LIST):
        target = bin_dir / source.name
        if target.exists() and (target.samefile(source) or same_copy(source, target)):
            continue
        # A link to the cache would not do: the engine resolves it and looks for its language host there.
        fresh = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            link_or_copy(source, fresh)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)  # of a copy that failed half-way
        changed = True
    if not (folder / "pulumi-language-python").exists():
        changed |= place_host(bin_dir / "pulumi-language-python", project)
    return changed


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link, or a copy where the cache is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def same_copy(source: Path, target: Path) -> bool:
    """Whether `target` is the copy of `source` that an earlier run made."""
    a, b = source.stat(), target.stat()
    return (a.st_size, int(a.st_mtime)) == (b.st_size, int(b.st_mtime))


def place_host(target: Path, project: Path) -> bool:
    """Write the language host of a source-built engine, running on the virtualenv of `project`."""
    host = Path(__file__).parent.resolve() / "engine/language_host.py"
    text = HOST_SCRIPT.format(python=shlex.quote(f"{project}/.venv/bin/python"), host=shlex.quote(str(host)))
    if target.exists() and not target.is_symlink() and target.read_bytes() == text.encode():
        return False
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(target)
    return True


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put a working Pulumi engine into a folder of this project.")
    parser.add_argument("--bin", type=Path, required=True, help="folder that gets the engine, such as .slipway/bin")
    parser.add_argument(
        "--project",
        type=Path,
        default=Path(__file__).resolve().parents[1],
        help="folder whose .venv runs the language host (default: this project)",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing when there is nothing to do")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        if found := installed(options.bin):
            for name in OWNED:
                (options.bin / name).unlink(missing_ok=True)
            changed, line = False, f"Pulumi {found[1]}: {found[0]}"
        else:
            changed = place(obtain(), options.bin, options.project.absolute())
            line = f"Pulumi {VERSION}: {options.bin / 'pulumi'}"
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The Pulumi engine could not be prepared: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing was left half-made.", file=sys.stderr)
        return 130
    if changed or not options.quiet:
        say(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
