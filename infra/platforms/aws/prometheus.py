"""Amazon Managed Prometheus: a workspace, a scraper outside of the cluster, the services' rules, who hears of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import yaml
from slipway.infra.monitoring.rules import KEPT, rules
from slipway.infra.platforms.aws.cluster import Eks
from slipway.infra.platforms.aws.network import Subnets


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """`namespace`: whose pods are scraped. `topic_arn`: where alerts go."""

    name: str
    region: str
    eks: Eks
    subnets: Subnets
    namespace: str
    topic_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]


class Prometheus(pulumi.ComponentResource):
    """Owns a workspace with a scraper that needs no agent in the cluster, and the rules that every platform has
    (infra/monitoring/rules.yaml), whose alerts go to the topic. Attribute: `url`, where PromQL is asked."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Prometheus", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        workspace = aws.amp.Workspace("metrics", alias=args.name, kms_key_arn=args.key_arn, opts=own)
        aws.amp.Scraper(
            "metrics",
            alias=args.name,
            source={
                "eks": {
                    "cluster_arn": args.eks.arn,
                    "subnet_ids": args.subnets.private_in()[:2],
                    "security_group_ids": [args.eks.security_group],
                }
            },
            destination={"amp": {"workspace_arn": workspace.arn}},
            scrape_configuration=_scrape(args.namespace),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.eks.provider]),
        )
        aws.amp.RuleGroupNamespace(
            "rules",
            name="slipway",
            workspace_id=workspace.id,
            data=_text(rules(args.namespace)),
            opts=own,
        )
        aws.amp.AlertManagerDefinition(
            "alerts",
            workspace_id=workspace.id,
            definition=pulumi.Output.from_input(args.topic_arn).apply(lambda topic: _alerting(topic, args.region)),
            opts=own,
        )
        self.url = workspace.prometheus_endpoint
        self.register_outputs({})


def _scrape(namespace: str) -> str:
    """Every pod of the namespace that has a port called `metrics`; of ours, and of the process."""
    keep: Sequence[dict[str, Any]] = [
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "metrics", "action": "keep"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "service"},
    ]
    job = {
        "job_name": "slipway",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [namespace]}}],
        "relabel_configs": list(keep),
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": KEPT, "action": "keep"}],
    }
    return _text({"global": {"scrape_interval": "30s"}, "scrape_configs": [job]})


def _alerting(topic: str, region: str) -> str:
    """Amazon's Alertmanager takes its configuration as a text in YAML; SNS is the only receiver it has for mails."""
    config = {
        "route": {
            "receiver": "topic", "group_by": ["alertname", "service_name"], "group_wait": "30s", "group_interval": "5m",
            "repeat_interval": "12h",
        },
        "receivers": [
            {
                "name": "topic",
                "sns_configs": [{"topic_arn": topic, "sigv4": {"region": region}, "send_resolved": True}],
            }
        ],
    }  # fmt: skip
    return _text({"alertmanager_config": _text(config)})


def _text(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=True))
