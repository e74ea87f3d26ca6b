"""The edge: one load balancer for the stack, a name and a way for each service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from slipway.infra.config.access import JwtConfig
from slipway.infra.names import KEEPS_ITS_NAME, bounded, own_name
from slipway.infra.platforms.aws.config import EndpointConfig
from slipway.infra.platforms.aws.firewall import Firewall, FirewallArgs
from slipway.infra.platforms.aws.network import Subnets
from slipway.infra.protection import guarded_by_cloud
from slipway.infra.runtime import HTTP_PORT, Runtime

# TLS 1.3, and 1.2 with forward secrecy alone.
TLS = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """`allow`: the networks that may ask, all where it is empty. `targets`: the security group of the pods.
    `logs`: the bucket that access is logged to."""

    name: str
    config: EndpointConfig
    subnets: Subnets
    targets: pulumi.Input[str]
    allow: Sequence[str]
    logs: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    production: bool
    log_days: int


class Edge(pulumi.ComponentResource):
    """Owns the load balancer, its security group, its certificate where a zone is named, and its listeners. What no
    service's rule names is answered 404. Attributes: `listener_arn`, `balancer` for alarms, `dns_name`."""

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Edge", name, None, opts)
        self._own, self._args, config = pulumi.ResourceOptions(parent=self), args, args.config
        group = self._group()
        self.balancer = aws.lb.LoadBalancer(
            "edge",
            name=bounded(32, args.name),
            load_balancer_type="application",
            internal=config.internal,
            subnets=list(args.subnets.private.values()) if config.internal else list(args.subnets.public),
            security_groups=[group.id],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            idle_timeout=config.idleSeconds,
            enable_deletion_protection=guarded_by_cloud(args.production),
            access_logs={"bucket": args.logs, "prefix": "edge", "enabled": True},
            # AWS refuses one that faces the internet before the network has a way there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.subnets.way_out]),
        )
        certificate = config.certificate or self._certificate()
        listener = aws.lb.Listener(
            "https",
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS,
            certificate_arn=certificate,
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixed_response": {"content_type": "text/plain", "status_code": "404", "message_body": "not found"},
                }
            ],
            opts=self._own,
        )
        aws.lb.Listener(
            "http",
            load_balancer_arn=self.balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
            ],
            opts=self._own,
        )
        if config.waf:
            Firewall(
                "firewall",
                FirewallArgs(
                    name=args.name,
                    balancer_arn=self.balancer.arn,
                    rate=config.rate,
                    allow=args.allow,
                    key_arn=args.key_arn,
                    log_days=args.log_days,
                ),
                self._own,
            )
        self.listener_arn = listener.arn
        self.register_outputs({"dnsName": self.balancer.dns_name})

    def _group(self) -> aws.ec2.SecurityGroup:
        args = self._args
        group = aws.ec2.SecurityGroup(
            "edge",
            name=f"{args.name}-edge",
            description="The load balancer",
            vpc_id=args.subnets.vpc_id,
            opts=self._own,
        )
        for index, network in enumerate(args.allow or ["0.0.0.0/0"]):
            source: dict[str, Any] = {"cidr_ipv6" if ":" in network else "cidr_ipv4": network}
            for kind, port in (("https", 443), ("http", 80)):
                aws.vpc.SecurityGroupIngressRule(
                    f"edge-{kind}-{index}",
                    security_group_id=group.id,
                    description="Callers" if port == 443 else "Callers, to be sent to 443",
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self._own,
                    **source,
                )
        if args.config.jwt:  # it fetches the issuer's keys by itself
            aws.vpc.SecurityGroupEgressRule(
                "edge-issuer",
                security_group_id=group.id,
                description="Keys of the issuer of tokens",
                cidr_ipv4="0.0.0.0/0",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                opts=self._own,
            )
        pods: dict[str, Any] = {"ip_protocol": "tcp", "from_port": HTTP_PORT, "to_port": HTTP_PORT}
        aws.vpc.SecurityGroupEgressRule(
            "edge-pods",
            security_group_id=group.id,
            description="Services",
            referenced_security_group_id=args.targets,
            opts=self._own,
            **pods,
        )
        aws.vpc.SecurityGroupIngressRule(
            "pods-edge",
            security_group_id=args.targets,
            description="The load balancer",
            referenced_security_group_id=group.id,
            opts=self._own,
            **pods,
        )
        return group

    def _certificate(self) -> pulumi.Output[str]:
        """For every name right under the domain, proven by a record in the zone."""
        config = self._args.config
        assert config.zone and config.domain
        certificate = aws.acm.Certificate(
            "edge", domain_name=f"*.{config.domain}", validation_method="DNS", opts=self._own
        )
        proof = certificate.domain_validation_options.apply(lambda options: options[0])
        record = aws.route53.Record(
            "certificate",
            zone_id=config.zone,
            name=proof.apply(lambda each: each["resource_record_name"]),
            type=proof.apply(lambda each: each["resource_record_type"]),
            records=[proof.apply(lambda each: each["resource_record_value"])],
            ttl=300,
            allow_overwrite=True,
            opts=self._own,
        )
        valid = aws.acm.CertificateValidation(
            "edge", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=self._own
        )
        return valid.certificate_arn


