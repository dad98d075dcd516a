"""The lists of a registry's repositories on disk, so that a run reads only what has changed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from aioregistry.api.decoding import RawPage
from aioregistry.cleanup.manifests.database import OwnedDatabase
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.manifests.write_behind import WriteBehind
from aioregistry.cleanup.memory.pages import ListName, decode_page, encode_page
from aioregistry.cleanup.memory.state import RepositoryState
from aioregistry.cleanup.memory.times import RememberedTimes, with_remembered_times
from aioregistry.paging.pager import Pager

__all__ = ["ListMemory", "RepositoryMemory"]

_SCHEMA = 4
_TABLES = {
    "facts": "(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "pages": (
        "(repository TEXT, list TEXT, number INTEGER, per_page INTEGER, state TEXT NOT NULL,"
        " read_at REAL NOT NULL, page BLOB NOT NULL,"
        " PRIMARY KEY (repository, list, number)) WITHOUT ROWID"
    ),
}
# Of so many runs one lists everything.
_RUNS_PER_FULL_LOOK = 7
# So many pages at most wait to be written.
_MAX_WAITING = 50
_PUT_FACT = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"


@frozen
class _Row:
    """A page to be written."""

    repository: str
    name: ListName
    number: int
    per_page: int
    state: str
    read_at: float
    page: RawPage[Any]


class ListMemory:
    """The lists of a registry's repositories, remembered from run to run; one file a registry.

    A list is taken from here only as long as ``repositoriesV2`` says the same of the repository:
    how many tags and manifests it has, and which is the latest. One run in seven reads everything
    anew. The file may be deleted at any time; several processes may share it.

    Args:
        path: The file, which is made if it does not exist.
        clock: Returns the time in seconds; `time.time` by default.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._kept = OwnedDatabase(path, _SCHEMA, _TABLES, "lists of repositories")
        self._writing: WriteBehind[_Row] = WriteBehind(self._write, _MAX_WAITING)
        # Pages that were read before are older than what a run may believe.
        self._since = 0.0
        # A first run, and one that reads all anew, has nothing to look for.
        self._has_pages = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._kept.close()

    def begin(self, registry: str, *, full: bool = False) -> None:
        """Begin a run.

        Args:
            registry: What sets the registry apart from others of its name: its address, and when
                it was created. What is remembered of another is deleted.
            full: Whether nothing that was read before may be used. False by default: then so it is
                in one run of seven, which goes on where it was interrupted.
        """
        facts = dict(self._kept.select("SELECT name, value FROM facts"))
        now = self._clock()
        if facts.get("registry") != registry:
            self._kept.write(("DELETE FROM pages", [()]))
            facts = {}
        runs, since = _number(facts.get("runs")), _number(facts.get("since"))
        if full or not facts or runs >= _RUNS_PER_FULL_LOOK or since > now:
            runs, since = 0, now
        self._since = since
        query = "SELECT 1 FROM pages WHERE read_at >= ? LIMIT 1"
        self._has_pages = bool(self._kept.select(query, (since,)))
        rows = [("registry", registry), ("runs", str(runs)), ("since", repr(since))]
        self._kept.write((_PUT_FACT, rows))

    async def end(self) -> None:
        """Count the run, which has read or recalled everything, and write the last pages."""
        await self.flush()
        count = "UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = ?"
        await asyncio.to_thread(self._kept.write, (count, [("runs",)]))

    async def flush(self) -> None:
        """Wait until all pages that were read are written."""
        await self._writing.finish()

    def repository(self, name: str, state: RepositoryState | None) -> "RepositoryMemory":
        """Return what is remembered of a repository.

        Args:
            name: The repository's name.
            state: What the list of repositories says of it now; None where that is not enough to
                know it again: then nothing is remembered.
        """
        return RepositoryMemory(self, name, state)

    async def forget(self, *repositories: str) -> None:
        """Delete what is remembered of some repositories."""
        await self.flush()
        statement = "DELETE FROM pages WHERE repository = ?"
        rows = [(name,) for name in repositories]
        await asyncio.to_thread(self._kept.write, (statement, rows))

    async def forget_others(self, repositories: Collection[str]) -> None:
        """Delete what is remembered of repositories that do not exist any more.

        Args:
            repositories: Those that exist.
        """
        known = await asyncio.to_thread(
            self._kept.select, "SELECT DISTINCT repository FROM pages WHERE number = 1"
        )
        await self.forget(*(name for (name,) in known if name not in repositories))

    async def name_state(self, repository: str, state: RepositoryState) -> None:
        """Name the state of the manifests that were kept without one.

        Args:
            repository: The repository's name.
            state: The state.
        """
        await self.flush()
        statement = (
            "UPDATE pages SET state = ? WHERE repository = ? AND list = 'manifests' AND state = ''"
        )
        await asyncio.to_thread(self._kept.write, (statement, [(str(state), repository)]))

    async def find(
        self, repository: str, name: ListName, number: int, per_page: int, state: str | None
    ) -> RawPage[Any] | None:
        """Return a page that was read before; None where there is none to be used.

        Args:
            repository: The repository's name.
            name: Which list.
            number: The page's number, from 1.
            per_page: How many items it was asked to have.
            state: The state that the repository was in; None for any.
        """
        if not self._has_pages:
            return None
        query = (
            "SELECT page FROM pages WHERE repository = ? AND list = ? AND number = ?"
            " AND per_page = ? AND read_at >= ? AND state = coalesce(?, state)"
        )
        values = (repository, name, number, per_page, self._since, state)
        for (data,) in await asyncio.to_thread(self._kept.select, query, values):
            return decode_page(name, data)
        return None

    async def keep(
        self,
        repository: str,
        name: ListName,
        number: int,
        per_page: int,
        state: str,
        page: RawPage[Any],
    ) -> None:
        """Write a page that was read, soon; of a list in another state nothing is left then."""
        row = _Row(repository, name, number, per_page, state, self._clock(), page)
        await self._writing.add(row)

    def _write(self, rows: list[_Row]) -> None:
        # A list in a new state is read from its first page on.
        outdated = [(row.repository, row.name, row.state) for row in rows if row.number == 1]
        self._kept.write(
            ("DELETE FROM pages WHERE repository = ? AND list = ? AND state != ?", outdated),
            (
                "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        row.repository,
                        row.name,
                        row.number,
                        row.per_page,
                        row.state,
                        row.read_at,
                        encode_page(row.page),
                    )
                    for row in rows
                ],
            ),
        )


