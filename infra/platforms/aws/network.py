"""The VPC: subnets over zones, ways in and out, endpoints, flow logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws
from slipway.infra.platforms.aws.config import ExistingVpc
from slipway.infra.platforms.aws.policies import allow, document, trusted_by

# What nodes, the pod identity agent, the load balancer controller and logs ask of AWS.
ENDPOINTS = (
    "ec2", "ecr.api", "ecr.dkr", "sts", "logs", "eks", "eks-auth", "elasticloadbalancing", "autoscaling",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Subnets:
    """A network as the rest of the stack sees it. `private`: ids by zone, by their order where the zones are not known;
    `edges`: the ranges that load balancers ask from; `ready`: what nodes need to reach registries; `way_out`: what
    gateways and load balancers on the internet need."""

    vpc_id: pulumi.Input[str]
    cidr: str
    private: dict[str, pulumi.Input[str]]
    public: Sequence[pulumi.Input[str]]
    edges: Sequence[str]
    ready: Sequence[pulumi.Resource] = ()
    way_out: Sequence[pulumi.Resource] = ()

    def private_in(self, zones: Sequence[str] | None = None) -> list[pulumi.Input[str]]:
        """The private subnets of some zones; of all where none of them is known."""
        return [id_ for zone, id_ in self.private.items() if zone in (zones or ())] or list(self.private.values())


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`name`: what names start with; `zones`: by name; `internal`: whether load balancers are in the private subnets;
    `key_arn`: encrypts the flow logs."""

    name: str
    region: str
    account: str
    cidr: str
    zones: Sequence[str]
    nat: str
    internal: bool
    endpoints: bool
    log_days: int
    key_arn: pulumi.Input[str]


