"""What a stack can set on AWS. No SDK is imported here: the configuration is checked before anything is loaded."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Literal

from pydantic import Field, field_validator
from slipway.infra.config.base import Settings
from slipway.infra.workload.names import LABEL

# Of CloudWatch's own list.
Days = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 180, 365, 400, 545, 731, 1827, 3653]
Role = Annotated[str, Field(pattern=r"^arn:aws:iam::\d{12}:role/[\w+=,.@/-]+$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]
# NVIDIA GPUs on x86: g4dn to g6e, p3 to p6; g5g is Arm, g4ad has AMD's.
GPU_INSTANCE = re.compile(r"(?:g4dn|g5|g6|g6e|gr6|g7e|p3|p3dn|p4d|p4de|p5|p5e|p5en|p6-b\d00)(?:\.(?:\d*xlarge|metal))?")


class ExistingVpc(Settings):
    """A network that is there already. The stack reads it and changes nothing in it."""

    id: str = Field(pattern=r"^vpc-[0-9a-f]{8,17}$", description="vpc-...")
    cidr: str = Field(description="its range: load balancer and pods are in it")
    privateSubnets: list[SubnetId] = Field(min_length=2, description="of two zones or more, with a way to ECR and S3")
    publicSubnets: list[SubnetId] = Field(default=[], description="of two zones or more, for an internet-facing edge")

    @field_validator("cidr")
    @classmethod
    def _range(cls, cidr: str) -> str:
        return _network(cidr)


class NetworkConfig(Settings):
    """The VPC of the stack."""

    cidr: str = Field(default="10.0.0.0/16", description="the VPC's range, private, /16 to /19")
    zones: list[str] = Field(
        default=[], description="two or more; default: three, chosen once: those that have the GPUs first"
    )
    nat: Literal["single", "perZone", "regional", "none"] = Field(default="single", description="the way out")
    endpoints: bool = Field(default=False, description="interface endpoints, so that nodes need no way out for AWS")
    logDays: Days = Field(default=365, description="how long flow logs are kept")
    vpc: ExistingVpc | None = Field(default=None, description="an existing one: {id, cidr, privateSubnets, ...}")

    @field_validator("cidr")
    @classmethod
    def _range(cls, cidr: str) -> str:
        network = IPv4Network(_network(cidr))
        if not network.is_private or not 16 <= network.prefixlen <= 19:
            # A load balancer takes no subnet smaller than /27, and a public one is a 256th of the VPC.
            raise ValueError(f"{cidr} is not a private range of /16 to /19, such as 10.0.0.0/16")
        return cidr


class GpuPool(Settings):
    """GPU nodes of one kind, made when a pod asks for them and taken away when none does."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", description="its name: spot")
    capacity: Literal["spot", "on-demand"] = Field(default="on-demand", description="spot is cheaper, and may be taken")
    instances: list[str] = Field(min_length=1, description="types (g6.xlarge), with compute auto also families (g6)")
    max: int = Field(ge=1, le=100, description="at most: GPUs with compute auto, nodes with managed")
    min: int = Field(default=0, ge=0, description="nodes that stay (managed)")
    diskGb: int = Field(default=100, ge=50, le=2000, description="disk of a node")

    @field_validator("instances")
    @classmethod
    def _gpus(cls, instances: list[str]) -> list[str]:
        for each in instances:
            if not GPU_INSTANCE.fullmatch(each):
                raise ValueError(f"{each!r} is no type or family with NVIDIA GPUs on x86, such as g6.xlarge or g6")
        return instances


class CpuNodes(Settings):
    """Nodes without GPUs, for services without and for what the cluster itself runs (compute managed)."""

    instances: list[str] = Field(default=["m7i.large"], min_length=1, description="types")
    min: int = Field(default=2, ge=1, description="nodes at least")
    max: int = Field(default=6, ge=1, le=100, description="nodes at most")
    diskGb: int = Field(default=50, ge=20, le=2000, description="disk of a node")


class ClusterConfig(Settings):
    """The EKS cluster."""

    compute: Literal["auto", "managed"] = Field(default="auto", description="Auto Mode, or node groups of our own")
    existing: str | None = Field(
        default=None, pattern=r"^[0-9A-Za-z][\w-]{0,99}$", description="the name of a cluster that is there already"
    )
    namespace: str | None = Field(default=None, pattern=LABEL, description="of the services; default: slipway-<stack>")
    version: str | None = Field(default=None, pattern=r"^1\.\d\d$", description="Kubernetes; default: EKS's own")
    serviceCidr: str = Field(default="172.20.0.0/16", description="the range of Kubernetes services")
    public: bool = Field(default=True, description="whether the API can be reached from outside the VPC, by `allow`")
    allow: list[str] = Field(default=[], description="networks that may ask the public API: [203.0.113.7/32]")
    deployer: Role | None = Field(default=None, description="ARN of the role that deploys; it administers the cluster")
    admins: list[Role] = Field(default=[], description="ARNs of further roles that administer it")
    viewers: list[Role] = Field(
        default=[], description="ARNs of roles that may look, as previews do: no Secrets, no logs"
    )
    logDays: Days = Field(default=365, description="how long the control plane's logs are kept")
    cpu: CpuNodes = Field(default=CpuNodes(), description="nodes without GPUs (compute managed)")
    gpu: list[GpuPool] = Field(default=[], description="pools in order of preference: [{name: spot, ...}]")

    @field_validator("serviceCidr")
    @classmethod
    def _range(cls, cidr: str) -> str:
        return _network(cidr)

    @field_validator("allow")
    @classmethod
    def _callers(cls, networks: list[str]) -> list[str]:
        for each in networks:
            if IPv4Network(_network(each)).prefixlen < 8:
                raise ValueError(f"{each} is half the internet: name the networks that deploy, as 203.0.113.7/32")
        return networks


