"""The AWS stack under mocks: what is declared, who may read what, what is public, what comes before what."""

import json
import re

import pytest
import yaml
from slipway.infra.monitoring.panels import panels

from slipway.simulator.scenario import Scenario
from tests.contracts import rules
from tests.infra.aws.stacks import VARIANTS
from tests.recorder import Recorder, run_program

RULES = [rules.unlabelled, rules.overlong, rules.unencrypted, rules.public, rules.untolerated]
# Sealed: a change of what a variant declares is a change of this table.
SEALED = {
    "dev": {"aws": 66, "kubernetes": 8, "components": 9},
    "example": {"aws": 106, "kubernetes": 26, "components": 19},
    "production": {"aws": 127, "kubernetes": 15, "components": 16},
    "existing": {"aws": 44, "kubernetes": 9, "components": 9},
}


def of(program, package):
    return [each for each in program.declared if each.typ.startswith(f"{package}:")]


def policy(program, name):
    return json.loads(program.inputs_of(name, "RolePolicy")["policy"])["Statement"]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_declares_what_it_is_sealed_to(name, variant):
    program = variant(name)
    found = {package: len(of(program, package)) for package in ("aws", "kubernetes")}
    assert found | {"components": len(of(program, "slipway"))} == SEALED[name]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_variant_keeps(rule, name, variant):
    assert list(rule(variant(name))) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_everything_is_made_by_the_one_provider_that_is_bound_to_the_account(name, variant):
    program = variant(name)
    (provider,) = program.of_type("pulumi:providers:aws")
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["123456789012"]
    assert json.loads(provider.inputs["defaultTags"])["tags"]["slipway:stack"] == "slipway/test"
    for each in of(program, "aws"):
        assert "::aws::" in each.provider, f"{each.typ} {each.name} is made by {each.provider}"


@pytest.mark.parametrize("name", VARIANTS)
def test_what_recover_finds_by_tag_carries_its_own_name(name, variant):
    for each in of(variant(name), "aws"):
        tags = each.inputs.get("tags")
        assert tags is None or tags["slipway:name"] == each.name


def test_a_service_reads_its_own_models_and_nothing_else(variant):
    program = variant("example")
    for service in ("digits", "linear"):
        read, listed, decrypt = policy(program, service)
        assert read["Action"] == ["s3:GetObject"]
        assert read["Resource"] == [f"arn:aws:s3:::slipway-test-models-123456789012/models/{service}/*"]
        assert listed["Condition"] == {"StringLike": {"s3:prefix": [f"models/{service}/*"]}}
        assert decrypt["Action"] == ["kms:Decrypt"] and decrypt["Resource"] != ["*"]
        trust = json.loads(program.inputs_of(f"{service}", "Role")["assumeRolePolicy"])["Statement"][0]
        assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert trust["Condition"]["StringEquals"] == {
            "aws:RequestTag/eks-cluster-name": "slipway-test",
            "aws:RequestTag/kubernetes-namespace": "slipway-test",
            "aws:RequestTag/kubernetes-service-account": service,
        }


def test_only_the_load_balancer_is_open_and_pods_take_from_it_alone(variant):
    program = variant("example")
    opened = {each.name: each.inputs for each in program.of_type("SecurityGroupIngressRule")}
    public = {name for name, inputs in opened.items() if inputs.get("cidrIpv4") == "0.0.0.0/0"}
    assert public == {"edge-https-0", "edge-http-0"}
    pods = opened["pods-edge"]
    assert pods["fromPort"] == pods["toPort"] == 3000
    assert pods["referencedSecurityGroupId"] != pods["securityGroupId"]
    assert not any(each.inputs["mapPublicIpOnLaunch"] for each in program.of_type("Subnet"))
    (default,) = program.of_type("DefaultSecurityGroup")
    assert default.inputs["ingress"] == default.inputs["egress"] == []


def test_named_networks_are_the_only_ones_at_both_gates(variant):
    program = variant("production")
    names = {each.inputs.get("cidrIpv4") or each.inputs.get("cidrIpv6") for each in
             program.of_type("SecurityGroupIngressRule") if each.name.startswith("edge-")}  # fmt: skip
    assert names == {"198.51.100.0/24", "2001:db8::/48"}
    (acl,) = program.of_type("WebAcl")
    assert acl.inputs["defaultAction"] == {"block": {}}
    assert {each.inputs["ipAddressVersion"] for each in program.of_type("IpSet")} == {"IPV4", "IPV6"}
    limits = [each["statement"].get("rateBasedStatement", {}).get("limit") for each in acl.inputs["rules"]]
    assert 1000 in limits


