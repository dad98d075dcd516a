"""Putting back what was deleted from one repository."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from attrs import Factory, define, field, frozen

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.records.archive_format import read_archived
from aioregistry.cleanup.records.journal import JournalError
from aioregistry.cleanup.undo.journal import UndoJournal
from aioregistry.cleanup.undo.order import Restoration
from aioregistry.cleanup.undo.parts import blobs_of
from aioregistry.cleanup.undo.report import UndoOutcome, UndoStatus
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryError,
    RegistryTimeoutError,
    ServerError,
)
from aioregistry.oci.documents import FetchedManifest
from aioregistry.oci.fan_out import for_each
from aioregistry.oci.writer import is_part_missing

__all__ = ["ArchivedRepository", "ManifestStore", "RepositoryUndo"]

_CONCURRENCY = 8
# After these nothing more is sent: every other request would end the same way.
_ENDING = (AuthenticationError, JournalError, PermissionDeniedError)
# After these a tag may be set, by us or by others: it is looked up before it is set again.
_UNSURE = (RateLimitedError, RegistryConnectionError, RegistryTimeoutError, ServerError)
_WAITS = (0.2, 1.0, 5.0)
_MAX_WAIT = 60.0
_FINAL: dict[str, UndoStatus] = {"restored": "restored", "present": "present"}
_MAX_SHOWN = 3
_COLLECTED = "as after a garbage collection"
# What a plan keeps as a part of an image, a later one may delete.
_WHY_LOST = f"{_COLLECTED}, or a later clean-up: undo that one first"


class ManifestStore(Protocol):
    """Where manifests come back to: a `DistributionWriter`."""

    async def find_manifest(self, repository: str, reference: str) -> str | None:
        """Return the digest of a tag or a digest; None when it does not exist."""

    async def get_manifest(self, repository: str, reference: str) -> FetchedManifest:
        """Return the manifest of a tag or a digest.

        Raises:
            NotFoundError: There is none.
        """

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Return whether a repository has a blob."""

    async def put_manifest(
        self,
        repository: str,
        reference: str,
        document: bytes,
        media_type: str,
        *,
        once: bool = False,
    ) -> None:
        """Store a manifest under a tag or its digest."""


@define
class ArchivedRepository:
    """What an archive has of one repository, without the documents.

    Attributes:
        contents: What each manifest names, by digest.
        places: Where each manifest is in the file.
        tags: The digest that each tag pointed to when it was last deleted.
        deleted_at: When each manifest and tag was last deleted.
    """

    contents: dict[str, Content] = Factory(dict)
    places: dict[str, int] = Factory(dict)
    tags: dict[str, str] = Factory(dict)
    deleted_at: dict[str, datetime] = Factory(dict)


@frozen
class _Result:
    status: UndoStatus
    reason: str = ""
    missing: tuple[str, ...] = ()


