"""What AWS refuses that the SDK's types let through: one rule for each fault that the stand-in once accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from slipway.simulator.books import Books, Entry
from slipway.simulator.cloud import Cloud, Properties
from slipway.simulator.deployer import Deployer
from slipway.simulator.faults import CloudError
from slipway.simulator.metric_math import alarm_problems
from slipway.simulator.scenario import Scenario

Problem = tuple[str, str]
# By id, as each account has other names for them.
NO_CONTROL_PLANE = ("use1-az3", "usw1-az2", "cac1-az3")


class Aws(Cloud):
    """The AWS stand-in's ways. With a scenario that names the stack in `deploys`, it is asked as that stack's deploy
    role; else as an administrator."""

    def __init__(self, package: str, books: Books, scenario: Scenario) -> None:
        super().__init__(package, books, scenario)
        account, stack = scenario.values["account"], scenario.values.get("deploys")
        self._deployer = Deployer(account, stack, books) if stack else None

    def authorize(self, verb: str, entry: Entry, before: Properties | None = None) -> None:
        if self._deployer:
            self._deployer.refuse(verb, entry, before)

    def problems(self, kind: str, inputs: Properties) -> Iterator[Problem]:
        yield from super().problems(kind, inputs)
        if rule := RULES.get(kind):
            yield from rule(inputs)

    def answer(self, token: str, args: Properties) -> Properties:
        """The scenario's; of clusters and log groups also what the books have."""
        found = super().answer(token, args)
        match token:
            case "aws:eks/getClusters:getClusters":
                found["names"] = [each["id"] for each in self._all("aws:eks/cluster:Cluster")]
            case "aws:eks/getCluster:getCluster":
                there = self.books.find("aws:eks/cluster:Cluster", args["name"])
                found |= {"version": there["inputs"].get("version") or found["version"]} if there else {}
            case "aws:cloudwatch/getLogGroups:getLogGroups":
                names = [each["id"] for each in self._all("aws:cloudwatch/logGroup:LogGroup")]
                found["logGroupNames"] = [
                    each for each in names if each.startswith(args.get("logGroupNamePrefix") or "")
                ]
        return found

    def _all(self, kind: str) -> list[Entry]:
        return [each for each in self.books.all() if each["type"] == kind]

    def refuse(self, entry: Entry) -> None:
        super().refuse(entry)
        inputs = entry["inputs"]
        match entry["type"]:
            case "aws:eks/cluster:Cluster":
                self._no_control_plane((inputs.get("vpcConfig") or {}).get("subnetIds") or [])
            case "aws:ec2/natGateway:NatGateway":
                self._way_out([inputs["subnetId"]] if inputs.get("subnetId") else [], inputs.get("vpcId"))
            case "aws:lb/loadBalancer:LoadBalancer":
                if not inputs.get("internal"):
                    self._way_out(inputs.get("subnets") or [], None)
                if (logs := inputs.get("accessLogs") or {}).get("enabled"):
                    self._writable(logs["bucket"], "logdelivery.elasticloadbalancing.amazonaws.com")
            case "aws:iam/role:Role":
                self._bounded_by(inputs.get("permissionsBoundary"))
            case "aws:s3/bucketLogging:BucketLogging":
                self._writable(inputs["targetBucket"], "logging.s3.amazonaws.com")

    def _way_out(self, subnets: list[str], vpc: str | None) -> None:
        """Gateways and load balancers on the internet need a network with an internet gateway."""
        found = [self.books.find("aws:ec2/subnet:Subnet", each) for each in subnets]
        wanted = {each["inputs"]["vpcId"] for each in found if each} | ({vpc} if vpc else set())
        gateways = self._all("aws:ec2/internetGateway:InternetGateway")
        if missing := wanted - {each["inputs"].get("vpcId") for each in gateways}:
            raise CloudError(f"Gateway.NotAttached: Network {missing.pop()} has no Internet gateway attached")

    def _bounded_by(self, boundary: str | None) -> None:
        own = f"arn:aws:iam::{self.scenario.values['account']}:policy/"
        if boundary and boundary.startswith(own):
            there = [each["outputs"]["arn"] for each in self._all("aws:iam/policy:Policy")]
            there += [own + each for each in self.scenario.values["policies"]]
            if not any(fnmatch(boundary, each) for each in there):
                raise CloudError(f"NoSuchEntity: Scope ARN: {boundary} does not exist or is not attachable")

    def _writable(self, bucket: str, service: str) -> None:
        policy = self.books.find("aws:s3/bucketPolicy:BucketPolicy", bucket)
        if policy is None or service not in str(policy["inputs"]["policy"]):
            raise CloudError(f"AccessDenied: {service} may not write to {bucket}: its policy does not say so")

    def _no_control_plane(self, subnets: list[str]) -> None:
        offer = self.scenario.values["functions"]["aws:index/getAvailabilityZones:getAvailabilityZones"]
        ids = dict(zip(offer["names"], offer["zoneIds"], strict=True))
        for zone in self._zones({"subnetIds": subnets}):
            if ids.get(zone) in NO_CONTROL_PLANE:
                raise CloudError(
                    f"UnsupportedAvailabilityZoneException: Cannot create cluster because {zone} ({ids[zone]}), the "
                    "targeted Availability Zone, does not currently have sufficient capacity"
                )


def _alarm(inputs: Properties) -> Iterator[Problem]:
    if isinstance(queries := inputs.get("metricQueries"), list):
        yield from (("metricQueries", f"ValidationError: {why}") for why in alarm_problems(queries))


def _acl(inputs: Properties) -> Iterator[Problem]:
    """docs.aws.amazon.com/waf/latest/APIReference/API_VisibilityConfig.html: some names are WAF's own."""
    seen = [("visibilityConfig", inputs.get("visibilityConfig"))]
    rules = inputs.get("rules")
    seen += [
        (f"rules[{n}]", each.get("visibilityConfig")) for n, each in enumerate(rules if isinstance(rules, list) else [])
    ]
    for path, config in seen:
        metric = str((config or {}).get("metricName"))
        if metric.lower() in ("all", "default_action"):
            yield path, f"WAFInvalidParameterException: the metric name {metric} is reserved"


def _subnet_of_balancer(inputs: Properties) -> Iterator[Problem]:
    """A load balancer takes no subnet smaller than /27, and there is none smaller than /28."""
    cidr = str(inputs.get("cidrBlock") or "")
    size = int(cidr.partition("/")[2] or 24)
    is_public = (inputs.get("tags") or {}).get("kubernetes.io/role/elb") == "1"
    if size > (27 if is_public else 28):
        yield "cidrBlock", f"InvalidSubnet: {cidr} is too small" + (" for a load balancer, which takes /27" * is_public)


RULES: Mapping[str, Callable[[Any], Iterator[Problem]]] = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:ec2/subnet:Subnet": _subnet_of_balancer,
    "aws:wafv2/webAcl:WebAcl": _acl,
}
