"""What is wrong with a stack is told by name, with why."""

import json
import os
import socket
import sys
import threading
from datetime import UTC, datetime

import pytest
import yaml
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.answers import Answers
from slipway.infra.platforms.quota import Quota
from slipway.infra.platforms.table import row_of

import slipway.ops.diagnose
from slipway.ops.diagnose import (
    certificate_problem,
    cloud_quota_problems,
    cluster_problems,
    other_problems,
    pod_problems,
    quota_problems,
    recent,
    state_problems,
)
from slipway.ops.pr_stacks import TEMPLATE
from slipway.simulator.throwaway import Throwaway, written


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


def test_a_pod_that_never_came_is_told_by_what_should_have_made_it():
    about = {"type": "Warning", "reason": "FailedCreate", "involvedObject": {"kind": "ReplicaSet", "name": "digits-7"}}
    events = [
        {**about, "message": "first"},
        {**about, "message": "exceeded quota: gpus"},
        {**about, "type": "Normal", "involvedObject": {"kind": "HorizontalPodAutoscaler", "name": "digits"}},
        {**about, "involvedObject": {"kind": "Pod", "name": "digits-1"}},
    ]
    assert list(other_problems(events)) == ["ReplicaSet digits-7: FailedCreate: exceeded quota: gpus"]


def test_a_quota_that_is_used_up_is_told_and_one_with_room_is_not():
    hard = {"requests.nvidia.com/gpu": "2", "limits.memory": "8Gi", "pods": "0", "secrets": "10"}
    used = {"requests.nvidia.com/gpu": "2", "limits.memory": "8191Mi", "pods": "0", "secrets": "1"}
    quota = {"metadata": {"name": "gpus"}, "status": {"hard": hard, "used": used}}
    assert list(quota_problems([quota])) == ["quota gpus: all 2 of requests.nvidia.com/gpu are used: no more pods come"]


def test_an_event_of_another_day_is_not_told_as_todays():
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    written = {
        "old": {"lastTimestamp": "2026-11-28T12:00:00Z"},
        "again": {"lastTimestamp": None, "series": {"lastObservedTime": "2026-11-29T11:59:00.000000Z"}},
        "new": {"eventTime": "2026-11-29T11:30:00.000000Z"},
        "undated": {},
    }
    found = recent([{"reason": name, **times} for name, times in written.items()], now)
    assert [each["reason"] for each in found] == ["undated", "new", "again"]


def test_of_what_the_preflight_finds_a_quota_that_is_too_small_is_told_and_nothing_else(monkeypatch):
    quotas = [Quota(name=name, asked=8, given=given) for name, given in (("G", 4), ("P", 8), ("spot", None))]
    asked = Answers(quotas=quotas, lock="somebody", said={"tools": [(False, "aws is not on PATH")]})
    monkeypatch.setattr(slipway.ops.diagnose, "answers", lambda config, stack: asked)
    config = StackConfig.parse(yaml.safe_load(TEMPLATE.read_text().replace("{number}", "1"))["config"])
    assert list(cloud_quota_problems("dev", config)) == [
        "quota: G: 4 given, 8 may be taken: ask for more, or lower max"
    ]


KUBECTL = """#!{python}
import json, sys
kinds = json.load(open({answers!r}))
asked = sys.argv[sys.argv.index("get") + 1] if "get" in sys.argv else ""
print(json.dumps({{"items": kinds[asked]}}) if asked else "loading the model" + chr(10) + "no space left")
"""


def test_a_cluster_is_asked_for_pods_events_quotas_and_the_last_log_lines(tmp_path, monkeypatch):
    """A double of kubectl answers."""
    unready = {"status": "False", "message": "containers with unready status: [service]"}
    unhealthy = {"type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: 503"}
    kinds = {
        "pods": [pod(Ready=unready)],
        "events": [{**unhealthy, "involvedObject": {"kind": "Pod", "name": "digits-1"}}],
        "resourcequotas": [{"metadata": {"name": "all"}, "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}],
    }
    (tmp_path / "answers.json").write_text(json.dumps(kinds))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.format(python=sys.executable, answers=str(tmp_path / "answers.json")))
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    content = yaml.safe_load(TEMPLATE.read_text().replace("{number}", "1"))["config"]
    config = StackConfig.parse(content)
    kubectl = row_of(config).kubectl
    assert list(cluster_problems("dev", config, kubectl)) == [
        "digits-1: not ready: containers with unready status: [service] (Unhealthy: Readiness probe failed: 503)",
        "quota all: all 1 of pods are used: no more pods come",
        "digits-1 logs: loading the model",
        "digits-1 logs: no space left",
    ]


def test_an_address_without_tls_behind_it_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        assert "does not answer" in certificate_problem(f"https://127.0.0.1:{port}")
        thread.join()


@pytest.mark.engine
def test_what_a_killed_update_left_is_told_until_it_is_recovered(tmp_path, monkeypatch):
    code = "import pulumi_aws as aws\naws.ec2.Vpc('vpc', cidr_block='10.0.0.0/16')\n"
    program = written(tmp_path / "source", code)
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
        assert list(state_problems("other")) == ["the stack is not up: make up STACK=other"]
