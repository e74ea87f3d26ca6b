"""The web application firewall in front of the load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

LOG_DAYS = 365


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`rate`: requests in five minutes of one address; `allow`: the networks that may ask, all where it is empty."""

    name: str
    balancer_arn: pulumi.Input[str]
    rate: int | None
    allow: Sequence[str]
    key_arn: pulumi.Input[str]
    log_days: int


class Firewall(pulumi.ComponentResource):
    """Owns a web ACL: known bad inputs and addresses are refused, the rate is limited, and where networks are named,
    others are refused once more than the security group does. AWS's rules look for known attacks, also in the
    first 8 KB of a body."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Firewall", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        otherwise: Any = {"block": {}} if args.allow else {"allow": {}}
        acl = aws.wafv2.WebAcl(
            name,
            name=args.name,
            description=f"The edge of {args.name}",
            scope="REGIONAL",
            default_action=otherwise,
            rules=self._rules(),
            visibility_config=_seen("edge"),
            opts=self._own,
        )
        aws.wafv2.WebAclAssociation(name, resource_arn=args.balancer_arn, web_acl_arn=acl.arn, opts=self._own)
        # WAF writes only to groups of this prefix.
        logs = aws.cloudwatch.LogGroup(
            name,
            name=f"aws-waf-logs-{args.name}",
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=self._own,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            name,
            resource_arn=acl.arn,
            log_destination_configs=[logs.arn],
            redacted_fields=[{"single_header": {"name": "authorization"}}],
            opts=self._own,
        )
        self.register_outputs({})

    def _rules(self) -> list[Any]:
        rules: list[Any] = [
            _managed(1, "AWSManagedRulesAmazonIpReputationList"),
            _managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
        ]
        if self._args.rate:
            limit = {"rate_based_statement": {"limit": self._args.rate, "aggregate_key_type": "IP"}}
            rules.append(_rule(3, "rate", limit, action={"block": {}}))
        versions = {4: [each for each in self._args.allow if ":" not in each],
                    6: [each for each in self._args.allow if ":" in each]}  # fmt: skip
        for version, networks in versions.items():
            if not networks:
                continue
            known = aws.wafv2.IpSet(
                f"callers-ipv{version}",
                name=f"{self._args.name}-ipv{version}",
                scope="REGIONAL",
                ip_address_version=f"IPV{version}",
                addresses=networks,
                opts=self._own,
            )
            statement = {"ip_set_reference_statement": {"arn": known.arn}}
            rules.append(_rule(version, f"callers-ipv{version}", statement, action={"allow": {}}))
        return rules


def _managed(priority: int, name: str) -> dict[str, Any]:
    statement = {"managed_rule_group_statement": {"vendor_name": "AWS", "name": name}}
    return _rule(priority, name, statement, override_action={"none": {}})


def _rule(priority: int, name: str, statement: dict[str, Any], **action: Any) -> dict[str, Any]:
    return {"name": name, "priority": priority, "statement": statement, "visibility_config": _seen(name), **action}


def _seen(metric: str) -> Any:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": True}
