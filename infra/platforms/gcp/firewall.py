"""Cloud Armor in front of the services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded

LAST = 2147483647
# What one rule takes.
RANGES = 10


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`rate`: requests a minute of one address; `allow`: the networks that may ask, all where it is empty."""

    name: str
    project: pulumi.Input[str]
    rate: int | None
    allow: Sequence[str]


class Firewall(pulumi.ComponentResource):
    """Owns a security policy: the rate is limited, and where networks are named others are refused. Of what requests
    hold it looks for one thing alone, the Log4j exploit: bodies are tensors. Output: `policy`, its name."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Firewall", name, None, opts)
        self._args = args
        policy = gcp.compute.SecurityPolicy(
            name,
            name=bounded(63, args.name),
            project=args.project,
            type="CLOUD_ARMOR",
            rules=self._rules(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy = policy.name
        self.register_outputs({})

    def _rules(self) -> list[Any]:
        log4j = {"expr": {"expression": "evaluatePreconfiguredExpr('cve-canary')"}}
        rules: list[Any] = [{"priority": 1, "action": "deny(403)", "match": log4j, "description": "Log4j"}]
        ranges = list(self._args.allow) or ["*"]
        for index in range(0, len(ranges), RANGES):
            rules.append(
                {"priority": 1000 + index, "description": "callers", **self._callers(ranges[index : index + RANGES])}
            )
        if ranges == ["*"] and not self._args.rate:
            rules.pop()
        closed = "deny(403)" if self._args.allow else "allow"
        return [*rules, {"priority": LAST, "action": closed, "match": _from(["*"]), "description": "all others"}]

    def _callers(self, ranges: list[str]) -> dict[str, Any]:
        if not self._args.rate:
            return {"action": "allow", "match": _from(ranges)}
        return {
            "action": "throttle",
            "match": _from(ranges),
            "rate_limit_options": {
                "conform_action": "allow",
                "exceed_action": "deny(429)",
                "enforce_on_key": "IP",
                "rate_limit_threshold": {"count": self._args.rate, "interval_sec": 60},
            },
        }


def _from(ranges: list[str]) -> dict[str, Any]:
    return {"versioned_expr": "SRC_IPS_V1", "config": {"src_ip_ranges": ranges}}
