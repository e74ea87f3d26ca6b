"""The picture of the choice: the metric against latency, with size as area."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def plot_variants(report: dict[str, Any], path: Path) -> None:
    """Writes a PNG: a circle for each measured variant, the served one outlined, a line where the budget ends;
    nothing where no speed was measured."""
    measured = [each for each in report["variants"] if each["latencyMs"] is not None]
    if not measured:
        return
    largest = max(each["sizeBytes"] for each in measured)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for each in measured:
        served = each["name"] == report["choice"]["variant"]
        axes.scatter(
            each["latencyMs"]["p50"],
            each["metric"],
            s=40 + 1000 * each["sizeBytes"] / largest,
            alpha=0.5,
            edgecolors="black" if served else "none",
            linewidths=2,
            label=f"{each['name']} (served)" if served else each["name"],
        )
    metric = report["metric"]
    worse = -metric["budget"] if metric["direction"] == "higher" else metric["budget"]
    axes.axhline(measured[0]["metric"] + worse, color="tab:red", linestyle=":", label="end of the budget")
    axes.margins(0.2)
    axes.set_xlabel("latency of one sample on one thread, p50 (ms)")
    axes.set_ylabel(f"held-out {metric['name']}")
    axes.set_title(f"{report['model']}: area is size")
    figure.legend(loc="outside right upper", frameon=False, markerscale=0.5)
    figure.savefig(path, dpi=120, metadata={"Software": None})
