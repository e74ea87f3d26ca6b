"""What a stack can set on Google Cloud. No SDK is imported here: the configuration is checked before one is loaded."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from slipway.infra.config.base import Settings
from slipway.infra.workload.names import LABEL

# What each machine has built in, and what Google calls it: cloud.google.com/compute/docs/accelerator-optimized-machines
GPUS: dict[str, tuple[str, int]] = {
    **{f"g2-standard-{cpus}": ("nvidia-l4", 1) for cpus in (4, 8, 12, 16, 32)},
    **{f"g2-standard-{cpus}": ("nvidia-l4", cpus // 12) for cpus in (24, 48, 96)},
    **{f"a2-highgpu-{count}g": ("nvidia-tesla-a100", count) for count in (1, 2, 4, 8)},
    **{f"a2-ultragpu-{count}g": ("nvidia-a100-80gb", count) for count in (1, 2, 4, 8)},
    **{f"a3-highgpu-{count}g": ("nvidia-h100-80gb", count) for count in (1, 2, 4, 8)},
}
Zone = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+-[a-z]$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


class ExistingVpc(Settings):
    """A network that is there already. The stack changes nothing in it."""

    network: str = Field(min_length=1, description="its name, or projects/<project>/global/networks/<name>")
    subnetwork: str = Field(min_length=1, description="its subnetwork in the region, by name or full path")
    pods: str = Field(min_length=1, description="name of the subnetwork's secondary range for pods")
    services: str = Field(min_length=1, description="name of the subnetwork's secondary range for services")
    proxies: str | None = Field(default=None, description="range of its proxy-only subnetwork, for an internal edge")

    @field_validator("proxies")
    @classmethod
    def _range(cls, cidr: str | None) -> str | None:
        return cidr and _network(cidr)


class NetworkConfig(Settings):
    """The VPC of the stack."""

    nodes: str = Field(default="10.0.0.0/20", description="the range of nodes, private")
    pods: str = Field(default="10.16.0.0/14", description="the range of pods, private; a node takes a /24 of it")
    services: str = Field(default="10.20.0.0/20", description="the range of Kubernetes services, private")
    proxies: str = Field(default="10.21.0.0/23", description="the range of an internal edge's proxies, private")
    vpc: ExistingVpc | None = Field(default=None, description="an existing one: {network, subnetwork, pods, services}")

    @field_validator("nodes", "pods", "services", "proxies")
    @classmethod
    def _range(cls, cidr: str) -> str:
        if not IPv4Network(_network(cidr)).is_private:
            raise ValueError(f"{cidr} is not a private range, such as 10.0.0.0/20")
        return cidr


class MaintenanceConfig(Settings):
    """When Google may upgrade the cluster."""

    days: list[Day] = Field(default=["SA", "SU"], min_length=1, description="weekdays, of UTC")
    startHour: int = Field(default=2, ge=0, le=23, description="first hour, of UTC")
    hours: int = Field(default=6, ge=4, le=24, description="length of the window")

    @model_validator(mode="after")
    def _enough(self) -> MaintenanceConfig:
        if len({*self.days}) * self.hours * 4 < 48:
            raise ValueError(
                f"hours: {len({*self.days})} x {self.hours} a week are fewer than the 48 in 32 days that Google wants: "
                "name more of them, or more days"
            )
        return self


class GpuPool(Settings):
    """GPU nodes of one kind, made when a pod asks for them and taken away when none does."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", description="its name: spot")
    capacity: Literal["spot", "on-demand"] = Field(default="on-demand", description="spot is cheaper, and may be taken")
    machine: str = Field(description="type with NVIDIA GPUs: g2-standard-8, a2-highgpu-1g, a3-highgpu-1g")
    zones: list[Zone] = Field(min_length=1, description="those that have the machine: [europe-west4-a]")
    max: int = Field(ge=1, le=100, description="nodes at most, in all zones together")
    min: int = Field(default=0, ge=0, description="nodes that stay (compute standard)")
    diskGb: int = Field(default=100, ge=50, le=2000, description="disk of a node")
    driver: Literal["default", "latest"] = Field(default="latest", description="which of GKE's drivers")
    sharing: Literal["none", "time", "mps"] = Field(default="none", description="pods take turns on a GPU: time")
    sharers: int = Field(default=1, ge=1, le=48, description="pods to a GPU (sharing)")

    @field_validator("machine")
    @classmethod
    def _gpus(cls, machine: str) -> str:
        if machine not in GPUS:
            raise ValueError(f"{machine!r} is no machine with NVIDIA GPUs that is known here: {', '.join(GPUS)}")
        return machine

    @property
    def gpu(self) -> str:
        """Google's name of the machine's GPU."""
        return GPUS[self.machine][0]

    @property
    def gpus(self) -> int:
        """How many pods that ask for one GPU have room, at most."""
        return self.max * GPUS[self.machine][1] * self.sharers


class CpuNodes(Settings):
    """Nodes without GPUs, for services without and for what the cluster itself runs (compute standard)."""

    machine: str = Field(default="e2-standard-4", pattern=r"^[a-z]\w*-[a-z]+-\d+$", description="machine type")
    min: int = Field(default=2, ge=1, description="nodes at least, in all zones together")
    max: int = Field(default=6, ge=1, le=100, description="nodes at most")
    diskGb: int = Field(default=50, ge=20, le=2000, description="disk of a node")


