"""What AWS refuses that the SDK's types let through: one rule for each fault that the stand-in once accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slipway.simulator.cloud import Cloud, Properties
from slipway.simulator.metric_math import alarm_problems

Problem = tuple[str, str]


class Aws(Cloud):
    """The AWS stand-in's ways."""

    def problems(self, kind: str, inputs: Properties) -> Iterator[Problem]:
        if rule := RULES.get(kind):
            yield from rule(inputs)


def _alarm(inputs: Properties) -> Iterator[Problem]:
    if isinstance(queries := inputs.get("metricQueries"), list):
        yield from (("metricQueries", f"ValidationError: {why}") for why in alarm_problems(queries))


RULES: Mapping[str, Callable[[Any], Iterator[Problem]]] = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
}
