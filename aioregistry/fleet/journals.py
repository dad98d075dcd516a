"""Journals and archives on a server, for whichever machine goes on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO

from attrs import frozen
from redis.exceptions import RedisError

from aioregistry.cleanup.apply.append import Appender
from aioregistry.cleanup.apply.store import JournalKind
from aioregistry.fleet.lease import Lease, LeaseLostError, Write

__all__ = ["SharedStore"]


@frozen
class SharedStore:
    """A journal or an archive on a server: a `JournalStore` under a lease.

    It is a list whose parts, one after the other, are what a file would have. Nothing can be cut
    off: a part is there, or it is not. Whoever has lost the lease can no longer add to it, and so
    deletes nothing more.

    Attributes:
        lease: The lease, which is held.
        key: The key of the list.
        seconds: After how many seconds without a further write it is forgotten; 0, the default, for
            never.
    """

    lease: Lease
    key: str
    seconds: int = 0

    def __str__(self) -> str:
        return f"{self.key} on the fleet's server"

    @asynccontextmanager
    async def open(self, kind: JournalKind) -> AsyncGenerator[Appender]:
        """Read what is there, and append; see `JournalStore.open`."""
        try:
            parts = await self.lease.read(self.key, 0, 0 if kind.head_only else -1)
        except (RedisError, OSError) as error:
            raise kind.error(f"{self}: cannot be read: {error}") from error
        # It may be large, and meanwhile leases are renewed.
        beginning = await asyncio.to_thread(lambda: kind.read(BytesIO(b"".join(parts))))
        if parts and beginning.size != sum(map(len, parts)):
            raise kind.error(f"{self}: damaged at byte {beginning.size:,}; it is left as it is")
        lines = _SharedLines(self, kind)
        if beginning.first is not None:
            lines.add(beginning.first)
        try:
            yield lines
        finally:
            await lines.flush()


class _SharedLines:
    """Appends to a list on a server; many records share one write."""

    def __init__(self, store: SharedStore, kind: JournalKind) -> None:
        self._store = store
        self._kind = kind
        self._waiting: list[bytes] = []
        self._added = self._written = 0
        self._queue = asyncio.Lock()

    def add(self, record: bytes) -> None:
        self._waiting.append(record)
        self._added += 1

    async def flush(self, before: Appender | None = None) -> None:
        mine = self._added
        async with self._queue:
            if self._written >= mine:
                return
            if before is not None:
                await before.flush()
            records, last = self._waiting, self._added
            self._waiting = []
            try:
                await self._put(self._kind.pack(records))
            except BaseException:
                # Written twice, should it have arrived after all: readers do not mind.
                self._waiting[:0] = records
                raise
            self._written = last

    async def _put(self, value: bytes) -> None:
        store = self._store
        write = Write(store.key, value, append=True, seconds=store.seconds)
        try:
            await store.lease.write(write)
        except LeaseLostError as error:
            raise self._kind.locked(f"{store}: {error.message}") from error
        except (RedisError, OSError) as error:
            raise self._kind.error(f"{store}: cannot be written: {error}") from error
