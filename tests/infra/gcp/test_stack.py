"""The Google Cloud stack under mocks: what is declared, who may read what, what is public, what comes before what."""

import json
import re

import pytest
from slipway.infra.monitoring import rules as watching
from slipway.infra.monitoring.panels import panels
from slipway.infra.platforms.gcp.observability import _plain

from tests.contracts import rules
from tests.infra.gcp.expressions import evaluated
from tests.infra.gcp.reads import ASKS, READS
from tests.infra.gcp.stacks import KEY, VARIANTS

RULES = [rules.unlabelled, rules.overlong, rules.unencrypted, rules.public, rules.untolerated]
# Sealed: a change of what a variant declares is a change of this table.
SEALED = {
    "dev": {"gcp": 48, "kubernetes": 9, "slipway": 12},
    "example": {"gcp": 70, "kubernetes": 28, "slipway": 19},
    "production": {"gcp": 79, "kubernetes": 26, "slipway": 22},
    "autopilot": {"gcp": 48, "kubernetes": 14, "slipway": 12},
    "existing": {"gcp": 45, "kubernetes": 15, "slipway": 11},
}
STATEFUL = {("Bucket", "models"), ("Repository", "images")}


def of(program, package):
    return [each for each in program.declared if each.typ.startswith(f"{package}:")]


def objects(program, kind):
    return {each.name: each.inputs["spec"] for each in program.of_type(kind)}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_declares_what_it_is_sealed_to(name, variant):
    assert {package: len(of(variant(name), package)) for package in SEALED[name]} == SEALED[name]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_variant_keeps(rule, name, variant):
    assert list(rule(variant(name))) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_everything_is_made_by_the_one_provider_with_the_stacks_labels(name, variant):
    program = variant(name)
    (provider,) = program.of_type("pulumi:providers:gcp")
    assert provider.inputs["project"] == "example-project"
    assert json.loads(provider.inputs["defaultLabels"])["slipway-stack"] == "slipway-test"
    for each in of(program, "gcp"):
        assert "::gcp::" in each.provider, f"{each.typ} {each.name} is made by {each.provider}"


@pytest.mark.parametrize("name", VARIANTS)
def test_labels_tell_the_logical_name_where_a_type_has_any(name, variant):
    for each in of(variant(name), "gcp"):
        labels = each.inputs.get("userLabels") or each.inputs.get("resourceLabels") or each.inputs.get("labels")
        assert labels is None or labels["slipway-name"] == each.name
        # The provider's default labels reach neither of these.
        assert each.typ.split(":")[1].split("/")[0] != "monitoring" or labels is None or "slipway-stack" in labels
    for pool in variant(name).of_type("NodePool"):
        assert pool.inputs["nodeConfig"]["resourceLabels"]["slipway-stack"] == "slipway-test"


def test_a_service_reads_its_own_models_and_nothing_else(variant):
    program = variant("example")
    for service in ("digits", "linear"):
        grant = program.inputs_of(service, "ManagedFolderIamMember")
        assert grant["managedFolder"] == f"models/{service}/"
        assert grant["role"] == "roles/storage.objectViewer"
        assert grant["member"] == (
            "principal://iam.googleapis.com/projects/210987654321/locations/global/workloadIdentityPools/"
            f"example-project.svc.id.goog/subject/ns/slipway-test/sa/{service}"
        )
    assert program.of_type("BucketIAMMember") == []
    # The one Google account that is made is the nodes'; pods have none.
    assert [each.name for each in program.of_type("Account")] == ["nodes"]


def test_nodes_may_run_pull_and_evaluate_rules_and_nothing_else(variant):
    roles = {
        each.inputs["role"] for kind in ("IAMMember", "RepositoryIamMember") for each in variant("dev").of_type(kind)
    }
    assert roles == {
        "roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader", "roles/monitoring.viewer",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["example", "dev", "production", "autopilot"])
def test_the_control_plane_is_asked_by_name_and_iam_alone(name, variant):
    (cluster,) = variant(name).of_type("gcp:container/cluster:Cluster")
    assert cluster.inputs["controlPlaneEndpointsConfig"] == {
        "dnsEndpointConfig": {"allowExternalTraffic": True},
        "ipEndpointsConfig": {"enabled": False},
    }
    assert cluster.inputs["privateClusterConfig"]["enablePrivateNodes"] is True
    assert not any(cluster.inputs["rbacBindingConfig"].values())
    assert cluster.inputs["deletionProtection"] is (name == "production")


