"""The journal of an undo: what was begun and what became of it, for one that is interrupted."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from aioregistry.cleanup.records.append import Appender
from aioregistry.cleanup.records.store import (
    Beginning,
    JournalError,
    JournalKind,
    JournalStore,
    PlanLockedError,
    store_of,
)

__all__ = ["UndoJournal"]

FORMAT = "aioregistry undo journal"
VERSION = 1


class _Head(msgspec.Struct, frozen=True):
    format: str
    version: int
    registry: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    at: datetime
    state: str
    repository: str = ""
    name: str = ""
    digest: str = ""
    # When it was deleted: an archive may have the same name several times.
    deleted_at: datetime | None = None
    reason: str = ""


_Key = tuple[str, str, str, datetime | None]
_ENDED = "ended"


class UndoJournal:
    """Lines of JSON that are only added to: what is begun, what became of it, and the end.

    A line that something is begun is on disk before its ``PUT`` is sent. Of an undo that was
    interrupted, `past` returns what became of each item; after one that came to its end it returns
    nothing.

    ``async with UndoJournal(path, registry) as journal`` locks, opens and closes it.

    Args:
        place: Its file, which is made if it does not exist, or another store of it.
        registry: The registry's name.

    Raises:
        PlanLockedError: Another process has it.
        JournalError: It is another registry's, is no journal, or cannot be read or written.
    """

    def __init__(self, place: Path | JournalStore, registry: str) -> None:
        self._store = store_of(place)
        self._head = msgspec.json.encode(_Head(FORMAT, VERSION, registry)) + b"\n"
        self._stack = AsyncExitStack()
        self._lines: Appender | None = None
        self._past: dict[_Key, str] = {}

    async def __aenter__(self) -> Self:
        kind = JournalKind(
            read=self._read,
            error=JournalError,
            locked=PlanLockedError,
            busy="another process undoes this; wait for its end",
        )
        self._lines = await self._stack.enter_async_context(self._store.open(kind))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def past(
        self, repository: str, name: str, digest: str, deleted_at: datetime | None
    ) -> str | None:
        """Return what an interrupted undo wrote last of an item; None when that is nothing."""
        return self._past.get((repository, name, digest, deleted_at))

    async def begin(
        self, repository: str, name: str, digest: str, deleted_at: datetime | None
    ) -> None:
        """Write that an item is begun; it is on disk when this returns.

        Raises:
            JournalError: It could not be written.
        """
        self._add(_Line(datetime.now(UTC), "begun", repository, name, digest, deleted_at))
        await self._opened().flush()

    def record(
        self,
        repository: str,
        name: str,
        digest: str,
        deleted_at: datetime | None,
        state: str,
        reason: str,
    ) -> None:
        """Note what became of an item; it is written with what comes next, or at the end."""
        now = datetime.now(UTC)
        self._add(_Line(now, state, repository, name, digest, deleted_at, reason))

    def end(self) -> None:
        """Note that the undo came to its end: the next one looks at everything."""
        self._add(_Line(datetime.now(UTC), _ENDED))

    def _add(self, line: _Line) -> None:
        self._opened().add(msgspec.json.encode(line) + b"\n")

    def _opened(self) -> Appender:
        if self._lines is None:
            raise JournalError(f"{self._store}: not open: use 'async with UndoJournal(...)'")
        return self._lines

    def _read(self, kept: IO[bytes]) -> Beginning:
        text = kept.read()
        if self._head.startswith(text):
            return Beginning(0, self._head)
        if not text.startswith(self._head):
            raise JournalError(f"{self._store}: not the journal of an undo of this registry")
        # A line that was cut off in its middle is dropped: its PUT was never sent.
        whole = text[: text.rindex(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(keepends=True)[1:], 2):
            if line == self._head:
                # Written again with what came first, as the answer of a server was lost.
                continue
            try:
                read: Any = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise JournalError(f"{self._store}, line {number}: {error}") from None
            if read.state == _ENDED:
                self._past.clear()
            else:
                self._past[read.repository, read.name, read.digest, read.deleted_at] = read.state
        return Beginning(len(whole))
