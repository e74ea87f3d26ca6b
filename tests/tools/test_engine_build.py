"""Building from source: what is refused before any work, and what a build that does not end well leaves."""

import os
import signal
import subprocess
import sys
import time

import engine
import engine_cache
import pytest
from engine_doubles import TOOLS, double

GO_ENV = 'if [ "$1" = env ]; then echo {version}; echo {toolchain}; exit; fi\n'


def go(machine, script, version="go1.99.0", toolchain="local"):
    """A double of Go that answers `go env` and runs `script` for anything else."""
    return double(machine / "path", "go", GO_ENV.format(version=version, toolchain=toolchain) + script)


def run(machine):
    return engine.main(["--bin", str(machine / "bin"), "--project", str(machine)])


def leftovers(slipway_home):
    return [path.name for path in (slipway_home / "engine").iterdir() if path.name != ".lock"]


WORKING = f"""
if [ "$1" = list ]; then echo "{{sdk}}"; exit; fi
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho v{engine_cache.VERSION}\\n' > "$2"; chmod +x "$2"
"""


def test_a_build_fills_the_cache_and_the_folder(machine, slipway_home):
    sdk = machine / "sdk"
    double(sdk / "python/cmd", "pulumi-language-python-exec", "exit 0").chmod(0o444)
    double(sdk / "python/dist", "pulumi-resource-pulumi-python", "exit 0").chmod(0o444)
    go(machine, WORKING.format(sdk=sdk))
    assert run(machine) == 0
    assert leftovers(slipway_home) == [engine_cache.VERSION]
    assert all(os.access(machine / "bin" / name, os.X_OK) for name in engine_cache.NAMES)


def test_with_neither_pulumi_nor_go_the_message_names_both_ways_out(machine, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(machine / "path"))
    assert run(machine) == 1
    error = capsys.readouterr().err
    assert "https://www.pulumi.com/docs/install/" in error
    assert "https://go.dev/dl/" in error
    assert not (machine / "bin").exists()


@pytest.mark.parametrize(("version", "toolchain"), [("go1.24.4", "local"), ("go1.19", "auto")])
def test_a_go_that_can_not_build_it_is_refused_with_the_version_wanted(machine, capsys, version, toolchain):
    go(machine, "exit 9", version, toolchain)
    assert run(machine) == 1
    error = capsys.readouterr().err
    assert version in error
    assert "Go 1.25" in error


def test_an_older_go_that_fetches_its_successor_may_build(machine, capsys):
    go(machine, "echo reached >&2; exit 9", "go1.24.4", "auto")
    assert run(machine) == 1
    assert "reached" in capsys.readouterr().err


def test_a_failed_build_shows_the_last_lines_of_go_and_leaves_nothing(machine, slipway_home, capsys):
    go(machine, 'for i in $(seq 50); do echo "line $i" >&2; done; echo "dial tcp: no route" >&2; exit 1')
    assert run(machine) == 1
    error = capsys.readouterr().err
    assert "dial tcp: no route" in error
    assert "GOPROXY" in error
    assert "line 1\n" not in error
    assert leftovers(slipway_home) == []
    assert not (machine / "bin").exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_half_made(machine, slipway_home, sign):
    go(machine, f"echo $$ > {machine}/pid; touch {machine}/building; exec sleep 60")
    process = subprocess.Popen(
        [sys.executable, TOOLS / "engine.py", "--bin", machine / "bin"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not (machine / "building").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sign)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"nothing was left half-made" in error
    assert leftovers(slipway_home) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((machine / "pid").read_text()), 0)


def test_what_a_killed_build_left_is_cleared_by_the_next(machine, slipway_home):
    (slipway_home / "engine/.staging-old").mkdir(parents=True)
    go(machine, "exit 1")
    assert run(machine) == 1
    assert leftovers(slipway_home) == []


def test_a_second_run_waits_for_the_first(machine, slipway_home, capsys):
    go(machine, "exit 1")
    program = [sys.executable, TOOLS / "engine.py", "--bin", machine / "bin"]
    with engine_cache.locked():
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert "waiting" in process.stdout.readline()
        assert process.poll() is None
    process.communicate(timeout=60)
    assert process.returncode == 1