class Network(pulumi.ComponentResource):
    """Owns a VPC with a public and a private subnet in each zone. Which addresses a zone has follows from its letter
    alone, so that another choice of zones moves none of the others. Output: `subnets`."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Network", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": args.name},
            opts=self._own,
        )
        self._vpc_id = vpc.id
        aws.ec2.DefaultSecurityGroup("closed", vpc_id=vpc.id, ingress=[], egress=[], opts=self._own)
        private, public, tables = self._subnets(args)
        routes = self._ways_out(args, public, tables)
        routes.append(
            aws.ec2.VpcEndpoint(
                "s3",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{args.region}.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables.values()],
                opts=self._own,
            )
        )
        if args.endpoints:
            routes += self._endpoints(args, private)
        self._flow_logs(args)
        self.subnets = Subnets(
            vpc_id=vpc.id,
            cidr=args.cidr,
            private={zone: subnet.id for zone, subnet in private.items()},
            public=[subnet.id for subnet in public.values()],
            edges=[_ranges(args.cidr, zone)[args.internal] for zone in args.zones],
            ready=routes,
            way_out=[self._way_out],
        )
        self.register_outputs({})

    def _subnets(
        self, args: NetworkArgs
    ) -> tuple[dict[str, aws.ec2.Subnet], dict[str, aws.ec2.Subnet], dict[str, aws.ec2.RouteTable]]:
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=self._vpc_id, tags={"Name": args.name}, opts=self._own)
        outside = aws.ec2.RouteTable(
            "public", vpc_id=self._vpc_id, tags={"Name": f"{args.name}-public"}, opts=self._own
        )
        self._way_out = aws.ec2.Route(
            "public",
            route_table_id=outside.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._own,
        )
        private, public, tables = {}, {}, {}
        for zone in args.zones:
            small, large = _ranges(args.cidr, zone)
            private[zone] = self._subnet(f"private-{zone}", zone, large, {"kubernetes.io/role/internal-elb": "1"})
            public[zone] = self._subnet(f"public-{zone}", zone, small, {"kubernetes.io/role/elb": "1"})
            tables[zone] = aws.ec2.RouteTable(f"private-{zone}", vpc_id=self._vpc_id, opts=self._own)
            for kind, subnet, table in (("private", private[zone], tables[zone]), ("public", public[zone], outside)):
                aws.ec2.RouteTableAssociation(
                    f"{kind}-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=self._own
                )
        return private, public, tables

    def _subnet(self, name: str, zone: str, cidr: str, tags: dict[str, str]) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            name,
            vpc_id=self._vpc_id,
            cidr_block=cidr,
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags={"Name": name, **tags},
            opts=self._own,
        )

    def _ways_out(
        self, args: NetworkArgs, public: dict[str, aws.ec2.Subnet], tables: dict[str, aws.ec2.RouteTable]
    ) -> list[pulumi.Resource]:
        first = args.zones[0]
        match args.nat:
            case "none":
                return []
            case "regional":
                gateways = {
                    "": aws.ec2.NatGateway(
                        "nat",
                        vpc_id=self._vpc_id,
                        availability_mode="regional",
                        connectivity_type="public",
                        opts=self._after_way_out,
                    )
                }
            case "single":
                gateways = {"": self._nat("nat", public[first])}
            case _:
                gateways = {zone: self._nat(f"nat-{zone}", subnet) for zone, subnet in public.items()}
        return [
            aws.ec2.Route(
                f"private-{zone}",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateways.get(zone, next(iter(gateways.values()))).id,
                opts=self._own,
            )
            for zone, table in tables.items()
        ]

    def _nat(self, name: str, subnet: aws.ec2.Subnet) -> aws.ec2.NatGateway:
        address = aws.ec2.Eip(name, domain="vpc", opts=self._own)
        return aws.ec2.NatGateway(name, subnet_id=subnet.id, allocation_id=address.id, opts=self._after_way_out)

    @property
    def _after_way_out(self) -> pulumi.ResourceOptions:
        """AWS refuses a NAT gateway before the internet gateway is attached."""
        return pulumi.ResourceOptions(parent=self, depends_on=[self._way_out])

    def _endpoints(self, args: NetworkArgs, private: dict[str, aws.ec2.Subnet]) -> list[pulumi.Resource]:
        group = aws.ec2.SecurityGroup(
            "endpoints",
            name=f"{args.name}-endpoints",
            description="Interface endpoints of AWS services",
            vpc_id=self._vpc_id,
            opts=self._own,
        )
        aws.vpc.SecurityGroupIngressRule(
            "endpoints",
            security_group_id=group.id,
            description="TLS from the VPC",
            cidr_ipv4=args.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._own,
        )
        return [
            aws.ec2.VpcEndpoint(
                f"endpoint-{service}",
                vpc_id=self._vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in private.values()],
                security_group_ids=[group.id],
                opts=self._own,
            )
            for service in ENDPOINTS
        ]

    def _flow_logs(self, args: NetworkArgs) -> None:
        place = f"arn:aws:logs:{args.region}:{args.account}:log-group"
        group = aws.cloudwatch.LogGroup(
            "flow",
            name=f"/{args.name}/flow",
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=self._own,
        )
        role = aws.iam.Role(
            "flow",
            name=f"{args.name}-flow",
            assume_role_policy=trusted_by("vpc-flow-logs", **_only(args.account)),
            opts=self._own,
        )
        writing = aws.iam.RolePolicy(
            "flow",
            name="write-flow-logs",
            role=role.name,
            policy=document(
                allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    [f"{place}:/{args.name}/flow:*"],
                ),
                allow(["logs:DescribeLogGroups"], [f"{place}:*"]),
            ),
            opts=self._own,
        )
        aws.ec2.FlowLog(
            "flow",
            vpc_id=self._vpc_id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[writing]),
        )


def existing_subnets(vpc: ExistingVpc) -> Subnets:
    """A network that was there before."""
    private: dict[str, pulumi.Input[str]] = {f"#{index}": id_ for index, id_ in enumerate(vpc.privateSubnets)}
    return Subnets(vpc_id=vpc.id, cidr=vpc.cidr, private=private, public=list(vpc.publicSubnets), edges=[vpc.cidr])


def _ranges(cidr: str, zone: str) -> tuple[str, str]:
    """The public and the private range of a zone: a sixteenth of the VPC for pods, a 256th for load balancers."""
    index, network = ord(zone[-1]) - ord("a"), IPv4Network(cidr)
    *_, last = network.subnets(prefixlen_diff=1)
    return str(list(last.subnets(prefixlen_diff=7))[index]), str(list(network.subnets(prefixlen_diff=4))[index])


def _only(account: str) -> dict[str, dict[str, dict[str, str]]]:
    return {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}
