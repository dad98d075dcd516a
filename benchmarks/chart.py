"""The chart of the results: each client's time over ours, as an SVG."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.candidates import OURS, label
from benchmarks.measure import Clock
from benchmarks.results import Comparison, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_OURS, _THEIRS, _BARE = "#0069ff", "#8a94a6", "#c9d1dc"
_COLORS = {OURS: _OURS, "aiohttp": _BARE}


def draw(sections: Sequence[Section], path: Path, clock: Clock = "wall") -> None:
    """Draw all comparisons of three clients or more, and write them to `path` as an SVG.

    Args:
        sections: The results.
        path: Where to write.
        clock: The clock whose seconds are drawn.
    """
    # Only here: the short form, which draws nothing, needs no matplotlib.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    comparisons = [
        (section.title, comparison)
        for section in sections
        for comparison in section.comparisons
        if len(comparison.samples.wall) > 2
    ]
    if not comparisons:
        return
    lines = -(-len(comparisons) // 2)
    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "aioregistry", "font.size": 9}):
        figure = Figure(figsize=(11, 0.9 + 2.6 * lines), layout="constrained")
        figure.suptitle("Time over that of aioregistry (1 = as long, median and spread of rounds)")
        axes = list(figure.subplots(lines, 2, squeeze=False).flat)
        for (title, comparison), each in zip(comparisons, axes, strict=False):
            _draw_one(each, f"{title}: {comparison.title}", comparison, clock)
        for each in axes[len(comparisons) :]:
            each.remove()
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_one(axes: "Axes", title: str, comparison: Comparison, clock: Clock) -> None:
    seconds = comparison.samples.by(clock)
    order = sorted(seconds, key=lambda name: statistics.median(seconds[name]), reverse=True)
    for place, name in enumerate(order):
        values = [a / b for a, b in zip(seconds[name], seconds[OURS], strict=True)]
        middle = statistics.median(values)
        color = next((c for start, c in _COLORS.items() if name.startswith(start)), _THEIRS)
        axes.barh(place, middle, color=color)
        if len(values) > 1:
            axes.plot([min(values), max(values)], [place, place], color="black", linewidth=1)
        axes.text(max(values), place, f"  {middle:.2f}", va="center")
    axes.set_yticks(range(len(order)), [label(name, comparison.job.kind) for name in order])
    axes.axvline(1, color=_OURS, linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=10)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
