"""The record of a registry's archives, undos and garbage collections."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from attrs import define, field, frozen

from aioregistry.cleanup.records.archive_format import ArchiveError, read_archive
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.files import open_to_append, write_all

__all__ = ["Restorable", "UndoRecord", "counts"]

_FILE = "undo.jsonl"


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    at: datetime
    archive: str = ""
    undone: str = ""
    restored: str = ""
    cleaned: str = ""
    collection: str = ""
    collect_after: datetime | None = None


@frozen
class Restorable:
    """What can still be restored from an archive, as far as is known without a request.

    Attributes:
        archive: The archive's file.
        tags: How many tags.
        manifests: How many manifests.
        first: When the first of them was deleted.
        last: When the last of them was deleted.
    """

    archive: Path
    tags: int
    manifests: int
    first: datetime
    last: datetime


@define
class UndoRecord:
    """A file in a registry's state folder: its archives, and when its garbage was collected.

    Each line is a JSON object; a line that was cut off is passed over. Garbage collections that
    somebody else started are not in it.

    Attributes:
        path: The file.
        archives: The archives in the order in which they were first written to.
        collected_at: When the last garbage collection was started; None for never.
        collect_after: When a garbage collection that is put off is due; None when none is.
        restored: The repositories of which any image was restored and that no clean-up was told to
            take on since, each with when that was last.
    """

    path: Path
    archives: dict[Path, datetime | None] = field(factory=dict)
    restored: dict[str, datetime] = field(factory=dict)
    collected_at: datetime | None = None
    collect_after: datetime | None = None

    @classmethod
    def of(cls, folder: StateFolder) -> "UndoRecord":
        """Read the record in a registry's state folder; one that does not exist is empty.

        Raises:
            OSError: It cannot be read.
        """
        record = cls(folder.path / _FILE)
        try:
            text = record.path.read_bytes()
        except FileNotFoundError:
            return record
        for line in text.splitlines():
            try:
                record._take_in(msgspec.json.decode(line, type=_Line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return record

    def note_archive(self, archive: Path) -> None:
        """Note that deletes are written to an archive.

        Raises:
            OSError: It cannot be written; so for the other notes.
        """
        self._write(_Line(datetime.now(UTC), archive=str(archive.absolute())))

    def note_undone(self, archive: Path) -> None:
        """Note that everything in an archive is restored."""
        self._write(_Line(datetime.now(UTC), undone=str(archive.absolute())))

    def note_restored(self, repositories: Iterable[str], ahead: timedelta = timedelta()) -> None:
        """Note that images of repositories are restored, which makes them their newest.

        Args:
            repositories: Their names.
            ahead: By how much this machine's clock is ahead of that by which plans are dated; by
                default it is that.
        """
        at = datetime.now(UTC) - ahead
        self._write(*(_Line(at, restored=name) for name in repositories))

    def note_cleaned(self, repositories: Iterable[str]) -> None:
        """Note that a clean-up has taken on repositories of which images were restored."""
        at = datetime.now(UTC)
        self._write(*(_Line(at, cleaned=name) for name in repositories))

    def note_collection(self, uuid: str) -> None:
        """Note that a garbage collection of blobs was started."""
        self._write(_Line(datetime.now(UTC), collection=uuid or "unknown"))

    def put_off_collection(self, until: datetime) -> None:
        """Note when a garbage collection is due."""
        self._write(_Line(datetime.now(UTC), collect_after=until))

    def restorable(self) -> list[Restorable]:
        """Return what can be restored until the next garbage collection, the oldest first.

        Archives that no longer exist, or cannot be read, are left out.
        """
        found = (self._of_archive(path, undone) for path, undone in self.archives.items())
        return [one for one in found if one is not None]

    def _of_archive(self, path: Path, undone: datetime | None) -> Restorable | None:
        since = [moment for moment in (self.collected_at, undone) if moment is not None]
        tags: set[tuple[str, str]] = set()
        manifests: set[tuple[str, str]] = set()
        times: list[datetime] = []
        try:
            for one in read_archive(path):
                if any(one.at <= moment for moment in since):
                    continue
                times = [*times[:1], one.at]
                tags.update((one.repository, tag) for tag in one.tags)
                if one.document is not None:
                    manifests.add((one.repository, one.digest))
        except ArchiveError:
            return None
        if not times:
            return None
        return Restorable(path, len(tags), len(manifests), times[0], times[-1])

    def _take_in(self, line: _Line) -> None:
        if line.archive:
            self.archives.setdefault(Path(line.archive), None)
        if line.undone:
            self.archives[Path(line.undone)] = line.at
        if line.restored:
            self.restored[line.restored] = line.at
        if line.cleaned:
            self.restored.pop(line.cleaned, None)
        if line.collection:
            self.collected_at, self.collect_after = line.at, None
        if line.collect_after is not None:
            self.collect_after = line.collect_after

    def _write(self, *lines: _Line) -> None:
        if not lines:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = open_to_append(self.path)
        try:
            # A line before them may have been cut off.
            write_all(descriptor, b"\n" + msgspec.json.Encoder().encode_lines(lines))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        for line in lines:
            self._take_in(line)


def counts(found: Iterable[Restorable]) -> tuple[int, int]:
    """Return how many tags and manifests can be restored in all."""
    some = list(found)
    return sum(one.tags for one in some), sum(one.manifests for one in some)
