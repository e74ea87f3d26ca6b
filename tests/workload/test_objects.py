"""The objects of a service under mocks: what each promises."""

import json
import re

import pytest
from slipway.infra.monitoring.panels import panels
from slipway.infra.monitoring.rules import rules
from slipway.infra.runtime import ONNX
from slipway.infra.workload.cluster import Placement
from slipway.infra.workload.names import stack_label
from slipway.infra.workload.placement import ARCH, scheduling
from slipway.infra.workload.pod import memory, start_budget

from tests.recorder import run_program
from tests.workload.examples import GPU, JWT, MODEL, STACKS, manifests, manifests_of, one, program

EVERY = pytest.mark.parametrize("stack", STACKS)


def deployments(stack):
    return [each for each in manifests(stack) if each["kind"] == "Deployment"]


def pod_of(deployment):
    return deployment["spec"]["template"]["spec"]


def container_of(deployment):
    (container,) = pod_of(deployment)["containers"]
    return container


def environment_of(deployment):
    return {each["name"]: each["value"] for each in container_of(deployment)["env"]}


def test_a_small_service_is_these_objects_and_no_more():
    assert program("small").counts() == {
        "Space": 1, "Workload": 1, "kubernetes": 1, "RandomSecret": 1, "ModelArtifact": 1, "Namespace": 1,
        "StackIdentity": 1, "NetworkPolicy": 2, "ServiceAccount": 1, "Secret": 1, "Deployment": 1, "Service": 1,
    }  # fmt: skip


@EVERY
def test_every_object_has_a_name_a_place_and_the_stacks_labels(stack):
    for each in manifests(stack):
        about = each["metadata"]
        assert about["labels"]["slipway-stack"] == "slipway-test"
        assert about["labels"]["slipway-name"] and about["labels"]["app.kubernetes.io/managed-by"] == "slipway"
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", about["name"])
        assert each["kind"] == "Namespace" or about["namespace"] == "slipway-test"


@pytest.mark.parametrize(
    ("project", "stack", "label"),
    [("slipway", "dev", "slipway-dev"), ("slipway", "a.b_c", "slipway-a.b_c"), ("slipway", "x_", "slipway-x")],
)
def test_a_stacks_label_is_one_that_kubernetes_takes(project, stack, label):
    assert stack_label(project, stack) == label


def test_a_long_stack_name_is_cut_and_stays_its_own():
    long = [stack_label("slipway", "x" * 90 + end) for end in ("a", "b")]
    assert all(len(each) <= 63 for each in long) and long[0] != long[1]


def test_the_provider_is_kept_whatever_the_kubeconfig_says():
    (provider,) = program("small").of_type("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"]
    assert "kubeconfig" not in provider.inputs


@EVERY
def test_keys_are_a_file_that_the_service_takes_and_nothing_restarts_for_them(stack):
    for each in deployments(stack):
        pod = pod_of(each)
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "access"]
        assert volume["secret"]["defaultMode"] == 0o440 and pod["securityContext"]["fsGroup"]
        assert not any("subPath" in mount for mount in container_of(each)["volumeMounts"])  # those are never renewed
        assert pod["enableServiceLinks"] is False
        assert "annotations" not in each["spec"]["template"]["metadata"]


@EVERY
def test_a_pod_outlives_its_drain_and_its_last_requests(stack):
    for each in deployments(stack):
        pod, told = pod_of(each), environment_of(each)
        sleep = container_of(each)["lifecycle"]["preStop"]["sleep"]["seconds"]
        rest = float(told["SLIPWAY_DRAIN_SECONDS"]) + float(told["SLIPWAY_SHUTDOWN_SECONDS"])
        assert pod["terminationGracePeriodSeconds"] > sleep + rest
        assert float(told["SLIPWAY_KEEP_ALIVE_SECONDS"]) > 600


@EVERY
def test_the_selector_has_no_version_in_it_and_finds_the_pods(stack):
    for each in deployments(stack):
        select = each["spec"]["selector"]["matchLabels"]
        assert select.items() <= each["spec"]["template"]["metadata"]["labels"].items()
        assert select.keys() == {"app.kubernetes.io/name", "slipway-stack", "slipway-part"}


