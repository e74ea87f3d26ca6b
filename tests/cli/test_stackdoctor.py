"""What is wrong with a stack is told by name, with why."""

import socket
import threading

import pytest

from cli.stackdoctor import certificate_problem, pod_problems, state_problems
from tests.standins.throwaway import Throwaway


def pod(name="digits-1", phase="Running", container=None, **conditions):
    return {
        "metadata": {"name": name},
        "status": {
            "phase": phase,
            "containerStatuses": [container] if container else [],
            "conditions": [{"type": kind, **each} for kind, each in conditions.items()],
        },
    }


READY = {"status": "True"}


@pytest.mark.parametrize(
    ("found", "events", "said"),
    [
        ([pod(PodScheduled=READY, Ready=READY)], [], []),
        (
            [
                pod(
                    phase="Pending",
                    PodScheduled={"status": "False", "message": "0/2 nodes: insufficient nvidia.com/gpu"},
                )
            ],
            [],
            ["digits-1: no node takes it: 0/2 nodes: insufficient nvidia.com/gpu"],
        ),
        (
            [pod(container={"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}})],
            [{"type": "Warning", "reason": "Failed", "message": "403", "involvedObject": {"name": "digits-1"}}],
            ["digits-1: ImagePullBackOff not found (Failed: 403)"],
        ),
        (
            [
                pod(
                    container={
                        "state": {"running": {}},
                        "restartCount": 3,
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    },
                    Ready=READY,
                )
            ],
            [],
            ["digits-1: started 3 times anew, last after OOMKilled (137)"],
        ),
        ([], [], ["no pod carries the label app.kubernetes.io/managed-by=slipway"]),
    ],
)
def test_a_pod_that_does_not_serve_is_told_with_its_reason(found, events, said):
    assert list(pod_problems(found, events)) == said


def test_an_address_without_tls_behind_it_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert "does not answer" in certificate_problem(f"https://127.0.0.1:{port}")
        thread.join()


@pytest.mark.engine
def test_what_a_killed_update_left_is_told_until_it_is_recovered(tmp_path, monkeypatch):
    program = tmp_path / "source"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: network\nruntime: python\n")
    (program / "Pulumi.example.yaml").write_text("config:\n  aws:region: us-east-1\n")
    (program / "__main__.py").write_text("import pulumi_aws as aws\naws.ec2.Vpc('vpc', cidr_block='10.0.0.0/16')\n")
    with Throwaway(tmp_path / "stack", program) as stack:
        stack.start("hang@1")
        update = stack.start_up()
        while not stack.books.all():
            assert update.poll() is None
        update.kill()
        update.wait()
        for name in ("PATH", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_HOME"):
            monkeypatch.setenv(name, stack.environment[name])
        monkeypatch.chdir(stack.program)
        lock, pending = state_problems("example")
        assert lock.startswith("lock of an update that was killed")
        assert pending == "creating Vpc vpc never ended: slipway recover finds out how it went"