@dataclass(frozen=True, kw_only=True)
class RouteArgs:
    """`host`: the service's public name. `priority`: of its rule, its own among all. `jwt`: whose tokens the load
    balancer checks. `tags`: of the target group, by which the controller in the cluster may register pods."""

    stack: str
    service: str
    runtime: Runtime
    host: str
    priority: int
    edge: Edge
    config: EndpointConfig
    vpc_id: pulumi.Input[str]
    jwt: JwtConfig | None
    tags: dict[str, str]


class Route(pulumi.ComponentResource):
    """Owns a service's target group, the rule that leads its name and API paths there, and its DNS record."""

    def __init__(self, name: str, args: RouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Route", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.group = aws.lb.TargetGroup(
            name,
            name=own_name(32, args.stack, args.service),
            target_type="ip",
            port=HTTP_PORT,
            protocol="HTTP",
            vpc_id=args.vpc_id,
            health_check={
                "path": args.runtime.ready, "matcher": "200", "interval": 10, "timeout": 5, "healthy_threshold": 2,
                "unhealthy_threshold": 2,
            },
            deregistration_delay=args.config.idleSeconds,
            load_balancing_algorithm_type="least_outstanding_requests",
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=KEEPS_ITS_NAME),
        )  # fmt: skip
        forward = {"type": "forward", "forward": {"target_groups": [{"arn": self.group.arn, "weight": 100}]}}
        steps: list[Any] = [*_checked(args.jwt), forward]
        actions: list[Any] = [{**step, "order": order} for order, step in enumerate(steps, 1)]
        self.rule = aws.lb.ListenerRule(
            name,
            listener_arn=args.edge.listener_arn,
            priority=args.priority,
            conditions=[
                {"host_header": {"values": [args.host]}},
                {"path_pattern": {"values": _patterns(args.runtime)}},
            ],
            actions=actions,
            opts=own,
        )
        if args.config.zone:
            balancer = args.edge.balancer
            aws.route53.Record(
                name,
                zone_id=args.config.zone,
                name=args.host,
                type="A",
                aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": False}],
                opts=own,
            )
        self.register_outputs({})


def _patterns(runtime: Runtime) -> list[str]:
    """A rule takes five values in all, so that /v2 and what is below it are one."""
    return [f"{path}*" if path == "/v2" else path for path in runtime.api_paths]


def priority_of(host: str, taken: Sequence[int]) -> int:
    """A rule's place, the same whatever other services there are: by the name alone, or the next free one."""
    import zlib

    place = 1 + zlib.crc32(host.encode()) % 49_000
    while place in taken:
        place += 1
    return place


def _checked(jwt: JwtConfig | None) -> list[dict[str, Any]]:
    if jwt is None:
        return []
    audience = [{"format": "single-string", "name": "aud", "values": [jwt.audience]}]
    return [
        {
            "type": "jwt-validation",
            "jwt_validation": {"issuer": jwt.issuer, "jwks_endpoint": jwt.jwks, "additional_claims": audience},
        }
    ]
