"""One timer for the deadlines of all attempts, on the virtual clock."""

import asyncio

import pytest

from aioregistry.session.deadlines import Deadlines
from aioregistry.testing.virtual_time import run_virtual


async def attempt(deadlines: Deadlines, start: float, seconds: float) -> tuple[str, float]:
    """Begin after some time, work for some, and return how it ended and when."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(start)
    try:
        with deadlines.begin():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "timed out", loop.time()
    return "done", loop.time()


def ended(*attempts: tuple[float, float]) -> list[tuple[str, float]]:
    async def run() -> list[tuple[str, float]]:
        deadlines = Deadlines(10.0)
        found = await asyncio.gather(*(attempt(deadlines, *one) for one in attempts))
        assert not deadlines.running
        return found

    return [(how, pytest.approx(when, abs=0.01)) for how, when in run_virtual(run())]


def test_each_attempt_has_its_own_seconds():
    assert ended((0, 60), (4, 60), (7, 60)) == [
        ("timed out", 10.0),
        ("timed out", 14.0),
        ("timed out", 17.0),
    ]


def test_an_attempt_that_ends_in_time_takes_no_deadline_from_others():
    assert ended((0, 3), (4, 60), (5, 2)) == [("done", 3.0), ("timed out", 14.0), ("done", 7.0)]


def test_a_deadline_that_begins_after_all_had_ended_counts_too():
    assert ended((0, 60), (30, 60)) == [("timed out", 10.0), ("timed out", 40.0)]


def test_a_closed_timer_ends_nothing_more():
    async def run() -> tuple[str, float]:
        deadlines = Deadlines(10.0)
        working = asyncio.create_task(attempt(deadlines, 0, 20))
        await asyncio.sleep(1)
        deadlines.close()
        return await working

    assert run_virtual(run())[0] == "done"


def test_a_cancelled_attempt_is_cancelled_and_not_timed_out():
    async def run() -> None:
        working = asyncio.create_task(attempt(Deadlines(10.0), 0, 60))
        await asyncio.sleep(1)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    run_virtual(run())