@pytest.mark.parametrize("name", VARIANTS)
def test_production_alone_protects_and_retains_and_a_key_always_stays(name, variant):
    program, production = variant(name), name == "production"
    for kind, logical in STATEFUL:
        request = program.request(kind, logical)
        assert (request.protect, request.retainOnDelete) == (production, production)
    assert program.inputs_of("models", "Bucket")["forceDestroy"] is not production
    for cluster in program.of_type("gcp:container/cluster:Cluster"):
        request = program.request("Cluster", cluster.name)
        assert (request.protect, request.retainOnDelete) == (production, False)
    for key in program.of_type("CryptoKey") + program.of_type("KeyRing"):
        assert program.request(key.typ.split(":")[-1], key.name).retainOnDelete


@pytest.mark.parametrize("name", VARIANTS)
def test_clean_up_takes_no_image_that_is_deployed_however_old_it_is(name, variant):
    """Each is pushed under a tag, and Google deletes what a policy names, by age and by whether it has a tag."""
    images, cache = (variant(name).inputs_of(each, "Repository") for each in ("images", "cache"))
    assert images["dockerConfig"] == {"immutableTags": True}
    for repository, states in ((images, ["UNTAGGED"]), (cache, ["ANY"])):
        policies = repository["cleanupPolicies"]
        assert [each["condition"]["tagState"] for each in policies] == states
        assert {each["action"] for each in policies} == {"DELETE"} and not repository["cleanupPolicyDryRun"]


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_stack_filled_itself_does_not_keep_a_service_from_being_removed(name, variant):
    folders = variant(name).of_type("ManagedFolder")
    assert folders and all(each.inputs["forceDestroy"] is True for each in folders)


def test_a_key_that_is_there_is_granted_on_and_left_alone(variant):
    program = variant("production")
    assert program.of_type("CryptoKey") == program.of_type("KeyRing") == []
    grants = program.of_type("CryptoKeyIAMMember")
    assert {each.inputs["cryptoKeyId"] for each in grants} == {KEY}
    assert len({each.inputs["member"] for each in grants}) == len(grants) == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_googles_agents_are_granted_once_their_apis_are_on_and_used_once_the_grants_are_known(name, variant):
    program = variant(name)
    for each in program.of_type("CryptoKeyIAMMember"):
        waits = program.waits_for("CryptoKeyIAMMember", each.name)
        assert {f"Service {api}" for api in ("compute", "storage", "container", "artifactregistry")} <= waits, each.name
        for user in ("Bucket models", "Repository images"):
            assert f"CryptoKeyIAMMember {each.name}" in program.waits_for(*user.split())
            assert "GrantsSettled key-grants" in program.waits_for(*user.split())