class ClusterConfig(Settings):
    """The GKE cluster."""

    compute: Literal["standard", "autopilot"] = Field(default="standard", description="node pools of our own, or none")
    existing: str | None = Field(
        default=None, pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", description="the name of a cluster that is there"
    )
    namespace: str | None = Field(default=None, pattern=LABEL, description="of the services; default: slipway-<stack>")
    zone: Zone | None = Field(default=None, description="a cluster in one zone: no spare; default: the whole region")
    channel: Literal["RAPID", "REGULAR", "STABLE", "EXTENDED"] = Field(
        default="REGULAR", description="how soon Google upgrades"
    )
    maintenance: MaintenanceConfig = Field(default=MaintenanceConfig(), description="when: {days, startHour, hours}")
    group: str | None = Field(
        default=None,
        pattern=r"^gke-security-groups@[a-z0-9.-]+\.[a-z]{2,}$",
        description="the Google group of groups that RBAC may name: gke-security-groups@example.org",
    )
    cpu: CpuNodes = Field(default=CpuNodes(), description="nodes without GPUs (compute standard)")
    gpu: list[GpuPool] = Field(default=[], description="pools in order of preference: [{name: spot, ...}]")


class EndpointConfig(Settings):
    """The load balancer and its names."""

    domain: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
        description="ml.example.org: what is right under it may be a service's host",
    )
    zone: str | None = Field(
        default=None, pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", description="Cloud DNS's zone of it, by its name"
    )
    internal: bool = Field(default=False, description="only to be reached from the VPC and what is joined to it")
    waf: bool = Field(default=True, description="Cloud Armor in front")
    rate: int | None = Field(default=None, ge=10, le=10_000_000, description="requests a minute of an address (waf)")
    idleSeconds: int = Field(default=60, ge=1, le=600, description="how long an answer may take")


class WatchConfig(Settings):
    """Metrics and alarms."""

    emails: list[Email] = Field(default=[], description="who hears of alarms")
    errorPercent: float = Field(default=1.0, gt=0, le=100, description="answers 5xx in five minutes that alarm")
    p99Seconds: float = Field(default=1.0, gt=0, le=600, description="response time in five minutes that alarms")


class BudgetConfig(Settings):
    """What the project may cost."""

    monthly: int | None = Field(default=None, ge=1, description="mails at 80 % spent and at 100 % forecast")
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", description="the billing account's")
    billingAccount: str | None = Field(
        default=None, pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", description="01AB23-CD45EF-678901"
    )


class CiConfig(Settings):
    """Who previews and deploys from GitHub, without a key. In one stack of a project."""

    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name: its jobs may")
    repositoryId: str | None = Field(
        default=None, pattern=r"^\d+$", description="its number, in quotes: gh api repos/owner/name --jq .id"
    )
    preview: str = Field(default="preview", min_length=1, description="GitHub environment whose jobs may preview")
    deploy: str | None = Field(default=None, min_length=1, description="GitHub environment whose jobs may deploy")


class GcpConfig(Settings):
    """Everything a stack can set on Google Cloud."""

    project: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", description="the project's id: my-project-1"
    )
    region: str | None = Field(default=None, pattern=r"^[a-z]+-[a-z]+\d+$", description="europe-west4, for example")
    labels: dict[str, str] = Field(default={}, description="on everything, besides the stack's own: {team: vision}")
    key: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="an existing key for what is stored: projects/P/locations/L/keyRings/R/cryptoKeys/K",
    )
    network: NetworkConfig = Field(default=NetworkConfig(), description="the VPC: {nodes, pods, services, ...}")
    cluster: ClusterConfig = Field(default=ClusterConfig(), description="GKE: {compute, zone, cpu, gpu, ...}")
    endpoint: EndpointConfig = Field(default=EndpointConfig(), description="the edge: {domain, zone, waf, ...}")
    observability: WatchConfig = Field(default=WatchConfig(), description="metrics and alarms: {emails, ...}")
    budget: BudgetConfig = Field(default=BudgetConfig(), description="{monthly, billingAccount}")
    ci: CiConfig = Field(default=CiConfig(), description="{repository, repositoryId, deploy}")

    @property
    def location(self) -> str:
        """Where the cluster is: in a zone, or in the whole region."""
        return self.cluster.zone or self.region or ""

    @field_validator("labels")
    @classmethod
    def _ours(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            plain = (key + value).replace("-", "").replace("_", "")
            if (
                key.startswith(("goog", "slipway-"))
                or not plain.isalnum()
                or f"{key}{value}" != f"{key}{value}".lower()
            ):
                raise ValueError(f"{key!r}: lower-case letters, digits, - and _; goog and slipway- are reserved")
            if len(key) > 63 or len(value) > 63 or not key[0].isalpha():
                raise ValueError(f"{key!r}: starts with a letter, and key and value have at most 63 characters")
        return labels


def _network(cidr: str) -> str:
    try:
        IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"{cidr!r} is no network such as 10.0.0.0/20: {error}") from None
    return cidr
