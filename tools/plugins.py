"""Brings the Kubernetes provider plugin where it can't be downloaded: `python3 tools/plugins.py`, or `make plugins`.

An official one that is installed or on PATH is used as it is. Otherwise it is built from its Go module, once for this
machine, into $SLIPWAY_HOME/plugins/kubernetes/<hash of its pins>. Only tests use it: a user's engine downloads the
official one. Needs Go and the system's Python.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

from engine import interrupt
from engine_build import run_go, usable_go
from engine_cache import Problem, engine_home, is_as_made, locked, say, staged

NAME = "pulumi-resource-kubernetes"
MODULE = Path(__file__).parent / "plugins" / "kubernetes"
SOURCE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
INSTALL = "pulumi plugin install resource kubernetes"


def found() -> Path | None:
    """The plugin that exists: an installed one, then one on PATH, then the one built here, if whole. Builds nothing."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    official = home / "plugins" / f"resource-kubernetes-v{version()}" / NAME
    on_path = shutil.which(NAME)
    built = _home() / _key()
    candidates = [official, *([Path(on_path)] if on_path else []), *([built / NAME] if is_as_made(built) else [])]
    return next((each for each in candidates if os.access(each, os.X_OK)), None)


def version() -> str:
    """Of the SDK that the project pins."""
    match = re.search(r"^pulumi-kubernetes==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None
    return match[1]


def build() -> Path:
    """The plugin, built where there is none. 13 minutes of processor time where Go has nothing cached.

    Raises Problem without a Go that can build it.
    """
    go = usable_go("the plugin can't be built", f"run `{INSTALL} v{version()}`", MODULE)
    with locked(_home(), "the Kubernetes plugin"):
        if there := found():
            return there
        say(f"Building {NAME} from source: 10 to 15 minutes on two cores, once for this machine")
        with staged(_home(), _key()) as staging:
            _compile(go, staging)
    return _home() / _key() / NAME


def _compile(go: str, staging: Path) -> None:
    """The module lacks the two files that its release embeds: its schema with a version, and a mapping."""
    module = Path(run_go([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SOURCE], staging, MODULE).strip())
    ours = module / "cmd" / NAME
    scratch = staging / ".scratch"
    scratch.mkdir()
    schema = json.loads((ours / "schema.json").read_text(encoding="utf-8"))
    (scratch / "schema.json").write_text(json.dumps(schema | {"version": version()}), encoding="utf-8")
    files = {"schema.json": scratch / "schema.json", "terraform-mapping.json": ours / "terraform-mapping.json"}
    overlay = {str((MODULE / name).resolve()): str(file) for name, file in files.items()}
    (scratch / "overlay.json").write_text(json.dumps({"Replace": overlay}), encoding="utf-8")
    # The engine warns of a plugin that is older than the SDK.
    flags = ["-trimpath", "-ldflags", f"-s -w -X {SOURCE}/pkg/version.Version={version()}"]
    options = ["-v", "-mod=readonly", "-overlay", str(scratch / "overlay.json"), *flags, "-o", str(staging / NAME)]
    run_go([go, "build", *options, "."], scratch, MODULE, CGO_ENABLED="0")
    shutil.rmtree(scratch)


def _home() -> Path:
    return engine_home().parent / "plugins" / "kubernetes"


def _key() -> str:
    digest = hashlib.sha256(version().encode())
    for file in sorted(MODULE.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    try:
        say(f"The Kubernetes plugin: {found() or build()}")
    except (Problem, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing was left half-made.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
