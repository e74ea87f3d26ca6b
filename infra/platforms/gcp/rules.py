"""What has to hold between the settings of a Google Cloud stack, before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from slipway.infra.platforms.gcp.config import CpuNodes, GcpConfig, GpuPool
from slipway.infra.platforms.gpu_capacity import short_of_gpus
from slipway.infra.workload.names import taken

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

ARM = ("t2a-", "c4a-", "n4a-", "a4x-")


def problems(config: StackConfig) -> Iterator[str]:
    """What is wrong, as `key: why and the fix`."""
    gcp = config.of(GcpConfig)
    for key in ("project", "region"):
        if getattr(gcp, key) is None:
            yield f"gcp.{key}: is not set; it takes {_described(gcp, key)}"
    if gcp.key and gcp.region and f"/locations/{gcp.region}/" not in gcp.key:
        yield f"gcp.key: it is not in {gcp.region}, where what it encrypts is"
    if config.image.arch != "amd64":
        yield f"image.arch: {config.image.arch}: the nodes are amd64"
    yield from _network(gcp)
    yield from _cluster(gcp)
    yield from _services(config)
    yield from taken(config.services)
    yield from _endpoint(config)
    if gcp.budget.monthly and not gcp.budget.billingAccount:
        yield f"gcp.budget.billingAccount: is not set; it takes who pays, as {_described(gcp.budget, 'billingAccount')}"
    if gcp.budget.billingAccount and not gcp.budget.monthly:
        yield "gcp.budget.monthly: is not set; name an amount, or leave billingAccount out"
    if gcp.ci.deploy and not gcp.ci.repository:
        yield "gcp.ci.repository: is not set; it takes the GitHub repository whose jobs deploy: owner/name"
    if gcp.ci.repository and not gcp.ci.repositoryId:
        ask = f"gh api repos/{gcp.ci.repository} --jq .id"
        yield f"gcp.ci.repositoryId: is not set; it takes the repository's number, as names can be taken over: {ask}"


def _network(gcp: GcpConfig) -> Iterator[str]:
    network = gcp.network
    ranges = {key: IPv4Network(getattr(network, key)) for key in ("nodes", "pods", "services", "proxies")}
    if network.vpc:
        for key in network.model_fields_set & ranges.keys():
            yield f"gcp.network.{key}: an existing VPC has its own ranges: leave it out"
        if gcp.endpoint.internal and not network.vpc.proxies:
            yield "gcp.network.vpc.proxies: is not set; an internal edge takes the range of a proxy-only subnetwork"
        if gcp.cluster.existing:
            yield "gcp.network.vpc: an existing cluster is in its VPC already: leave it out"
        return
    for key, one in ranges.items():
        for other, another in ranges.items():
            if key < other and one.overlaps(another):
                yield f"gcp.network.{key}: {one} overlaps with {other}, {another}: move one of them"
    for key, most in (("nodes", 28), ("pods", 21), ("services", 27), ("proxies", 26)):
        if ranges[key].prefixlen > most:
            yield f"gcp.network.{key}: {ranges[key]} is too small: take a /{most} or larger"


def _cluster(gcp: GcpConfig) -> Iterator[str]:
    cluster = gcp.cluster
    if cluster.zone and not _within(cluster.zone, gcp):
        yield f"gcp.cluster.zone: {cluster.zone} is no zone of {gcp.region}"
    if cluster.existing:
        if cluster.gpu:
            yield "gcp.cluster.gpu: an existing cluster brings its own nodes: leave it out"
        if gcp.endpoint.internal:
            yield "gcp.endpoint.internal: is not offered with an existing cluster: leave it out"
        return
    if cluster.compute == "autopilot":
        if cluster.zone:
            yield "gcp.cluster.zone: Autopilot is in a whole region: leave it out"
        if cluster.cpu != CpuNodes():
            yield "gcp.cluster.cpu: Autopilot makes nodes as pods ask for them: leave it out"
    if cluster.cpu.machine.startswith(ARM):
        yield f"gcp.cluster.cpu.machine: {cluster.cpu.machine} is Arm, and images are amd64: e2-standard-4, for example"
    if cluster.cpu.min > cluster.cpu.max:
        yield f"gcp.cluster.cpu.min: {cluster.cpu.min} is more than max, {cluster.cpu.max}"
    names = [pool.name for pool in cluster.gpu]
    for name in sorted({each for each in names if names.count(each) > 1 or each == "cpu"}):
        yield f"gcp.cluster.gpu: {name!r} is taken: give each pool a name of its own, and none is called cpu"
    for pool in cluster.gpu:
        for why in _pool(pool, gcp):
            yield f"gcp.cluster.gpu.{pool.name}.{why}"


def _pool(pool: GpuPool, gcp: GcpConfig) -> Iterator[str]:
    if pool.min > pool.max:
        yield f"min: {pool.min} is more than max, {pool.max}"
    if len({*pool.zones}) < len(pool.zones):
        yield f"zones: {', '.join(pool.zones)}: one is named twice"
    for zone in pool.zones:
        if not _within(zone, gcp):
            yield f"zones: {zone} is no zone of {gcp.region}"
        elif gcp.cluster.zone and zone != gcp.cluster.zone:
            yield f"zones: the cluster is in {gcp.cluster.zone} alone: name that, or leave gcp.cluster.zone out"
    if (pool.sharing == "none") != (pool.sharers == 1):
        yield f"sharers: {pool.sharers} with sharing {pool.sharing}: it takes sharing time, and two or more"
    if pool.sharing == "mps":
        yield "sharing: mps wants pods in the node's own IPC (hostIPC), which pod security forbids: use time"
    if gcp.cluster.compute == "autopilot":
        if pool.min:
            yield "min: Autopilot keeps no idle node: leave it out, or use compute standard"
        if pool.sharing != "none":
            yield "sharing: is declared on node pools, which Autopilot has none of: use compute standard"


def _services(config: StackConfig) -> Iterator[str]:
    cluster = config.of(GcpConfig).cluster
    for name, service in config.services.items():
        if service.scale.on == "inflight":
            yield f"services.{name}.scale.on: KEDA can't ask Google's managed Prometheus itself: use requests, or cpu"
        if service.scale.on == "requests" and not service.host:
            yield f"services.{name}.scale.on: the load balancer counts requests: set host, or use cpu"
        if service.scale.on == "requests" and service.scale.onDemand:
            yield f"services.{name}.scale.onDemand: requests are counted for all pods of a service alike: use cpu"
    if cluster.existing:
        return
    asking = [name for name, service in config.services.items() if service.gpus]
    if asking and not cluster.gpu:
        yield f"services.{asking[0]}.accelerator: no node has a GPU: name a pool in gcp.cluster.gpu"
    elif cluster.gpu:
        yield from short_of_gpus(config.services, sum(pool.gpus for pool in cluster.gpu), "gcp.cluster.gpu", "max")
    for name, service in config.services.items():
        if service.scale.onDemand and {pool.capacity for pool in cluster.gpu} != {"spot", "on-demand"}:
            yield f"services.{name}.scale.onDemand: gcp.cluster.gpu needs a pool of spot nodes and one on demand"


def _endpoint(config: StackConfig) -> Iterator[str]:
    endpoint = config.of(GcpConfig).endpoint
    hosts: dict[str, str] = {}
    for name, host in ((name, service.host) for name, service in config.services.items() if service.host):
        if endpoint.domain and host.partition(".")[2] != endpoint.domain:
            yield f"services.{name}.host: {host} is not one label under gcp.endpoint.domain, {endpoint.domain}"
        if hosts.setdefault(host, name) != name:
            yield f"services.{name}.host: {host} is taken by {hosts[host]!r}; give each its own"
    if hosts and endpoint.domain is None:
        yield f"gcp.endpoint.domain: is not set; it takes {_described(endpoint, 'domain')}"
    if endpoint.rate and (endpoint.internal or not endpoint.waf):
        yield "gcp.endpoint.rate: Cloud Armor counts, at the public edge: set waf: true, or use access.rate"


def _within(zone: str, gcp: GcpConfig) -> bool:
    return gcp.region is None or zone.rpartition("-")[0] == gcp.region


def _described(settings: object, key: str) -> str:
    return str(type(settings).model_fields[key].description)  # type: ignore[attr-defined]
