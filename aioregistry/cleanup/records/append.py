"""A file that only grows: many writers share one write and one sync."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

__all__ = ["AppendOnlyFile", "Appender", "in_a_thread", "to_its_end"]


class Appender(Protocol):
    """Appends records; one that was waited for outlives the process and the machine."""

    def add(self, record: bytes) -> None:
        """Take in a record; it is written with the next that somebody waits for, or by `flush`."""

    async def flush(self) -> None:
        """Wait until all that was added is kept.

        Raises:
            JournalError: It could not be written; nothing is lost of what was added.
        """


class AppendOnlyFile:
    """Appends records; one that was waited for is on disk.

    Records that are added while a write is under way go together with the next one. All methods
    belong to one event loop; the file itself is written in a thread.

    Args:
        path: The file, for errors.
        descriptor: The open file, positioned by ``O_APPEND``; it is closed by `close`.
        error: Makes the error of a write that fails from its text.
        pack: Makes the bytes that are written from the records of one write; by default they
            follow each other as they are.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        error: Callable[[str], Exception],
        pack: Callable[[list[bytes]], bytes] = b"".join,
    ) -> None:
        self._path = path
        self._descriptor = descriptor
        self._error = error
        self._pack = pack
        self._waiting: list[bytes] = []
        self._added = self._written = 0
        self._write_lock = asyncio.Lock()

    def add(self, record: bytes) -> None:
        """Take in a record; it is written with the next that somebody waits for, or by `flush`."""
        self._waiting.append(record)
        self._added += 1

    async def flush(self) -> None:
        """Wait until all that was added is on disk.

        Raises:
            Exception: It could not be written: what `error` makes of the reason.
        """
        mine = self._added
        async with self._write_lock:
            if self._written < mine:
                await self._write()

    def put(self, records: list[bytes]) -> None:
        """Write records and wait until they are on disk, in the thread that calls this."""
        data = self._pack(records)
        size = os.fstat(self._descriptor).st_size
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            # The next record must not begin in the middle of this one.
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise self._error(
                f"{self._path}: cannot be written: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    async def _write(self) -> None:
        records, last = self._waiting, self._added
        self._waiting = []
        # A file is not closed, nor written further, while a thread still writes.
        writing = in_a_thread(self.put, records)
        try:
            await to_its_end(writing)
        finally:
            if writing.exception() is None:
                self._written = last
            else:
                # Others may wait for some of them to be on disk.
                self._waiting[:0] = records


async def to_its_end(work: "asyncio.Future[Any]") -> None:
    """Wait for a thread's work, even when cancelled, so that no file is closed meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    work.result()


def in_a_thread(do: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
    """Run a function in a thread.

    Returns a future and no task: a program that cancels all tasks, as `asyncio.run` does at its
    end, does not stop the thread.
    """
    return asyncio.get_running_loop().run_in_executor(None, do, *arguments)
