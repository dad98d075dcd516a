"""A clean-up of a whole registry: its requests, and what planning takes."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.effort import PYDO, Effort
from benchmarks.job import PER_PAGE
from benchmarks.measure import run_module
from benchmarks.results import Row, Section, Target
from benchmarks.server import REPOSITORIES, serving
from tests.ratelimit.strict_server import HOUR, MINUTE, best_possible

__all__ = ["clean_ups"]

_NOTE = (
    "A sandbox without limits, with made-up content in several repositories. What manifests say "
    "is read from the registry itself in the first job, and kept on disk before the second. "
    "Tag by tag means: one DELETE a tag, then one for each manifest that this leaves untagged, and "
    "one listing each of tags and manifests; a loop over pydo does that, with 32 calls at once. "
    "Night after night means plans by the lists that were remembered: nothing is deleted in "
    "between, and contents cost no requests there. What an archive costs is the median over "
    "processes, each of which applies the parts of a plan in turn with an archive and without."
)


def clean_ups(effort: Effort) -> Section:
    """Plan and apply, each in a process of its own."""
    rows = (
        *_whole(effort),
        *_as_today(effort),
        *_archiving(effort),
        *_large(effort),
        *_nights(effort),
        *_killed(effort),
    )
    return Section("A clean-up", _NOTE, rows)


def _whole(effort: Effort) -> Iterator[Row]:
    rounds = [_measure(effort.cleaned, "apply", kept=False) for _ in range(min(3, effort.rounds))]
    _, _, tags, manifests, gone, deletes, planning, applying, one_by_one = rounds[0]
    what = (
        f"{REPOSITORIES} repositories, {tags:,.0f} tags, {manifests:,.0f} manifests of which"
        f" {gone:,.0f} go"
    )
    yield Row(f"{what}: DELETEs", (deletes,))
    yield Row(f"{what}: requests in all", (planning + applying,))
    over = (planning + applying) / deletes
    yield Row(f"{what}: requests in all over DELETEs", (over,), Target(1.02))
    yield Row(f"{what}: requests tag by tag, as by pydo or a loop over doctl", (one_by_one,))
    yield Row(f"{what}: its requests over those", ((planning + applying) / one_by_one,), Target(1))
    yield Row(f"{what}: planned", tuple(one[0] for one in rounds), unit="s")
    yield Row(f"{what}: peak of memory", tuple(one[1] for one in rounds), unit="MiB")


def _as_today(effort: Effort) -> Iterator[Row]:
    """Beside a loop over the vendor's client, which is run, and one over doctl, counted."""
    if PYDO not in effort.candidates:
        return
    tags = effort.cleaned // 6
    repositories = min(tags, REPOSITORIES // 5)
    figures = run_module("today", str(tags), str(repositories))
    theirs, calls, broken, ours, deletes, still_broken = figures
    # doctl asks for the registry before each call: one for each DELETE, the lists of tags and of
    # manifests of each repository, and the list of repositories.
    by_doctl = theirs + calls + 2 * repositories + 1
    what = f"{tags:,} tags in {repositories} repositories"
    yield Row(f"{what}: requests of a loop over pydo", (theirs,))
    yield Row(f"{what}: requests of a loop over doctl, counted", (by_doctl,))
    yield Row(f"{what}: requests of ours, of which {deletes:,.0f} DELETEs", (ours,))
    yield Row(f"{what}: the loop over pydo, hours at the limit", (_hours(theirs),), unit="h")
    yield Row(f"{what}: ours, hours at the limit", (_hours(ours),), unit="h")
    yield Row(f"{what}: tags that the loop left without a part of their image", (broken,))
    yield Row(f"{what}: tags that ours left so", (still_broken,), Target(0))


def _hours(requests: float) -> float:
    return best_possible(round(requests), MINUTE, HOUR) / HOUR[1]


def _archiving(effort: Effort) -> Iterator[Row]:
    """Apply parts of a plan with an archive and without, in turn."""
    rounds = [_archive(effort.cleaned, parity=nth % 2) for nth in range(effort.rounds)]
    cpu, wall = (statistics.median(ratios) for ratios in zip(*rounds, strict=True))
    what = f"{effort.cleaned:,} tags, applied with a journal and an archive, over a journal alone"
    yield Row(f"{what}: CPU time", (cpu,), Target(1.05))
    yield Row(f"{what}: wall time", (wall,), Target(1.05))


def _large(effort: Effort) -> Iterator[Row]:
    if not effort.planned:
        return
    seconds, memory, tags, manifests, *_ = _measure(effort.planned, "plan", kept=True)
    what = f"{tags:,.0f} tags on {manifests:,.0f} manifests"
    yield Row(f"{what}: planned", (seconds,), Target(60), "s")
    yield Row(f"{what}: peak of memory", (memory,), Target(400), "MiB")


def _nights(effort: Effort) -> Iterator[Row]:
    if not effort.nights:
        return
    figures = run_module("nights", str(effort.nights))
    pages = -(-effort.nights // PER_PAGE)
    for old, (first, unchanged, changed, part) in (
        ("all", figures[:4]),
        ("one in ten", figures[4:]),
    ):
        what = f"{effort.nights:,} repositories of 5 tags, {old} with tags to delete"
        twice = first / (2 * effort.nights + pages)
        yield Row(f"{what}: requests of the first plan", (first,))
        yield Row(f"{what}: those over two lists of each repository", (twice,), Target(0.55))
        yield Row(f"{what}: of the same again", (unchanged,), Target(1.1 * pages))
        yield Row(f"{what}: of one after 1% has changed", (changed,), Target(4 * pages))
        yield Row(f"{what}: of a quarter, over the first", (part / first,), Target(0.26))


def _archive(tags: int, *, parity: int) -> list[float]:
    with TemporaryDirectory() as folder:
        contents = Path(folder, "contents")
        with serving("registry", tags=tags, contents=contents) as url:
            return run_module("archiving", url, str(contents), str(parity))


def _killed(effort: Effort) -> Iterator[Row]:
    if not (effort.nights and effort.compared):
        return
    figures = run_module("killed", str(effort.compared), "5")
    what = f"a cold plan of {effort.compared:,} tags, killed at a random moment: reads lost"
    lost = (read - kept for read, kept in zip(figures[::3], figures[1::3], strict=True))
    yield Row(what, tuple(lost), worst=True)
    yield Row(f"{what}, in seconds", tuple(figures[2::3]), Target(5), "s", worst=True)


def _measure(tags: int, job: str, *, kept: bool) -> list[float]:
    with TemporaryDirectory() as folder:
        contents = Path(folder, "contents")
        with serving("registry", tags=tags, contents=contents if kept else None) as url:
            return run_module("cleaning", url, str(contents), job)
