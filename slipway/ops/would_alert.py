"""What would alert: the rules of every platform, asked of services' own metrics without a Prometheus."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.infra.errors import Unanswered
from slipway.infra.monitoring.rules import alerts, rules
from slipway.ops.promql import Labels, Look, Looks, NotSeen, compiled

EVERY = 5  # seconds between looks
# Stands for a namespace in the rules: all that is looked at is one stack's.
HERE = "here"


@dataclass(frozen=True)
class Verdict:
    """Of one alert. `fires`: its summary for each series that it would fire for; `unknown`: why it can't be told."""

    name: str
    severity: str
    lasting: str
    fires: tuple[str, ...] = ()
    unknown: str = ""


def watched(
    told: Callable[[], Mapping[str, str]],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Looks:
    """Looks at what services tell, until `seconds` are over; two at least. `told`: their metrics by instance, at this
    moment."""
    looks = [look(told(), now())]
    while len(looks) < 2 or looks[-1].at - looks[0].at < seconds:
        sleep(min(EVERY, seconds))
        looks.append(look(told(), now()))
    return looks


def look(told: Mapping[str, str], at: float) -> Look:
    """What services told in Prometheus's text format, by instance. Raises Unanswered where it is none."""
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, dict[Labels, float]] = {}
    for instance, text in told.items():
        try:
            found = [each for family in text_string_to_metric_families(text) for each in family.samples]
        except ValueError as error:
            raise Unanswered(f"{instance} answers, and these are no metrics: {error}") from None
        for each in found:
            labels = {**each.labels, "instance": instance, "namespace": HERE}
            samples.setdefault(each.name, {})[frozenset(labels.items())] = float(each.value)
    return Look(at, samples, frozenset(told))


def verdicts(looks: Looks) -> Iterator[Verdict]:
    """What each alert of the rules says of the looks; `for` is not waited for."""
    for rule in alerts(rules(HERE)):
        about = (rule["alert"], rule["labels"]["severity"], rule["for"])
        try:
            found = compiled(rule["expr"])(looks)
        except NotSeen as why:
            yield Verdict(*about, unknown=str(why))
            continue
        fires = found.items() if isinstance(found, dict) else ()
        yield Verdict(*about, fires=tuple(summary(rule, dict(labels), value) for labels, value in fires))


def summary(rule: Mapping[str, Any], labels: Mapping[str, str], value: float) -> str:
    """An alert's summary, as Prometheus fills it in."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), rule["annotations"]["summary"])
    texts = {
        "": f"{value:.4g}",
        " | humanizePercentage": f"{100 * value:.4g}%",
        " | humanizeDuration": _duration(value),
    }
    return re.sub(r"\{\{ \$value( \| \w+)? \}\}", lambda found: texts[found[1] or ""], text)


def _duration(seconds: float) -> str:
    """As Prometheus's humanizeDuration, of a millisecond and more: 1h 2m 3s."""
    if seconds < 60:
        return f"{seconds:.4g}s" if seconds >= 1 else f"{1000 * seconds:.4g}ms"
    minutes, left = divmod(int(seconds), 60)
    parts = {"d": minutes // 1440, "h": minutes // 60 % 24, "m": minutes % 60, "s": left}
    first = next(unit for unit, count in parts.items() if count)
    return " ".join(f"{count}{unit}" for unit, count in list(parts.items())[list(parts).index(first) :])
