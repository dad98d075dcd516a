"""One command: measure, print the tables, and write ``RESULTS.md`` and its chart."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.before import beside_the_older_build
from benchmarks.chart import draw
from benchmarks.cleanup import clean_ups
from benchmarks.effort import FULL, SHORT, Effort
from benchmarks.footprint import footprint
from benchmarks.limits import alone_on_the_token, beside_a_second_client, in_real_time, people_first
from benchmarks.overhead import at_the_sandbox, deletes, walks
from benchmarks.paper import on_paper
from benchmarks.report import document, section_text
from benchmarks.results import Section
from benchmarks.service import inside_services
from benchmarks.usage import usage_and_pages

__all__ = ["main", "measure", "write"]


def measure(effort: Effort) -> Iterator[Section]:
    """Measure, and yield each section when it is done."""
    parts: dict[Callable[[Effort], Section], object] = {
        alone_on_the_token: effort.jobs,
        beside_a_second_client: effort.shared,
        people_first: effort.jobs,
        in_real_time: effort.scale,
        walks: effort.tags,
        deletes: effort.deletes,
        footprint: effort.rounds,
        at_the_sandbox: effort.sandbox,
        clean_ups: effort.cleaned,
        beside_the_older_build: effort.compared,
        on_paper: effort.nights,
        inside_services: effort.sharing,
        usage_and_pages: effort.counted,
    }
    for part, wanted in parts.items():
        if wanted:
            yield part(effort)


def write(text: str, sections: list[Section], directory: Path) -> None:
    """Write the results and their chart into a directory."""
    (directory / "RESULTS.md").write_text(text, encoding="utf-8")
    draw(sections, directory / "results.svg")


def main(arguments: list[str] | None = None) -> int:
    """Measure as the command line says, and return the exit status.

    Returns:
        1 when a figure of the short form is so far off its target that noise cannot explain it.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--short",
        action="store_true",
        help="for CI: the best CPU time of three, written nowhere; fails on a clear loss",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent,
        help="directory of RESULTS.md and results.svg (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    effort = SHORT if given.short else FULL
    load = os.getloadavg()[0]
    sections = []
    for section in measure(effort):
        print(section_text(section, effort.clock), flush=True, end="\n\n")
        sections.append(section)
    if not given.short:
        date = datetime.now(UTC).date().isoformat()
        write(document(sections, date=date, load=load, clock=effort.clock), sections, given.output)
        return 0
    lost = [row.what for section in sections for row in section.rows if row.lost]
    for what in lost:
        print(f"lost: {what}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