@pytest.mark.parametrize(("seconds", "budget"), [(None, 60), (0.5, 60), (6, 60), (6.1, 90), (45, 450)])
def test_the_start_budget_follows_the_measured_start(seconds, budget):
    assert start_budget(seconds) == budget
    assert start_budget(seconds, "nvidia") == max(300, budget)


@pytest.mark.parametrize(("measured", "given"), [(None, "512Mi"), (5e7, "512Mi"), (1e9, "4Gi")])
def test_memory_follows_what_was_measured(measured, given):
    assert memory(measured) == given


def test_a_gpu_pod_has_the_memory_and_the_time_that_cuda_takes_before_any_model():
    container = container_of(one("gpu", "Deployment", "digits"))
    assert container["resources"]["requests"]["memory"] == memory(5e7, "nvidia") == "4Gi"
    assert container["startupProbe"]["failureThreshold"] == 300
    assert memory(2e9, "nvidia") == "9728Mi"


def test_a_fixed_number_of_pods_has_no_autoscaler_and_one_pod_no_budget():
    kinds = {each["kind"] for each in manifests("small")}
    assert not kinds & {"HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"}


def test_an_autoscaler_goes_down_slowly_and_a_drain_takes_one():
    spec = one("two", "HorizontalPodAutoscaler", "digits")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    budget = one("two", "PodDisruptionBudget", "digits")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_requests_in_flight_are_counted_by_service_and_sleep_ends_from_outside():
    awake, asleep = (one("inflight", "ScaledObject", name)["spec"] for name in ("digits", "asleep"))
    (trigger,) = awake["triggers"]
    assert 'namespace="slipway-test",service_name="digits"' in trigger["metadata"]["query"]
    assert trigger["metadata"]["threshold"] == "16"
    assert (asleep["minReplicaCount"], asleep["triggers"][1]["metadata"]["query"]) == (0, "sum(rate(edge_total[1m]))")
    assert one("inflight", "Service", "asleep")["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_only_paths_of_the_api_are_routed():
    (rule,) = one("public", "HTTPRoute", "digits")["spec"]["rules"]
    paths = [match["path"]["value"] for match in rule["matches"]]
    assert "/predict" in paths
    assert not {"/", "/metrics", "/openapi.json", "/livez", "/readyz", "/status"} & set(paths)
    assert program("public").outputs["services"]["digits"]["url"] == "https://digits.example.org"


def test_pods_hear_and_reach_only_who_was_named():
    denied = one("public", "NetworkPolicy", "default-deny")["spec"]
    assert denied.keys() == {"podSelector", "policyTypes", "egress"} and denied["podSelector"] == {}
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    # Nothing but DNS and the services of the namespace.
    assert [[port["port"] for port in rule["ports"]] for rule in denied["egress"]] == [[53, 53], [3000]]
    assert denied["egress"][1]["to"] == [{"podSelector": {}}]
    spec = one("public", "NetworkPolicy", "digits")["spec"]
    asked, scraped = spec["ingress"]
    edge = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}
    assert asked["from"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}, edge, {"podSelector": {}}]
    assert scraped["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert [rule["ports"][-1]["port"] for rule in spec["egress"]] == [53, 443, 4318]


def test_gpu_pods_ask_for_one_prefer_spot_and_keep_a_base_off_it():
    base, rest = (one("gpu", "Deployment", name) for name in ("digits-base", "digits"))
    assert (base["spec"]["replicas"], rest["spec"]["replicas"]) == (1, 2)
    for each in (base, rest):
        assert container_of(each)["resources"]["limits"][GPU] == "1"
        assert environment_of(each)["SLIPWAY_PROVIDER"] == "cuda"
    assert pod_of(base)["nodeSelector"] == {"gpu": "l4"}
    assert not any(each["key"] == "spot" for each in pod_of(base)["tolerations"])
    first, second = pod_of(rest)["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert first["weight"] > second["weight"] and "t4" in str(first) and "l4" in str(second)
    scaled = one("gpu", "HorizontalPodAutoscaler", "digits")["spec"]
    assert (scaled["minReplicas"], scaled["maxReplicas"], scaled["scaleTargetRef"]["name"]) == (2, 4, "digits")


def pods_of(services, image=None, **kubernetes):
    """Pod specs by service, with settings of the cluster and of images."""
    ran = run_program(platform="kubernetes", access=JWT, services=services, image=image or {}, kubernetes=kubernetes)
    found = [each for each in manifests_of(ran) if each["kind"] == "Deployment"]
    return {each["metadata"]["name"]: pod_of(each) for each in found}


def test_what_is_brought_to_nodes_is_never_pulled_and_what_is_in_a_registry_is():
    pods = pods_of({"ours": {"model": MODEL["model"]}, "theirs": MODEL}, load="kind load docker-image {image}")
    (ours,), (theirs,) = pods["ours"]["containers"], pods["theirs"]["containers"]
    assert (ours["imagePullPolicy"], theirs["imagePullPolicy"]) == ("Never", "IfNotPresent")


def test_an_image_of_ours_goes_to_nodes_of_its_processor_alone():
    pods = pods_of({"ours": {"model": MODEL["model"]}, "theirs": MODEL}, registry="registry.example/team")
    assert pods["ours"]["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    assert "nodeSelector" not in pods["theirs"]


@pytest.mark.parametrize("placements", [{}, {"placements": {"none": [{"selector": {"pool": "a"}}, {}]}}])
def test_an_image_for_two_processors_goes_to_nodes_of_either_and_of_no_other(placements):
    kubernetes = {"registry": "registry.example/team", **placements}
    (pod,) = pods_of({"ours": {"model": MODEL["model"]}}, image={"arch": "amd64,arm64"}, **kubernetes).values()
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchExpressions": [{"key": ARCH, "operator": "In", "values": ["amd64", "arm64"]}]}
    assert ARCH not in pod.get("nodeSelector", {})


def test_each_kind_of_node_is_asked_for_its_processors_too():
    places = [Placement(selector={"pool": each}) for each in ("a", "b")]
    affinity = scheduling(places, {}, "amd64,arm64")["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [[each["key"] for each in term["matchExpressions"]] for term in terms] == [["pool", ARCH]] * 2
    assert len(affinity["preferredDuringSchedulingIgnoredDuringExecution"]) == 2


def test_a_user_that_the_cluster_assigns_is_none_that_we_name_and_never_root():
    (pod,) = pods_of({"digits": MODEL}, podUser="assigned", pullSecret="regcred").values()
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["imagePullSecrets"] == [{"name": "regcred"}]


def test_a_big_model_is_read_from_a_volume():
    big = one("gpu", "Deployment", "big")
    assert environment_of(big)["SLIPWAY_ARTIFACT"] == "/models/sha256-" + "d" * 64
    (volume,) = [volume for volume in pod_of(big)["volumes"] if volume["name"] == "models"]
    assert volume["persistentVolumeClaim"] == {"claimName": "artifacts", "readOnly": True}


def series():
    """Every series that the service can tell of."""
    code = " ".join(each.read_text() for each in ONNX.serving_code() if each.suffix == ".py")
    names = set(re.findall(r'"((?:slipway|bentoml_service)_[a-z_]+)"', code))
    names |= {f"slipway_feedback_{each}" for each in ("true", "predicted", "right", "count", "error", "square")}
    return names | {f"{name}{end}" for name in names for end in ("_total", "_bucket", "_sum", "_count")}


def expressions():
    drawn = [query for panel in panels('namespace="space"', "5m") for query in panel.queries]
    return drawn + [rule["expr"] for group in rules("space")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions(), ids=lambda text: text[:40])
def test_rules_and_dashboard_ask_for_series_that_the_service_tells(expression):
    asked = set(re.findall(r"\b((?:slipway|bentoml_service)_[a-z_]+)", expression))
    assert asked <= series()
    assert asked or "slipway:" in expression


def test_what_is_scraped_is_found_by_the_stacks_label():
    spec = one("public", "PodMonitor", "slipway-test")["spec"]
    pod = one("public", "Deployment", "digits")["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert spec["podMetricsEndpoints"][0]["port"] in [each["name"] for each in pod["spec"]["containers"][0]["ports"]]
    assert "$NAMESPACE" not in json.dumps(one("public", "PrometheusRule", "slipway-test"))
    assert one("public", "ConfigMap", "slipway-dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"
