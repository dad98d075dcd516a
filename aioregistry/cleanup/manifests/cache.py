"""What manifests say, kept on disk between runs."""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec

from aioregistry.cleanup.manifests.content import Content

__all__ = ["ContentCache", "default_cache_path"]

_WRITTEN = msgspec.json.Decoder(tuple[str, int, tuple[str, ...], str | None])

logger = logging.getLogger("aioregistry")

_SCHEMA = 1
_BATCH_SIZE = 500


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
    for start in range(0, len(waiting), _BATCH_SIZE):
        yield waiting[start : start + _BATCH_SIZE]


def _written(content: Content) -> str:
    said = [content.media_type, content.size, content.children, content.subject]
    return json.dumps(said, separators=(",", ":"))


def _read(written: object) -> Content | None:
    """Return what `_written` wrote; None for anything else, which is then read anew."""
    try:
        return Content(*_WRITTEN.decode(str(written)))
    except msgspec.DecodeError:
        return None
