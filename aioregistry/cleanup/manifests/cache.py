"""Manifests that were read, kept on disk between runs."""

import hashlib
import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import platformdirs
from attrs import evolve

from aioregistry.cleanup.manifests.content import (
    Content,
    Document,
    UnreadableContentError,
    parse_content,
)

__all__ = ["ContentCache", "default_cache_path"]

logger = logging.getLogger("aioregistry")

_SCHEMA = 2
_BATCH_SIZE = 500
_BUSY_SECONDS = 10
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def default_cache_path() -> Path:
    """Return the usual path of a `ContentCache`: ``manifests.sqlite`` in the user's cache folder.

    That is ``~/.cache/aioregistry`` on Linux, or below ``XDG_CACHE_HOME``.
    """
    return platformdirs.user_cache_path("aioregistry", appauthor=False) / "manifests.sqlite"


class _UntrustedError(Exception):
    """Others than this user can write to the file."""


class ContentCache:
    """The documents of manifests on disk, by digest; several processes may share it.

    The digest of each document is checked when it is read back. A file that another user owns or
    may write to is not used. A cache that cannot be used is logged as a warning, and the work goes
    on without it: it saves time, nothing more.

    Args:
        path: The file, which is made if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Several repositories are read at once, each from a thread of its own.
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        try:
            self._database = self._open()
        except _UntrustedError as error:
            logger.warning("the cache %s is not used: %s", path, error)
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
        """Return the contents of those digests that are in the cache."""
        found: dict[str, Content] = {}
        # Most images say the same, but for their size: of a million few hundred are different.
        same: dict[Content, Content] = {}
        for some in _batches(digests):
            marks = ",".join("?" * len(some))
            query = f"SELECT digest, type, body FROM documents WHERE digest IN ({marks})"  # noqa: S608
            for digest, media_type, body in self._do(query, some):
                content = _checked(digest, media_type, body)
                if content is not None:
                    found[digest] = same.setdefault(content, content)
        return found

    def document(self, digest: str) -> Document | None:
        """Return the document of a manifest; None where it is not in the cache."""
        query = "SELECT digest, type, body FROM documents WHERE digest = ?"
        for _, media_type, body in self._do(query, [digest]):
            return _document(digest, media_type, body)
        return None

    def put(self, contents: Mapping[str, Content]) -> None:
        """Keep contents, those that still have their document."""
        rows = [
            (digest, content.document.media_type, content.document.body)
            for digest, content in contents.items()
            if content.document is not None
        ]
        try:
            with self._lock:
                if self._database is not None:
                    with self._database:
                        self._database.executemany(
                            "INSERT OR REPLACE INTO documents (digest, type, body)"
                            " VALUES (?, ?, ?)",
                            rows,
                        )
        except sqlite3.Error as error:
            self._give_up(error)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _check_owner(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        database = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            with database:
                if version != _SCHEMA:
                    database.execute("DROP TABLE IF EXISTS contents")
                    database.execute("DROP TABLE IF EXISTS documents")
                    database.execute(f"PRAGMA user_version = {_SCHEMA}")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS documents"
                    " (digest TEXT PRIMARY KEY, type TEXT, body BLOB NOT NULL) WITHOUT ROWID"
                )
        except BaseException:
            database.close()
            raise
        return database

    def _do(self, query: str, values: list[str]) -> list[tuple[str, object, object]]:
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
            "manifests are not kept in %s: %s; delete it if it is broken", self._path, error
        )
        self.close()


def _check_owner(file: os.stat_result) -> None:
    if os.name != "posix":
        return
    if file.st_uid != os.geteuid():
        raise _UntrustedError("it belongs to another user; delete it, or give another path")
    if file.st_mode & _OTHERS_MAY_WRITE:
        raise _UntrustedError("others may write to it; delete it, or 'chmod 600' it")


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    waiting = list(digests)
    for start in range(0, len(waiting), _BATCH_SIZE):
        yield waiting[start : start + _BATCH_SIZE]


def _document(digest: str, media_type: object, body: object) -> Document | None:
    """Return a document that was read; None for one without the digest."""
    if not isinstance(body, bytes) or not (media_type is None or isinstance(media_type, str)):
        return None
    algorithm, _, expected = digest.partition(":")
    if algorithm not in {"sha256", "sha384", "sha512"}:
        return None
    if hashlib.new(algorithm, body).hexdigest() != expected:
        return None
    return Document(body, media_type)


def _checked(digest: str, media_type: object, body: object) -> Content | None:
    """Return the content of a document; None for one without the digest, which is read anew."""
    document = _document(digest, media_type, body)
    if document is None:
        return None
    try:
        return evolve(parse_content(document.body, document.media_type), document=None)
    except UnreadableContentError:
        return None
