"""What has to hold between the settings of an AWS stack, before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from slipway.infra.platforms.aws.config import AwsConfig, ClusterConfig, GpuPool, gpus_of
from slipway.infra.platforms.gpu_capacity import short_of_gpus
from slipway.infra.workload.names import taken

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

# Not `aws`: China, the governments' and the sovereign ones.
PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")
MOST_EMAILS = 10


def problems(config: StackConfig) -> Iterator[str]:
    """What is wrong, as `key: why and the fix`."""
    aws = config.of(AwsConfig)
    for key in ("region", "account"):
        if getattr(aws, key) is None:
            yield f"aws.{key}: is not set; it takes {type(aws).model_fields[key].description}"
    if aws.region and aws.region.startswith(PARTITIONS):
        yield f"aws.region: {aws.region} is of another partition, whose ARNs differ: choose a commercial region"
    if config.image.arch != "amd64":
        yield f"image.arch: {config.image.arch}: the nodes are amd64, as GPUs are there: leave it out"
    yield from _network(aws)
    yield from _cluster(aws)
    yield from _services(config)
    yield from taken(config.services)
    yield from _endpoint(config)
    if aws.budget.monthlyUsd and not (aws.budget.emails or aws.observability.emails):
        yield "aws.budget.emails: is empty, so nobody would hear of it: name an address"
    if aws.budget.monthlyUsd and not aws.budget.emails and len(aws.observability.emails) > MOST_EMAILS:
        yield f"aws.budget.emails: a budget takes {MOST_EMAILS}, observability.emails are more: name {MOST_EMAILS}"


def _network(aws: AwsConfig) -> Iterator[str]:
    network, cluster = aws.network, aws.cluster
    vpc, services = network.vpc, IPv4Network(cluster.serviceCidr)
    key, cidr = ("vpc.cidr", vpc.cidr) if vpc else ("cidr", network.cidr)
    if services.overlaps(IPv4Network(cidr)):
        yield f"aws.network.{key}: {cidr} overlaps with cluster.serviceCidr {services}: move one of them"
    if vpc and not aws.endpoint.internal and len(vpc.publicSubnets) < 2:
        yield "aws.network.vpc.publicSubnets: an internet-facing edge needs two: name them, or set endpoint.internal"
    if (subnets := vpc.privateSubnets + vpc.publicSubnets if vpc else []) and len({*subnets}) < len(subnets):
        yield "aws.network.vpc: a subnet is named twice: private and public ones are different"
    if network.zones:
        if len({*network.zones}) < 2 or len({*network.zones}) < len(network.zones):
            yield f"aws.network.zones: {', '.join(network.zones)}: name two different ones or more"
        for zone in network.zones:
            if zone[:-1] != aws.region or not "a" <= zone[-1:] <= "h":
                yield f"aws.network.zones: {zone!r} is no zone of {aws.region}, such as {aws.region}a"
    if network.nat == "none" and not vpc and not network.endpoints:
        yield "aws.network.endpoints: without a NAT gateway nodes could pull no image: set it true"
    if network.nat == "none" and not vpc and cluster.compute == "managed":
        yield "aws.network.nat: compute managed installs charts whose images are public: use single"


def _cluster(aws: AwsConfig) -> Iterator[str]:
    cluster = aws.cluster
    if cluster.existing:
        if not aws.network.vpc:
            yield "aws.network.vpc: is not set: an existing cluster is in a VPC, name it and its subnets"
        if cluster.gpu:
            yield "aws.cluster.gpu: an existing cluster brings its own nodes: leave it out"
        return
    if cluster.deployer is None:
        yield f"aws.cluster.deployer: is not set; it takes {_described(cluster, 'deployer')}"
    roles = [*filter(None, [cluster.deployer]), *cluster.admins, *cluster.viewers]
    for role in roles:
        if aws.account and role.split(":")[4] != aws.account:
            yield f"aws.cluster: {role} is not of account {aws.account}"
        if roles.count(role) > 1:
            yield f"aws.cluster: {role} is named twice: deployer, admins and viewers are different roles"
            break
    if cluster.public and not cluster.allow:
        yield "aws.cluster.allow: nobody could ask the public API: name networks, or set public: false"
    if not cluster.public and cluster.allow:
        yield "aws.cluster.allow: the API is private: set public: true, or leave `allow` out"
    if cluster.cpu.min > cluster.cpu.max:
        yield f"aws.cluster.cpu.min: {cluster.cpu.min} is more than max, {cluster.cpu.max}"
    names = [pool.name for pool in cluster.gpu]
    for name in {each for each in names if names.count(each) > 1 or each == "cpu"}:
        yield f"aws.cluster.gpu: {name!r} is taken: give each pool a name of its own, and none is called cpu"
    for pool in cluster.gpu:
        for why in _pool(pool, cluster):
            yield f"aws.cluster.gpu.{pool.name}.{why}"


def _pool(pool: GpuPool, cluster: ClusterConfig) -> Iterator[str]:
    families = [each for each in pool.instances if "." not in each]
    if pool.min > pool.max:
        yield f"min: {pool.min} is more than max, {pool.max}"
    if cluster.compute == "auto" and pool.min:
        yield "min: compute auto keeps no idle node: leave it out, or use compute managed"
    if cluster.compute == "managed" and families:
        yield f"instances: {families[0]!r} is a family; a node group takes types, such as {families[0]}.xlarge"
    if pool.capacity == "spot" and len(pool.instances) < 2 and not families:
        yield "instances: one type alone is often sold out as spot: name several"
    if pool.capacity == "on-demand" and cluster.compute == "managed" and len(pool.instances) > 1:
        yield "instances: an on-demand node group takes the first type alone: make a pool of each"


def _services(config: StackConfig) -> Iterator[str]:
    cluster = config.of(AwsConfig).cluster
    for name, service in config.services.items():
        if service.gpus and not cluster.gpu and not cluster.existing:
            yield f"services.{name}.accelerator: no node has a GPU: name a pool in aws.cluster.gpu"
        if service.scale.on == "inflight":
            yield f"services.{name}.scale.on: no Prometheus in the cluster tells requests in flight: use cpu"
        kinds = {pool.capacity for pool in cluster.gpu} if service.gpus else set()
        if service.scale.onDemand and kinds != {"spot", "on-demand"}:
            yield f"services.{name}.scale.onDemand: aws.cluster.gpu needs a pool of spot and one of on-demand nodes"
    if cluster.gpu:
        room = sum(pool.max * (gpus_of(pool) if cluster.compute == "managed" else 1) for pool in cluster.gpu)
        yield from short_of_gpus(config.services, room, "aws.cluster.gpu", "max")


def _endpoint(config: StackConfig) -> Iterator[str]:
    aws, access = config.of(AwsConfig), config.access
    endpoint = aws.endpoint
    if not any(service.host for service in config.services.values()):
        return
    if endpoint.domain is None:
        yield f"aws.endpoint.domain: is not set; it takes {_described(endpoint, 'domain')}"
    if not endpoint.zone and not endpoint.certificate:
        yield "aws.endpoint.certificate: is missing: name one, or `zone` to have it made"
    if endpoint.zone and endpoint.certificate:
        yield "aws.endpoint.certificate: leave it out where `zone` has one made, or leave `zone` out"
    if endpoint.certificate and aws.region and endpoint.certificate.split(":")[3] != aws.region:
        yield f"aws.endpoint.certificate: it is not of {aws.region}, where the load balancer is"
    if endpoint.rate and not endpoint.waf:
        yield "aws.endpoint.rate: the firewall counts: set waf: true, or use access.rate"
    if endpoint.jwt:
        if not access.jwt or not access.jwt.jwks.startswith("https://"):
            yield "aws.endpoint.jwt: access.jwt has to name an issuer with an https URL for jwks"
        if config.apiKeys:
            yield "aws.endpoint.jwt: the load balancer would refuse apiKeys, as they are no tokens: use one of both"
    hosts: dict[str, str] = {}
    for name, service in config.services.items():
        if not service.host:
            continue
        if endpoint.domain and service.host.partition(".")[2] != endpoint.domain:
            yield f"services.{name}.host: {service.host} is not one label under aws.endpoint.domain {endpoint.domain}"
        if (other := hosts.setdefault(service.host, name)) != name:
            yield f"services.{name}.host: {service.host} is taken by {other!r}; give each its own"


def _described(settings: object, key: str) -> str:
    return str(type(settings).model_fields[key].description)  # type: ignore[attr-defined]
