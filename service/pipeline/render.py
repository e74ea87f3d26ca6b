"""The report as rows and Markdown; standard library only, as the command prints the same rows."""

from collections.abc import Iterable
from typing import Any

HEADINGS = (
    "variant",
    "{metric}",
    "drop (at most)",
    "p50 ms",
    "p99 ms",
    "per second",
    "speed",
    "size",
    "note",
)


def headings(report: dict[str, Any]) -> list[str]:
    return [each.format(metric=report["metric"]["name"]) for each in HEADINGS]


def rows(report: dict[str, Any]) -> list[list[str]]:
    """One row of text for each variant, in the order of `headings`."""
    return [_row(each) for each in report["variants"]]


def markdown(report: dict[str, Any]) -> str:
    choice, hardware, training = report["choice"], report["hardware"], report["training"]
    metric, conversion = report["metric"], report["conversion"]
    table = [headings(report), ["---"] * len(HEADINGS), *rows(report)]
    return "\n".join(
        [
            f"# {report['model']}",
            "",
            f"Served: **{choice['variant']}**, {choice['reason']}.",
            "",
            *(_line(each) for each in table),
            "",
            f"![{metric['name']} against latency, size as area](variants.png)",
            "",
            f"- {metric['name']} on {report['samples']} held-out samples; limit {_limit(metric)}, "
            f"budget {metric['budget']:g}; 'at most' is the one-sided 95 % bound of the paired drop",
            f"- training: {training['samples']} samples in {training['seconds']:.1f} s, {metric['name']} "
            f"{training['training']:.4f} on them, {training['heldOut']:.4f} held out",
            f"- conversion from {training['framework']}: largest difference {conversion['maxAbsDiff']:.2g}, "
            f"mean {conversion['meanAbsDiff']:.2g}",
            f"- measured on one thread of {hardware['cpu']}, {hardware['cores']} cores, target {hardware['target']}",
            f"- {', '.join(f'{name} {version}' for name, version in report['versions'].items())}",
            "",
        ]
    )


def _row(variant: dict[str, Any]) -> list[str]:
    if variant["metric"] is None:
        return [variant["name"], *["-"] * (len(HEADINGS) - 2), variant["note"]]
    latency = variant["latencyMs"]
    return [
        variant["name"],
        f"{variant['metric']:.4f}",
        f"{variant['drop']:.4f} ({variant['dropUpper95']:.4f})",
        f"{latency['p50']:.4f}",
        f"{latency['p99']:.4f}",
        f"{variant['throughputPerSecond']:,.0f}",
        f"{variant['speedup']:.2f}x",
        _size(variant["sizeBytes"]),
        variant["note"],
    ]


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _limit(metric: dict[str, Any]) -> str:
    return f"{metric['minimum']:g} at least" if metric["minimum"] is not None else f"{metric['maximum']:g} at most"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
