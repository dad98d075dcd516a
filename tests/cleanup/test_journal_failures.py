"""A journal whose disk fails: nothing goes on that is not on it."""

import asyncio
import errno
import json
import os
from datetime import UTC, datetime

import pytest

from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy, apply_plan, make_plan
from aioregistry.cleanup.journal import Journal, JournalError
from aioregistry.cleanup.plan import Condemned, Plan
from tests.conftest import push_tags

ITEMS = [
    Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=(f"v{number}",))
    for number in range(5)
]
PLAN = Plan(registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture
def full_once(monkeypatch):
    """Has the disk be full in the middle of the first write of several lines."""
    write, failed = os.write, []

    def fail_once(file: int, text: bytes) -> int:
        if text.count(b"\n") > 1 and not failed:
            failed.append(write(file, text[: len(text) // 2]))
            raise OSError(errno.ENOSPC, "no space left")
        return write(file, text)

    monkeypatch.setattr(os, "write", fail_once)
    return failed


def begun(path) -> set[str]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return {line["name"] for line in lines[1:]}


async def test_what_shared_a_write_that_failed_is_on_disk_before_it_is_done(tmp_path, full_once):
    path = tmp_path / "journal"
    async with Journal(path, PLAN, resume=False) as journal:

        async def begin(item: Condemned) -> None:
            await journal.begin("web", item)
            assert item.name in begun(path)

        told = await asyncio.gather(*map(begin, ITEMS), return_exceptions=True)
    assert full_once
    assert [type(one) for one in told if one is not None] == [JournalError]
    async with Journal(path, PLAN, resume=True) as journal:
        assert all(journal.past("web", item) for item in ITEMS)


async def test_what_shared_a_write_with_one_that_was_cancelled_is_on_disk_too(tmp_path, full_once):
    path = tmp_path / "journal"
    async with Journal(path, PLAN, resume=False) as journal:
        tasks = [asyncio.create_task(journal.begin("web", item)) for item in ITEMS]
        await asyncio.wait(tasks[:1])
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert full_once
        assert tasks[1].cancelled()
        assert {item.name for item in ITEMS} <= begun(path)


async def test_a_disk_that_is_full_in_the_middle_stops_it_all_and_loses_no_word_of_it(
    sandbox, client, tmp_path, monkeypatch
):
    push_tags(sandbox.state, 200, "web")
    push_tags(sandbox.state, 20, "other")
    write, room = os.write, [20_000]

    def fail_when_full(file: int, text: bytes) -> int:
        room[0] -= len(text)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "no space left")
        return write(file, text)

    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url) as distribution:
        contents = ContentReader(distribution)
        plan = await make_plan(registry, Policy([Delete()], floor=0), contents)
        options = {"journal": tmp_path / "journal", "force": True}
        monkeypatch.setattr(os, "write", fail_when_full)
        with pytest.raises(JournalError, match="no space left") as caught:
            await apply_plan(registry, plan, contents, **options)
        report = caught.value.report
        deleted = [one for one in sandbox.requests if one.method == "DELETE"]
        assert 0 < len(report.deleted) == len(deleted) < 220
        assert len(report.not_attempted) == 220 - len(deleted)
        assert all("no space left" in one.reason for one in report.not_attempted)
        monkeypatch.setattr(os, "write", write)
        assert (await apply_plan(registry, plan, contents, resume=True, **options)).done
    deletes = [one.raw_path for one in sandbox.requests if one.method == "DELETE"]
    assert len(deletes) == len({*deletes}) == 220


async def test_a_journal_that_cannot_be_opened_has_begun_nothing(sandbox, client, tmp_path):
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url) as distribution:
        with pytest.raises(JournalError) as caught:
            await apply_plan(registry, PLAN, ContentReader(distribution), journal=tmp_path)
    assert caught.value.report is None
