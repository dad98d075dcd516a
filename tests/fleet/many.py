"""Two hundred registries, a token each: how long each takes over the best that its quota allows.

`python -m tests.fleet.many` runs it, with quotas that are smaller in place of time that is faster,
and says what the engine itself costs a step.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import msgspec

from aioregistry import RateLimit
from aioregistry.fleet import FleetEngine, Run
from aioregistry.fleet.steps import Steps
from aioregistry.ratelimit.windows import RollingWindow, seconds_for
from tests.fleet.fleets import (
    addresses_of,
    carried_out_by_a_worker,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)

LIMIT = RateLimit(windows=((10, 20.0), (10_000, 3600.0)), burst=10)


async def lengths(registries: int, images: int) -> list[float]:
    """Return each registry's length, over the best that its quota allows for its requests."""
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox_of(registries, 1, images) as sandbox:
            fleet = fleet_of(Path(folder), registries, gc=False)
            options = {"addresses": addresses_of(sandbox, LIMIT), "concurrency": registries}
            options |= {"tick_seconds": 5.0, "lease_seconds": 20.0, "slice_seconds": 60.0}
            async with engine_of(fleet, sandbox, **options) as engine:
                begun = time.time()
                await engine.begin(fleet.registries)
                await engine.work(fleet.registries)
                runs = await engine.runs()
            assert wrong_repositories(sandbox) == []
            sent: dict[str, int] = defaultdict(int)
            for one in sandbox.requests:
                if found := re.match(r"/v2/registries/(reg\d+)\b", one.raw_path):
                    sent[found[1]] += 1
    found = []
    for name, run in runs.items():
        assert isinstance(run, Run)
        assert run.result == "done"
        windows = [RollingWindow(most, period) for most, period in LIMIT.windows]
        best = seconds_for(sent[name], windows, LIMIT.burst, 0.0)
        found.append((run.ended_at - begun) / best)
    print(f"{sent['reg0']} requests each, which take {best:.0f} s at best")
    return sorted(found)


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
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--url", default="memory://", help="of a server, for the engine's cost")
    given = parser.parse_args()
    print(f"{asyncio.run(cost(25, given.url)):.1f} ms of CPU a step, by the engine")
    found = asyncio.run(lengths(given.registries, given.images))
    middle, last = found[len(found) // 2], found[-1]
    print(f"{len(found)} registries: {middle:.3f} of the best in the middle, {last:.3f} at most")
