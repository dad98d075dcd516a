"""Cancellations at a bad moment: twice, beside a wake-up, of all tasks, while a thread works."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from aioregistry import InvalidTokenError, RateLimit, RegistryClient
from aioregistry.cleanup import ContentCache, Plan
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.append import AppendOnlyFile
from aioregistry.cleanup.records.journal import Journal
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.web import Jobs
from tests.conftest import push_tags
from tests.faults.stage import is_of_server, same_files

PLAN = Plan(registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC))
ITEM = Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=("v1",))
NAMES = [f"v{number}" for number in range(6)]


def _cancel_all_others() -> None:
    me = asyncio.current_task()
    for task in asyncio.all_tasks() - {me}:
        if not is_of_server(task):
            task.cancel()


@pytest.fixture
def repository(sandbox, client):
    push_tags(sandbox.state, len(NAMES))
    return client.registry("example").repository("repo")


# A bulk delete.


async def test_cancelled_twice_a_bulk_delete_has_told_of_all_when_it_ends(repository):
    told = []

    async def check(_: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(5):
                await asyncio.sleep(0)

    deleting = asyncio.create_task(repository.delete_tags(NAMES, told.append, check=check))
    await asyncio.sleep(0.01)
    deleting.cancel()
    await asyncio.sleep(0)
    deleting.cancel()
    await asyncio.wait([deleting])
    assert sorted(outcome.name for outcome in told) == NAMES


async def test_a_bulk_delete_whose_reader_gave_up_begins_nothing_until_it_is_read_again(
    sandbox, repository
):
    sandbox.latency = 0.05
    repository._deletes = evolve(repository._deletes, concurrency=1)
    async with repository.iter_delete_tags(NAMES) as outcomes:
        reading = asyncio.create_task(anext(outcomes))
        while not sandbox.request_count:
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.sleep(0.2)
        # The one that was under way.
        assert sandbox.request_count == 1
        found = {outcome.name: outcome.status async for outcome in outcomes}
    assert found == dict.fromkeys(NAMES, "deleted")


async def test_a_reader_of_a_bulk_delete_goes_on_although_another_gave_up(repository):
    async with repository.iter_delete_tags(NAMES) as outcomes:
        one, other = (asyncio.create_task(anext(outcomes)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        assert (await asyncio.wait_for(other, 60)).status == "deleted"


async def test_a_name_that_comes_after_the_reader_gave_up_is_not_deleted_until_it_is_read_again(
    sandbox, repository
):
    named = asyncio.Event()

    async def names() -> AsyncIterator[str]:
        await named.wait()
        for name in NAMES:
            yield name

    async with repository.iter_delete_tags(names()) as outcomes:
        reading = asyncio.create_task(anext(outcomes))
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.sleep(0)
        named.set()
        await asyncio.sleep(0.05)
        assert sandbox.request_count == 0
        found = {outcome.name: outcome.index async for outcome in outcomes}
    assert found == {name: index for index, name in enumerate(NAMES)}


async def test_a_token_that_was_cancelled_with_another_caller_does_not_cancel_this_one(sandbox):
    async def token() -> str:
        shared = asyncio.create_task(asyncio.sleep(60))
        shared.cancel()
        return await shared

    async with RegistryClient(token, base_url=sandbox.url) as client:
        with pytest.raises(InvalidTokenError, match="callable was cancelled"):
            await client.options()


# All tasks at once, as `asyncio.run` and servers cancel them at their end.


async def test_who_sends_while_all_tasks_are_cancelled_gets_a_permit():
    limiter = WindowLimiter(RateLimit(windows=((1, 0.05),), burst=1000))
    await limiter.acquire()
    limiter.release()

    async def work() -> None:
        try:
            await limiter.acquire()
        finally:
            await limiter.acquire()
            limiter.release()

    working = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    _cancel_all_others()
    _, waiting = await asyncio.wait([working], timeout=60)
    assert not waiting
    assert working.cancelled()


async def test_who_sends_while_its_limiter_is_cancelled_starts_one_dispatcher():
    limiter = WindowLimiter(RateLimit(windows=((1, 0.05),), burst=1000))
    await limiter.acquire()
    limiter.release()

    async def work() -> None:
        try:
            await limiter.acquire()
        finally:
            await limiter.acquire()
            limiter.release()

    working = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    # In this order: who works finds the dispatcher done, before that is told.
    limiter._dispatcher.cancel()
    working.cancel()
    await asyncio.wait([working], timeout=60)
    await asyncio.sleep(0.01)
    left = [task for task in asyncio.all_tasks() if task.get_name() == "aioregistry-limiter"]
    assert not left


class SlowDisk:
    """Has each write of a journal wait, from when it is told to.

    Attributes:
        begun: Set when a write waits.
        go_on: Set when none is to wait.
    """

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def slow_down(self) -> None:
        self.go_on.clear()

    def wait(self) -> None:
        if not self.go_on.is_set():
            self.begun.set()
            assert self.go_on.wait(60)


@pytest.fixture
async def disk(monkeypatch):
    disk, put = SlowDisk(), AppendOnlyFile.put

    def slow(file: AppendOnlyFile, records: list[bytes]) -> None:
        disk.wait()
        put(file, records)

    monkeypatch.setattr(AppendOnlyFile, "put", slow)
    # The loop's threads, and what they open, are there before files are counted.
    await asyncio.to_thread(time.sleep, 0)
    return disk


async def _cancelled_while_it_writes(disk: SlowDisk, work: Coroutine[Any, Any, None]) -> None:
    """Cancel all tasks while a thread writes, and check that work waits for that."""
    working = asyncio.create_task(work)
    with same_files():
        while not disk.begun.is_set():
            await asyncio.sleep(0.001)
        _cancel_all_others()
        await asyncio.sleep(0.02)
        assert not working.done()
        disk.go_on.set()
        await asyncio.wait([working])
    assert working.cancelled()


async def test_a_journal_that_was_being_opened_is_closed_and_its_lock_free(disk, tmp_path):
    async def work() -> None:
        disk.slow_down()
        async with Journal(tmp_path / "journal", PLAN, resume=False):
            pass

    await _cancelled_while_it_writes(disk, work())
    async with Journal(tmp_path / "journal", PLAN, resume=True):
        pass


async def test_a_journal_is_not_closed_while_a_thread_writes_what_is_begun(disk, tmp_path):
    async def work() -> None:
        async with Journal(tmp_path / "journal", PLAN, resume=False) as journal:
            disk.slow_down()
            await journal.begin("web", ITEM)

    await _cancelled_while_it_writes(disk, work())
    assert '"begun"' in (tmp_path / "journal").read_text()


async def test_a_journal_is_not_closed_while_a_thread_writes_its_last_lines(disk, tmp_path):
    async def work() -> None:
        async with Journal(tmp_path / "journal", PLAN, resume=False) as journal:
            disk.slow_down()
            journal.record("web", ITEM, "deleted", "")

    await _cancelled_while_it_writes(disk, work())
    assert '"deleted"' in (tmp_path / "journal").read_text()


def test_a_cache_is_not_closed_while_a_thread_reads_it(tmp_path):
    cache = ContentCache(tmp_path / "contents")
    closing = threading.Thread(target=cache.close)
    # As whoever reads has it.
    with cache._kept._lock:
        closing.start()
        closing.join(0.05)
        cache._kept._database.execute("SELECT * FROM documents").fetchall()
    closing.join()
    assert cache.get(["sha256:" + "a" * 64]) == {}


# Jobs.


async def test_a_job_that_is_cancelled_before_it_begins_has_ended(tmp_path):
    jobs = Jobs(tmp_path)
    job = jobs.start("wait", lambda _: asyncio.sleep(60))
    job.cancel()
    await job.wait()
    assert [event async for event in job.events()]
    assert job.status == "cancelled"
    await jobs.close()
    assert '"cancelled"' in (tmp_path / f"{job.id}.jsonl").read_text()


async def test_who_follows_a_job_is_cancelled_although_it_changes_just_then():
    job = Jobs().start("wait", lambda _: asyncio.sleep(60))

    async def follow() -> None:
        async for _ in job.events():
            pass

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.01)
    job.tell(at=1)
    await asyncio.sleep(0)
    following.cancel()
    _, waiting = await asyncio.wait([following], timeout=60)
    job.cancel()
    assert not waiting
