"""A journal whose disk fails: nothing goes on that is not on it."""

import asyncio
import errno
import json
import os
from datetime import UTC, datetime

import pytest

from aioregistry.cleanup.journal import Journal, JournalError
from aioregistry.cleanup.plan import Condemned, Plan

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
