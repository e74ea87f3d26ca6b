"""Our own program on the cluster, by `platform: kubernetes`: one stack's life with two services, in this order."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from slipway.infra.home import ROOT

from slipway.simulator.kube.api import ApiError, Ref
from tests.cluster import build
from tests.cluster.conftest import labelled
from tests.cluster.load import Load, post
from tests.cluster.served import KEY, Served, address, ask, predict
from tests.waiting import until

SPACE = "served"
LABEL = "slipway-stack=slipway-example"
X = [1, 2, 3, 4]
ROLLOUT = {"drainSeconds": 5, "deadlineSeconds": 25}


@pytest.fixture(scope="module")
def stack(api, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack") / SPACE
    folder.mkdir()
    services = {"steep": {"scale": {"min": 2}, "rollout": ROLLOUT}, "flat": {"rollout": ROLLOUT}}
    with Served(folder, services) as stack:
        stack.train("steep", 2.0)
        stack.train("flat", 0.5)
        yield stack
        stack.destroy(fails=None)


def pods(api, service):
    found = api.list("v1", "Pod", SPACE, labelSelector=f"app.kubernetes.io/name={service}")
    return {each["metadata"]["name"]: each for each in found if not each["metadata"].get("deletionTimestamp")}


def load(api, service, rate=40, tries=1):
    body = json.dumps({"inputs": {"x": X}})
    return Load(3000, rate, address(api, SPACE, service), post("/predict", KEY, body), tries)


def test_up_from_nothing_to_pods_that_answer(stack, api):
    assert "created" in stack.up()
    assert predict(api, SPACE, "steep", X) == pytest.approx(20)
    assert predict(api, SPACE, "flat", X) == pytest.approx(5)
    assert stack.outputs()["steep"]["url"] == f"http://steep.{SPACE}.svc:3000"


def test_up_again_changes_nothing(stack, api):
    before = pods(api, "steep").keys() | pods(api, "flat").keys()
    stack.up("--expect-no-changes")
    stack.up("--expect-no-changes")
    assert pods(api, "steep").keys() | pods(api, "flat").keys() == before


def test_the_doctor_finds_the_pods_where_they_are_and_nothing_wrong_with_them(stack):
    stack.environment["PATH"] = f"{build.commands('kubernetes')}{os.pathsep}{stack.environment['PATH']}"
    assert stack.slipway("doctor", "--stack", stack.stack, fails=True).count("it asks for a key") == 2
    stack.environment["SLIPWAY_KEY"] = KEY
    said = stack.slipway("doctor", "--stack", stack.stack)
    assert said.count("nothing looks wrong") == 2, said
    for wrong in ("no pod carries the label", "the cluster does not answer", "kubectl is not on PATH", "not ready"):
        assert wrong not in said, said
    # It looks where the last update has put them, whatever the file says since.
    stack.settings["namespace"], right = "elsewhere", stack.settings["namespace"]
    stack.write()
    assert stack.slipway("doctor", "--stack", stack.stack).count("nothing looks wrong") == 2
    stack.settings["namespace"] = right
    stack.write()


def test_another_clone_changes_nothing_and_builds_nothing(stack, tmp_path):
    folder = tmp_path / SPACE
    folder.mkdir()
    other = Served(folder, {name: dict(each) for name, each in stack.services.items()})
    for name in stack.services:
        model = f"models/{name}/model.py"
        (other.program / model).write_text((stack.program / model).read_text())
    file = f"Pulumi.{stack.stack}.yaml"
    (other.program / file).write_text((stack.program / file).read_text())
    other.environment |= {key: stack.environment[key] for key in ("PULUMI_BACKEND_URL", "PULUMI_DEBUG_PROVIDERS")}
    said = other.up("--expect-no-changes")
    assert "training" not in said


def test_who_has_no_key_is_refused_and_metrics_are_on_a_port_of_their_own(stack, api):
    where = address(api, SPACE, "steep")
    assert ask(f"http://{where}:3000/predict", '{"inputs": {"x": [1, 2, 3, 4]}}', key="")[0] == 401
    assert ask(f"http://{where}:3000/metrics", key="")[0] == 401
    (pod, *_) = pods(api, "steep").values()
    status, text = ask(f"http://{pod['status']['podIP']}:9000/metrics", key="")
    assert status == 200
    assert 'service_name="steep"' in text


def test_the_pod_is_closed_in(stack, api):
    (pod, *_) = pods(api, "steep").values()
    assert pod["metadata"]["labels"]["slipway-stack"] == "slipway-example"
    assert api.get(Ref("v1", "Namespace", "", SPACE))["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )
    assert not any(each["name"].startswith("kube-api-access") for each in pod["spec"]["volumes"])


def test_a_pod_that_is_less_closed_in_is_refused(stack, api):
    """The twin that is bad on purpose: the namespace's rules and the server's strictness bite."""
    deployment = api.get(Ref("apps/v1", "Deployment", SPACE, "steep"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad", "namespace": SPACE},
           "spec": deployment["spec"]["template"]["spec"]}  # fmt: skip
    for section, key, value in (
        ("pod", "runAsNonRoot", False),
        ("container", "allowPrivilegeEscalation", True),
        ("container", "capabilities", {}),
        ("pod", "seccompProfile", {"type": "Unconfined"}),
    ):
        bad = json.loads(json.dumps(pod))
        spec = bad["spec"]["securityContext"] if section == "pod" else bad["spec"]["containers"][0]["securityContext"]
        spec[key] = value
        with pytest.raises(ApiError, match="violates PodSecurity"):
            api.apply(bad, "test", dry=True)
    api.apply(pod, "test", dry=True)


def test_two_services_roll_apart(stack, api):
    untouched = pods(api, "flat").keys()
    stack.train("steep", 3.0)
    assert "~ 2 to update" in (said := stack.preview()), said
    stack.up()
    assert predict(api, SPACE, "steep", X) == pytest.approx(30)
    assert predict(api, SPACE, "flat", X) == pytest.approx(5)
    assert pods(api, "flat").keys() == untouched


def test_a_rolling_update_under_load_loses_nothing(stack, api):
    with load(api, "steep") as loading:
        stack.train("steep", 4.0)
        stack.up()
        time.sleep(3)
    print(f"\none rollout: {loading.result}")
    assert loading.result["sent"] > 200
    assert not loading.result["failed"], loading.result


def test_a_pod_that_is_deleted_under_load_loses_nothing(stack, api):
    with load(api, "steep") as loading:
        time.sleep(1)
        api.delete(Ref("v1", "Pod", SPACE, next(iter(pods(api, "steep")))), "Background")
        time.sleep(12)
    print(f"\na pod deleted: {loading.result}")
    assert not loading.result["failed"], loading.result


def damaged(content):
    return content[:100] + b"\0" * 10 + content[110:]


def test_a_version_that_cant_start_is_refused_by_reason_and_the_old_pods_serve(stack, api):
    good = stack.services["steep"]["image"]
    before = pods(api, "steep").keys()
    path = Path(json.loads(stack.slipway("model", "describe", "models/steep", "--json"))["path"])
    corrupt = {"artifact/model.onnx": damaged((path / "model.onnx").read_bytes())}
    crash = {"service/http/app.py": b"raise RuntimeError('the new version is broken')\n"}
    with load(api, "steep") as loading:
        for broken, reason in (
            (corrupt, "model.onnx is damaged"),
            (crash, "the new version is broken"),
            (None, "Pull"),
        ):
            if broken:
                stack.train("steep", 4.0, broken)
            else:
                stack.set("steep", image=good.partition("@")[0] + "@sha256:" + "0" * 64)
            started = time.monotonic()
            said = stack.up(fails=True)
            print(f"\n{reason}: up failed after {time.monotonic() - started:.0f} s")
            assert reason in said, said
            assert "steep-" in said  # the pod's name
            assert before <= pods(api, "steep").keys()
    print(f"\nthree bad versions: {loading.result}")
    assert not loading.result["failed"], loading.result
    assert predict(api, SPACE, "steep", X) == pytest.approx(40)
    stack.set("steep", image=good)
    stack.up()
    stack.up("--expect-no-changes")


def test_a_new_key_is_taken_without_a_restart(stack, api):
    before, key = pods(api, "flat").keys(), "n" * 5 + KEY[5:]
    stack.pulumi("config", "set", "--secret", "--path", "slipway:apiKeys.fresh", key)
    said = stack.up()
    assert "~ 2 updated" in said, said  # the Secrets of two services
    url = f"http://{address(api, SPACE, 'flat')}:3000/predict"
    started = time.monotonic()
    until(lambda: ask(url, '{"inputs": {"x": [1, 2, 3, 4]}}', key)[0] == 200, 150)
    print(f"\nthe new key was taken after {time.monotonic() - started:.0f} s")
    assert pods(api, "flat").keys() == before
    assert all(
        status["restartCount"] == 0
        for pod in pods(api, "flat").values()
        for status in pod["status"]["containerStatuses"]
    )


def test_a_drain_takes_one_pod_at_a_time(stack, api):
    def evict(name):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": SPACE}}
        api.create(f"/api/v1/namespaces/{SPACE}/pods/{name}/eviction", eviction)

    first, second = pods(api, "steep")
    evict(first)
    with pytest.raises(ApiError, match="disruption budget"):
        evict(second)
    until(lambda: len(pods(api, "steep")) == 2 and all(map(is_ready, pods(api, "steep").values())), 60)


def is_ready(pod):
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_the_autoscaler_adds_pods_under_load_and_takes_them_away_after(stack, api):
    # A refresh in between reads the number that the autoscaler has set: it stays its own.
    stack.set("flat", scale={"min": 1, "max": 3, "target": 60, "downSeconds": 5})
    stack.up()
    started = time.monotonic()
    with load(api, "flat", rate=150) as loading:
        until(lambda: len(pods(api, "flat")) == 3 and all(map(is_ready, pods(api, "flat").values())), 120)
        print(f"\nthree pods after {time.monotonic() - started:.0f} s")
        stack.up("--expect-no-changes")
        assert len(pods(api, "flat")) == 3
    started = time.monotonic()
    until(lambda: len(pods(api, "flat")) == 1, 240)
    print(f"one pod {time.monotonic() - started:.0f} s after the load; {loading.result}")
    stack.up("--expect-no-changes")
    assert not loading.result["failed"], loading.result


def test_a_stack_that_was_taken_down_left_nothing_and_the_sweep_says_so(stack, api):
    stack.identity = stack.slipway("stack", "identity", "--stack", stack.stack).strip()
    stack.destroy()
    assert labelled(api, LABEL) == []
    assert api.get(Ref("v1", "Namespace", "", SPACE)) is None
    said = stack.slipway("stack", "sweep", "--stack", stack.stack)
    print(f"\n{said}")
    assert f"label {LABEL}: none found" in said


def test_the_sweep_removes_what_was_left_and_fails_where_it_cant(stack, api):
    ours = {"slipway-stack": "slipway-example"}
    kinds = {
        "left-over": {**ours, "slipway-identity": stack.identity},
        "before": ours,
        "others": {"slipway-stack": "slipway-other"},
    }
    for name, labels in kinds.items():
        about = {"name": name, "namespace": "default", "labels": labels}
        api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about}, "test")
    sweep = ["stack", "sweep", "--stack", stack.stack]
    said = stack.slipway(*sweep, fails=True)  # the state is gone: whose they are is not known
    assert "ConfigMap default/before" in said and "ConfigMap default/left-over" in said
    said = stack.slipway(*sweep, "--identity", stack.identity)
    print(f"\n{said}")
    assert "removed ConfigMap default/left-over" in said and "left alone: ConfigMap default/before" in said
    left = [name for name in kinds if api.get(Ref("v1", "ConfigMap", "default", name))]
    assert left == ["before", "others"]
    for name in left:
        api.delete(Ref("v1", "ConfigMap", "default", name))
    stack.environment["KUBECONFIG"] = os.devnull
    assert "can't be looked at" in stack.slipway(*sweep, fails=True)


def test_no_secret_is_in_the_state_or_the_logs(stack):
    texts = [each.read_text(errors="replace") for each in (stack.folder / "state").rglob("*") if each.is_file()]
    assert texts
    assert not any(KEY in each for each in texts)
    # The engine notes the lines that declared a resource by their paths; what is declared holds none.
    declared = re.sub(r'"sourcePosition":"[^"]*"', "", "".join(texts))
    assert str(ROOT) not in declared
