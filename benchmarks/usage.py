"""Counting a large registry, and the pages of many tags."""

from collections.abc import Iterator

from benchmarks.effort import Effort
from benchmarks.measure import run_module
from benchmarks.probes import HAS_RESIDENT
from benchmarks.results import Row, Section, Target
from tests.browser import HAS_CHROMIUM

__all__ = ["usage_and_pages"]

_REPOSITORIES = 50
_NOTE = (
    "`aioregistry usage` as a process of its own, at a sandbox without limits: its largest "
    "resident memory, and the lists that it read over those of one pass. A page opens from a file "
    "in Chromium: the time until all is loaded and the first rows are drawn, the median; and the "
    "processor time of the process that draws it."
)


def usage_and_pages(effort: Effort) -> Section:
    """Count, and open pages, each in a process of its own."""
    return Section("Usage, and pages", _NOTE, (*_counting(effort), *_pages(effort)))


def _counting(effort: Effort) -> Iterator[Row]:
    if not effort.counted or not HAS_RESIDENT:
        return
    figures = run_module("counting", str(effort.counted), str(_REPOSITORIES))
    tags, manifests, memory, seconds, lists, pages = figures
    what = f"usage of {tags:,.0f} tags on {manifests:,.0f} manifests"
    yield Row(f"{what}: peak of memory", (memory,), Target(400), "MiB")
    yield Row(f"{what}: CPU time", (seconds,), unit="s")
    yield Row(f"{what}: lists read over one pass of {pages:,.0f}", (lists / pages,), Target(1))


def _pages(effort: Effort) -> Iterator[Row]:
    if not effort.paged or not HAS_CHROMIUM:
        return
    figures = run_module("pages", str(effort.paged), str(effort.rounds))
    for kind, (weight, seconds, cpu) in (("usage", figures[:3]), ("a plan", figures[3:])):
        what = f"page of {kind} with {effort.paged:,} tags"
        yield Row(f"{what}: weight", (weight,), Target(8), "MB")
        yield Row(f"{what}: opens", (seconds,), Target(1), "s")
        yield Row(f"{what}: CPU time of its process", (cpu,), unit="s")
