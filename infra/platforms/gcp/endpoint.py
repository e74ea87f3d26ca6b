"""The edge: one load balancer for the stack, a name and a way for each service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from slipway.infra.names import bounded
from slipway.infra.platforms.gcp.config import EndpointConfig
from slipway.infra.platforms.gcp.firewall import Firewall, FirewallArgs
from slipway.infra.platforms.gcp.network import Subnet
from slipway.infra.runtime import Runtime
from slipway.infra.workload.names import labels
from slipway.infra.workload.route import HttpRouteArgs, http_route

GATEWAY = "edge"
# Google's proxies and probes, as pods see them: cloud.google.com/load-balancing/docs/health-check-concepts
GOOGLE = ("35.191.0.0/16", "130.211.0.0/22")
PROGRAMMED = {"pulumi.com/waitFor": "condition=Programmed"}


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """`allow`: the networks that may ask, all where it is empty. `cluster`: the provider that reaches it, `namespace`
    the services' in it. `subnet`: where an internal load balancer is."""

    name: str
    project: pulumi.Input[str]
    region: str
    config: EndpointConfig
    subnet: Subnet | None
    allow: Sequence[str]
    cluster: kubernetes.Provider
    namespace: pulumi.Input[str]


class Edge(pulumi.ComponentResource):
    """Owns the address, a certificate for every name right under the domain, what TLS is taken, and the Gateway of
    which GKE makes the load balancer. What no service's route names is answered 404.

    Outputs: `address`; `records`, which the domain needs where no zone is named; `policy` of the firewall."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Edge", name, None, opts)
        self._own, self.args = pulumi.ResourceOptions(parent=self), args
        self.address, address_name = self._internal() if args.config.internal else self._public()
        certified = self._certificate()
        firewall = self._firewall()
        self.policy = firewall.policy if firewall else None
        # GKE finds all of it by name. So it comes before the Gateway, and goes when the load balancer is gone.
        tls = self._object(
            "tls",
            "networking.gke.io/v1",
            "GCPGatewayPolicy",
            {
                "default": {"sslPolicy": self._tls()},
                "targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY},
            },
        )
        self.gateway = self._gateway(address_name, certified, [tls, *([firewall] if firewall else [])])
        self.register_outputs({"address": self.address})

    def _public(self) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        address = gcp.compute.GlobalAddress(
            "edge",
            name=bounded(63, self.args.name),
            project=self.args.project,
            opts=self._own,
        )
        return address.address, address.name

    def _internal(self) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        assert self.args.subnet is not None, "the configuration was checked for it"
        address = gcp.compute.Address(
            "edge",
            name=bounded(63, self.args.name),
            project=self.args.project,
            region=self.args.region,
            address_type="INTERNAL",
            subnetwork=self.args.subnet.subnetwork,
            opts=self._own,
        )
        return address.address, address.name

    def _certificate(self) -> pulumi.Output[str]:
        """The name of the map (public) or of the certificate (internal), once all of it is there."""
        args, domain = self.args, self.args.config.domain
        location = args.region if args.config.internal else "global"
        proof = gcp.certificatemanager.DnsAuthorization(
            "edge",
            name=bounded(63, args.name),
            project=args.project,
            domain=domain,
            location=location,
            type="PER_PROJECT_RECORD" if args.config.internal else "FIXED_RECORD",
            opts=self._own,
        )
        record = proof.dns_resource_records.apply(lambda records: records[0])
        self.records: dict[str, Any] = {"certificate": record, "services": {"type": "A", "data": self.address}}
        if args.config.zone:
            self.record(
                "certificate",
                record.apply(lambda each: each["name"]),
                "CNAME",
                record.apply(lambda each: each["data"]),
                self._own,
            )
        certificate = gcp.certificatemanager.Certificate(
            "edge",
            name=bounded(63, args.name),
            project=args.project,
            location=location,
            managed={"domains": [f"*.{domain}"], "dns_authorizations": [proof.id]},
            opts=self._own,
        )
        if args.config.internal:
            return certificate.name
        listed = gcp.certificatemanager.CertificateMap(
            "edge", name=bounded(63, args.name), project=args.project, opts=self._own
        )
        entry = gcp.certificatemanager.CertificateMapEntry(
            "edge",
            name="all",
            project=args.project,
            map=listed.name,
            hostname=f"*.{domain}",
            certificates=[certificate.id],
            opts=self._own,
        )
        return entry.map

    def record(
        self, name: str, host: pulumi.Input[str], kind: str, data: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> None:
        """A record in the zone. `host` ends with a dot."""
        gcp.dns.RecordSet(
            name,
            managed_zone=self.args.config.zone,
            project=self.args.project,
            name=host,
            type=kind,
            rrdatas=[data],
            ttl=300,
            opts=opts,
        )

    def _tls(self) -> pulumi.Output[str]:
        name, project = bounded(63, self.args.name), self.args.project
        if self.args.config.internal:
            return gcp.compute.RegionSslPolicy(
                "edge",
                name=name,
                project=project,
                region=self.args.region,
                profile="MODERN",
                min_tls_version="TLS_1_2",
                opts=self._own,
            ).name
        return gcp.compute.SSLPolicy(
            "edge", name=name, project=project, profile="MODERN", min_tls_version="TLS_1_2", opts=self._own
        ).name

    def _firewall(self) -> Firewall | None:
        args = self.args
        if args.config.internal or not args.config.waf:
            return None
        firewall = FirewallArgs(name=args.name, project=args.project, rate=args.config.rate, allow=args.allow)
        return Firewall("firewall", firewall, self._own)

    def _gateway(
        self, address: pulumi.Output[str], certified: pulumi.Output[str], needs: Sequence[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        internal = self.args.config.internal
        https: dict[str, Any] = {"name": "https", "port": 443, "protocol": "HTTPS"}
        if internal:
            https["tls"] = {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": certified}}
        listeners = [https] if internal else [https, {"name": "http", "port": 80, "protocol": "HTTP"}]
        made = self._object(
            GATEWAY,
            "gateway.networking.k8s.io/v1",
            "Gateway",
            {
                "gatewayClassName": "gke-l7-rilb" if internal else "gke-l7-global-external-managed",
                "addresses": [{"type": "NamedAddress", "value": address}],
                "listeners": [{**each, "allowedRoutes": {"namespaces": {"from": "Same"}}} for each in listeners],
            },
            {**PROGRAMMED, **({} if internal else {"networking.gke.io/certmap": certified})},
            needs,
        )
        if not internal:
            redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
            self._object(
                "edge.redirect",
                "gateway.networking.k8s.io/v1",
                "HTTPRoute",
                {"parentRefs": [{"name": GATEWAY, "sectionName": "http"}], "rules": [{"filters": [redirect]}]},
            )
        return made

    def _object(
        self,
        name: str,
        api: str,
        kind: str,
        spec: dict[str, Any],
        annotations: dict[str, Any] | None = None,
        needs: Sequence[pulumi.Resource] = (),
    ) -> kubernetes.apiextensions.CustomResource:
        return cluster_object(name, api, kind, spec, self.args.namespace, self.args.cluster, self, annotations, needs)


@dataclass(frozen=True, kw_only=True)
class RouteArgs:
    """`service`: of Kubernetes, once pods answer behind it. `host`: its public name. `drain`: seconds for which the
    load balancer lets answers of an old pod come. `rate`: requests a second that a pod takes, where these count."""

    service: pulumi.Input[str]
    runtime: Runtime
    port: int
    host: str
    edge: Edge
    config: EndpointConfig
    drain: int
    rate: int | None


class Route(pulumi.ComponentResource):
    """Owns what leads a service's name and API paths to its pods, how they are probed, and its DNS record."""

    def __init__(self, name: str, args: RouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # The type is named as the state has it.
        super().__init__("slipway:gcp:Way", name, None, opts)
        edge = args.edge.args
        target = {"group": "", "kind": "Service", "name": args.service}
        default: dict[str, Any] = {
            "timeoutSec": args.config.idleSeconds,
            "connectionDraining": {"drainingTimeoutSec": args.drain},
            "logging": {"enabled": True, "sampleRate": 10_000},  # of a million
        }
        if args.rate is not None:
            default["maxRatePerEndpoint"] = args.rate
        if args.edge.policy is not None:
            default["securityPolicy"] = args.edge.policy
        probe = {
            "checkIntervalSec": 10,
            "timeoutSec": 5,
            "healthyThreshold": 1,
            "unhealthyThreshold": 2,
            "logConfig": {"enabled": True},
            "config": {
                "type": "HTTP",
                # GKE refuses a port without it.
                "httpHealthCheck": {
                    "portSpecification": "USE_FIXED_PORT",
                    "port": args.port,
                    "requestPath": args.runtime.ready,
                },
            },
        }
        policies = [
            cluster_object(
                name,
                "networking.gke.io/v1",
                kind,
                {"default": what, "targetRef": target},
                edge.namespace,
                edge.cluster,
                self,
            )
            for kind, what in (("HealthCheckPolicy", probe), ("GCPBackendPolicy", default))
        ]
        # Before anything is let through to the service, it is probed and guarded as it should be.
        self.route = http_route(
            name,
            HttpRouteArgs(
                service=args.service,
                port=args.port,
                paths=args.runtime.api_paths,
                host=args.host,
                namespace=edge.namespace,
                gateway=(GATEWAY, edge.namespace),
                section="https",
            ),
            pulumi.ResourceOptions(parent=self, provider=edge.cluster, depends_on=[args.edge.gateway, *policies]),
        )
        if args.config.zone:
            args.edge.record(name, f"{args.host}.", "A", args.edge.address, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def cluster_object(
    name: str, api: str, kind: str, spec: dict[str, Any], namespace: pulumi.Input[str],
    cluster: kubernetes.Provider, parent: pulumi.Resource, annotations: dict[str, Any] | None = None,
    needs: Sequence[pulumi.Resource] = (),
) -> kubernetes.apiextensions.CustomResource:  # fmt: skip
    about: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels(name)}
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version=api,
        kind=kind,
        metadata={**about, "annotations": annotations} if annotations else about,
        spec=spec,
        opts=pulumi.ResourceOptions(parent=parent, provider=cluster, depends_on=list(needs)),
    )
