"""Who may talk to the pods, and to whom they may: everything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.runtime import HTTP_PORT, METRICS_PORT
from slipway.infra.workload.names import Manifest, metadata, selector

if TYPE_CHECKING:
    from slipway.infra.config.stack import ServiceConfig, StackConfig
    from slipway.infra.workload.workload import WorkloadArgs

EVERYWHERE = "0.0.0.0/0"


def network_policy(service: str, args: WorkloadArgs, opts: pulumi.ResourceOptions) -> k8s.networking.v1.NetworkPolicy:
    """Ingress from the namespace's pods, clients and scrapers; egress to DNS and to what was named."""
    cluster = args.cluster
    asked: Manifest = [{"ipBlock": {"cidr": cidr}} for cidr in cluster.clients]
    asked += [_namespace(each) for each in cluster.client_namespaces]
    asked += [{"podSelector": {}}]
    ingress = [{"from": asked, "ports": [_port(HTTP_PORT)]}]
    if cluster.scrapers:
        scraped = [_namespace(each) for each in cluster.scrapers]
        ingress.append({"from": scraped, "ports": [_port(METRICS_PORT)]})
    outside = dict.fromkeys((*cluster.egress, *args.egress))
    egress: Manifest = [{"ports": [_port(53, "UDP"), _port(53)]}]
    egress += [{"to": [{"ipBlock": {"cidr": cidr}}], "ports": [_port(port)]} for cidr, port in outside]
    spec: Manifest = {
        "podSelector": {"matchLabels": selector(service)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    return k8s.networking.v1.NetworkPolicy(
        service, metadata=metadata(service, cluster.namespace, service), spec=spec, opts=opts
    )


def outside_of(config: StackConfig, service: ServiceConfig) -> tuple[tuple[str, int], ...]:
    """What the configuration has a service's pods ask outside: the issuer's keys, the collector of traces."""
    urls = [config.access.jwt.jwks if config.access.jwt else None, service.traces]
    found = [urlsplit(url) for url in urls if url and "://" in url]
    return tuple((EVERYWHERE, each.port or {"http": 80, "https": 443}[each.scheme]) for each in found)


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _port(number: int, protocol: str = "TCP") -> Manifest:
    return {"port": number, "protocol": protocol}
