"""The language host over its own wire: what a program is told, how its end is reported, when it must end."""

import json
import os
import subprocess
import sys
import time

import grpc
import host_project
import pytest
from engine_doubles import TOOLS, double
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

# In the place of the SDK's script that runs a program: writes down what it was given, then does as told.
EXEC_SCRIPT = """
import json, os, pathlib, sys, time
given = {"argv": sys.argv[1:], "config": os.environ["PULUMI_CONFIG"], "pid": os.getpid(),
         "secrets": os.environ["PULUMI_CONFIG_SECRET_KEYS"]}
target = pathlib.Path(sys.argv[-1])
target.with_suffix(".part").write_text(json.dumps(given))
target.with_suffix(".part").rename(target)
if sys.argv[-2] == "wait":
    time.sleep(60)
sys.exit(int(sys.argv[-2]))
"""


@pytest.fixture
def host(tmp_path):
    """A running language host: its process and a stub that calls it."""
    script = tmp_path / "exec"
    script.write_text(EXEC_SCRIPT)
    command = [sys.executable, TOOLS / "engine/language_host.py", script, "127.0.0.1:1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
        yield process, language_pb2_grpc.LanguageRuntimeStub(channel)
    process.terminate()
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def request(tmp_path, outcome, **options):
    info = language_pb2.ProgramInfo(root_directory="/project", program_directory="/project/app", entry_point=".")
    info.options.update(options)
    return language_pb2.RunRequest(
        project="p",
        stack="s",
        organization="o",
        pwd="/",
        parallel=4,
        dryRun=True,
        monitor_address="m:1",
        config={"p:size": "3"},
        configSecretKeys=["p:key"],
        args=[outcome, str(tmp_path / "given")],
        info=info,
    )


def given(tmp_path):
    deadline = time.monotonic() + 60
    while not (tmp_path / "given").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return json.loads((tmp_path / "given").read_text())


def gone(pid):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_program_is_told_its_stack_and_its_config(host, tmp_path):
    assert host[1].Run(request(tmp_path, "0")) == language_pb2.RunResponse()
    told = given(tmp_path)
    flags = dict(zip(told["argv"][0:18:2], told["argv"][1:18:2], strict=True))
    assert flags == {
        "--monitor": "m:1",
        "--engine": "127.0.0.1:1",
        "--project": "p",
        "--stack": "s",
        "--pwd": "/",
        "--dry_run": "true",
        "--parallel": "4",
        "--organization": "o",
        "--root_directory": "/project",
    }
    assert told["argv"][18] == "/project/app"
    assert json.loads(told["config"]) == {"p:size": "3"}
    assert json.loads(told["secrets"]) == ["p:key"]


def test_the_end_of_a_program_is_reported(host, tmp_path):
    assert host[1].Run(request(tmp_path, "32")).bail
    assert host[1].Run(request(tmp_path, "7")).error == "the program exited with code 7"
    missing = host[1].Run(request(tmp_path, "0", virtualenv="nowhere"))
    assert "/project/nowhere is not a virtualenv" in missing.error


def test_a_program_ends_with_its_call(host, tmp_path):
    call = host[1].Run.future(request(tmp_path, "wait"))
    pid = given(tmp_path)["pid"]
    call.cancel()
    assert gone(pid)


def test_a_program_ends_with_the_host(host, tmp_path):
    call = host[1].Run.future(request(tmp_path, "wait"))
    pid = given(tmp_path)["pid"]
    host[0].terminate()
    assert host[0].wait(timeout=60) == 0
    assert gone(pid)
    call.cancel()


def test_the_providers_are_those_of_the_installed_sdks(tmp_path):
    site = tmp_path / ".venv/lib/python3.11/site-packages"
    for name, plugin in {
        "pulumi_aws": {"resource": True, "version": "7.1.0"},
        "other": {"resource": False},
    }.items():
        (site / name).mkdir(parents=True)
        (site / name / "pulumi-plugin.json").write_text(json.dumps(plugin))
    info = language_pb2.ProgramInfo(root_directory=str(tmp_path))
    info.options["virtualenv"] = ".venv"
    assert [(p.kind, p.name, p.version) for p in host_project.providers(info)] == [("resource", "aws", "7.1.0")]


def test_installing_creates_the_virtualenv_first_and_then_uses_it(tmp_path):
    (tmp_path / "requirements.txt").write_text("")
    info = language_pb2.ProgramInfo(root_directory=str(tmp_path), program_directory=str(tmp_path))
    info.options["virtualenv"] = ".venv"
    create, install = host_project.install_commands(info)
    assert create[1:] == ["-m", "venv", str(tmp_path / ".venv")]
    assert install[0] == str(tmp_path / ".venv/bin/python")
    double(tmp_path / ".venv/bin", "python", "exit 0")
    assert len(list(host_project.install_commands(info))) == 1
