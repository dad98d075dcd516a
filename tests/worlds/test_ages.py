"""Nothing is deleted by a look that is old, whatever made it so: sleep, a slow disk, or answers."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aioregistry.cleanup import Delete, DeleteUntagged, Keep
from aioregistry.cleanup.apply import clock as clocks
from tests.worlds.test_in_use_again import Cluster
from tests.worlds.test_promises import DAY, virtual

_NIGHT = 8 * 3600.0


class SlowDisk:
    """A journal whose first note of a DELETE takes some seconds, in which something happens."""

    def __init__(self, seconds, meanwhile):
        self._seconds = seconds
        self._meanwhile = meanwhile

    @asynccontextmanager
    async def open(self, kind) -> AsyncIterator["SlowDisk"]:
        kind.read(io.BytesIO())
        yield self

    def add(self, record):
        pass

    async def flush(self):
        if self._seconds:
            seconds, self._seconds = self._seconds, 0
            await asyncio.sleep(seconds)
            self._meanwhile()


def slow_disk(monkeypatch, *, sleeps, meanwhile):
    """Return a disk that takes long; or a quick one, while the machine sleeps for a night."""
    if not sleeps:
        return SlowDisk(45.0, meanwhile)
    asleep = [0.0]
    monkeypatch.setattr(clocks, "seconds_asleep", lambda: asleep[0])

    def night():
        asleep[0] += _NIGHT
        meanwhile()

    return SlowDisk(0.01, night)


@pytest.mark.parametrize("sleeps", [False, True])
def test_what_an_image_needs_that_came_before_a_late_delete_stays(monkeypatch, sleeps):
    @virtual
    async def test(job):
        job.push("keep")
        part = job.push()
        plan = await job.plan(Keep(tags="keep"), DeleteUntagged(DAY))
        disk = slow_disk(
            monkeypatch, sleeps=sleeps, meanwhile=lambda: job.push("new", children=(part,), days=0)
        )
        report = await job.apply(plan, journal=disk)
        assert [one.item.digest for one in report.drift] == [part]
        assert not job.world.deletes

    test()


def test_what_the_look_at_another_item_shows_meanwhile_counts():
    class Disk(SlowDisk):
        async def flush(self):
            is_first = self._seconds > 0
            await super().flush()
            await asyncio.sleep(17.0 if is_first else 4.0)

    @virtual
    async def test(job):
        job.push("keep")
        parts = [job.push() for _ in range(40)]
        plan = await job.plan(Keep(tags="keep"), DeleteUntagged(DAY))
        first = next(item.digest for _, item in plan.condemned)
        # Its note takes longest, while more items are looked at than can be at once.
        disk = Disk(3.0, lambda: job.push("new", children=(first,), days=0))
        report = await job.apply(plan, journal=disk)
        assert [one.item.digest for one in report.drift] == [first]
        assert len(report.deleted) == len(parts) - 1

    test()


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_tag_that_moved_before_a_late_delete_stays(monkeypatch, sleeps):
    @virtual
    async def test(job):
        kept = job.push("keep")
        job.push("pr-1")
        plan = await job.plan(Keep(tags="keep"), Delete())
        disk = slow_disk(monkeypatch, sleeps=sleeps, meanwhile=lambda: job.world.tag("pr-1", kept))
        report = await job.apply(plan, journal=disk)
        assert not report.deleted
        assert job.tags == {"keep", "pr-1"}

    test()


def test_what_started_while_the_machine_slept_stays(monkeypatch):
    @virtual
    async def test(job):
        job.push("keep")
        job.push("pr-1")
        cluster = Cluster()
        plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
        disk = slow_disk(
            monkeypatch,
            sleeps=True,
            meanwhile=lambda: cluster.images.update({"example/web:pr-1": 0.0}),
        )
        report = await job.apply(plan, journal=disk, in_use=cluster)
        assert ["in use" in one.reason for one in report.drift] == [True]
        assert job.tags == {"keep", "pr-1"}

    test()


def test_lists_are_read_again_after_the_machine_slept_before_the_first_look(monkeypatch):
    """What they took to read is what the machine was awake: else they stayed young for days."""

    @virtual
    async def test(job):
        job.push("keep")
        again = job.push("pr-1")
        plan = await job.plan(Keep(tags="keep"), Delete())
        # It has to be read after the lists.
        job.push("new", days=0)
        asleep = [0.0]
        monkeypatch.setattr(clocks, "seconds_asleep", lambda: asleep[0])

        def night():
            if not asleep[0]:
                asleep[0] = _NIGHT
                # The same digest under the same tag: the API's lists alone show that.
                job.world.tag("pr-1", again)
            return 0

        job.world.registry_outage = night
        report = await job.apply(plan)
        assert asleep[0]
        assert [one.item.digest for one in report.drift] == [again]
        assert job.tags == {"keep", "pr-1", "new"}

    test()


def test_a_deadline_passes_while_the_machine_sleeps(monkeypatch):
    @virtual
    async def test(job):
        job.push("pr-1")
        plan = await job.plan(Delete())
        disk = slow_disk(monkeypatch, sleeps=True, meanwhile=lambda: None)
        report = await job.apply(plan, journal=disk, deadline=_NIGHT / 2)
        assert [one.reason for one in report.not_attempted] == ["the deadline has passed"]
        assert job.tags == {"pr-1"}

    test()
