"""Two hundred registries, a token each: how long each takes over the best that its quota allows.

`python -m tests.fleet.many` runs one worker on a virtual clock, with quotas of a tenth, and says
what the engine itself costs a step. On the clock all but the work of the processor takes its time:
quotas, answers, slices, the worker's looks at its queue.
"""

import argparse
import asyncio
import re
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec
from attrs import frozen

from aioregistry import RateLimit
from aioregistry.fleet import FleetEngine, Run
from aioregistry.fleet.steps import Steps
from aioregistry.ratelimit.windows import RollingWindow, seconds_for
from aioregistry.testing import VirtualClock
from tests.fleet.fleets import (
    addresses_of,
    carried_out_by_a_worker,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)
from tests.fleet.virtual import virtual_engine

# A tenth of the vendor's.
LIMIT = RateLimit(windows=((25, 60.0), (500, 3600.0)), burst=10)
_ANSWER_SECONDS = 0.05
_SECONDS_BETWEEN_LOOKS = 5.0
_OF_THE_API = re.compile(r"/v2/registries/(reg\d+)\b")


@frozen
class Length:
    """How long the run of a registry took.

    Attributes:
        seconds: From the moment at which it was begun, on the virtual clock.
        best: How long its requests take at best.
        requests: How many of the API it sent.
        slices: In how many slices it was carried out.
    """

    seconds: float
    best: float
    requests: int
    slices: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.best


async def _lengths(
    clock: VirtualClock, registries: int, images: int, limit: RateLimit | None
) -> list[Length]:
    options = {"record": 10_000_000, "latency": _ANSWER_SECONDS, "clock": lambda: clock.elapsed}
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox_of(registries, 2, images, **options) as sandbox:
            sandbox.state.clock = time.time
            fleet = fleet_of(Path(folder), registries, gc=False)
            async with engine_of(
                fleet,
                sandbox,
                addresses=addresses_of(sandbox, limit),
                concurrency=registries,
                clock=time.time,
                tick_seconds=5.0,
                # The server lets leases run out by the machine's clock.
                lease_seconds=3600.0,
            ) as engine:
                begun = time.time()
                await engine.begin(fleet.registries)
                working = asyncio.create_task(engine.work())
                while {run.phase for run in (await engine.runs()).values()} != {"ended"}:
                    await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
                runs = await engine.runs()
                engine.stop()
                await working
            assert wrong_repositories(sandbox) == []
            paths = (_OF_THE_API.match(one.raw_path) for one in sandbox.requests)
            sent = Counter(found[1] for found in paths if found)
    lengths = []
    for name, run in runs.items():
        assert isinstance(run, Run)
        assert (run.result, run.counts) == ("done", {"deleted": 2 * images})
        quota = LIMIT if limit is None else limit
        windows = [RollingWindow(most, period) for most, period in quota.windows]
        best = seconds_for(sent[name], windows, quota.burst, 0.0)
        lengths.append(Length(run.ended_at - begun, best, sent[name], run.slices))
    return sorted(lengths, key=lambda one: one.ratio)


def lengths(registries: int, images: int, limit: RateLimit | None = LIMIT) -> list[Length]:
    """Return how long the run of each registry took, the best first.

    Args:
        registries: How many.
        images: How many go, in each of the two repositories of a registry.
        limit: The quota of each token; a tenth of the vendor's by default, None for none.
    """
    with VirtualClock() as clock, virtual_engine():
        return clock.run(_lengths(clock, registries, images, limit))


async def cost(steps: int, url: str) -> float:
    """Return the CPU time that a step takes in which nothing is done, in milliseconds."""

    async def carry_out(self: Steps, _: object, run: Run, lease: object) -> None:
        ends = run.slices + 1 >= steps
        after = msgspec.structs.replace(
            run, slices=run.slices + 1, phase="ended" if ends else "apply", result="done"
        )
        await lease.write(*self.store.writes_of(after))

    usual, Steps.carry_out = Steps.carry_out, carry_out
    try:
        with tempfile.TemporaryDirectory() as folder:
            fleet = fleet_of(Path(folder), 20)
            async with FleetEngine(fleet, url) as engine:
                await engine.begin(fleet.registries)
                begun = time.process_time()
                await carried_out_by_a_worker(engine)
                return 1000 * (time.process_time() - begun) / (20 * steps)
    finally:
        Steps.carry_out = usual


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registries", type=int, default=200)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--url", default="memory://", help="of a server, for the engine's cost")
    parser.add_argument("--whole", action="store_true", help="the vendor's quota, not a tenth")
    given = parser.parse_args()
    print(f"{asyncio.run(cost(25, given.url)):.1f} ms of CPU a step, by the engine", flush=True)
    used = time.process_time()
    found = lengths(given.registries, given.images, RateLimit() if given.whole else LIMIT)
    used = time.process_time() - used
    middle, last = found[len(found) // 2], found[-1]
    print(
        f"{len(found)} registries, {middle.requests} requests each, which take {middle.best:.0f} s"
        f" at best, in {middle.slices} slices: {middle.ratio:.3f} of the best in the middle,"
        f" {last.ratio:.3f} at most"
    )
    # Without a quota all of it is one slice.
    (fewest,) = lengths(1, given.images, None)
    more = sum(one.requests for one in found) / len(found) / fewest.requests
    print(f"{more:.3f} times the requests of a clean-up in one slice")
    print(
        f"{used:.0f} s of CPU, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
