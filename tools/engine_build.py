"""The engine built from its Go module, where a Go module proxy answers but Pulumi's own hosts do not."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import IO

from engine_cache import VERSION, Problem, elapsed, progress, say, staged

MODULE = Path(__file__).parent / "engine"
SDK = "github.com/pulumi/pulumi/sdk/v3"
COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# Without the version the engine can't tell its own; without -s -w it is 46 MB larger.
LDFLAGS = f"-s -w -X {SDK}/go/common/version.Version=v{VERSION}"
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
SELF_UPDATING = (1, 21)  # from here on Go fetches the newer toolchain that a module asks for
REPORT_EVERY_S = 15.0
TAIL = 12


def build(no_release: str, installer: str) -> None:
    """Build the engine into the cache; minutes where Go has nothing cached. Call it with the cache locked."""
    go = usable_go(f"no Pulumi command line and no Go on PATH, and {no_release}", f"install Pulumi ({installer})")
    say(f"Building Pulumi {VERSION} from source: 4 to 8 minutes on two cores, once for this machine")
    with staged() as staging:
        flags = ["-v", "-mod=readonly", "-trimpath", "-ldflags", LDFLAGS, "-o", str(staging / "pulumi")]
        run_go([go, "build", *flags, COMMAND], staging)
        sdk = Path(run_go([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK], staging).strip())
        for script in SCRIPTS:
            target = staging / Path(script).name
            shutil.copyfile(sdk / script, target)
            target.chmod(0o755)


def usable_go(without: str, instead: str, module: Path = MODULE) -> str:
    """The Go command, if its version can build the module. `without`: what is wrong where there is none; `instead`:
    what helps as well."""
    wanted = re.search(r"^go ([\d.]+)$", (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert wanted is not None
    fix = f"{instead} or install Go {wanted[1]} or newer (https://go.dev/dl/), then run this again"
    go = shutil.which("go")
    if go is None:
        raise Problem(without, fix)
    # Asked outside the module: inside it Go answers with the toolchain that it would switch to.
    found = subprocess.run(
        [go, "env", "GOVERSION", "GOTOOLCHAIN"], cwd="/", capture_output=True, text=True
    ).stdout.split()
    version = numbers(found[0]) if found else ()
    switches = version >= SELF_UPDATING and len(found) > 1 and not found[1].startswith("local")
    if version < numbers(wanted[1]) and not switches:
        raise Problem(f"{go} is {found[0] if found else 'of unknown version'}, too old to build it", fix)
    return go


def numbers(version: str) -> tuple[int, ...]:
    """`go1.26.8` and `1.26rc1` as something to compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def run_go(command: list[str], scratch: Path, module: Path = MODULE, **settings: str) -> str:
    """Run Go in a module and return what it prints; show how far it is, and why it failed if it did."""
    started = reported = time.monotonic()
    # Go's work folder goes with `scratch`, as Go leaves it behind when it has to be killed.
    env = {**os.environ, "GOWORK": "off", "GOTMPDIR": str(scratch)}
    env = {key: value for key, value in env.items() if key not in ("GOOS", "GOARCH")} | settings
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as output:
        # A group of its own: Go's compilers have to end with it, whoever is interrupted.
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command, cwd=module, stdout=output, stderr=errors, env=env, process_group=0
        )
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if time.monotonic() - reported >= REPORT_EVERY_S:
                    reported = time.monotonic()
                    progress(f"{elapsed(reported - started)}: {stage(errors)}")
        finally:
            end(process)
        if reported != started:
            outcome = "failed" if process.returncode else "done"
            progress(f"{elapsed(time.monotonic() - started)}: {outcome}", last=True)
        if process.returncode:
            errors.seek(0)
            tail = "".join(f"\n    {line.rstrip()}" for line in deque(errors, TAIL))
            full = "no space left" in tail
            reach = "if a host can't be reached, set GOPROXY to a module proxy that can be, then run this again"
            raise Problem(f"`go {command[1]}` failed:{tail}", "free some disk space" if full else reach)
        output.seek(0)
        return output.read()


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop Go and its compilers, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def stage(log: IO[str]) -> str:
    """What Go has said so far, in a few words."""
    # pread: Go writes at the file position that seek and read would move.
    text = os.pread(log.fileno(), 1 << 24, 0).decode(errors="replace")
    fetched = text.count("go: downloading ")
    compiled = text.count("\n") - fetched
    if compiled > 0:
        return f"{compiled} packages compiled"
    return f"{fetched} modules fetched" if fetched else "linking"
