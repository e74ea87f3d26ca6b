"""What watches the stack: metrics of the services, alarms on the edge, and who hears of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from slipway.infra.names import KEEPS_ITS_NAME, own_name
from slipway.infra.platforms.aws.cluster import Eks
from slipway.infra.platforms.aws.config import WatchConfig
from slipway.infra.platforms.aws.dashboard import dashboard
from slipway.infra.platforms.aws.key import PROMETHEUS, PUBLISHERS
from slipway.infra.platforms.aws.network import Subnets
from slipway.infra.platforms.aws.policies import document
from slipway.infra.platforms.aws.prometheus import Prometheus, PrometheusArgs

PERIOD = 300


@dataclass(frozen=True, kw_only=True)
class WatchArgs:
    """`namespace`: whose pods are scraped. `balancer`: its metrics' dimension, where there is an edge."""

    name: str
    region: str
    account: str
    config: WatchConfig
    eks: Eks
    subnets: Subnets
    namespace: str
    balancer: pulumi.Input[str] | None
    key_arn: pulumi.Input[str]


class Watch(pulumi.ComponentResource):
    """Owns the topic that alarms go to, alarms and a dashboard of the edge, and Prometheus with the services' rules.
    Attributes: `topic_arn`, `metrics_url`."""

    metrics_url: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Watch", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        self.topic_arn = self._topic()
        if args.balancer is not None:
            self._edge_alarms()
            self._dashboard(args.balancer)
        if args.config.prometheus:
            prometheus = PrometheusArgs(
                name=args.name,
                region=args.region,
                eks=args.eks,
                subnets=args.subnets,
                namespace=args.namespace,
                topic_arn=self.topic_arn,
                key_arn=args.key_arn,
            )
            self.metrics_url = Prometheus("prometheus", prometheus, self._own).url
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
                        "Principal": {"Service": list(PUBLISHERS)},
                        "Action": ["sns:Publish"],
                        "Resource": [arn],
                        "Condition": {"StringEquals": {"aws:SourceAccount": args.account}},
                    },
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": PROMETHEUS},
                        "Action": ["sns:GetTopicAttributes"],
                        "Resource": [arn],
                        "Condition": {"StringEquals": {"aws:SourceAccount": args.account}},
                    },
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
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=KEEPS_ITS_NAME),
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
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=KEEPS_ITS_NAME),
        )

    def _common(self, name: str, description: str) -> dict[str, Any]:
        return {
            "name": own_name(255, self._args.name, name),
            "alarm_description": description,
            "comparison_operator": "GreaterThanThreshold",
            "evaluation_periods": 2,
            "treat_missing_data": "notBreaching",
            "alarm_actions": [self.topic_arn],
            "ok_actions": [self.topic_arn],
        }

    def _dashboard(self, balancer: pulumi.Input[str]) -> None:
        args = self._args
        body = pulumi.Output.from_input(balancer).apply(lambda suffix: dashboard(args.region, suffix))
        aws.cloudwatch.Dashboard("services", dashboard_name=args.name, dashboard_body=body, opts=self._own)