class EndpointConfig(Settings):
    """The load balancer and its names."""

    domain: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
        description="ml.example.org: hosts of services are one label under it",
    )
    zone: str | None = Field(
        default=None, pattern=r"^Z[0-9A-Z]{6,32}$", description="Route 53's public zone of it: Z0123456789ABC"
    )
    certificate: str | None = Field(
        default=None,
        pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}$",
        description="ARN of a certificate for *.<domain>, where `zone` is not set",
    )
    internal: bool = Field(default=False, description="only to be reached from the VPC and what is joined to it")
    waf: bool = Field(default=True, description="a web application firewall in front")
    rate: int | None = Field(
        default=None, ge=10, le=2_000_000_000, description="requests in five minutes of an address, then 403 (waf)"
    )
    jwt: bool = Field(default=False, description="let the load balancer itself check the tokens of access.jwt")
    idleSeconds: int = Field(default=60, ge=1, le=600, description="how long a connection may be silent")


class WatchConfig(Settings):
    """Metrics and alarms."""

    prometheus: bool = Field(default=True, description="Amazon Managed Prometheus with a scraper")
    emails: list[Email] = Field(default=[], description="who hears of alarms")
    errorPercent: float = Field(default=1.0, gt=0, le=100, description="answers 5xx in five minutes that alarm")
    p99Seconds: float = Field(default=1.0, gt=0, le=600, description="response time in five minutes that alarms")


class BudgetConfig(Settings):
    """What the stack may cost."""

    monthlyUsd: int | None = Field(default=None, ge=1, description="a mail at 80 % spent and at 100 % forecast")
    emails: list[Email] = Field(default=[], max_length=10, description="who hears of it; default: observability.emails")


class AwsConfig(Settings):
    """Everything a stack can set on AWS."""

    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="us-east-1, for example")
    account: str | None = Field(
        default=None, pattern=r"^\d{12}$", description="the only account that the stack may touch"
    )
    boundary: str | None = Field(
        default=None,
        pattern=r"^[\w+=,.@/-]+$",
        description="the policy that bounds the stack's roles; default: slipway-<stack>-boundary, of bootstrap/aws",
    )
    tags: dict[str, str] = Field(default={}, description="on everything, besides the stack's own: {team: vision}")
    network: NetworkConfig = Field(default=NetworkConfig(), description="the VPC: {cidr, zones, nat, ...}")
    cluster: ClusterConfig = Field(default=ClusterConfig(), description="EKS: {compute, deployer, gpu, ...}")
    endpoint: EndpointConfig = Field(default=EndpointConfig(), description="the edge: {domain, zone, waf, ...}")
    observability: WatchConfig = Field(default=WatchConfig(), description="metrics and alarms: {emails, ...}")
    budget: BudgetConfig = Field(default=BudgetConfig(), description="{monthlyUsd, emails}")

    @field_validator("tags")
    @classmethod
    def _ours(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if key.startswith(("aws:", "slipway:", "eks:")) or not 0 < len(key) <= 128 or len(value) > 256:
                raise ValueError(f"{key!r}: aws:, eks: and slipway: are reserved; 128 characters, the value 256")
        return tags


def gpus_of(pool: GpuPool) -> int:
    """GPUs of the smallest of a pool's types, by AWS's list of accelerated instances; 1 where it is not sure."""
    return min(_gpus(each) for each in pool.instances)


def _gpus(instance: str) -> int:
    family, _, size = instance.partition(".")
    if family in ("p4d", "p4de", "p5e", "p5en", "p3dn") or family.startswith("p6") or size in ("48xlarge", "metal"):
        return 8
    return {"12xlarge": 4, "24xlarge": 4}.get(size, 1)


def _network(cidr: str) -> str:
    try:
        if ip_network(cidr).version == 4:
            return cidr
        why = "it is IPv6"
    except ValueError as error:
        why = str(error)
    raise ValueError(f"{cidr!r} is no network such as 10.0.0.0/16: {why}")
