"""Journals, archives and documents on a server, for whichever machine goes on."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

from attrs import frozen
from redis.exceptions import RedisError

from aioregistry.cleanup.manifests.content import Document
from aioregistry.cleanup.records.append import Appender
from aioregistry.cleanup.records.store import JournalKind
from aioregistry.fleet.lease import Lease, LeaseLostError, Write
from aioregistry.fleet.server import FleetServerError

__all__ = ["ServerDocuments", "SharedStore"]

_DOCUMENTS_AT_ONCE = 200
_DOCUMENT_SECONDS = 30 * 86_400
# For an answer: without one, manifests are read from the registry.
_ANSWER_SECONDS = 5.0
# Larger ones are read from the registry by each machine.
_MOST_BYTES = 2**16
_MOST_PACKED_BYTES = 2**14


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
        except FleetServerError as error:
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
        except FleetServerError as error:
            raise self._kind.error(f"{store}: cannot be written: {error}") from error


class ServerDocuments:
    """The documents of manifests on a server, so that no worker reads what another has read.

    A `SharedDocuments`: whoever takes them from here holds each against its digest. They are
    compressed, and forgotten 30 days after they were written; those of more than 64 KiB are not
    kept.

    Args:
        server: A client of Redis or Valkey.
        name: The fleet's name, with which all keys begin.
    """

    def __init__(self, server: Any, name: str) -> None:
        self._server = server
        self._name = name

    def __str__(self) -> str:
        return f"documents of {self._name} on its server"

    async def documents(self, digests: Sequence[str]) -> dict[str, Document]:
        """Return those documents that are on the server.

        Raises:
            OSError: The server is away, or refuses.
        """
        found: dict[str, Document] = {}
        for start in range(0, len(digests), _DOCUMENTS_AT_ONCE):
            some = digests[start : start + _DOCUMENTS_AT_ONCE]
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    values = await self._server.mget([self._key(digest) for digest in some])
            except RedisError as error:
                raise OSError(str(error)) from error
            for digest, value in zip(some, values, strict=True):
                if value is not None and (document := _unpack(value)) is not None:
                    found[digest] = document
        return found

    async def keep(self, documents: Mapping[str, Document]) -> None:
        """Write documents for the other workers.

        Raises:
            OSError: The server is away, or refuses.
        """
        pipeline = self._server.pipeline(transaction=False)
        for digest, one in documents.items():
            packed = zlib.compress(f"{one.media_type or ''}\n".encode() + one.body, 1)
            if len(one.body) <= _MOST_BYTES and len(packed) <= _MOST_PACKED_BYTES:
                pipeline.set(self._key(digest), packed, ex=_DOCUMENT_SECONDS)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await pipeline.execute()
        except RedisError as error:
            raise OSError(str(error)) from error

    def _key(self, digest: str) -> str:
        return f"{self._name}:document:{digest}"


def _unpack(value: bytes) -> Document | None:
    """Return a document; None for what is none, or would take more memory than any that is kept."""
    reading = zlib.decompressobj()
    try:
        text = reading.decompress(value, 2 * _MOST_BYTES)
        media_type, _, body = text.partition(b"\n")
        return Document(body, media_type.decode("ascii") or None) if reading.eof else None
    except (zlib.error, UnicodeDecodeError):
        return None
