"""An explanation in the terminal: words and values as bars, images as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from slipway.service.client import Explanation

MOST = 12
_BAR = 20


def show(told: Explanation, columns: Sequence[str] = ()) -> None:
    console = Console(highlight=False, markup=False, emoji=False)  # words of a text may look like markup
    what = f"probability of {told.target}" if isinstance(told.target, str) else "the answer"
    console.print(
        f"{what}: {told.value:.4f}, from {told.baseline:.4f} where nothing is known of the sample "
        f"({told.method}, {told.evaluations:,} evaluations, {told.seconds:.2f} s)"
        + (f", each give or take {told.standard_error:.2g}" if told.standard_error is not None else "")
    )
    if told.standard_error is None and told.method == "shapley":
        console.print("the model is too slow to explain well: even the signs may be chance", style="bold")
    for name, credits in told.attributions.items():
        flat = credits[..., 0] if credits.ndim == 3 and credits.shape[-1] == 1 else credits
        if not told.words and flat.ndim == 2:
            console.print(f"\n{name}: red speaks for it, blue against")
            console.print(_map(flat))
        else:
            console.print(_bars(name, credits, told.words or columns))


def _bars(name: str, credits: np.ndarray, names: Sequence[str]) -> Table:
    flat, table = credits.ravel(), Table(box=None, show_header=False)
    most = np.abs(flat).max(initial=1e-30)
    for at in np.argsort(-np.abs(flat))[:MOST]:
        label = names[at] if at < len(names) else name if flat.size == 1 else f"{name}[{at}]"
        bar = "█" * max(1, round(_BAR * abs(flat[at]) / most))
        table.add_row(label, f"{flat[at]:+.4f}", Text(bar, "red" if flat[at] > 0 else "blue"))
    return table


def _map(credits: np.ndarray) -> Text:
    """Two characters a value, at most 56 a row: larger maps are thinned out."""
    step = -(-max(credits.shape) // 56)
    thin, text = credits[::step, ::step], Text()
    most = np.abs(thin).max(initial=1e-30)
    for row in thin:
        for value in row:
            part = int(255 * min(1.0, abs(value) / most))
            shade = f"rgb({part},40,40)" if value > 0 else f"rgb(40,40,{max(40, part)})"
            text.append("  ", f"on {shade}")
        text.append("\n")
    return text
