"""`python bench/plot.py FILE.png` draws [[server, form, requests a second], ...] from standard input."""

import json
import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def main(target: str) -> None:
    rows = sorted(json.load(sys.stdin), key=lambda row: row[2])
    names = [f"{server.replace('`', '')}, {form}" for server, form, _ in rows]
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(rows) + 1))
    colors = ["tab:green" if server == "Slipway" else "tab:gray" for server, _, _ in rows]
    bars = axes.barh(names, [rate for _, _, rate in rows], color=colors)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlabel("requests/s, 28x28 CNN, one sample a request, 8 connections")
    axes.margins(x=0.15)
    figure.savefig(target, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    main(sys.argv[1])
