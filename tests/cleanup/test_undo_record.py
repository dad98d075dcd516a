"""The record of what can still be restored."""

import os
import resource
import signal
from datetime import timedelta

import pytest

from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cleanup.undo.parts import blobs_of
from aioregistry.cleanup.undo.record import UndoRecord, counts
from tests.cleanup.registries import NOW, digest_of


@pytest.fixture
def folder(tmp_path) -> StateFolder:
    return StateFolder.of("example", root=tmp_path)


async def archived(folder: StateFolder, name: str = "run", tag: str = "v1"):
    path = folder.make() / name
    async with Archive(path, "example") as archive:
        await archive.add("web", digest_of(tag), (tag,))
    return path


def test_each_note_is_on_disk_before_what_it_is_about(folder, monkeypatch):
    synced: list[bytes] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        synced.append((folder.path / "undo.jsonl").read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    record = UndoRecord.of(folder)
    record.note_archive(folder.path / "run.archive")
    assert b"run.archive" in synced[-1]
    record.note_collection("c0ffee")
    assert b"c0ffee" in synced[-1]


def test_a_line_after_one_that_was_cut_off_is_read(folder):
    record = UndoRecord.of(folder)
    record.note_archive(folder.path / "first")
    with record.path.open("ab") as file:
        file.write(b'{"at":"2026-06-01T00:0')
    record.note_archive(folder.path / "second")
    assert [path.name for path in UndoRecord.of(folder).archives] == ["first", "second"]


def test_a_collection_that_was_put_off_is_due_until_one_is_started(folder):
    due = NOW + timedelta(days=1)
    UndoRecord.of(folder).put_off_collection(due)
    record = UndoRecord.of(folder)
    assert record.collect_after == due
    record.note_collection("c0ffee")
    assert record.collect_after is None
    assert UndoRecord.of(folder).collect_after is None


async def test_what_was_deleted_before_the_last_collection_cannot_be_restored(folder):
    record = UndoRecord.of(folder)
    record.note_archive(await archived(folder, "early"))
    record.note_collection("c0ffee")
    late = await archived(folder, "late", "v2")
    record.note_archive(late)
    assert [one.archive for one in UndoRecord.of(folder).restorable()] == [late]


async def test_what_was_undone_can_be_restored_once_it_is_deleted_anew(folder):
    record = UndoRecord.of(folder)
    path = await archived(folder)
    record.note_archive(path)
    assert counts(record.restorable()) == (1, 0)
    record.note_undone(path)
    assert UndoRecord.of(folder).restorable() == []
    await archived(folder, tag="v2")
    assert counts(UndoRecord.of(folder).restorable()) == (1, 0)
    record.note_collection("c0ffee")
    assert UndoRecord.of(folder).restorable() == []


@pytest.mark.parametrize("kind", ["nondistributable", "foreign.diff"])
def test_a_layer_that_is_had_elsewhere_is_not_asked_for(kind):
    own, foreign = digest_of("own"), digest_of("foreign")
    document = (
        f'{{"layers": [{{"mediaType": "application/vnd.x.{kind}.tar", "digest": "{foreign}"}},'
        f' {{"mediaType": "application/vnd.x.tar", "digest": "{own}"}}]}}'
    )
    assert blobs_of(document.encode()) == (own,)


def test_a_note_of_which_a_part_alone_has_room_on_the_disk_is_an_error(folder):
    record = UndoRecord.of(folder)
    record.note_archive(folder.path / "first")
    written, (soft, hard) = record.path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written + 20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            record.note_restored(["web", "api"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)
    record.note_restored(["web", "api"])
    assert set(UndoRecord.of(folder).restored) == {"web", "api"}
