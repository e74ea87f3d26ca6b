"""The VPC: nodes without public addresses, a way out, flow logs."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded
from slipway.infra.platforms.gcp.config import ExistingVpc, NetworkConfig
from slipway.infra.platforms.gcp.leftovers import NetworkLeftovers


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A network as the rest of the stack sees it. `pods`, `services`: names of secondary ranges; `proxies`: the range
    of an internal edge; `ready`: what nodes need to reach registries, and what outlives the cluster."""

    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    pods: str
    services: str
    proxies: str | None = None
    ready: tuple[pulumi.Resource, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`name`: what names start with. `internal`: whether an internal edge needs addresses for its proxies."""

    name: str
    project: pulumi.Input[str]
    region: str
    config: NetworkConfig
    internal: bool


class Network(pulumi.ComponentResource):
    """Owns a VPC with one subnetwork, which is in all zones of the region. Output: `subnet`."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Network", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        network = gcp.compute.Network(
            "vpc",
            name=bounded(63, args.name),
            project=args.project,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=own,
        )
        # What comes in is refused in any case; by a rule the logs show it.
        gcp.compute.Firewall(
            "closed",
            name=bounded(63, args.name, "closed"),
            network=network.id,
            direction="INGRESS",
            priority=65534,
            source_ranges=["0.0.0.0/0"],
            denies=[{"protocol": "all"}],
            log_config={"metadata": "EXCLUDE_ALL_METADATA"},
            opts=own,
        )
        subnetwork = gcp.compute.Subnetwork(
            "nodes",
            name=bounded(63, args.name, "nodes"),
            region=args.region,
            network=network.id,
            ip_cidr_range=args.config.nodes,
            secondary_ip_ranges=[
                {"range_name": "pods", "ip_cidr_range": args.config.pods},
                {"range_name": "services", "ip_cidr_range": args.config.services},
            ],
            private_ip_google_access=True,
            log_config={
                "aggregation_interval": "INTERVAL_10_MIN",
                "flow_sampling": 0.1,
                "metadata": "INCLUDE_ALL_METADATA",
            },
            opts=own,
        )
        if args.internal:
            gcp.compute.Subnetwork(
                "proxies",
                name=bounded(63, args.name, "proxies"),
                region=args.region,
                network=network.id,
                ip_cidr_range=args.config.proxies,
                purpose="REGIONAL_MANAGED_PROXY",
                role="ACTIVE",
                opts=own,
            )
        nat = self._way_out(args, network)
        self.subnet = Subnet(
            network=network.id,
            subnetwork=subnetwork.id,
            pods="pods",
            services="services",
            proxies=args.config.proxies if args.internal else None,
            ready=(nat, NetworkLeftovers("leftovers", args.project, network.name, own)),
        )
        self.register_outputs({})

    def _way_out(self, args: NetworkArgs, network: gcp.compute.Network) -> gcp.compute.RouterNat:
        own = pulumi.ResourceOptions(parent=self)
        router = gcp.compute.Router(
            "router", name=bounded(63, args.name), region=args.region, network=network.id, opts=own
        )
        return gcp.compute.RouterNat(
            "nat",
            name=bounded(63, args.name),
            region=args.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,  # Google takes no dynamic ports with it
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=own,
        )


def existing_subnet(vpc: ExistingVpc) -> Subnet:
    """The same of a network that is there already."""
    return Subnet(
        network=vpc.network, subnetwork=vpc.subnetwork, pods=vpc.pods, services=vpc.services, proxies=vpc.proxies
    )
