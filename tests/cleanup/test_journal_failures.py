"""A journal whose disk fails: nothing goes on that is not on it."""

import asyncio
import errno
import json
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy, apply_plan, make_plan
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.journal import Journal, JournalError
from aioregistry.cleanup.state_folder import StateFolder
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


async def test_what_is_noted_while_a_write_fails_is_written_after_what_failed(
    tmp_path, monkeypatch
):
    path = tmp_path / "journal"
    writing, going_on = threading.Event(), threading.Event()

    def fail(*_: object) -> int:
        writing.set()
        going_on.wait()
        raise OSError(errno.ENOSPC, "no space left")

    async with Journal(path, PLAN, resume=False) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            beginning = asyncio.create_task(journal.begin("web", ITEMS[0]))
            await asyncio.to_thread(writing.wait)
            journal.record("web", ITEMS[1], "deleted", "")
            going_on.set()
            with pytest.raises(JournalError):
                await beginning
        await journal.begin("web", ITEMS[2])
        lines = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    assert [(line["name"], line["state"]) for line in lines] == [
        ("v0", "begun"),
        ("v1", "deleted"),
        ("v2", "begun"),
    ]


async def test_a_write_that_failed_leaves_no_part_of_a_line(tmp_path, full_once):
    path = tmp_path / "journal"
    async with Journal(path, PLAN, resume=False) as journal:
        before = path.read_bytes()
        journal.record("web", ITEMS[0], "deleted", "")
        with pytest.raises(JournalError):
            await journal.begin("web", ITEMS[1])
        assert full_once
        assert path.read_bytes() == before


async def test_a_disk_that_takes_a_part_at_a_time_gets_all_of_it(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:7]))
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEMS[0])
        assert begun(path) == {"v0"}


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX alone")
async def test_the_name_of_a_new_file_is_on_disk_too(tmp_path, monkeypatch):
    synced: list[bool] = []
    fsync = os.fsync

    def note(file: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(file).st_mode))
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    async with Journal(tmp_path / "journal", PLAN, resume=False):
        assert synced == [False, True]


OPEN_FILES = Path("/proc/self/fd")


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are not told here")
async def test_no_file_stays_open(tmp_path):
    def open_files() -> int:
        return len(list(OPEN_FILES.iterdir()))

    path = tmp_path / "journal"
    async with Journal(path, PLAN, resume=False):
        pass
    before = open_files()
    async with Journal(path, PLAN, resume=True) as journal:
        await journal.begin("web", ITEMS[0])
    with pytest.raises(JournalError):
        await Journal(path, PLAN, resume=False).__aenter__()
    assert open_files() == before


async def test_a_write_that_can_not_even_be_taken_back_is_told_as_one_that_failed(
    tmp_path, monkeypatch
):
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "the disk is gone")

    async with Journal(tmp_path / "journal", PLAN, resume=False) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            patch.setattr(os, "ftruncate", fail)
            with pytest.raises(JournalError, match="the disk is gone"):
                await journal.begin("web", ITEMS[0])


@pytest.mark.parametrize("works", [True, False])
async def test_being_cancelled_while_it_is_opened_leaves_the_lock_free(
    tmp_path, monkeypatch, works
):
    path = tmp_path / "journal"
    opening, going_on = threading.Event(), threading.Event()
    open_file = os.open

    def wait(opened: object, *given: int) -> int:
        if opened == path:
            opening.set()
            going_on.wait()
            if not works:
                raise OSError(errno.EIO, "the disk is gone")
        return open_file(opened, *given)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", wait)
        entering = asyncio.create_task(Journal(path, PLAN, resume=False).__aenter__())
        await asyncio.to_thread(opening.wait)
        entering.cancel()
        going_on.set()
        await asyncio.wait([entering])
    assert entering.cancelled()
    async with Journal(path, PLAN, resume=False) as journal:
        await journal.begin("web", ITEMS[0])


async def test_a_file_system_without_locks_is_told_as_such(tmp_path, monkeypatch):
    """Versions of filelock differ in what they raise of it."""

    def no_locks(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", no_locks)
    path = tmp_path / "journal"
    with pytest.raises(JournalError, match="cannot be locked"):
        await Journal(path, PLAN, resume=False).__aenter__()
    folder = StateFolder(tmp_path / "example", "example")
    with pytest.raises(OSError, match="no locks"), folder.alone("a test"):
        pass
