"""The archive of one batch: its items on disk some ahead of their DELETEs, many in one write."""

import asyncio
from asyncio import Event, Task
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Self

from aioregistry.bulk.report import Outcome
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.cleanup.manifests.content import Document
from aioregistry.cleanup.manifests.reader import ContentSource, DocumentStore
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.archive import Archive
from aioregistry.cleanup.records.archive_format import Line, encode_lines, line_of
from aioregistry.cleanup.records.store import JournalError
from aioregistry.errors import ClientClosedError, RegistryError
from aioregistry.session.exchange import Verdict

__all__ = ["BatchArchive"]

# A write and a sync cost what a DELETE does, for one item as for many: most batches are one group.
_GROUP_SIZE = 256
_MOST_DOCUMENT_BYTES = 2**20
# The longest, its quotes and a comma.
_TAG_BYTES = 131
# A group is written once one of so many items before it is begun: when its own are begun, it is on
# disk.
_AHEAD = 64


class BatchArchive:
    """Archives the items of a batch, each before its DELETE is sent.

    What is at hand without a request is archived some items ahead, while the registry is asked
    about the first of them. An item that is then not deleted is withdrawn, and at the end of
    ``async with BatchArchive(...) as batch`` so is the rest.

    Args:
        archive: The open archive.
        contents: Where manifests are read.
        repository: The repository's name.
        items: The items that are begun next, in order; others are archived one by one.
        listed: The digest of each tag by the lists of this batch: one that somebody has deleted
            since the plan is not archived, unless the registry has it all the same.
        store: Where documents are at hand; by default `contents`, if they are there.
    """

    def __init__(
        self,
        archive: Archive,
        contents: ContentSource,
        repository: str,
        items: Sequence[Condemned],
        listed: Mapping[str, str],
        store: DocumentStore | None = None,
    ) -> None:
        self._archive = archive
        self._contents = contents
        at_hand = contents if isinstance(contents, DocumentStore) else None
        self._store = at_hand if store is None else store
        self._repository = repository
        self._items = items
        self._listed = listed
        self._places = {item.name: place for place, item in enumerate(items)}
        self._started = 0
        # Whoever waits for an event and is stopped stops no other.
        self._groups: list[tuple[Task[None], Event]] = []
        # Those on disk, with all of their tags.
        self._ready: set[str] = set()
        # Those that were archived and whose DELETE cannot have taken effect yet, and when.
        self._archived: dict[str, tuple[Condemned, datetime]] = {}
        # Tags that somebody has deleted since the lists: nobody asks for them to be set again.
        self._gone_tags: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Those that were to wait for a group may have been stopped before.
        await asyncio.gather(*(writing for writing, _ in self._groups), return_exceptions=True)
        # Where what runs cannot be found out, nothing more is deleted, and all can be written.
        if kind is None or issubclass(kind, InUseError):
            for name in tuple(self._archived):
                self._withdraw(name)

    def start(self, item: Condemned) -> None:
        """Begin to archive an item, and some of those after it, if they are at hand."""
        if self._started == len(self._items) or self._store is None:
            return
        soon = self._places.get(item.name, -1 - _AHEAD) + _AHEAD
        while self._started <= soon and self._started < len(self._items):
            some = self._items[self._started : self._started + _GROUP_SIZE]
            self._started += len(some)
            ended = Event()
            writing = asyncio.ensure_future(self._keep_group(some, self._store))
            writing.add_done_callback(lambda _, ended=ended: ended.set())  # type: ignore[misc]
            self._groups.append((writing, ended))

    async def keep(self, item: Condemned, gone_tags: Collection[str] = ()) -> Verdict | None:
        """Archive an item that was started; it is on disk when this returns.

        Args:
            item: The item.
            gone_tags: Those of its tags that no longer exist, by a look right before. None by
                default.

        Returns:
            Why it must not be deleted; None to delete it.

        Raises:
            JournalError: The archive cannot be written.
            ClientClosedError: The client is closed.
        """
        name = item.name
        if name not in self._ready and self._store is not None and name in self._places:
            writing, ended = self._groups[self._places[name] // _GROUP_SIZE]
            await ended.wait()
            writing.result()
        if not self._gone_tags.issuperset(gone_tags):
            # It is archived with them: what is archived once more is what the DELETE takes away.
            self._withdraw(name)
            self._ready.discard(name)
            self._gone_tags.update(gone_tags)
        if name in self._ready:
            return None
        try:
            if name not in self._archived:
                await self._keep_alone(item)
            await self._keep_unlisted(item)
            # What was added by a check that was broken off is not on disk yet.
            await self._archive.lines.flush()
        except (ClientClosedError, JournalError):
            raise
        except RegistryError as error:
            return Verdict("cannot_tell", f"its manifest cannot be archived: {error}")
        return None

    def settle(self, item: Condemned, outcome: Outcome, *, exists: bool = True) -> None:
        """Leave an item in the archive if its DELETE may have taken effect, else withdraw it.

        Args:
            item: The item.
            outcome: What became of it by the API.
            exists: Whether one that the API refused to delete exists all the same. True by
                default.
        """
        # A verdict came before the next attempt: those before it were all without a clear answer.
        # One that met a 404 right after the look may have arrived twice, and the first been done.
        is_clear = outcome.verdict is None and outcome.status != "absent" and exists
        if outcome.status in {"deleted", "unknown"} or outcome.attempts > is_clear:
            self._archived.pop(item.name, None)
        else:
            self._withdraw(item.name)

    def _withdraw(self, name: str) -> None:
        if name in self._archived:
            item, at = self._archived.pop(name)
            # It may be begun again in this batch, and is archived anew then.
            self._ready.discard(name)
            # It is written with what comes next.
            self._archive.withdraw(self._repository, item.digest, self._tags_of(item), at)

    async def _keep_group(self, group: Sequence[Condemned], store: DocumentStore) -> None:
        wanted = [item.digest for item in group if item.delete == "manifest"]
        found = await store.documents_at_hand(wanted) if wanted else {}
        here = [item for item in group if item.delete == "tag" or item.digest in found]
        for some in _parts(here, found):
            await self._write(some, found)

    async def _keep_alone(self, item: Condemned) -> None:
        documents: dict[str, Document] = {}
        if item.delete == "manifest":
            documents[item.digest] = await self._contents.document(self._repository, item.digest)
        await self._write([item], documents)

    async def _write(self, items: Sequence[Condemned], documents: Mapping[str, Document]) -> None:
        """Archive items with the tags that are listed; they are on disk when this returns."""
        at, repository, listed = datetime.now(UTC), self._repository, self._listed
        gone = self._gone_tags
        lines: list[Line] = []
        names: list[str] = []
        partly: set[str] = set()
        for item in items:
            digest, name, tags, body, kind = item.digest, item.name, item.tags, None, ""
            for tag in tags:
                if listed.get(tag) != digest or tag in gone:
                    tags = self._tags_of(item)
                    partly.add(name)
                    break
            if item.delete == "manifest":
                document = documents[digest]
                body, kind = document.body, document.media_type or ""
            lines.append(line_of(at, repository, digest, tags, body, kind))
            names.append(name)
        self._archive.lines.add(encode_lines(lines))
        self._archived.update(zip(names, zip(items, repeat(at)), strict=False))
        await self._archive.lines.flush()
        # Some may have been given up meanwhile.
        self._ready |= (self._archived.keys() & names) - partly

    def _tags_of(self, item: Condemned) -> tuple[str, ...]:
        """Return those tags of an item that are listed, and that nobody has deleted since."""
        return tuple(tag for tag in item.tags if self._is_listed(tag, item))

    def _is_listed(self, tag: str, item: Condemned) -> bool:
        return self._listed.get(tag) == item.digest and tag not in self._gone_tags

    async def _keep_unlisted(self, item: Condemned) -> None:
        """Archive the tags that the API did not list, and that the registry has all the same."""
        unlisted = [tag for tag in item.tags if not self._is_listed(tag, item)]
        for tag in unlisted:
            found = await self._contents.current_digest(self._repository, tag)
            if found == item.digest:
                await self._archive.add(self._repository, item.digest, (tag,))


def _parts(
    items: Sequence[Condemned], documents: Mapping[str, Document]
) -> Iterator[Sequence[Condemned]]:
    """Yield items in order, those of so many bytes of documents and tags at a time."""
    start = size = 0
    for place, item in enumerate(items):
        document = documents.get(item.digest)
        added = _TAG_BYTES * len(item.tags) + (0 if document is None else len(document.body))
        if size + added > _MOST_DOCUMENT_BYTES and place > start:
            yield items[start:place]
            start, size = place, 0
        size += added
    if items:
        yield items[start:]
