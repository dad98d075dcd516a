"""What many jobs, and jobs that say much, cost a service: memory, and the event loop's time."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from aioregistry.web import Jobs

pytestmark = pytest.mark.exhaustive

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident() -> int:
    """Return the bytes of memory that this process has."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def saying(notes: int):
    async def work(job):
        for number in range(notes):
            job.note(tag=f"build-{number}", status="deleted")
            if number % 100 == 0:
                job.tell(done=number, total=notes)
                await asyncio.sleep(0)

    return work


async def settled(jobs: Jobs) -> None:
    while jobs._store._lines:
        await asyncio.sleep(0.01)


@needs_proc
async def test_memory_is_flat_once_jobs_are_forgotten(tmp_path):
    jobs = Jobs(tmp_path, max_ended=100)
    taken = []
    for number in range(1_000):
        await jobs.start("talk", saying(1_000)).wait()
        if number % 200 == 199:
            await settled(jobs)
            taken.append(resident())
    assert max(taken) - taken[0] < 8_000_000, taken
    assert len(list(jobs)) == 100
    await jobs.close()
    assert sum(1 for _ in tmp_path.iterdir()) == 1_000


async def test_no_report_holds_the_event_loop(tmp_path):
    """What the loop's own thread computes between two of its rounds, not what others do."""
    jobs, rounds = Jobs(tmp_path), []

    async def look():
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            rounds.append(time.thread_time() - begun)

    looking = asyncio.create_task(look())
    job = jobs.start("talk", saying(300_000))
    await job.wait()
    await settled(jobs)
    again = await Jobs(tmp_path).recall(job.id)
    looking.cancel()
    assert len(again.noted) == 1_000
    assert max(rounds) < 0.02
    await jobs.close()
