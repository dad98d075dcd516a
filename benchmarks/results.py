"""What comes out: rows with figures and targets, and the sections that they stand in."""

import statistics

from attrs import frozen

from benchmarks.job import Job
from benchmarks.measure import Samples

__all__ = ["Comparison", "Detail", "Row", "Section", "Target"]

# A loss that noise cannot explain, as CI sees it.
_NOISE = 1.4


@frozen
class Target:
    """The bound of a figure, in its unit."""

    bound: float
    at_least: bool = False

    def reached(self, figure: float, slack: float = 1.0) -> bool:
        """Return whether `figure` is within the bound, or within `slack` times it."""
        if self.at_least:
            return figure >= self.bound / slack
        return figure <= self.bound * slack

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}" if self.bound else "0"


@frozen
class Row:
    """One line of the results: a figure, measured several times.

    Attributes:
        what: What was measured.
        values: What was measured each time.
        target: The figure to reach; None where a row only tells.
        unit: Of the values: ``s``, ``ms``, ``MiB``, ``µs``; none of a ratio or count.
        worst: Whether the figure is the worst of the values and not their median: where chance
            plays no part, every one of them has to reach the target.
    """

    what: str
    values: tuple[float, ...]
    target: Target | None = None
    unit: str = ""
    worst: bool = False

    @property
    def figure(self) -> float:
        """The one value that stands for all."""
        if not self.worst:
            return statistics.median(self.values)
        return min(self.values) if self.target and self.target.at_least else max(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.target.reached(self.figure)

    @property
    def lost(self) -> bool:
        """Whether the target is missed by more than noise explains."""
        return self.target is not None and not self.target.reached(self.figure, _NOISE)


@frozen
class Comparison:
    """A job that several candidates did: what it was, and their seconds."""

    title: str
    job: Job
    samples: Samples


@frozen
class Detail:
    """A table of what a section's rows sum up."""

    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@frozen
class Section:
    """A part of the results: how it was measured, its rows, and what is behind them."""

    title: str
    note: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...] = ()
    detail: Detail | None = None
