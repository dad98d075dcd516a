"""Files of SQLite that save time, nothing more: owned, versioned, and given up where they fail."""

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

__all__ = ["OwnedDatabase"]

logger: logging.Logger = logging.getLogger("aioregistry")

_BUSY_SECONDS = 10
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _UntrustedError(Exception):
    """Others than this user can write to the file."""


class OwnedDatabase:
    """A database of this user's, which several threads and processes may share.

    A file that another user owns or may write to is not used, and one of another version is made
    anew. A file that cannot be used is logged as a warning; then nothing is kept, and nothing is
    found. It may be deleted at any time.

    Args:
        path: The file, which is made if it does not exist.
        version: The version of its tables.
        tables: The statements that make them, by the name of the table.
        what: What it keeps, for warnings: ``manifests``.
    """

    def __init__(self, path: Path, version: int, tables: dict[str, str], what: str) -> None:
        self.path = path
        self._version = version
        self._tables = tables
        self._what = what
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

    @property
    def is_open(self) -> bool:
        """Whether anything is kept and found."""
        return self._database is not None

    def close(self) -> None:
        """Close the file."""
        # A thread may still read for somebody who gave up waiting: closed under it, SQLite crashes.
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()

    def select(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none where the file cannot be used."""
        try:
            with self._lock:
                if self._database is None:
                    return []
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def write(self, *statements: tuple[str, Iterable[Sequence[Any]]]) -> None:
        """Run statements, each for some rows of values: all of them or none."""
        try:
            with self._lock:
                if self._database is not None:
                    with self._database:
                        for statement, rows in statements:
                            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _check_owner(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            # Writes are many and small: none waits for the disk, and no kill undoes them.
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            with database:
                if version != self._version:
                    known = "SELECT name FROM sqlite_master WHERE type = 'table'"
                    for (name,) in database.execute(known).fetchall():
                        database.execute(f'DROP TABLE IF EXISTS "{name}"')
                    database.execute(f"PRAGMA user_version = {self._version}")
                for name, columns in self._tables.items():
                    database.execute(f"CREATE TABLE IF NOT EXISTS {name} {columns}")
        except BaseException:
            database.close()
            raise
        return database

    def _give_up(self, error: Exception) -> None:
        # A disk that is full or read-only says nothing of the file.
        may_be_broken = isinstance(error, sqlite3.Error) and not str(error).endswith("is full")
        logger.warning(
            "%s are not kept in %s: %s%s",
            *(self._what, self.path, getattr(error, "strerror", None) or error),
            "; delete it if it is broken" if may_be_broken else "",
        )
        self.close()


def _check_owner(file: os.stat_result) -> None:
    if os.name != "posix":
        return
    if file.st_uid != os.geteuid():
        raise _UntrustedError("it belongs to another user; delete it, or give another path")
    if file.st_mode & _OTHERS_MAY_WRITE:
        raise _UntrustedError("others may write to it; delete it, or 'chmod 600' it")
