"""Putting back from an archive what a clean-up deleted."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import Factory, define

from aioregistry.bulk.progress import check_callback
from aioregistry.cleanup.apply.archive_format import read_archived, survey
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.cleanup.undo.order import Restoration, restoration_of, signatures_of
from aioregistry.cleanup.undo.report import UndoOutcome, UndoReport, UndoStatus
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    NotFoundError,
    PermissionDeniedError,
    RegistryError,
)
from aioregistry.oci.documents import FetchedManifest
from aioregistry.oci.writer import is_part_missing

__all__ = ["ManifestStore", "undo"]

_CONCURRENCY = 8
# After these nothing more is sent: every other request would end the same way.
_ENDING = (AuthenticationError, PermissionDeniedError)


class ManifestStore(Protocol):
    """Where manifests come back to: a `DistributionWriter`."""

    async def find_manifest(self, repository: str, reference: str) -> str | None:
        """Return the digest of a tag or a digest; None when it does not exist."""

    async def get_manifest(self, repository: str, reference: str) -> FetchedManifest:
        """Return a manifest."""

    async def put_manifest(
        self, repository: str, reference: str, document: bytes, media_type: str
    ) -> None:
        """Store a manifest under a tag or its digest."""


@define
class _Archived:
    """What an archive has of one repository, without the documents."""

    contents: dict[str, Content] = Factory(dict)
    places: dict[str, int] = Factory(dict)
    tags: dict[str, str] = Factory(dict)


async def undo(
    store: ManifestStore,
    archive: Path,
    *,
    registry: str | None = None,
    repositories: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    dry_run: bool = False,
    on_outcome: Callable[[UndoOutcome], object] | None = None,
) -> UndoReport:
    """Put back what an archive has: manifests, children first and referrers last, then tags.

    Works until the next garbage collection, which removes the blobs. Each manifest and each tag is
    looked up first (``HEAD``), so that an undo that was interrupted can simply be started again,
    and a tag that points elsewhere by now is left alone. Between that ``HEAD`` and the ``PUT`` of
    the tag are some milliseconds in which somebody may set it: the protocol has no conditional
    ``PUT``. Costs none of the API's quota but for the credentials.

    Args:
        store: Where they come back to, opened with read-write credentials.
        archive: The file that the clean-up wrote.
        registry: The registry that the archive must belong to; None for any.
        repositories: The repositories that come back; None for all.
        tags: The tags that come back, with all that their manifests need and with their
            signatures; None for all, and for all untagged manifests.
        dry_run: Whether everything is looked up and nothing is written; what would come back is
            then reported as restored. Blobs are not looked for.
        on_outcome: Called with each `UndoOutcome` as soon as it is known.

    Returns:
        What became of each manifest and tag.

    Raises:
        ArchiveError: The archive cannot be read; nothing was sent.
        ClientClosedError: The store is closed.
    """
    check_callback("on_outcome", on_outcome)
    wanted_repositories = None if repositories is None else set(repositories)
    found = await asyncio.to_thread(_survey, archive, registry, wanted_repositories)
    outcomes: list[UndoOutcome] = []

    def report(outcome: UndoOutcome) -> None:
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)

    ended: RegistryError | None = None
    for repository, archived in found.items():
        wanted = tags
        if wanted is not None:
            wanted = {*wanted, *signatures_of(archived.tags, wanted)}
        restoration = restoration_of(archived.contents, archived.tags, wanted)
        work = _Repository(
            store, archive, repository, restoration, archived.places, dry_run, report
        )
        ended = await work.run(ended)
    return UndoReport.of(outcomes)


def _survey(
    archive: Path, registry: str | None, repositories: Collection[str] | None
) -> dict[str, _Archived]:
    """Return what an archive has of each repository: small beside the documents."""
    found: dict[str, _Archived] = {}
    for one, place in survey(archive, registry):
        if repositories is not None and one.repository not in repositories:
            continue
        archived = found.setdefault(one.repository, _Archived())
        # What was deleted last is what a tag pointed to last.
        archived.tags.update(dict.fromkeys(one.tags, one.digest))
        if one.document is not None:
            try:
                content = parse_content(one.document, one.media_type or None)
            except UnreadableContentError:
                # It comes back all the same; nothing is known of what it needs.
                content = Content(one.media_type, len(one.document))
            archived.contents[one.digest] = content
            archived.places[one.digest] = place
    return found


class _Repository:
    """What comes back to one repository."""

    def __init__(
        self,
        store: ManifestStore,
        archive: Path,
        name: str,
        restoration: Restoration,
        places: Mapping[str, int],
        dry_run: bool,
        report: Callable[[UndoOutcome], object],
    ) -> None:
        self._store = store
        self._archive = archive
        self._name = name
        self._restoration = restoration
        self._places = places
        self._dry_run = dry_run
        self._report = report
        self._missing: dict[str, str] = {}
        self._ended: RegistryError | None = None

    async def run(self, ended: RegistryError | None) -> RegistryError | None:
        """Put everything back; return what ended the undo, if anything did."""
        self._ended = ended
        for wave in self._restoration.waves:
            await _each(self._put_back_manifest, [(digest,) for digest in wave])
        await _each(self._put_back_tag, self._restoration.tags.items())
        return self._ended

    async def _put_back_manifest(self, digest: str) -> None:
        status, reason = await self._attempt(digest, digest)
        if status not in {"restored", "present"}:
            self._missing[digest] = reason
        self._report(UndoOutcome(self._name, digest, digest, status, reason))

    async def _put_back_tag(self, tag: str, digest: str) -> None:
        if digest in self._missing:
            reason = f"its manifest did not come back: {self._missing[digest]}"
            outcome = UndoOutcome(self._name, tag, digest, "not_attempted", reason)
        else:
            outcome = UndoOutcome(self._name, tag, digest, *await self._attempt(tag, digest))
        self._report(outcome)

    async def _attempt(self, reference: str, digest: str) -> tuple[UndoStatus, str]:
        if self._ended is not None:
            return "not_attempted", f"the undo ended before: {self._ended}"
        try:
            return await self._restore(reference, digest)
        except ClientClosedError:
            raise
        except _ENDING as error:
            self._ended = error
            return "failed", str(error)
        except RegistryError as error:
            if is_part_missing(error):
                return "lost", (
                    f"a part of it no longer exists, as after a garbage collection: {error}"
                )
            return "failed", str(error)

    async def _restore(self, reference: str, digest: str) -> tuple[UndoStatus, str]:
        now = await self._store.find_manifest(self._name, reference)
        if now == digest:
            return "present", ""
        if now is not None:
            return "moved", f"the tag points to {now} now"
        place = self._places.get(digest)
        if place is not None:
            archived = await asyncio.to_thread(read_archived, self._archive, place, digest)
            document, media_type = archived.document or b"", archived.media_type
        else:
            # The DELETE was a tag's: its manifest was to stay.
            try:
                manifest = await self._store.get_manifest(self._name, digest)
            except NotFoundError:
                return "lost", "its manifest does not exist, and is not in the archive"
            document, media_type = manifest.raw, manifest.media_type or ""
        if not self._dry_run:
            await self._store.put_manifest(self._name, reference, document, media_type)
            if await self._store.find_manifest(self._name, reference) != digest:
                return "failed", "the registry does not have it after the PUT"
        return "restored", ""


async def _each(do: Callable[..., Awaitable[None]], items: Iterable[Sequence[str]]) -> None:
    """Run something for each item, several at a time; when it raises, the rest is not begun."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(*item)

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONCURRENCY):
            group.create_task(work())
