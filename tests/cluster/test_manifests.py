"""The manifests of every example stack before the API server at its strictest, kube-score and promtool."""

import asyncio
import copy
import json
import subprocess

import httpx
import pytest
import yaml
from slipway.infra.monitoring.panels import panels
from slipway.infra.monitoring.rules import rules
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from slipway.simulator.kube.api import ApiError
from tests.callers import HEADERS, access
from tests.cluster.build import commands
from tests.cluster.crds import definitions, installed, warned
from tests.cluster.debian import watching
from tests.service.conftest import EXAMPLES, make_artifact
from tests.workload.examples import STACKS, manifests

# What kube-score finds and is as it should be.
ACCEPTED = {
    "container-image-pull-policy": "images are named by digest: a registry that is away stops no restart",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread them, as a wish and not as a condition",
    "deployment-replicas": "one pod is what these services ask for: scale.min",
    "deployment-targeted-by-hpa-does-not-have-replicas-configured": "what it starts with; its changes are ignored",
}


@pytest.fixture(scope="module")
def cluster(api):
    """With the custom resources' definitions, and the namespace of the example stacks; both go afterwards."""
    space = next(each for each in manifests("small") if each["kind"] == "Namespace")
    with installed(api, definitions(), [space]) as api:
        yield api


def objects(stack):
    return [each for each in manifests(stack) if each["kind"] != "Namespace"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_server_takes_every_object_strictly_and_without_a_warning(stack, cluster):
    assert warned(cluster, objects(stack)) == {}


def test_the_server_trips_over_the_bad_twin(cluster):
    (good,) = [each for each in objects("public") if each["kind"] == "Deployment"]
    bad = copy.deepcopy(good)
    bad["spec"]["template"]["spec"]["hostNetwork"] = True
    assert any("would violate PodSecurity" in each for each in cluster.strict(bad))
    for kind, place in (("Deployment", "spec"), ("HTTPRoute", "spec"), ("PodMonitor", "spec")):
        (found,) = [each for each in objects("public") if each["kind"] == kind]
        bad = copy.deepcopy(found)
        bad[place]["misspelt"] = True
        with pytest.raises(ApiError, match="misspelt"):
            cluster.strict(bad)


def scored(found, tmp_path):
    """What kube-score calls critical or warns of: {check: objects}."""
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(found))
    command = [commands("kube-score") / "kube-score", "score", "--output-format", "json"]
    command += ["--ignore-container-cpu-limit", "--kubernetes-version", "v1.35", file]  # as checkov's CKV_K8S_11
    report = json.loads(subprocess.run([*map(str, command)], capture_output=True, text=True).stdout)
    problems = {}
    for each in report:
        for check in each["checks"]:
            if check["grade"] and check["grade"] < 10 and not check["skipped"]:
                problems.setdefault(check["check"]["id"], []).append(each["object_name"])
    return problems


@pytest.mark.parametrize("stack", STACKS)
def test_kube_score_finds_nothing_but_what_is_accepted(stack, tmp_path):
    problems = scored(manifests(stack), tmp_path)
    assert {check: names for check, names in problems.items() if check not in ACCEPTED} == {}


def test_kube_score_trips_over_the_bad_twin(tmp_path):
    bad = copy.deepcopy(manifests("two"))
    for each in bad:
        if each["kind"] == "Deployment":
            pod = each["spec"]["template"]["spec"]
            del pod["securityContext"], pod["containers"][0]["resources"], pod["containers"][0]["readinessProbe"]
            pod["containers"][0] |= {"image": "digits:latest", "securityContext": {"privileged": True}}
    bad = [each for each in bad if each["kind"] not in ("NetworkPolicy", "PodDisruptionBudget")]
    assert scored(bad, tmp_path).keys() >= {
        "container-resources", "container-image-tag", "container-security-context-privileged", "pod-networkpolicy",
        "pod-probes", "deployment-has-poddisruptionbudget",
    }  # fmt: skip


