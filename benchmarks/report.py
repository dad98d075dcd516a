"""The results as text: Markdown that reads well in a terminal, too."""

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.candidates import OURS, label
from benchmarks.measure import Clock
from benchmarks.results import Comparison, Row, Section

__all__ = ["document", "machine", "section_text"]

_LIBRARIES = (
    "aioregistry-do",
    "aiohttp",
    "aiolimiter",
    "attrs",
    "cattrs",
    "msgspec",
    "orjson",
    "httpx",
    "pydo",
    "uvloop",
)
_HOW = (
    "Every candidate runs in a process of its own, started anew for each round, and so does the "
    "server; the rounds are interleaved. A figure is the median of its rounds, a ratio the median "
    "of the rounds' ratios, and the spread goes from the least to the most."
)


def document(sections: Sequence[Section], *, date: str, load: float, clock: Clock) -> str:
    """Return the whole of ``RESULTS.md``.

    Args:
        sections: The results.
        date: When they were measured.
        load: How many processes were busy on the machine before that.
        clock: What the ratios were taken on.
    """
    rows = [row for section in sections for row in section.rows if row.target is not None]
    reached = sum(bool(row.reached) for row in rows)
    parts = [
        "# Results",
        f"`python -m benchmarks`, {date}: **{reached} of {len(rows)} targets are reached.**",
        _table(("machine", ""), machine(load)),
        _HOW,
        "![Time of each client over that of aioregistry](results.svg)",
        *(section_text(section, clock) for section in sections),
    ]
    return "\n\n".join(parts) + "\n"


def section_text(section: Section, clock: Clock) -> str:
    """Return a section as Markdown."""
    heads = ("what", "target", "figure", "spread", "reached")
    parts = [f"## {section.title}", section.note, _table(heads, map(_row_cells, section.rows))]
    parts += [
        f"### {comparison.title[0].upper()}{comparison.title[1:]}\n\n"
        + _comparison_table(comparison, clock)
        for comparison in section.comparisons
    ]
    if section.detail is not None:
        parts.append(_table(section.detail.heads, section.detail.lines))
    return "\n\n".join(filter(None, parts))


def machine(load: float) -> list[tuple[str, str]]:
    """Return what was measured on, as names and values."""
    return [
        ("CPU", f"{_cpu_model()}, {os.cpu_count()} cores"),
        ("load before", f"{load:.2f}"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("libraries", ", ".join(_versions())),
    ]


def _cpu_model() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return models[0] if models else platform.machine()


def _versions() -> Iterable[str]:
    for library in _LIBRARIES:
        try:
            yield f"{library} {version(library)}"
        except PackageNotFoundError:
            yield f"{library} not installed"


def _row_cells(row: Row) -> tuple[str, ...]:
    least, most = min(row.values), max(row.values)
    return (
        row.what,
        "-" if row.target is None else f"{row.target} {row.unit}".strip(),
        f"**{_number(row.figure)}** {row.unit}".strip(),
        "-" if len(row.values) == 1 else f"{_number(least)} … {_number(most)}",
        {None: "-", True: "yes", False: "**no**"}[row.reached],
    )


def _comparison_table(comparison: Comparison, clock: Clock) -> str:
    seconds = comparison.samples.by(clock)
    ours = statistics.median(seconds[OURS])
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return _table(
        ("client", f"{clock} time", "spread", "a tag", "over aioregistry's", "of it CPU"),
        (
            (
                label(name, comparison.job.kind),
                f"{1e3 * medians[name]:,.1f} ms",
                f"{1e3 * min(seconds[name]):,.1f} … {1e3 * max(seconds[name]):,.1f}",
                f"{1e6 * medians[name] / comparison.job.count:,.1f} µs",
                f"{medians[name] / ours:.2f}",
                f"{1e3 * statistics.median(comparison.samples.cpu[name]):,.1f} ms",
            )
            for name in sorted(seconds, key=medians.__getitem__)
        ),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1_000 else f"{value:.3g}"


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    cells = [heads, *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    return "\n".join(
        [texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]]
    )
