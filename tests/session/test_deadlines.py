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


def test_attempts_that_are_under_way_at_the_close_end_in_time_all_the_same():
    async def run() -> list[tuple[str, float]]:
        deadlines = Deadlines(10.0)
        working = [asyncio.create_task(attempt(deadlines, start, 60)) for start in (0, 4)]
        await asyncio.sleep(5)
        deadlines.close()
        return await asyncio.gather(*working)

    found = run_virtual(run())
    assert [(how, round(when)) for how, when in found] == [("timed out", 10), ("timed out", 14)]


def test_a_close_with_nothing_under_way_leaves_no_timer():
    async def run() -> None:
        deadlines = Deadlines(10.0)
        await attempt(deadlines, 0, 1)
        assert deadlines.timer is not None
        deadlines.close()
        assert deadlines.timer is None

    run_virtual(run())


def test_a_cancelled_attempt_is_cancelled_and_not_timed_out():
    async def run() -> None:
        working = asyncio.create_task(attempt(Deadlines(10.0), 0, 60))
        await asyncio.sleep(1)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    run_virtual(run())


def test_an_attempt_that_is_cancelled_as_its_time_ends_is_cancelled():
    async def run() -> None:
        deadlines = Deadlines(10.0)
        working = asyncio.create_task(attempt(deadlines, 0, 60))
        await asyncio.sleep(1)
        (deadline,) = deadlines.running
        asyncio.get_running_loop().call_at(deadline.at, working.cancel)
        with pytest.raises(asyncio.CancelledError):
            await working

    run_virtual(run())
