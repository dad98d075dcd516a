"""Jobs at the limit: how long they take, and whether the server ever says no."""

from collections.abc import Callable

from aioregistry.ratelimit.limits import RateLimit
from benchmarks.effort import Effort
from benchmarks.measure import run_module
from benchmarks.results import Detail, Row, Section, Target
from benchmarks.server import serving
from benchmarks.simulate import PATTERNS, alone, beside_another, people_beside_a_job
from tests.ratelimit.strict_server import best_possible

__all__ = ["alone_on_the_token", "beside_a_second_client", "in_real_time", "people_first"]


def alone_on_the_token(effort: Effort) -> Section:
    rows: list[Row] = []
    lines: list[tuple[str, ...]] = []
    for latency, jittered, seeds, bound in (
        ("50 ms", False, 1, 1.02),
        ("0-400 ms", True, effort.seeds, 1.03),
    ):
        outcomes = {
            count: [alone(count, jittered=jittered, seed=seed + 1) for seed in range(seeds)]
            for count in effort.jobs
        }
        rejected = tuple(each.rejected for found in outcomes.values() for each in found)
        rows.append(Row(f"{latency} latency: 429s", rejected, Target(0), worst=True))
        long = tuple(
            each.ratio for count, found in outcomes.items() if count >= 1_000 for each in found
        )
        rows.append(
            Row(
                f"{latency} latency: over the best possible, from 1,000 deletes on",
                long,
                Target(bound),
                worst=True,
            )
        )
        if 250 in outcomes:
            seconds = tuple(each.seconds for each in outcomes[250])
            rows.append(Row(f"{latency} latency: 250 deletes", seconds, Target(4), "s", worst=True))
        for count, found in outcomes.items():
            worst = max(found, key=lambda each: each.seconds)
            lines.append(
                (
                    latency,
                    f"{count:,}",
                    f"{worst.best:,.0f} s",
                    f"{worst.seconds:,.1f} s",
                    f"{worst.ratio:.4f}",
                    str(max(each.rejected for each in found)),
                )
            )
    return Section(
        "At the limit, alone, on a virtual clock",
        "A strict server with both real windows (250 in 60 s, 5,000 in 3,600 s), 32 deletes in "
        "flight. The best possible is the greedy schedule under both windows. Figures are the "
        "worst of all jobs; chance has a part in the latencies only, by fixed seeds.",
        tuple(rows),
        detail=Detail(
            ("latency", "deletes", "best possible", "took", "ratio", "429s"), tuple(lines)
        ),
    )


def beside_a_second_client(effort: Effort) -> Section:
    outcomes = {
        (pattern, before): [
            beside_another(pattern, before=before, seed=seed + 1, count=effort.shared)
            for seed in range(effort.seeds)
        ]
        for pattern in PATTERNS
        for before in (0.0, 1_000.0, 4_000.0)
    }
    every = [each for found in outcomes.values() for each in found]

    def worst(what: str, value: Callable[..., float], bound: float, unit: str = "") -> Row:
        return Row(what, tuple(map(value, every)), Target(bound), unit, worst=True)

    return Section(
        "At the limit, beside another client, on a virtual clock",
        "The same server, 0-400 ms away. Another client of the token, of which ours knows "
        "nothing, takes 30% of both windows, beginning so many seconds before. "
        f"{effort.shared:,} deletes; what is left is the best possible schedule in 70% of both "
        "windows. Figures are the worst of all jobs.",
        (
            worst("sent while the gate is closed", lambda each: each.early, 0),
            worst(
                "429s over those in flight when the gate closed",
                lambda each: each.rejected / max(1, each.tolerated),
                1,
            ),
            worst("429s in all deletes", lambda each: 100 * each.rejected / effort.shared, 2, "%"),
            worst("over the best possible in what is left", lambda each: each.ratio, 1.10),
        ),
        detail=Detail(
            ("the other sends", "begun before", "took", "ratio", "429s"),
            tuple(
                (
                    pattern,
                    f"{before:,.0f} s",
                    f"{max(each.seconds for each in found):,.0f} s",
                    f"{max(each.ratio for each in found):.3f}",
                    str(max(each.rejected for each in found)),
                )
                for (pattern, before), found in outcomes.items()
            ),
        ),
    )


def people_first(effort: Effort) -> Section:
    # Of a longer job every hour is like the others.
    count = min(max(effort.jobs), 20_000)
    outcomes = [people_beside_a_job(count, seed=seed + 1) for seed in range(effort.seeds)]

    def share(part: float) -> tuple[float, ...]:
        # A short job may end before anybody comes.
        return tuple(([*each.seconds] or [0.0])[int(part * len(each.seconds))] for each in outcomes)

    return Section(
        "People beside a job, on a virtual clock",
        f"The same server, 0-400 ms away, and one client: a job of {count:,} deletes, and one "
        "interactive request a minute, at random. The job leaves people what they need.",
        (
            Row("429s", tuple(each.rejected for each in outcomes), Target(0), worst=True),
            Row("an answer, in the median", share(0.5), Target(1.0), "s", worst=True),
            Row("an answer, the 95th percentile", share(0.95), Target(1.0), "s", worst=True),
            Row(
                "the job, over the best possible with as many requests",
                tuple(
                    each.job / best_possible(count + len(each.seconds), *RateLimit().windows)
                    for each in outcomes
                ),
                Target(1.02),
                worst=True,
            ),
        ),
    )


def in_real_time(effort: Effort) -> Section:
    count, runs = 6_000, 2
    quota = RateLimit().scaled(effort.scale)
    best = best_possible(count, *quota.windows)
    figures = []
    for _ in range(runs):
        with serving("sandbox", tags=count, scale=effort.scale) as url:
            figures.append(run_module("probes", "at_the_limit", url, str(count), str(effort.scale)))
    (minute, short), (hour, long) = quota.windows
    return Section(
        "At the limit, in real time",
        f"The sandbox, strict, over sockets, with time {effort.scale:g} times faster: "
        f"{minute} requests in {short:g} s, {hour:,} in {long:g} s. {count:,} deletes, 32 in "
        f"flight; the best possible takes {best:.1f} s.",
        (
            Row("429s", tuple(again for _, again in figures), Target(0), worst=True),
            Row("over the best possible", tuple(took / best for took, _ in figures), Target(1.05)),
        ),
    )
