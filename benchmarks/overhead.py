"""Jobs off the limit: what the client itself costs, beside its peers."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from benchmarks.candidates import OURS, installed, label
from benchmarks.effort import DECODER, FLOOR, HTTPX, ORJSON, PYDO, Effort
from benchmarks.job import Job
from benchmarks.measure import interleave, ratios
from benchmarks.results import Comparison, Row, Section, Target
from benchmarks.server import serving

__all__ = ["at_the_sandbox", "deletes", "walks"]

_PAGES_AT_ONCE = 16
_DELETES_AT_ONCE = 32


def walks(effort: Effort) -> Section:
    """Walk all tags, at the minimal server."""
    rows: list[Row] = []
    comparisons: list[Comparison] = []
    with serving("minimal", tags=effort.tags) as url:
        job = Job("walk", url, effort.tags, repeat=10)
        fanned = evolve(job, concurrency=_PAGES_AT_ONCE)
        for title, walk, at_most in (
            ("one page after the other", job, 1.2),
            (f"{_PAGES_AT_ONCE} pages at once", fanned, 1.15),
        ):
            done = _compare(effort, title, walk, effort.candidates)
            comparisons.append(done)
            rows += _over(effort, done, DECODER, "bare aiohttp + our decoder", at_most)
            rows += _over(effort, done, ORJSON, "bare aiohttp + orjson, no models", 1.75)
            rows += _ahead_of(effort, done, PYDO, 3)
            rows += _floor(effort, done)
        title = f"collected into a list, {_PAGES_AT_ONCE} pages at once"
        done = _compare(effort, title, evolve(fanned, kind="collect"), (OURS, DECODER))
    comparisons.append(done)
    rows += _over(effort, done, DECODER, "bare aiohttp + our decoder", 1.2)
    return Section(
        "Off the limit: walks",
        f"A walk of {effort.tags:,} tags in pages of 200, each tag looked at, from the minimal "
        "server, whose answers are made beforehand.",
        tuple(rows),
        tuple(comparisons),
    )


def deletes(effort: Effort) -> Section:
    """Delete many tags, at the minimal server."""
    names = [name for name in effort.candidates if name != ORJSON]
    with serving("minimal") as url:
        job = Job("delete", url, effort.deletes, _DELETES_AT_ONCE)
        many = _compare(effort, f"{_DELETES_AT_ONCE} at once", job, names)
        job = Job("delete", url, max(1, effort.deletes // 5))
        one = _compare(effort, "one after the other", job, names)
        # A process has luck with its heap or not, which tells in every answer that it receives:
        # it takes many of them to tell close figures apart.
        # The best of a few tells as much as the median of many.
        times = 3 if effort.clock == "wall" else 1
        more = evolve(effort, rounds=times * effort.rounds)
        pairs = [
            _compare(more, f"{done.title}, {more.rounds} rounds", done.job, (OURS, DECODER, FLOOR))
            for done in (many, one)
        ]
    return Section(
        "Off the limit: deletes",
        f"{many.job.count:,} deletes at once, {one.job.count:,} one after the other, the limiter "
        "in place and never waiting, at the minimal server.",
        (
            *_over(effort, pairs[0], DECODER, "bare aiohttp", 1.15),
            *_floor(effort, pairs[0]),
            *_ahead_of(effort, many, PYDO, 4),
            *_ahead_of(effort, many, HTTPX, 10),
            *_over(effort, pairs[1], DECODER, "bare aiohttp"),
            *_ahead_of(effort, one, PYDO),
            *_ahead_of(effort, one, HTTPX),
        ),
        (many, one, *pairs),
    )


def at_the_sandbox(effort: Effort) -> Section:
    """Walk and delete at a server that does what the real one does."""
    names = [name for name in (OURS, DECODER, PYDO) if name in effort.candidates]
    count = effort.sandbox // (effort.rounds * len(names))
    with serving("sandbox", tags=effort.sandbox) as url:
        job = Job("walk", url, effort.sandbox, _PAGES_AT_ONCE)
        title = f"{job.count:,} tags walked, {_PAGES_AT_ONCE} pages at once"
        walk = _compare(effort, title, job, names)

        def delete(name: str, nth: int) -> Job:
            first = (nth * len(names) + names.index(name)) * count
            return Job("delete", url, count, _DELETES_AT_ONCE, first, warm_up=False)

        title = f"{count:,} tags deleted, {_DELETES_AT_ONCE} at once"
        deletion = Comparison(title, delete(OURS, 0), interleave(names, delete, effort.rounds))
    return Section(
        "At the sandbox",
        "A server that routes, looks up and counts every request, as the minimal one does not.",
        tuple(
            row
            for done in (walk, deletion)
            for row in (
                *_over(effort, done, DECODER, label(DECODER, done.job.kind)),
                *_ahead_of(effort, done, PYDO),
            )
        ),
        (walk, deletion),
    )


def _compare(effort: Effort, title: str, job: Job, names: Sequence[str]) -> Comparison:
    here = installed()
    samples = interleave((name for name in names if name in here), lambda *_: job, effort.rounds)
    return Comparison(title, job, samples)


def _over(
    effort: Effort, done: Comparison, peer: str, what: str, at_most: float | None = None
) -> Iterator[Row]:
    """Yield the row of our time over a peer's, if it took part."""
    seconds = done.samples.by(effort.clock)
    if peer in seconds:
        values = ratios(seconds[OURS], seconds[peer], effort.clock)
        target = None if at_most is None else Target(at_most)
        yield Row(f"{done.title}: over {what}", values, target)


def _floor(effort: Effort, done: Comparison) -> Iterator[Row]:
    """Yield the rows of our promises on aiohttp's own requests, and of what we take over that."""
    seconds = done.samples.by(effort.clock)
    if FLOOR in seconds and DECODER in seconds:
        bare = "bare aiohttp" if done.job.kind == "delete" else "bare aiohttp + our decoder"
        least = ratios(seconds[FLOOR], seconds[DECODER], effort.clock)
        yield Row(f"{done.title}: {bare} with our promises, over that alone", least)
        ours = ratios(seconds[OURS], seconds[FLOOR], effort.clock)
        yield Row(f"{done.title}: over {bare} with our promises", ours)


def _ahead_of(
    effort: Effort, done: Comparison, peer: str, at_least: float | None = None
) -> Iterator[Row]:
    """Yield the row of a peer's time over ours, if it took part."""
    seconds = done.samples.by(effort.clock)
    if peer in seconds:
        values = ratios(seconds[peer], seconds[OURS], effort.clock)
        target = None if at_least is None else Target(at_least, at_least=True)
        yield Row(f"{done.title}: {label(peer, done.job.kind)}'s time over ours", values, target)
