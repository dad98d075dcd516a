"""Putting back from an archive what a clean-up deleted."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import nullcontext
from pathlib import Path

from aioregistry.arguments import Ignored, Many, plain_callback, refuse_one
from aioregistry.cleanup.manifests.content import Content, UnreadableContentError, parse_content
from aioregistry.cleanup.records.archive_format import registry_of, survey
from aioregistry.cleanup.records.store import JournalStore
from aioregistry.cleanup.undo.journal import UndoJournal
from aioregistry.cleanup.undo.order import restoration_of
from aioregistry.cleanup.undo.report import UndoOutcome, UndoReport
from aioregistry.cleanup.undo.restoring import (
    ArchivedRepository,
    ManifestStore,
    RepositoryUndo,
)

__all__ = ["undo"]


async def undo(
    store: ManifestStore,
    archive: Path,
    *,
    registry: str | None = None,
    repositories: Many[str] | None = None,
    tags: Many[str] | None = None,
    journal: Path | JournalStore | None = None,
    dry_run: bool = False,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    on_outcome: Callable[[UndoOutcome], Ignored] | None = None,
) -> UndoReport:
    """Put back what an archive has: manifests, children first and referrers last, then tags.

    Works until the next garbage collection, which removes the blobs. Each manifest and each tag is
    looked up first (``HEAD``; a tag by a ``GET`` as well, right before its ``PUT``), and a tag that
    points elsewhere by now is left alone. A ``PUT`` of a tag without an answer is followed by
    another look, never by another ``PUT`` alone. Between the last look and the ``PUT`` of a tag are
    some milliseconds in which somebody may set it: the protocol has no conditional ``PUT``. An
    index whose child cannot come back does not come back either. Costs none of the API's quota but
    for the credentials.

    What comes back is as new as the undo, and rules that keep the newest keep it first:
    `make_plan` takes the repositories to leave alone.

    An undo that was interrupted is simply started again; with its journal it goes on without
    looking again at what is back already.

    Args:
        store: Where they come back to, opened with read-write credentials.
        archive: The file that the clean-up wrote.
        registry: The registry that the archive must belong to; None for any.
        repositories: The repositories that come back; None for all.
        tags: The tags that come back, with all that their manifests need, and with the signatures
            of all of that; None for all, and for all untagged manifests.
        journal: A file, or a `JournalStore`, in which every ``PUT`` is noted before it is sent, and
            what became of it. None, the default, for no journal; a dry run writes none.
        dry_run: Whether everything is looked up, blobs with it, and nothing is written; what would
            come back is then reported as restored. By default it is written.
        sleep: Waits for some seconds before a tag is tried again; `asyncio.sleep` by default.
        on_outcome: Called with each `UndoOutcome` as soon as it is known; None, the default, for no
            call.

    Returns:
        What became of each manifest and tag.

    Raises:
        ArchiveError: The archive cannot be read; nothing was sent.
        JournalError: The journal cannot be used; nothing was sent.
        ClientClosedError: The store is closed.
    """
    on_outcome = plain_callback("on_outcome", on_outcome)
    refuse_one("repositories", repositories)
    refuse_one("tags", tags)
    wanted_repositories = None if repositories is None else set(repositories)
    wanted_tags = None if tags is None else set(tags)
    found = await asyncio.to_thread(_survey, archive, registry, wanted_repositories)
    outcomes: list[UndoOutcome] = []

    def report(outcome: UndoOutcome) -> None:
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)

    ended = None
    name = await asyncio.to_thread(registry_of, archive)
    noting = nullcontext() if journal is None or dry_run else UndoJournal(journal, name)
    async with noting as opened:
        for repository, archived in found.items():
            work = RepositoryUndo(
                store=store,
                archive=archive,
                name=repository,
                archived=archived,
                restoration=restoration_of(archived.contents, archived.tags, wanted_tags),
                journal=opened,
                dry_run=dry_run,
                report=report,
                sleep=sleep,
                ended=ended,
            )
            await work.run()
            ended = work.ended
        if opened is not None and ended is None:
            opened.end()
    return UndoReport.of(outcomes)


def _survey(
    archive: Path, registry: str | None, repositories: Collection[str] | None
) -> dict[str, ArchivedRepository]:
    """Return what an archive has of each repository: small beside the documents."""
    found: dict[str, ArchivedRepository] = {}
    for one, place in survey(archive, registry):
        if repositories is not None and one.repository not in repositories:
            continue
        archived = found.setdefault(one.repository, ArchivedRepository())
        # What was deleted last is what a tag pointed to last.
        archived.tags.update(dict.fromkeys(one.tags, one.digest))
        archived.deleted_at.update(dict.fromkeys(one.tags, one.at))
        if one.document is not None:
            try:
                content = parse_content(one.document, one.media_type or None)
            except UnreadableContentError:
                # It comes back all the same; nothing is known of what it needs.
                content = Content(one.media_type, len(one.document))
            archived.contents[one.digest] = content
            archived.places[one.digest] = place
            archived.deleted_at[one.digest] = one.at
    return found