RATE = (
    "bentoml_service_request_total"
    "{namespace='space',service_name='a',slipway_endpoint='/predict',http_response_code='%s'}"
)
CASES = {
    "SlipwayFailing": [(RATE % 200, "0+600x60"), (RATE % 500, "0+60x60")],
    "SlipwaySaturated": [(RATE % 200, "0+600x60"), (RATE % 429, "0+60x60")],
    "SlipwayDrift": [("slipway_input_drifted{namespace='space',service_name='a'}", "2x60")],
    "SlipwayAccessStale": [("slipway_access_rules_age_seconds{namespace='space',service_name='a'}", "0+60x60")],
    "SlipwayIssuerKeysStale": [("slipway_issuer_keys_age_seconds{namespace='space',service_name='a'}", "0+60x60")],
    "SlipwayGpuFull": [
        ("slipway_gpu_memory_used_bytes{namespace='space',service_name='a',gpu='0'}", "97x60"),
        ("slipway_gpu_memory_bytes{namespace='space',service_name='a',gpu='0'}", "100x60"),
    ],
    "": [(RATE % 200, "0+600x60"), ("slipway_input_drifted{namespace='space',service_name='a'}", "0x60")],
}


def test_the_rules_are_ones_that_prometheus_takes_and_raise_their_alerts(tmp_path):
    tool = watching() / "usr" / "bin" / "promtool"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules("space")))
    command = [tool, "check", "rules", "--lint=all", tmp_path / "rules.yaml"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    alerts = [rule["alert"] for group in rules("space")["groups"] for rule in group["rules"] if "alert" in rule]
    tests = []
    for raised, series in CASES.items():
        tests.append(
            {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series],
             "promql_expr_test": [
                 {"expr": f"count(ALERTS{{alertname='{name}',alertstate='firing'}}) or vector(0)", "eval_time": "50m",
                  "exp_samples": [{"labels": "{}", "value": float(name == raised)}]}
                 for name in alerts
             ]}
        )  # fmt: skip
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    tested = subprocess.run([tool, "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr


# What a service tells of only where something is wrong, or a GPU is there.
RARE = """
bentoml_service_request_total{slipway_endpoint="/predict",http_response_code="500",service_name="classifier"} 1
bentoml_service_request_total{slipway_endpoint="/predict",http_response_code="429",service_name="classifier"} 1
slipway_input_drift_psi{feature="0",input="features",service_name="classifier"} 0.1
slipway_issuer_keys_age_seconds{service_name="classifier"} 100
slipway_gpu_busy_ratio{gpu="0",service_name="classifier"} 0.5
slipway_gpu_memory_used_bytes{gpu="0",service_name="classifier"} 1
slipway_gpu_memory_bytes{gpu="0",service_name="classifier"} 2
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a service that was asked tells Prometheus, as series that grow."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "access.json").write_text(access())
    (folder / "access.json").chmod(0o600)
    model = load_model(make_artifact(folder / "artifact", "classifier"))
    app = App(model, Settings(access=str(folder / "access.json")))

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=HEADERS) as client:
            answer = await client.post("/predict", json={"inputs": EXAMPLES["classifier"]})
            truth = {"token": answer.headers["x-prediction-token"], "label": "low"}
            assert (await client.post("/feedback", json=truth)).status_code == 200

    asyncio.run(ask())
    lines = [line for line in (app.metrics.text().decode() + RARE).splitlines() if line and line[0] != "#"]
    assert len(lines) > 100
    series = [line.rpartition(" ")[0].replace("{", '{namespace="space",', 1) for line in lines]
    return [{"series": each, "values": "1+1x60"} for each in series]


def drawn(asked, told, folder):
    """What promtool says of queries that must all draw something; empty where they do."""
    tests = [
        {"expr": f"count({each}) > bool 0", "eval_time": "50m", "exp_samples": [{"labels": "{}", "value": 1}]}
        for each in asked
    ]
    file = folder / "drawn.yaml"
    file.write_text(yaml.safe_dump({"tests": [{"interval": "1m", "input_series": told, "promql_expr_test": tests}]}))
    done = subprocess.run(
        [watching() / "usr" / "bin" / "promtool", "test", "rules", file], capture_output=True, text=True
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def queries():
    return [query for panel in panels('namespace="space",service_name=~".+"', "5m") for query in panel.queries]


def test_every_query_of_the_dashboard_draws_what_the_service_tells(told, tmp_path):
    assert len(queries()) >= 12
    assert drawn(queries(), told, tmp_path) == ""


@pytest.mark.parametrize(("good", "bad"), [("service_name=~", "service=~"), ("workers", "worker"), (")", "")])
def test_a_query_that_draws_nothing_trips(good, bad, told, tmp_path):
    (query,) = [each for each in queries() if "slipway_workers" in each]
    assert drawn([query.replace(good, bad)], told, tmp_path) != ""