def test_gpu_pools_start_from_nothing_and_are_taken_in_their_order(variant):
    program = variant("production")
    pools = {each.name: each.inputs for each in program.of_type("NodePool")}
    spot, steady = pools["spot-nodes"], pools["steady-nodes"]
    assert spot["autoscaling"] == {"totalMinNodeCount": 0, "totalMaxNodeCount": 3, "locationPolicy": "ANY"}
    assert spot["nodeConfig"]["spot"] is True and steady["nodeConfig"]["spot"] is False
    (gpu,) = steady["nodeConfig"]["guestAccelerators"]
    assert (gpu["type"], gpu["count"]) == ("nvidia-l4", 1)
    assert gpu["gpuDriverInstallationConfig"] == {"gpuDriverVersion": "LATEST"}
    assert gpu["gpuSharingConfig"] == {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 4}
    assert "guestAccelerators" not in pools["cpu-nodes"]["nodeConfig"]
    gpu_taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    assert "taints" not in pools["cpu-nodes"]["nodeConfig"]
    assert all(gpu_taint in pools[name]["nodeConfig"]["taints"] for name in ("spot-nodes", "steady-nodes"))
    # By zone, to begin with; the autoscaler's afterwards.
    assert [pools[f"{name}-nodes"]["initialNodeCount"] for name in ("cpu", "spot", "steady")] == [1, 0, 1]
    assert "initialNodeCount" in program.request("NodePool", "cpu-nodes").ignoreChanges
    assert "NodePool cpu-nodes" in program.waits_for("NodePool", "spot-nodes")
    pods = [each.inputs["spec"]["template"]["spec"] for each in program.of_type("Deployment") if "digits" in each.name]
    wished = [
        each["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        for each in pods
        if "affinity" in each
    ]
    values = [[term["preference"]["matchExpressions"][0]["values"][0] for term in each] for each in wished]
    assert ["spot", "steady"] in values
    for pod in pods:
        assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_the_pools_grow_in_their_order_and_pods_ask_for_it(variant):
    program = variant("production")
    pools = {each.name: each.inputs for each in program.of_type("NodePool")}
    (order,) = program.of_type("ComputeClass")
    named = [pools[f"{name}-nodes"]["name"] for name in ("spot", "steady")]
    assert [each["nodepools"] for each in order.inputs["spec"]["priorities"]] == [[each] for each in named]
    (called, value) = ("cloud.google.com/compute-class", order.inputs["metadata"]["name"])
    for name in ("spot-nodes", "steady-nodes"):
        assert pools[name]["nodeConfig"]["labels"][called] == value
        assert {"key": called, "value": value, "effect": "NO_SCHEDULE"} in pools[name]["nodeConfig"]["taints"]
    for each in program.of_type("Deployment"):
        if each.name.startswith("digits"):
            pod = each.inputs["spec"]["template"]["spec"]
            assert pod["nodeSelector"][called] == value
            assert called in [one["key"] for one in pod["tolerations"]]
    assert variant("dev").of_type("ComputeClass") == []


def test_what_a_pool_can_not_change_is_in_its_name_and_what_it_can_is_not():
    from slipway.infra.platforms.gcp.nodepools import _physical

    spot, steady = _physical("l4", {"spot": True}), _physical("l4", {"spot": False})
    assert spot != steady and spot.startswith("l4-") and len(spot) == 9
    assert _physical("cpu", {}) == "cpu"


def test_autopilot_is_asked_for_gpus_by_name_and_has_no_pools(variant):
    program = variant("autopilot")
    assert program.of_type("NodePool") == []
    (pod,) = [each.inputs["spec"]["template"]["spec"] for each in program.of_type("Deployment")]
    text = json.dumps(pod)
    assert "cloud.google.com/gke-accelerator" in text and "cloud.google.com/gke-spot" in text


def test_the_edge_speaks_tls_and_leads_api_paths_alone_to_pods(variant):
    program = variant("example")
    assert program.inputs_of("edge", "SSLPolicy")["minTlsVersion"] == "TLS_1_2"
    gateway = objects(program, "Gateway")["edge"]
    assert {each["protocol"]: each["port"] for each in gateway["listeners"]} == {"HTTPS": 443, "HTTP": 80}
    routes = objects(program, "HTTPRoute")
    (redirect,) = routes["edge.redirect"]["rules"][0]["filters"]
    assert redirect["requestRedirect"] == {"scheme": "https", "statusCode": 301}
    for service in ("digits", "linear"):
        assert routes[service]["hostnames"] == [f"{service}.ml.example.org"]
        assert routes[service]["parentRefs"][0]["sectionName"] == "https"
        paths = [each["path"]["value"] for rule in routes[service]["rules"] for each in rule["matches"]]
        assert paths == ["/predict", "/explain", "/feedback", "/v2"]
    assert program.inputs_of("edge", "CertificateMapEntry")["hostname"] == "*.ml.example.org"
    assert {each.name for each in program.of_type("RecordSet")} == {"certificate", "digits", "linear"}


def test_a_service_is_probed_and_guarded_before_it_is_led_to(variant):
    program = variant("example")
    waits = program.waits_for("HTTPRoute", "digits")
    assert {"HealthCheckPolicy digits", "GCPBackendPolicy digits", "Gateway edge", "Deployment digits"} <= waits
    probe = objects(program, "HealthCheckPolicy")["digits"]["default"]["config"]["httpHealthCheck"]
    assert probe == {"portSpecification": "USE_FIXED_PORT", "port": 3000, "requestPath": "/readyz"}
    policy = objects(program, "GCPBackendPolicy")["digits"]
    assert policy["default"]["securityPolicy"] == program.inputs_of("firewall", "SecurityPolicy")["name"]
    assert policy["targetRef"] == {"group": "", "kind": "Service", "name": "digits"}


def test_pods_are_counted_by_the_load_balancers_requests_where_a_service_says_so(variant):
    program = variant("example")
    policies = objects(program, "GCPBackendPolicy")
    assert policies["linear"]["default"]["maxRatePerEndpoint"] == 500
    assert "maxRatePerEndpoint" not in policies["digits"]["default"]
    (metric,) = objects(program, "HorizontalPodAutoscaler")["linear"]["metrics"]
    assert metric["object"]["describedObject"] == {"apiVersion": "v1", "kind": "Service", "name": "linear"}
    assert metric["object"]["metric"]["name"] == "autoscaling.googleapis.com|gclb-capacity-fullness"
    assert metric["object"]["target"] == {"type": "AverageValue", "averageValue": "70"}


def test_the_load_balancer_goes_before_what_it_is_made_of_and_what_reaches_the_cluster(variant):
    waits = variant("example").waits_for("Gateway", "edge")
    assert {"GlobalAddress edge", "CertificateMapEntry edge", "Cluster cluster", "Namespace space"} <= waits
    assert {"GCPGatewayPolicy tls", "SSLPolicy edge", "SecurityPolicy firewall"} <= waits


def test_named_networks_are_the_only_ones_and_the_rate_is_theirs(variant):
    rules_ = variant("production").inputs_of("firewall", "SecurityPolicy")["rules"]
    by_priority = {int(each["priority"]): each for each in rules_}
    assert by_priority[2147483647]["action"] == "deny(403)"
    assert by_priority[1000]["match"]["config"]["srcIpRanges"] == ["198.51.100.0/24", "2001:db8::/48"]
    assert by_priority[1000]["action"] == "throttle"
    assert by_priority[1000]["rateLimitOptions"]["rateLimitThreshold"] == {"count": 1000, "intervalSec": 60}
    assert "cve-canary" in by_priority[1]["match"]["expr"]["expression"]


def test_more_networks_than_a_rule_takes_are_more_rules_of_their_own_priority():
    from slipway.infra.platforms.gcp.firewall import Firewall, FirewallArgs

    wall = Firewall.__new__(Firewall)
    wall._args = FirewallArgs(name="a", project="p", rate=None, allow=[f"10.{i}.0.0/16" for i in range(23)])
    rules_ = [each for each in wall._rules() if each.get("description") == "callers"]
    assert [len(each["match"]["config"]["src_ip_ranges"]) for each in rules_] == [10, 10, 3]
    assert len({each["priority"] for each in rules_}) == 3


def test_an_internal_edge_has_no_public_address_and_takes_tls_by_its_own_certificate(variant):
    program = variant("autopilot")
    assert (
        program.of_type("GlobalAddress")
        == program.of_type("SecurityPolicy")
        == program.of_type("UptimeCheckConfig")
        == []
    )
    assert program.inputs_of("edge", "Address")["addressType"] == "INTERNAL"
    gateway = objects(program, "Gateway")["edge"]
    assert gateway["gatewayClassName"] == "gke-l7-rilb"
    (listener,) = gateway["listeners"]
    assert listener["tls"]["options"]["networking.gke.io/cert-manager-certs"] == "slipway-test"
    assert program.inputs_of("edge", "RegionSslPolicy")["minTlsVersion"] == "TLS_1_2"


@pytest.mark.parametrize("name", VARIANTS)
def test_pods_end_no_sooner_than_endpoint_groups_have_let_go_of_them(name, variant):
    pods = [each["template"]["spec"] for each in objects(variant(name), "Deployment").values()]
    assert pods and min(each["terminationGracePeriodSeconds"] for each in pods) >= 60


def test_the_network_is_looked_through_after_the_cluster_and_before_it_goes(variant):
    assert "NetworkLeftovers leftovers" in variant("example").waits_for("Cluster", "cluster")
    assert "Network vpc" in variant("example").waits_for("NetworkLeftovers", "leftovers")
    assert variant("autopilot").of_type("NetworkLeftovers") == []  # in a network that is another's


def test_pods_take_requests_from_the_load_balancer_and_their_own_namespace_alone(variant):
    for name, edge in (("example", []), ("autopilot", ["10.9.0.0/23"])):
        policies = objects(variant(name), "NetworkPolicy")
        asked = policies["digits"]["ingress"][0]["from"]
        assert [each["ipBlock"]["cidr"] for each in asked[:-1]] == [*edge, "35.191.0.0/16", "130.211.0.0/22"]
        assert asked[-1] == {"podSelector": {}}
        assert [each["ports"][0]["port"] for each in policies["digits"]["egress"]][:1] == [53]


def test_services_believe_googles_proxies_and_its_address_and_nobody_else(variant):
    (secret,) = [each for each in variant("example").of_type("Secret") if each.name == "digits"]
    rules_ = json.loads(secret.inputs["stringData"]["value"]["access.json"])
    *ranges, own = rules_["trustedProxies"]
    assert ranges == ["35.191.0.0/16", "130.211.0.0/22"]
    assert own.startswith("203.0.113.") and own.endswith("/32")


def test_alerts_are_told_to_the_named_addresses_and_the_budget_too(variant):
    program = variant("example")
    policies = {each.name: each.inputs for each in program.of_type("AlertPolicy")}
    assert set(policies) == {"failing", "slow", "saturated", "drift", "accuracy-lost", "gpu-full", "access-stale",
                           "issuer-keys-stale", "unhealthy-digits",
                           "unhealthy-linear", "unreachable-digits", "unreachable-linear"}  # fmt: skip
    assert all(len(each["notificationChannels"]) == 1 for each in policies.values())
    condition = policies["slow"]["conditions"][0]["conditionPrometheusQueryLanguage"]
    assert "> 0.5 and" in condition["query"] and condition["duration"] == "600s"
    assert policies["failing"]["severity"] == "CRITICAL" and policies["drift"]["severity"] == "WARNING"
    budget = program.inputs_of("budget", "gcp:billing/budget:Budget")
    assert budget["budgetFilter"]["projects"] == ["projects/210987654321"]
    assert len(budget["allUpdatesRule"]["monitoringNotificationChannels"]) == 1
    (provider,) = program.of_type("pulumi:providers:gcp")
    assert provider.inputs["billingProject"] == "example-project"


def test_the_dashboard_draws_every_platform_s_panels_of_this_cluster_and_namespace(variant):
    dashboard = json.loads(variant("production").inputs_of("services", "Dashboard")["dashboardJson"])
    tiles = [each["widget"] for each in dashboard["mosaicLayout"]["tiles"]]
    drawn = {each["title"]: [one["timeSeriesQuery"]["prometheusQuery"] for one in each["xyChart"]["dataSets"]]
             for each in tiles}  # fmt: skip
    assert list(drawn) == [each.title for each in panels("", "")]
    for query in (query for queries in drawn.values() for query in queries):
        assert re.search(r'cluster="[^"{$]+",namespace="', query) and "$" not in query
    # As the alert has it: a refusal is quick, and a probe is no prediction.
    slow = next(rule["expr"] for rule in watching.alerts(watching.rules("slipway")) if "Slow" in rule["alert"])
    for matchers in re.findall(r'slipway_endpoint=~"[^"]+",http_response_code=~"[^"]+"', slow):
        assert all(matchers in query for query in drawn["Time to answer"])
    edges = [(each["xPos"], each["yPos"]) for each in dashboard["mosaicLayout"]["tiles"]]
    assert len(set(edges)) == len(edges) and max(x for x, _ in edges) < 12


@pytest.mark.parametrize("name", VARIANTS)
def test_every_alert_asks_about_this_cluster_and_namespace_and_for_nothing_that_is_recorded(name, variant):
    shared = {_plain(rule["alert"]) for rule in watching.alerts(watching.rules("slipway"))}
    policies = {each.name: each.inputs for each in variant(name).of_type("AlertPolicy")}
    assert shared <= policies.keys()
    for called, policy in policies.items():
        query = policy["conditions"][0]["conditionPrometheusQueryLanguage"]["query"]
        if not called.startswith("unreachable"):
            assert query.count('cluster="') == query.count('namespace="') > 0, called
        assert "slipway:" not in query and "(-" not in query
    # Managed Prometheus has an Alertmanager that tells nobody.
    (ruled,) = objects(variant(name), "Rules").values()
    assert ruled["groups"] and all("record" in rule for group in ruled["groups"] for rule in group["rules"])


def test_a_service_is_counted_by_the_exact_names_of_its_deployments(variant):
    policies = {each.name: str(each.inputs["conditions"]) for each in variant("production").of_type("AlertPolicy")}
    assert 'deployment=~"digits|digits-base"' in policies["unhealthy-digits"]
    assert 'deployment=~"linear"' in policies["unhealthy-linear"]


def test_pods_are_scraped_by_googles_collectors_alone(variant):
    program = variant("example")
    (scraped,) = objects(program, "PodMonitoring").values()
    assert scraped["endpoints"][0]["port"] == "metrics"
    allowed = [
        each for each in objects(program, "NetworkPolicy")["digits"]["ingress"] if each["ports"][0]["port"] == 9000
    ]
    spaces = [one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in allowed[0]["from"]]
    assert spaces == ["gmp-system", "gke-gmp-system"]


def test_a_list_of_callers_leaves_no_check_from_outside_that_it_would_refuse(variant):
    assert variant("production").of_type("UptimeCheckConfig") == []


def test_previews_read_and_only_jobs_of_the_environment_deploy(variant):
    program = variant("production")
    by_member = {}
    for each in program.of_type("IAMMember"):
        by_member.setdefault(each.inputs["member"], set()).add(each.inputs["role"])
    within = "/subject/repo:example/models:environment:"
    (preview,), (deploy,) = (
        [member for member in by_member if member.endswith(f"{within}{name}")] for name in ("preview", "production")
    )
    assert by_member[preview] == {"projects/example-project/roles/slipway_test_preview"}
    assert not any("principalSet" in member for member in by_member)
    (binding,) = program.of_type("ClusterRoleBinding")
    (subject,) = binding.inputs["subjects"]
    assert (subject["kind"], subject["name"]) == ("User", preview)
    assert not by_member[deploy] & {"roles/owner", "roles/editor"}


def test_a_job_is_its_environment_in_the_repository_of_that_number_and_no_other_repository_gets_in(variant):
    """The expressions as Google evaluates them, in CEL."""
    (trust,) = variant("production").of_type("WorkloadIdentityPoolProvider")
    ours = {"sub": "repo:example/models:environment:preview", "repository": "example/models", "environment": "preview",
            "repository_id": "123456789"}  # fmt: skip
    numbered = {**ours, "sub": "repo:example@77/models@123456789:environment:preview"}
    renamed = {**ours, "repository": "example/renamed", "sub": "repo:example/renamed:environment:preview"}
    taken = {**ours, "repository_id": "987654321"}
    without = {key: value for key, value in ours.items() if key != "environment"}
    subject = "repo:example/models:environment:preview"
    for token, becomes in ((ours, subject), (numbered, subject), (renamed, subject), (taken, None), (without, None)):
        assert subject_of(trust.inputs, token) == becomes


def subject_of(trust, token):
    """What Google takes a token's bearer for; None where it is refused."""
    asked = [trust["attributeCondition"], trust["attributeMapping"]["google.subject"]]
    allowed, subject = evaluated(asked, {"assertion": token})
    return subject if allowed is True else None


def test_nobody_reads_every_bucket_of_the_project(variant):
    for name in VARIANTS:
        roles = {each.inputs["role"] for each in variant(name).of_type("IAMMember")
                 if not each.name.startswith("deploy-")}  # fmt: skip
        assert not [each for each in roles if each.startswith("roles/storage.")]


def test_a_preview_reads_settings_and_states_and_neither_data_nor_billing(variant):
    program = variant("production")
    held = program.inputs_of("preview", "IAMCustomRole")["permissions"]
    assert all(re.search(r"\.(get|list|getIamPolicy|connect)$", each) for each in held)
    assert not [each for each in held if re.search("objects|billing|logging|secret|versions|credentials|docker", each)]
    (role,) = program.of_type("ClusterRole")
    rules_ = role.inputs["rules"]
    assert not any({"secrets", "pods/log", "pods/exec", "*"} & {*each["resources"]} for each in rules_)
    assert all(set(each["verbs"]) == {"get", "list", "watch"} for each in rules_)
    seen = {(group, kind) for each in rules_ for group in each["apiGroups"] for kind in each["resources"]}
    for each in of(program, "kubernetes"):
        group, _, kind = each.typ.split(":")[1].rpartition("/")[0], "", each.typ.split(":")[2].lower()
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
        plural = {"ruleses": "rules", "gatewaies": "gateways"}.get(plural, plural)
        if kind != "secret":
            assert (group.removeprefix("core"), plural) in seen, (group, plural)


def test_a_preview_may_read_each_resource_of_every_variant_and_not_a_thing_more(variant):
    declared = {each.typ.removeprefix("gcp:") for name in VARIANTS for each in of(variant(name), "gcp")}
    assert declared - READS.keys() == {"billing/budget:Budget"}
    needed = {right for kind in declared & READS.keys() for right in READS[kind]} | {*ASKS}
    assert {*variant("production").inputs_of("preview", "IAMCustomRole")["permissions"]} == needed


def test_no_output_holds_credentials_and_the_kubeconfig_asks_the_plugin(variant):
    (provider,) = variant("example").of_type("pulumi:providers:kubernetes")
    config = json.loads(provider.inputs["kubeconfig"])
    assert config["users"][0]["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert config["clusters"][0]["cluster"]["server"].endswith(".gke.goog")
    assert (
        provider.inputs["clusterIdentifier"] == "projects/example-project/locations/europe-west4/clusters/slipway-test"
    )
