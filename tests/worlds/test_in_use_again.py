"""What runs is asked again until the last DELETE, however long the lists and a batch take."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from aioregistry.cleanup import ContentCache, Delete, InUseError, Keep, read_archive
from tests.worlds.test_promises import virtual

# What runs is asked again after so many seconds, and a DELETE that has left by then may end.
_ASKED_AGAIN = 600.0
_UNDER_WAY = 60.0


class Cluster:
    """Something that says each time anew what runs."""

    def __init__(self) -> None:
        self.images = {"example/web:keep": 0.0}
        self.times: list[float] = []
        self.is_down = False
        self.takes = 0.0

    async def __aiter__(self) -> AsyncIterator[str]:
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes)
        if self.is_down:
            raise InUseError("the cluster does not answer")
        for image in self.images:
            yield image


def fill(job) -> None:
    """Give a world lists of many pages, so that its one batch waits an hour for quota."""
    job.world.page_size = 1
    for number in range(60):
        job.push(f"pr-{number}")
    job.push("keep")


def fill_with_indexes(job) -> None:
    """Do the same with indexes and their parts, which are deleted in two waves."""
    job.world.page_size = 1
    for number in range(70):
        job.push(f"pr-{number}", children=(job.push(),))
    job.push("keep")


async def apply(job, plan, cluster, archive=None):
    """Carry out a plan by requests of half a second."""
    job.world.latency = lambda: 0.25
    return await job.apply(plan, in_use=cluster, archive=archive)


@virtual
async def test_an_image_that_starts_in_the_middle_of_a_long_batch_stays(job):
    fill(job)
    cluster = Cluster()
    plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
    now = asyncio.get_running_loop().time
    started: dict[str, float] = {}

    def start() -> None:
        if job.world.deletes and not started:
            # All that is left runs from now on.
            started.update(dict.fromkeys(job.tags, now()))
            cluster.images |= {f"example/web:{tag}": now() for tag in job.tags}

    job.world.move = start
    report = await apply(job, plan, cluster)
    late = [
        tag.name
        for one in job.world.deletes
        for tag in one.tags
        if tag.name in started
        and (one.at - job.world.now()).total_seconds() + now() - started[tag.name]
        > _ASKED_AGAIN + _UNDER_WAY
    ]
    assert not late
    assert report.drift
    assert all("in use" in one.reason for one in report.drift)


@virtual
async def test_nothing_more_is_deleted_in_a_batch_when_what_runs_is_unknown(job):
    fill(job)
    cluster = Cluster()
    plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
    begun: list[float] = []
    now = asyncio.get_running_loop().time

    def stop() -> None:
        if job.world.deletes and not begun:
            begun.append(now())
            cluster.is_down = True

    job.world.move = stop
    report = await apply(job, plan, cluster)
    last = max((one.at - job.world.now()).total_seconds() + now() for one in job.world.deletes)
    assert last - begun[0] <= _ASKED_AGAIN + _UNDER_WAY
    assert report.not_attempted
    assert "does not answer" in report.not_attempted[-1].reason


@virtual
async def test_a_batch_goes_on_without_fresh_lists_where_nothing_more_runs(job):
    fill(job)
    cluster = Cluster()
    plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
    asked = len(cluster.times)
    report = await apply(job, plan, cluster)
    assert len(report.deleted) == 60
    assert len(cluster.times) - asked >= 2


@virtual
async def test_what_waits_for_what_runs_is_archived_when_it_is_deleted(job):
    job.world.page_size = 1
    job.push(*[f"pr-{number}" for number in range(150)], "keep")
    cluster = Cluster()
    plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
    asked = len(cluster.times)
    with TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        report = await apply(job, plan, cluster, archive=archive)
        archived = {tag for one in read_archive(archive) for tag in one.tags}
    assert len(cluster.times) - asked >= 2
    assert len(report.deleted) == 150
    assert {tag for one in report.deleted for tag in one.item.tags} == archived


@virtual
async def test_a_clean_up_ends_where_it_takes_long_to_say_what_runs(job):
    fill(job)
    cluster = Cluster()
    plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)
    cluster.takes = _ASKED_AGAIN
    async with asyncio.timeout(86_400):
        report = await apply(job, plan, cluster)
    assert len(report.deleted) == 60


@virtual
async def test_nothing_stays_archived_that_is_kept_because_what_runs_is_unknown(job):
    fill_with_indexes(job)
    with TemporaryDirectory() as folder, ContentCache(Path(folder, "cache")) as cache:
        # What is at hand is archived ahead: the parts while their indexes are deleted.
        job.contents._cache = cache
        cluster = Cluster()
        plan = await job.plan(Keep(tags="keep"), Delete(), in_use=cluster)

        def stop() -> None:
            cluster.is_down = bool(job.world.deletes)

        job.world.move = stop
        archive = Path(folder, "archive")
        report = await apply(job, plan, cluster, archive=archive)
        archived = {one.digest for one in read_archive(archive)}
    assert report.deleted
    assert report.not_attempted
    assert {one.item.digest for one in report.deleted} == archived
