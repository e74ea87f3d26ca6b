"""What watches the stack: metrics of the services, alarms on the edge, and who hears of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import yaml
from slipway.infra.names import bounded
from slipway.infra.platforms.aws.cluster import Eks
from slipway.infra.platforms.aws.config import WatchConfig
from slipway.infra.platforms.aws.network import Subnets
from slipway.infra.platforms.aws.policies import document

PERIOD = 300


@dataclass(frozen=True, kw_only=True)
class WatchArgs:
    """`namespace`: whose pods are scraped. `balancer`: its metrics' dimension, where there is an edge."""

    name: str
    account: str
    config: WatchConfig
    eks: Eks
    subnets: Subnets
    namespace: str
    balancer: pulumi.Input[str] | None
    key_arn: pulumi.Input[str]


class Watch(pulumi.ComponentResource):
    """Owns the topic that alarms go to, alarms on the edge's errors and latency, and a managed Prometheus with a
    scraper that needs no agent in the cluster. Attributes: `topic_arn`, `metrics_url`."""

    metrics_url: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Watch", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        self.topic_arn = self._topic()
        if args.balancer is not None:
            self._edge_alarms()
        if args.config.prometheus:
            self._prometheus()
        self.register_outputs({})

    def unhealthy(self, service: str, group_suffix: pulumi.Input[str]) -> None:
        """Alarms when a pod of a service stays unready, or none is there."""
        self._alarm(
            f"unhealthy-{service}",
            description=f"{service}: pods that do not answer their probe",
            metric_name="UnHealthyHostCount",
            statistic="Maximum",
            threshold=0,
            dimensions={"LoadBalancer": self._args.balancer, "TargetGroup": group_suffix},
        )

    def _topic(self) -> pulumi.Output[str]:
        args = self._args
        topic = aws.sns.Topic("alarms", name=f"{args.name}-alarms", kms_master_key_id=args.key_arn, opts=self._own)
        aws.sns.TopicPolicy(
            "alarms",
            arn=topic.arn,
            policy=topic.arn.apply(
                lambda arn: document(
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
                        "Action": ["sns:Publish"],
                        "Resource": [arn],
                        "Condition": {"StringEquals": {"aws:SourceAccount": args.account}},
                    }
                )
            ),
            opts=self._own,
        )
        for email in args.config.emails:
            aws.sns.TopicSubscription(
                f"alarms-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=self._own
            )
        return topic.arn

    def _edge_alarms(self) -> None:
        balancer = {"LoadBalancer": self._args.balancer}
        config = self._args.config
        parts = {"errors": "HTTPCode_Target_5XX_Count", "gone": "HTTPCode_ELB_5XX_Count", "sent": "RequestCount"}
        queries: list[Any] = [
            {
                "id": id_,
                "metric": {
                    "namespace": "AWS/ApplicationELB", "metric_name": metric, "period": PERIOD, "stat": "Sum",
                    "dimensions": balancer,
                },
            }
            for id_, metric in parts.items()
        ]  # fmt: skip
        failed, all_ = "(FILL(errors, 0) + FILL(gone, 0))", "(FILL(sent, 0) + FILL(gone, 0))"
        share = f"IF({all_} > 0, 100 * {failed} / {all_}, 0)"  # MAX takes no number beside a series
        queries.append({"id": "percent", "expression": share, "label": "answers 5xx", "return_data": True})
        aws.cloudwatch.MetricAlarm(
            "errors",
            **self._common("errors", "Answers 5xx, in percent"),
            metric_queries=queries,
            threshold=config.errorPercent,
            opts=self._own,
        )
        self._alarm(
            "latency",
            description="Response time of the services, 99th percentile, in seconds",
            metric_name="TargetResponseTime",
            extended_statistic="p99",
            threshold=config.p99Seconds,
            dimensions=balancer,
        )

    def _alarm(self, name: str, *, description: str, **metric: Any) -> None:
        aws.cloudwatch.MetricAlarm(
            name,
            **self._common(name, description),
            namespace="AWS/ApplicationELB",
            period=PERIOD,
            **metric,
            opts=self._own,
        )

    def _common(self, name: str, description: str) -> dict[str, Any]:
        return {
            "name": bounded(255, self._args.name, name),
            "alarm_description": description,
            "comparison_operator": "GreaterThanThreshold",
            "evaluation_periods": 2,
            "treat_missing_data": "notBreaching",
            "alarm_actions": [self.topic_arn],
            "ok_actions": [self.topic_arn],
        }

    def _prometheus(self) -> None:
        args = self._args
        workspace = aws.amp.Workspace("metrics", alias=args.name, kms_key_arn=args.key_arn, opts=self._own)
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
        self.metrics_url = workspace.prometheus_endpoint


def _scrape(namespace: str) -> str:
    """Every pod of the namespace that has a port called `metrics`; of ours, and of the process."""
    keep: Sequence[dict[str, Any]] = [
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "metrics", "action": "keep"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "service"},
    ]
    job = {
        "job_name": "slipway",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [namespace]}}],
        "relabel_configs": list(keep),
    }
    return str(yaml.safe_dump({"global": {"scrape_interval": "30s"}, "scrape_configs": [job]}, sort_keys=True))