class RepositoryMemory:
    """What is remembered of one repository, for one run.

    Attributes:
        state: What the list of repositories says of it now; None where that is not enough.
        is_recalled: Whether a page was taken from here in place of being read.
    """

    def __init__(self, memory: ListMemory, name: str, state: RepositoryState | None) -> None:
        self.state = state
        self._written_state = str(state)
        self.is_recalled: bool = False
        self._memory = memory
        self._name = name
        self._is_fresh = False
        # Each page is recalled once: a list that is read again has moved.
        self._asked: set[tuple[ListName, int]] = set()
        self._per_page: int | None = None

    def manifests(self, pager: Pager[ListedManifest]) -> Pager[ListedManifest]:
        """Return a pager over the manifests that reads only pages that are not remembered."""
        return pager if self.state is None else pager.through(_Pages(self, "manifests"))

    def tags(self, pager: Pager[ListedTag]) -> Pager[ListedTag]:
        """Return a pager over the tags that reads only pages that are not remembered."""
        return pager if self.state is None else pager.through(_Pages(self, "tags"))

    async def times(self, manifests: RepositoryInventory) -> RememberedTimes | None:
        """Return an inventory with the times of tags that were listed before, in any state.

        None where they were not, or on several pages: only one answer shows all that there were.

        Args:
            manifests: The manifests of the repository, by a fresh list.
        """
        if self._is_fresh or self._per_page is None:
            return None
        page = await self._memory.find(self._name, "tags", 1, self._per_page, None)
        if page is None or page.next_link is not None or page.total != len(page.items):
            return None
        return with_remembered_times(manifests, page.items)

    async def forget(self) -> None:
        """Forget all that is remembered, and recall nothing more: the lists are read afresh."""
        self._is_fresh = True
        self.is_recalled = False
        await self._memory.forget(self._name)

    async def page(
        self,
        name: ListName,
        number: int,
        per_page: int,
        read: Callable[[], Awaitable[RawPage[Any]]],
    ) -> RawPage[Any]:
        """Return a page of a list: the remembered one, or the one that is read and kept.

        Args:
            name: Which list.
            number: The page's number, from 1.
            per_page: How many items it is asked to have.
            read: Reads it.
        """
        self._per_page = per_page
        state = self._written_state
        is_first = (name, number) not in self._asked
        self._asked.add((name, number))
        if is_first and not self._is_fresh:
            known = await self._memory.find(self._name, name, number, per_page, state)
            if known is not None:
                self.is_recalled = True
                return known
        page = await read()
        await self._memory.keep(self._name, name, number, per_page, state, page)
        return page


@frozen
class _Pages:
    """The pages of one list."""

    of: RepositoryMemory
    name: ListName

    async def page(
        self, number: int, per_page: int, read: Callable[[], Awaitable[RawPage[Any]]]
    ) -> RawPage[Any]:
        return await self.of.page(self.name, number, per_page, read)


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
