"""A file that only grows: what was waited for is on disk, and many share a sync."""

import asyncio
import os

import pytest

from aioregistry.cleanup.records.append import AppendOnlyFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def file(path):
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    file = AppendOnlyFile(path, descriptor, OSError)
    yield file
    file.close()


@pytest.fixture
def synced(monkeypatch, path):
    """What the file has each time it is synced."""
    synced: list[bytes] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(path.read_bytes())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return synced


async def test_many_that_wait_share_two_writes(file, synced):
    async def begin() -> None:
        file.add(b"j")
        await file.flush()

    await asyncio.gather(*(begin() for _ in range(32)))
    assert len(synced) == 2
    assert synced[-1] == b"j" * 32


async def test_nothing_is_synced_when_nothing_was_added(file, synced):
    file.add(b"j")
    await file.flush()
    await file.flush()
    assert synced == [b"j"]


async def test_what_could_not_be_written_is_written_once_later(file, path, monkeypatch):
    file.add(b"j")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            await file.flush()
    assert path.read_bytes() == b""
    await file.flush()
    assert path.read_bytes() == b"j"


async def test_what_was_written_while_its_writer_was_cancelled_is_not_written_again(file, synced):
    file.add(b"j")
    writing = asyncio.ensure_future(file.flush())
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await file.flush()
    assert synced == [b"j"]
