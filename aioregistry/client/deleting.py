"""Bulk deletes of handles: names become calls, outcomes become a report."""

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Container,
    Coroutine,
    Sized,
)
from functools import partial
from typing import Any

from attrs import frozen

from aioregistry.api.endpoints import FIRST_FAMILY, Endpoints, repository_path
from aioregistry.api.models import Manifest, Tag
from aioregistry.arguments import Ignored, Names, Several, plain_callback, refuse_one
from aioregistry.bulk.deletion import Deletion
from aioregistry.bulk.outcomes import OutcomeIterator, ReaderGate
from aioregistry.bulk.progress import Progress, ProgressReporter
from aioregistry.bulk.report import DeletionReport, Outcome
from aioregistry.client.families import MakeRequest, PathFamilies
from aioregistry.errors import NotFoundError
from aioregistry.session.abort import AbortScope
from aioregistry.session.exchange import RequestLog

__all__ = ["BulkDeletes", "Check", "DeletionOf", "OnOutcome", "deletion_of", "references"]

OnOutcome = Callable[[Outcome], Ignored]
Check = Callable[[str], Awaitable[object]]
ListExisting = Callable[[], Awaitable[Collection[str]]]
DeletionOf = Callable[[str], MakeRequest[None]]


@frozen
class BulkDeletes:
    """Deletes many things at once.

    Attributes:
        families: Makes the calls.
        concurrency: How many deletes may be under way at once.
    """

    families: PathFamilies
    concurrency: int

    async def run(
        self,
        names: Names,
        deletion_of: DeletionOf,
        on_outcome: OnOutcome | None,
        on_progress: Callable[[Progress], Ignored] | None,
        check: Check | None = None,
        list_existing: ListExisting | None = None,
    ) -> DeletionReport:
        """Delete what is named, and return the report; see `RepositoryHandle.delete_tags`.

        Args:
            names: What to delete.
            deletion_of: Returns the call for a name.
            on_outcome: Called with each outcome; None for no call.
            on_progress: Called with the progress; None for no call.
            check: Awaited with the name before its DELETE is sent; None for no check.
            list_existing: Returns the names that exist: for others nothing is sent. None for no
                such list.
        """
        refuse_one("a bulk delete", names)
        on_outcome = plain_callback("on_outcome", on_outcome)
        on_progress = plain_callback("on_progress", on_progress)
        existing = None if list_existing is None else await list_existing()
        outcomes: list[Outcome] = []
        progress = None
        if on_progress is not None:
            progress = ProgressReporter(
                on_progress,
                len(names) if isinstance(names, Sized) else None,
                self.concurrency,
                self.families.session.seconds_for,
                asyncio.get_running_loop().time,
            )

        await self._deletion(
            names,
            deletion_of,
            outcomes.append,
            on_outcome=on_outcome,
            progress=progress,
            check=check,
            existing=existing,
        ).run()
        return DeletionReport.of(outcomes)

    def iterate(
        self,
        names: Names,
        deletion_of: DeletionOf,
        check: Check | None = None,
        list_existing: ListExisting | None = None,
    ) -> OutcomeIterator:
        """Return an iterator that deletes what is named, and yields each outcome; see `run`."""

        def prepare(record: OnOutcome, gate: ReaderGate) -> Callable[[], Coroutine[Any, Any, None]]:
            existing: set[str] = set()
            deletion = self._deletion(
                names,
                deletion_of,
                record,
                gate,
                check=check,
                existing=None if list_existing is None else existing,
            )

            async def run() -> None:
                if list_existing is not None:
                    existing.update(await list_existing())
                await deletion.run()

            return run

        return OutcomeIterator(prepare, self.families.session.start, self.concurrency)

    def _deletion(
        self,
        names: Names,
        deletion_of: DeletionOf,
        record: OnOutcome,
        gate: ReaderGate | None = None,
        on_outcome: OnOutcome | None = None,
        progress: ProgressReporter | None = None,
        check: Check | None = None,
        existing: Container[str] | None = None,
    ) -> Deletion:
        session = self.families.session
        session.check_open()

        def delete(name: str, log: RequestLog) -> Awaitable[object]:
            make_request = deletion_of(name)
            if existing is not None and name not in existing:
                return _find_absent(name, make_request)
            # Of the answer, nothing is to be decoded.
            return self.families.answer(
                make_request,
                priority="bulk",
                log=log,
                check=None if check is None else partial(check, name),
            )

        return Deletion(
            names,
            delete,
            session.start,
            self.concurrency,
            record,
            AbortScope(session),
            gate,
            on_outcome,
            progress,
        )


async def _find_absent(name: str, make_request: MakeRequest[None]) -> None:
    # A name that cannot be is an error, whether or not anything is sent.
    make_request(FIRST_FAMILY)
    raise NotFoundError(f"{name!r} is not in the list of its repository")


def references(
    items: Several[Tag | Manifest] | AsyncIterable[Tag | Manifest], registry: str
) -> Names:
    """Return tags and manifests by name, ``repository:tag`` and ``repository@digest``.

    An async iterable, and an iterator, is read as the names are.

    Raises:
        TypeError: An item is no tag and no manifest.
        ValueError: An item is another registry's.
    """

    def named(item: Tag | Manifest) -> str:
        if not isinstance(item, Tag | Manifest):
            raise TypeError(f"give Tag and Manifest objects, as lists yield them, not {item!r}")
        if item.registry_name not in {registry, ""}:
            raise ValueError(f"{item!r} is in the registry {item.registry_name!r}")
        if isinstance(item, Tag):
            return f"{item.repository}:{item.tag}"
        return f"{item.repository}@{item.digest}"

    async def read(source: AsyncIterable[Tag | Manifest]) -> AsyncIterator[str]:
        async for item in source:
            yield named(item)

    if isinstance(items, AsyncIterable):
        return read(items)
    # What is known beforehand is refused as a whole.
    return [named(item) for item in items] if isinstance(items, Sized) else map(named, items)


def deletion_of(registry: str, reference: str) -> MakeRequest[None]:
    """Return the call that deletes what `references` named."""
    repository, at, digest = reference.partition("@")
    if at:
        path = repository_path(registry, repository)
        return partial(Endpoints.delete_manifest, path=path, digest=digest)
    repository, _, tag = reference.rpartition(":")
    return partial(Endpoints.delete_tag, path=repository_path(registry, repository), tag=tag)
