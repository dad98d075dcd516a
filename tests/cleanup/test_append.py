"""Two files that only grow, one of which is on disk before the other."""

import asyncio
import os
from pathlib import Path

import pytest

from aioregistry.cleanup.apply.append import AppendOnlyFile


def opened(path: Path) -> AppendOnlyFile:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    return AppendOnlyFile(path, descriptor, OSError)


def path_of(descriptor: int, folder: Path) -> Path:
    file = os.fstat(descriptor)
    return next(path for path in folder.iterdir() if os.path.samestat(path.stat(), file))


@pytest.fixture
def files(tmp_path):
    files = opened(tmp_path / "archive"), opened(tmp_path / "journal")
    yield files
    for file in files:
        file.close()


@pytest.fixture
def synced(monkeypatch, tmp_path):
    """What each file has when it is synced."""
    synced: list[tuple[str, bytes]] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        path = path_of(descriptor, tmp_path)
        synced.append((path.name, path.read_bytes()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return synced


async def test_the_file_before_is_synced_before_the_other_is_written(files, synced):
    archive, journal = files
    archive.add(b"a")
    journal.add(b"j")
    await journal.flush(before=archive)
    assert synced == [("archive", b"a"), ("journal", b"j")]


async def test_many_that_wait_for_both_share_two_writes(files, synced):
    archive, journal = files

    async def begin() -> None:
        archive.add(b"a")
        journal.add(b"j")
        await journal.flush(before=archive)

    await asyncio.gather(*(begin() for _ in range(32)))
    assert [name for name, _ in synced] == ["archive", "journal"] * 2
    assert synced[-2:] == [("archive", b"a" * 32), ("journal", b"j" * 32)]


async def test_nothing_is_synced_of_a_file_to_which_nothing_was_added(files, synced):
    archive, journal = files
    journal.add(b"j")
    await journal.flush(before=archive)
    assert synced == [("journal", b"j")]


@pytest.mark.parametrize("failing", ["archive", "journal"])
async def test_what_could_not_be_written_is_written_once_later(
    files, tmp_path, monkeypatch, failing
):
    archive, journal = files
    archive.add(b"a")
    journal.add(b"j")
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if path_of(descriptor, tmp_path).name == failing:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            await journal.flush(before=archive)
    assert (tmp_path / "journal").read_bytes() == b""
    await journal.flush(before=archive)
    assert (tmp_path / "archive").read_bytes() == b"a"
    assert (tmp_path / "journal").read_bytes() == b"j"
