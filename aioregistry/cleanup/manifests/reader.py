"""The contents of manifests, read from the registry itself and kept on disk."""

import asyncio
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, Self

import msgspec

from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.errors import (
    ClientClosedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
)
from aioregistry.oci.distribution import Distribution

__all__ = ["ContentCache", "ContentReader", "ContentSource", "default_cache_path"]

_WRITTEN = msgspec.json.Decoder(tuple[str, int, tuple[str, ...], str | None])

logger = logging.getLogger("aioregistry")

_SCHEMA = 1
_AT_ONCE = 500
_UNREACHED = (RegistryConnectionError, RegistryTimeoutError)


class ContentSource(Protocol):
    """Where a clean-up learns what manifests say, and where tags point now."""

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], object] | None = None,
    ) -> Mapping[str, Content | UnreadableContentError]:
        """Return what some manifests of a repository say; for each at least why not."""

    async def current_digest(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag is on now; None when there is no such tag.

        Raises:
            RegistryError: That cannot be said.
        """


class ContentReader:
    """Reads contents from the registry itself, each digest once: content never changes.

    Args:
        distribution: The registry itself.
        cache: Where contents are kept; None keeps none.
    """

    def __init__(self, distribution: Distribution, cache: "ContentCache | None" = None) -> None:
        self._distribution = distribution
        self._cache = cache
        self._is_reached = False

    async def read(
        self,
        repository: str,
        digests: Iterable[str],
        on_read: Callable[[int], object] | None = None,
    ) -> dict[str, Content | UnreadableContentError]:
        """Return what some manifests say: ``GET /v2/{registry}/{repository}/manifests/{digest}``.

        Args:
            repository: The repository's name.
            digests: Which manifests.
            on_read: Called with how many more are known.

        Returns:
            For each digest its content, or why that could not be read.

        Raises:
            ClientClosedError: The client, or what reads, is closed.
            RegistryConnectionError: The registry was not reached, not once so far.
            RegistryTimeoutError: The same, after waiting for it.
        """
        wanted = list(dict.fromkeys(digests))
        found: dict[str, Content | UnreadableContentError] = {}
        if self._cache is not None:
            found.update(await asyncio.to_thread(self._cache.get, wanted))
            if on_read is not None:
                on_read(len(found))
        left = iter([digest for digest in wanted if digest not in found])
        fresh: dict[str, Content] = {}

        async def work() -> None:
            for digest in left:
                try:
                    found[digest] = fresh[digest] = await self._fetch(repository, digest)
                except UnreadableContentError as error:
                    found[digest] = error
                if on_read is not None:
                    on_read(1)

        workers = [asyncio.ensure_future(work()) for _ in range(self._distribution.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if self._cache is not None and fresh:
                await asyncio.to_thread(self._cache.put, fresh)
        return found

    async def current_digest(self, repository: str, tag: str) -> str | None:
        """See `ContentSource`: ``HEAD /v2/{registry}/{repository}/manifests/{tag}``."""
        return await self._distribution.find_manifest(repository, tag)

    async def _fetch(self, repository: str, digest: str) -> Content:
        try:
            fetched = await self._distribution.get_manifest(repository, digest)
        except ClientClosedError:
            raise
        except RegistryError as error:
            if isinstance(error, _UNREACHED) and not self._is_reached:
                # So it would be with every other manifest.
                error.hint = (
                    "Manifests are read there; where else the registry is, --registry-url tells, or"
                    " Distribution's base_url"
                )
                raise
            self._is_reached = True
            raise UnreadableContentError(str(error)) from error
        self._is_reached = True
        return parse_content(fetched.body, fetched.media_type)


def default_cache_path() -> Path:
    """Return where contents are kept unless told otherwise.

    ``aioregistry/manifests.sqlite`` in ``XDG_CACHE_HOME``, or in ``~/.cache``.
    """
    caches = os.environ.get("XDG_CACHE_HOME")
    return Path(caches or Path.home() / ".cache") / "aioregistry" / "manifests.sqlite"


class ContentCache:
    """Contents on disk, by digest; several processes may share it.

    A cache that cannot be used is told to the log, and does without: it saves time, nothing more.

    Args:
        path: The file, which is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Several repositories are read at once, each from a thread of its own.
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        try:
            self._database = self._open()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        # A thread may still read for somebody who gave up waiting: closed under it, SQLite crashes.
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()

    def get(self, digests: Iterable[str]) -> dict[str, Content]:
        """Return the contents that are known of some digests."""
        found: dict[str, Content] = {}
        # Most images say the same, but for their size: of a million few hundred are different.
        same: dict[str, Content | None] = {}
        for some in _batches(digests):
            marks = ",".join("?" * len(some))
            query = f"SELECT digest, content FROM contents WHERE digest IN ({marks})"  # noqa: S608
            for digest, written in self._do(query, some):
                if written not in same:
                    same[written] = _read(written)
                content = same[written]
                if content is not None:
                    found[digest] = content
        return found

    def put(self, contents: Mapping[str, Content]) -> None:
        """Keep some contents."""
        rows = [(digest, _written(content)) for digest, content in contents.items()]
        try:
            with self._lock:
                if self._database is not None:
                    with self._database:
                        self._database.executemany(
                            "INSERT OR REPLACE INTO contents (digest, content) VALUES (?, ?)", rows
                        )
        except sqlite3.Error as error:
            self._give_up(error)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Whoever can write here decides what is taken for an index without children.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            with database:
                if version != _SCHEMA:
                    database.execute("DROP TABLE IF EXISTS contents")
                    database.execute(f"PRAGMA user_version = {_SCHEMA}")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS contents"
                    " (digest TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID"
                )
        except BaseException:
            database.close()
            raise
        return database

    def _do(self, query: str, values: list[str]) -> list[tuple[str, str]]:
        try:
            with self._lock:
                if self._database is None:
                    return []
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        logger.warning(
            "contents are not kept in %s: %s; delete it if it is broken", self._path, error
        )
        self.close()


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    waiting = list(digests)
    for start in range(0, len(waiting), _AT_ONCE):
        yield waiting[start : start + _AT_ONCE]


def _written(content: Content) -> str:
    said = [content.media_type, content.size, content.children, content.subject]
    return json.dumps(said, separators=(",", ":"))


def _read(written: object) -> Content | None:
    """Return what `_written` wrote; None for anything else, which is then read anew."""
    try:
        return Content(*_WRITTEN.decode(str(written)))
    except msgspec.DecodeError:
        return None
