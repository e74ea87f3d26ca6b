"""Makes a folder of an image what it stays: settle.py FOLDER [BASE], inside of the build. Standard library only.

What no process reads goes, byte code is compiled, packages get a bill of materials, and time stamps and modes are the
same for the same content, so that the layer is. BASE is the root of what packages are put on.
"""

import compileall
import json
import os
import re
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

BILL = "sbom.cdx.json"
UNCHECKED = PycInvalidationMode.UNCHECKED_HASH
# Sources of compiled modules, headers, what compilers link, and stubs for type checkers.
UNREAD = (".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx")
# What no request needs: the image serves, explains and runs under `bentoml serve` without it (tests/cluster).
UNUSED = (
    "**/tests",
    "**/__pycache__",
    "**/bin",  # scripts that start with the Python of who fetched them
    ".lock",  # of who fetched them, too
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C: the module for Python has all of it inside
    "onnxruntime/quantization",  # these make models, which happens before there is an image
    "onnxruntime/tools",
    "onnxruntime/transformers",
)


def main() -> int:
    folder = Path(sys.argv[1])
    if wanted := os.environ.get("PYTHON"):
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        if found != wanted:
            print(f"slipway: the base has Python {found}, the packages are for {wanted}: set slipway:image.python")
            return 1
    packages = sorted(distributions(path=[str(folder)]), key=lambda each: each.name.lower())
    if packages:
        bill = _bill(packages, _debian(Path(sys.argv[2])))
        (folder / BILL).write_text(json.dumps(bill, indent=1, sort_keys=True))
    _drop(folder)
    # Packages ship sources for other versions of Python, which do not compile here and are never imported.
    compileall.compile_dir(folder, quiet=2, ddir=str(folder), invalidation_mode=UNCHECKED)
    settle(folder)
    return 0


def settle(folder: Path) -> None:
    """Gives all of a folder the same time stamps and modes for the same content, whoever made it."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (0, 0), follow_symlinks=False)


def _drop(folder: Path) -> None:
    for path in [found for pattern in UNUSED for found in folder.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in a folder that is gone
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in UNREAD:
            path.unlink()


def _bill(packages: list[Any], debian: list[dict[str, str]]) -> dict[str, Any]:
    """CycloneDX 1.5: the Python packages, and the base's Debian packages where it has any."""
    components = [
        {
            "type": "library",
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:pypi/{re.sub('[-_.]+', '-', each.name).lower()}@{each.version}",
        }
        for each in packages
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [*components, *debian]}


def _debian(base: Path) -> list[dict[str, str]]:
    status = base / "var" / "lib" / "dpkg" / "status"
    found = []
    for paragraph in status.read_text(errors="replace").split("\n\n") if status.is_file() else ():
        fields = dict(re.findall(r"^(Package|Version|Architecture|Status): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{name}@{version}?arch={fields['Architecture']}"
            found.append({"type": "library", "name": name, "version": version, "purl": purl})
    return sorted(found, key=lambda each: each["name"])


if __name__ == "__main__":
    sys.exit(main())