def test_the_edge_speaks_tls_and_leads_api_paths_alone_to_pods(variant):
    program = variant("example")
    listeners = {each.name: each.inputs for each in program.of_type("Listener")}
    assert listeners["https"]["sslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res")
    assert listeners["https"]["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"
    assert listeners["http"]["defaultActions"][0]["redirect"]["statusCode"] == "HTTP_301"
    rules_ = {each.name: each.inputs for each in program.of_type("ListenerRule")}
    assert len({each["priority"] for each in rules_.values()}) == 2
    host, paths = (condition for condition in rules_["digits"]["conditions"])
    assert host["hostHeader"]["values"] == ["digits.ml.example.org"]
    assert paths["pathPattern"]["values"] == ["/predict", "/explain", "/feedback", "/v2*"]
    # A rule takes five values in all.
    assert sum(len(next(iter(each.values()))["values"]) for each in rules_["digits"]["conditions"]) <= 5


def test_tokens_are_checked_at_the_edge_where_that_is_set(variant):
    (rule,) = variant("production").of_type("ListenerRule")
    first, second = rule.inputs["actions"]
    assert first["type"] == "jwt-validation" and first["order"] < second["order"]
    assert first["jwtValidation"]["jwksEndpoint"] == "https://issuer.example.org/keys"
    assert all(len(each.inputs["actions"]) == 1 for each in variant("example").of_type("ListenerRule"))


def test_a_binding_goes_before_its_controller_target_group_rule_and_way_out(variant):
    waits = variant("production").waits_for("TargetGroupBinding", "digits")
    assert {"TargetGroup digits", "ListenerRule digits", "Release load-balancers", "Deployment digits"} <= waits
    assert {"Route private-us-east-1a", "AccessPolicyAssociation slipway-deploy"} <= waits
    auto = variant("example").waits_for("TargetGroupBinding", "digits")
    assert {"TargetGroup digits", "ListenerRule digits", "Service digits", "Cluster cluster"} <= auto


def test_the_load_balancer_reaches_the_issuer_of_the_tokens_that_it_checks_and_nothing_else(variant):
    out = {each.name: each.inputs for each in variant("production").of_type("SecurityGroupEgressRule")}
    assert out.keys() == {"edge-pods", "edge-issuer"} and out["edge-issuer"]["toPort"] == 443
    assert {each.name for each in variant("example").of_type("SecurityGroupEgressRule")} == {"edge-pods"}


@pytest.mark.parametrize(
    ("name", "label"),
    [("example", "eks.amazonaws.com"), ("production", "elbv2.k8s.aws"), ("existing", "eks.amazonaws.com")],
)
def test_pods_are_ready_only_once_the_load_balancer_takes_them(name, label, variant):
    labels = variant(name).inputs_of("space", "Namespace")["metadata"]["labels"]
    assert labels[f"{label}/pod-readiness-gate-inject"] == "enabled"


def test_what_faces_the_internet_waits_for_the_way_there_and_logs_for_the_leave_to_write(variant):
    for name in ("example", "production"):
        program = variant(name)
        gateways = [each.name for each in program.of_type("NatGateway")]
        for kind, each in [("LoadBalancer", "edge"), *(("NatGateway", gateway) for gateway in gateways)]:
            assert {"InternetGateway gateway", "Route public"} <= program.waits_for(kind, each)
        assert "BucketPolicy logs" in program.waits_for("LoadBalancer", "edge")
        assert "BucketPolicy logs" in program.waits_for("BucketLogging", "models")


def test_nodes_and_addons_have_the_clusters_version(variant):
    """1.36 is the newest that the scenario's EKS offers."""
    program = variant("production")
    assert program.inputs_of("cluster", "Cluster")["version"] == "1.36"
    assert {each.inputs["version"] for each in program.of_type("NodeGroup")} == {"1.36"}
    assert len([each.inputs["addonVersion"] for each in program.of_type("Addon")]) == 6
    assert variant("example").inputs_of("metrics-server", "Addon")["addonVersion"]


def test_the_rules_of_every_platform_alert_by_the_topic(variant):
    program = variant("example")
    groups = yaml.safe_load(program.inputs_of("rules", "RuleGroupNamespace")["data"])["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert {"SlipwayDrift", "SlipwayAccuracyLost", "SlipwaySaturated", "SlipwayGpuFull"} <= alerts
    assert all(
        'namespace="slipway-test"' in rule["expr"] for group in groups for rule in group["rules"] if "record" in rule
    )
    definition = yaml.safe_load(program.inputs_of("alerts", "AlertManagerDefinition")["definition"])
    config = yaml.safe_load(definition["alertmanager_config"])
    (receiver,) = config["receivers"]
    assert receiver["name"] == config["route"]["receiver"]
    topic = program.inputs_of("errors", "MetricAlarm")["alarmActions"][0]
    assert receiver["sns_configs"] == [{"topic_arn": topic, "sigv4": {"region": "us-east-1"}, "send_resolved": True}]
    scrape = yaml.safe_load(program.inputs_of("metrics", "Scraper")["scrapeConfiguration"])["scrape_configs"][0]
    assert {"namespace", "pod", "service"} == {each.get("target_label") for each in scrape["relabel_configs"]} - {None}
    policies = [program.inputs_of("alarms", "TopicPolicy")["policy"], program.inputs_of("key", "Key")["policy"]]
    assert all("aps.amazonaws.com" in policy for policy in policies)


def test_a_dashboard_draws_those_of_every_platform_s_panels_that_the_edge_can_fill(variant):
    body = json.loads(variant("example").inputs_of("services", "Dashboard")["dashboardBody"])
    drawn = [each["properties"] for each in body["widgets"]]
    titles = [each["title"] for each in drawn]
    assert titles == [*(each.title for each in panels("", "") if each.title in titles), "Unhealthy pods"]
    assert len(drawn) == 4 and {each["region"] for each in drawn} == {"us-east-1"}
    assert all("app/slipway-test/" in json.dumps(each) for each in drawn)
    for each in drawn:
        ids = {metric[-1]["id"] for metric in each["metrics"] if "id" in metric[-1]}
        assert set(re.findall(r"FILL\((\w+)", json.dumps(each["metrics"]))) == ids
    assert variant("dev").of_type("Dashboard") == []


def test_nodes_come_after_what_makes_them_ready_and_before_what_runs_on_them(variant):
    program = variant("production")
    for pool in ("cpu", "spot", "steady"):
        waits = program.waits_for("NodeGroup", pool)
        assert {"Addon vpc-cni", "Addon kube-proxy", "Addon eks-pod-identity-agent"} <= waits
        assert "Addon coredns" not in waits
        assert program.request("NodeGroup", pool).ignoreChanges == ["scalingConfig.desiredSize"]
    assert {"NodeGroup cpu", "NodeGroup spot"} <= program.waits_for("Addon", "coredns")
    assert {"NodeGroup spot", "Addon coredns"} <= program.waits_for("Release", "device-plugin")
    assert {"Release autoscaler", "Release device-plugin"} <= program.waits_for("Deployment", "digits")


def test_network_policies_are_really_on(variant):
    cni = variant("production").inputs_of("vpc-cni", "Addon")
    assert json.loads(cni["configurationValues"]) == {"enableNetworkPolicy": "true"}
    switch = variant("example").inputs_of("network-policies", "ConfigMap")
    assert switch["data"] == {"enable-network-policy-controller": "true"}


def test_gpu_nodes_are_only_where_the_gpus_are_and_pods_find_them(variant):
    program = variant("example")
    pools = {each.name: each.inputs["spec"] for each in program.of_type("NodePool")}
    assert pools["spot"]["weight"] > pools["steady"]["weight"]
    assert pools["spot"]["limits"] == {"nvidia.com/gpu": "4"}
    wanted = {each["key"]: each["values"] for each in pools["steady"]["template"]["spec"]["requirements"]}
    assert wanted["topology.kubernetes.io/zone"] == ["us-east-1a", "us-east-1b"]
    assert wanted["karpenter.sh/capacity-type"] == ["on-demand"]
    pod = program.inputs_of("digits", "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    (taint,) = pools["spot"]["template"]["spec"]["taints"]
    assert any(each["key"] == taint["key"] and each["effect"] == taint["effect"] for each in pod["tolerations"])
    (group,) = [each.inputs for each in variant("production").of_type("NodeGroup") if each.name == "spot"]
    assert group["capacityType"] == "SPOT" and len(group["subnetIds"]) == 2 and len(group["instanceTypes"]) == 2
    assert [each["key"] for each in group["taints"]] == ["nvidia.com/gpu"]


def test_subnets_are_in_three_zones_and_no_address_is_in_two(variant):
    import ipaddress

    subnets = [each.inputs for each in variant("example").of_type("Subnet")]
    assert len({each["availabilityZone"] for each in subnets}) == 3
    ranges = [ipaddress.ip_network(each["cidrBlock"]) for each in subnets]
    assert all(each.subnet_of(ipaddress.ip_network("10.0.0.0/16")) for each in ranges)
    assert not any(a.overlaps(b) for index, a in enumerate(ranges) for b in ranges[:index])


@pytest.mark.parametrize(
    ("kind", "name", "retained"),
    [("Bucket", "models", True), ("Key", "key", True), ("Cluster", "cluster", False), ("LoadBalancer", "edge", False)],
)
def test_production_alone_protects_and_retains_what_holds_data(kind, name, retained, variant):
    kept = variant("production").request(kind, name)
    assert kept.protect and kept.retainOnDelete == retained
    loose = variant("example").request(kind, name)
    assert not loose.protect and not loose.retainOnDelete


def test_production_is_guarded_by_aws_itself_too(variant):
    program = variant("production")
    assert program.inputs_of("cluster", "Cluster")["deletionProtection"] is True
    assert program.inputs_of("edge", "LoadBalancer")["enableDeletionProtection"] is True
    assert program.inputs_of("models", "Bucket")["forceDestroy"] is False
    assert variant("example").inputs_of("models", "Bucket")["forceDestroy"] is True


def test_what_was_there_before_is_left_alone(variant):
    kinds = {each.typ.split(":")[-1] for each in variant("existing").declared}
    assert not kinds & {"Vpc", "Subnet", "NatGateway", "Cluster", "NodeGroup", "NodePool", "AccessEntry", "Addon"}


def test_alarms_and_budget_reach_somebody(variant):
    program = variant("production")
    topic = program.inputs_of("errors", "MetricAlarm")["alarmActions"]
    for alarm in ("errors", "latency", "unhealthy-digits"):
        assert program.inputs_of(alarm, "MetricAlarm")["alarmActions"] == topic
    (budget,) = program.of_type("aws:budgets/budget:Budget")
    assert {each["notificationType"] for each in budget.inputs["notifications"]} == {"ACTUAL", "FORECASTED"}
    assert budget.inputs["costFilters"][0]["values"] == [
        "user:slipway:stack$slipway/test", "aws:eks:cluster-name$slipway-test",
    ]  # fmt: skip


def test_nothing_of_callers_is_kept_for_longer_than_the_stack_says(variant):
    kept = {
        name: {each.name: each.inputs["retentionInDays"] for each in variant(name).of_type("LogGroup")}
        for name in ("example", "production")
    }
    assert {name: days for name, days in kept["production"].items() if name != "cluster"} == {
        "firewall": 14,
        "flow": 14,
    }
    assert {name: days for name, days in kept["example"].items() if name != "cluster"} == {"firewall": 365, "flow": 365}
    expiries = [
        rule["expiration"]["days"]
        for each in variant("production").of_type("BucketLifecycleConfiguration")
        for rule in each.inputs["rules"]
        if "expiration" in rule
    ]
    assert expiries == [20]


@pytest.mark.parametrize("name", VARIANTS)
def test_no_kubeconfig_holds_a_credential_or_replaces_the_cluster(name, variant):
    (provider,) = variant(name).of_type("pulumi:providers:kubernetes")
    config = json.loads(provider.inputs["kubeconfig"])
    assert config["users"][0]["user"].keys() == {"exec"}
    assert provider.inputs["clusterIdentifier"].startswith("arn:aws:eks:")


@pytest.mark.parametrize(("there", "recorded"), [(True, False), (True, True), (False, False)])
def test_a_log_group_that_eks_has_made_again_is_imported_once(there, recorded, monkeypatch):
    name = "/aws/eks/slipway-test/cluster"
    answer = Scenario.answer

    def answered(self, token, args):
        found = answer(self, token, args)
        return {**found, "logGroupNames": [name] * there} if token.endswith(":getLogGroups") else found

    monkeypatch.setattr(Scenario, "answer", answered)
    group = {"type": "aws:cloudwatch/logGroup:LogGroup", "outputs": {"name": name}}
    monkeypatch.setattr(Recorder, "recorded", {"urn": group} if recorded else {})
    made = run_program(**VARIANTS["dev"]()).request("LogGroup", "cluster")
    imported = there and not recorded
    assert made.importId == (name if imported else "")
    assert list(made.ignoreChanges) == (["kmsKeyId", "retentionInDays", "tags"] if imported else [])


def test_no_image_that_was_deployed_is_ever_deleted(variant):
    (rule,) = json.loads(variant("example").inputs_of("digits", "LifecyclePolicy")["policy"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"