@define(kw_only=True, eq=False)
class RepositoryUndo:
    """What comes back to one repository.

    Attributes:
        store: Where it comes back to.
        archive: The file.
        name: The repository's name.
        archived: What the archive has of it.
        restoration: What of that comes back, and in which order.
        journal: Where each step is noted; None for nowhere.
        dry_run: Whether everything is looked up and nothing is written.
        report: Called with each outcome.
        sleep: Waits for some seconds.
        ended: What ended the undo; None while it goes on.
    """

    store: ManifestStore
    archive: Path
    name: str
    archived: ArchivedRepository
    restoration: Restoration
    journal: UndoJournal | None
    dry_run: bool
    report: Callable[[UndoOutcome], object]
    sleep: Callable[[float], Awaitable[object]]
    ended: RegistryError | None = None
    _missing: dict[str, _Result] = field(factory=dict, init=False)
    _noted: set[str] = field(factory=set, init=False)
    _has_blob: dict[str, bool] = field(factory=dict, init=False)

    async def run(self) -> None:
        """Put everything back that can come back: manifests in their order, then tags.

        Raises:
            ClientClosedError: The store is closed.
        """
        for wave in self.restoration.waves:
            await for_each(self._put_back_manifest, wave, _CONCURRENCY)
        await for_each(self._put_back_tag, self.restoration.tags.items(), _CONCURRENCY)

    async def _put_back_manifest(self, digest: str) -> None:
        content = self.archived.contents[digest]
        lacking = [child for child in content.children if child in self._missing]
        if lacking and self.ended is None:
            result = self._without(lacking)
        else:
            result = await self._attempt(digest, digest)
        if result.status not in _FINAL:
            self._missing[digest] = result
        self._take_in(digest, digest, result)

    def _without(self, lacking: Sequence[str]) -> _Result:
        """Return the result of a manifest whose parts did not come back."""
        lost = tuple(child for child in lacking if self._missing[child].status == "lost")
        if lost:
            return _Result("lost", f"{_some(lost, 'manifest')} could not come back", lost)
        first = self._missing[lacking[0]]
        return _Result("not_attempted", f"its part did not come back: {first.reason}")

    async def _put_back_tag(self, item: tuple[str, str]) -> None:
        tag, digest = item
        if digest in self._missing:
            reason = f"its manifest did not come back: {self._missing[digest].reason}"
            self._take_in(tag, digest, _Result("not_attempted", reason))
        else:
            self._take_in(tag, digest, await self._attempt(tag, digest))

    def _take_in(self, name: str, digest: str, result: _Result) -> None:
        self._noted.discard(name)
        if self.journal is not None:
            deleted_at = self.archived.deleted_at.get(name)
            self.journal.record(self.name, name, digest, deleted_at, result.status, result.reason)
        self.report(
            UndoOutcome(self.name, name, digest, result.status, result.reason, result.missing)
        )

    async def _attempt(self, reference: str, digest: str) -> _Result:
        past = None
        if self.journal is not None:
            deleted_at = self.archived.deleted_at.get(reference)
            past = self.journal.past(self.name, reference, digest, deleted_at)
            if past in _FINAL:
                return _Result(_FINAL[past])
        if self.ended is not None:
            return _Result("not_attempted", f"the undo ended before: {self.ended}")
        try:
            return await self._restore(reference, digest, was_begun=past == "begun")
        except ClientClosedError:
            raise
        except _ENDING as error:
            self.ended = error
            return _Result("failed", str(error))
        except RegistryError as error:
            return _Result("failed", str(error))

    async def _restore(self, reference: str, digest: str, *, was_begun: bool) -> _Result:
        """Put back one manifest or tag, each time after a look at what is there now."""
        waits = iter(_WAITS)
        while True:
            found = await self._look(reference, digest, was_begun=was_begun)
            if found is not None:
                return found
            try:
                return await self._put(reference, digest, was_begun=was_begun)
            except RegistryError as error:
                if not _may_pass(error):
                    raise
                wait = next(waits, None)
                if wait is None:
                    if await self.store.find_manifest(self.name, reference) == digest:
                        return _Result("restored")
                    raise
                was_begun = was_begun or reference in self._noted
                asked = getattr(error, "retry_after", None) or 0.0
                await self.sleep(max(wait, min(asked, _MAX_WAIT)))

    async def _look(self, reference: str, digest: str, *, was_begun: bool) -> _Result | None:
        """Return the result of what is there already; None where nothing is."""
        now = await self.store.find_manifest(self.name, reference)
        return _result_of(now, digest, was_begun=was_begun)

    async def _look_again(self, tag: str, digest: str, *, was_begun: bool) -> _Result | None:
        """Return the same of a tag by another request: two equal ones may meet the same fault."""
        return _result_of(await self._fetched_digest(tag), digest, was_begun=was_begun)

    async def _fetched_digest(self, reference: str) -> str | None:
        """Return the digest of a manifest by a ``GET``; None where there is none."""
        try:
            return (await self.store.get_manifest(self.name, reference)).digest
        except NotFoundError as error:
            if not error.is_certain:
                raise
            return None

    async def _put(self, reference: str, digest: str, *, was_begun: bool) -> _Result:
        document = await self._document(digest)
        if document is None:
            reason = "its manifest does not exist, and is not in the archive"
            return _Result("lost", reason, (digest,))
        if self.dry_run:
            return await self._look_for_parts(digest, document[0])
        if not was_begun:
            await self._begin(reference, digest)
        # Reading and noting took their time, in which others may have set the tag.
        if reference != digest:
            found = await self._look_again(reference, digest, was_begun=was_begun)
            if found is not None:
                return found
        try:
            await self.store.put_manifest(self.name, reference, *document, once=True)
        except RegistryError as error:
            if not is_part_missing(error):
                raise
            lost = await self._look_for_parts(digest, document[0])
            if lost.status == "lost":
                return lost
            why = f"a part of it no longer exists, {_WHY_LOST}: {error}"
            return _Result("lost", why)
        return await self._check(reference, digest)

    async def _check(self, reference: str, digest: str) -> _Result:
        """Look whether something is back after its ``PUT``, twice where it seems not to be."""
        now = await self.store.find_manifest(self.name, reference)
        if now is None:
            now = await self._fetched_digest(reference)
        if now == digest:
            return _Result("restored")
        if now is not None:
            return _Result("moved", f"the tag was set to {now} right after it was restored")
        return _Result("failed", "the registry does not have it after the PUT")

    async def _document(self, digest: str) -> tuple[bytes, str] | None:
        place = self.archived.places.get(digest)
        if place is not None:
            archived = await asyncio.to_thread(read_archived, self.archive, place, digest)
            return archived.document or b"", archived.media_type
        # The DELETE was a tag's: its manifest was to stay.
        try:
            manifest = await self.store.get_manifest(self.name, digest)
        except NotFoundError:
            # A 404 may pass: what another look finds is not lost.
            if await self.store.find_manifest(self.name, digest) is None:
                return None
            manifest = await self.store.get_manifest(self.name, digest)
        return manifest.raw, manifest.media_type or ""

    async def _look_for_parts(self, digest: str, document: bytes) -> _Result:
        """Return whether a manifest can come back, by what it names."""
        blobs = [blob for blob in blobs_of(document) if not await self._blob_exists(blob)]
        content = self.archived.contents.get(digest)
        if content is not None:
            blobs += [blob for blob in content.blobs if not await self._blob_exists(blob)]
        children = [] if content is None else set(content.children) - set(content.blobs)
        manifests = [child for child in children if not await self._child_exists(child)]
        if not blobs and not manifests:
            return _Result("restored")
        what = [
            _some(some, unit) for some, unit in ((blobs, "blob"), (manifests, "manifest")) if some
        ]
        gone = "no longer exists" if len(blobs) + len(manifests) == 1 else "no longer exist"
        why = _WHY_LOST if manifests else _COLLECTED
        reason = f"{' and '.join(what)} {gone}, {why}"
        return _Result("lost", reason, (*blobs, *manifests))

    async def _blob_exists(self, digest: str) -> bool:
        if digest not in self._has_blob:
            self._has_blob[digest] = await self.store.has_blob(self.name, digest)
        return self._has_blob[digest]

    async def _child_exists(self, digest: str) -> bool:
        if digest in self.archived.contents:
            # It has had its turn: what did not come back is no part of anything.
            return True
        if await self.store.find_manifest(self.name, digest) is not None:
            return True
        # What an unknown kind of manifest names may be a blob.
        return await self._blob_exists(digest)

    async def _begin(self, reference: str, digest: str) -> None:
        self._noted.add(reference)
        if self.journal is not None:
            deleted_at = self.archived.deleted_at.get(reference)
            await self.journal.begin(self.name, reference, digest, deleted_at)


def _result_of(now: str | None, digest: str, *, was_begun: bool) -> _Result | None:
    if now == digest:
        return _Result("restored" if was_begun else "present")
    return None if now is None else _Result("moved", f"the tag points to {now} now")


def _may_pass(error: RegistryError) -> bool:
    """Return whether the same ``PUT`` may do better.

    distribution 2.8 refuses an index for a digest that is none while another ``PUT`` of one of its
    children is under way: for a moment the child's entry is empty. Our digests are checked.
    """
    if isinstance(error, InvalidRequestError):
        return error.error_id == "DIGEST_INVALID"
    return isinstance(error, _UNSURE)


def _some(digests: Sequence[str], unit: str) -> str:
    """Return some digests in words: how many, and the first of them."""
    shown = ", ".join(digests[:_MAX_SHOWN])
    more = f" and {len(digests) - _MAX_SHOWN:,} more" if len(digests) > _MAX_SHOWN else ""
    return f"{len(digests):,} {unit}{'s' if len(digests) > 1 else ''} ({shown}{more})"
