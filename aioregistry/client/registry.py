"""Handles on a registry and on a repository: nothing is sent until one of their methods is used."""

import asyncio
from collections.abc import Awaitable, Callable, Sized
from functools import partial
from typing import Literal

from aioregistry.api import names
from aioregistry.api.decoding import ObjectDecoder, decode_docker_credentials
from aioregistry.api.endpoints import repository_path
from aioregistry.api.models import (
    DockerCredentials,
    GarbageCollection,
    Manifest,
    Repository,
    RepositoryV1,
    Tag,
)
from aioregistry.bulk.callbacks import check_callback
from aioregistry.bulk.deletion import (
    Deletion,
    DeletionReport,
    Names,
    Outcome,
    OutcomeIterator,
    ReaderGate,
)
from aioregistry.bulk.progress import Progress, ProgressReporter
from aioregistry.client.families import MakeRequest, PathFamilies
from aioregistry.client.lists import (
    GARBAGE_COLLECTIONS,
    MANIFESTS,
    REPOSITORIES,
    REPOSITORIES_V1,
    TAGS,
    PagerFactory,
)
from aioregistry.errors import NotFoundError, RegistryTimeoutError
from aioregistry.paging.pager import Pager
from aioregistry.session.abort import AbortScope
from aioregistry.session.exchange import RequestLog

__all__ = ["GarbageCollectionType", "RegistryHandle", "RepositoryHandle", "docker_credentials"]

GarbageCollectionType = Literal[
    "untagged manifests only",
    "unreferenced blobs only",
    "untagged manifests and unreferenced blobs",
]

_GARBAGE_COLLECTION = ObjectDecoder("garbage_collection", GarbageCollection)


async def docker_credentials(
    families: PathFamilies, name: str | None, *, read_write: bool, expiry_seconds: int | None
) -> DockerCredentials:
    """Return credentials for the registry with this name, or for the account's only one."""
    if expiry_seconds is not None and (type(expiry_seconds) is not int or expiry_seconds < 0):
        raise ValueError(f"expiry_seconds must be whole seconds, 0 or more: {expiry_seconds!r}")
    query: dict[str, str | int] = {"read_write": "true"} if read_write else {}
    if expiry_seconds is not None:
        query["expiry_seconds"] = expiry_seconds
    if name is not None:
        await families.require_same(name)
    return await families.call_for(
        name,
        lambda endpoints, known: endpoints.get_docker_credentials(known).with_query(**query),
        decode_docker_credentials,
    )


class RegistryHandle:
    """A registry by name. Made by `RegistryClient.registry`.

    Attributes:
        name: The registry's name.
    """

    def __init__(
        self, name: str, families: PathFamilies, pagers: PagerFactory, concurrency: int
    ) -> None:
        self.name = names.check_registry(name)
        self._families = families
        self._pagers = pagers
        self._concurrency = concurrency

    def __repr__(self) -> str:
        return f"RegistryHandle({self.name!r})"

    def repository(self, name: str) -> "RepositoryHandle":
        """Return a handle on a repository; no request is sent.

        Raises:
            InvalidNameError: No repository can be called so.
        """
        return RepositoryHandle(self.name, name, self._families, self._pagers, self._concurrency)

    def repositories(self) -> Pager[Repository]:
        """Return a pager over the repositories.

        ``GET …/{registry}/repositoriesV2``, by page tokens.
        """
        return self._pagers.pager(
            REPOSITORIES, lambda endpoints: endpoints.list_repositories(self.name)
        )

    def repositories_v1(self) -> Pager[RepositoryV1]:
        """Return a pager over the repositories as the deprecated list gives them.

        ``GET /v2/registry/{registry}/repositories``; accounts with several registries get
        `PreconditionFailedError`.
        """
        return self._pagers.pager(
            REPOSITORIES_V1, lambda endpoints: endpoints.list_repositories_v1(self.name)
        )

    def tags(self) -> Pager[Tag]:
        """Return a pager over every tag of every repository, one repository after the other.

        The repositories to come are read ahead. One that is gone by then is passed over.
        ``GET …/{registry}/repositoriesV2`` and, for each, ``GET …/repositories/{repository}/tags``.
        """

        def request_of(repository: Repository) -> MakeRequest:
            return lambda endpoints: endpoints.list_tags(self.name, repository.name)

        return self._pagers.chained(self.repositories(), TAGS, request_of)

    async def delete_repository(self, name: str) -> None:
        """Delete a repository with all its tags and manifests.

        ``DELETE /v2/registries/{registry}/repositories/{repository}``.

        Raises:
            InvalidNameError: No repository can be called so.
            NotFoundError: There is no such repository.
            RegistryError: Any other of its kinds.
        """
        await self._families.send(lambda endpoints: endpoints.delete_repository(self.name, name))

    async def docker_credentials(
        self, read_write: bool = False, expiry_seconds: int | None = None
    ) -> DockerCredentials:
        """Return Docker credentials for this registry.

        ``GET …/docker-credentials``. The first family's call carries no name: before it, the name
        of the account's registry is compared with this one.

        Args:
            read_write: Whether they may push.
            expiry_seconds: How long they are valid; None or 0: they never expire.

        Raises:
            NotFoundError: The account has no registry of this name.
            RegistryError: Any other of its kinds.
        """
        return await docker_credentials(
            self._families, self.name, read_write=read_write, expiry_seconds=expiry_seconds
        )

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds the quota makes some further requests take at least."""
        return self._families.session.seconds_for(requests)

    async def start_garbage_collection(
        self,
        type: GarbageCollectionType | str | None = None,  # noqa: A002
    ) -> GarbageCollection:
        """Start a garbage collection; the registry is read-only until it has ended.

        ``POST …/{registry}/garbage-collection``. Never repeated by itself.

        Args:
            type: What it collects; None leaves the choice to the API.

        Raises:
            RegistryError: One is under way already, or any other of its kinds.
        """
        return await self._families.call(
            lambda endpoints: endpoints.start_garbage_collection(self.name, type),
            _GARBAGE_COLLECTION.decode,
        )

    async def garbage_collection(self) -> GarbageCollection | None:
        """Return the garbage collection that is under way, or None.

        ``GET …/{registry}/garbage-collection``.
        """
        try:
            return await self._families.call(
                lambda endpoints: endpoints.get_garbage_collection(self.name),
                _GARBAGE_COLLECTION.decode,
            )
        except NotFoundError:
            return None

    def garbage_collections(self) -> Pager[GarbageCollection]:
        """Return a pager over past garbage collections.

        ``GET …/{registry}/garbage-collections``.
        """
        return self._pagers.pager(
            GARBAGE_COLLECTIONS, lambda endpoints: endpoints.list_garbage_collections(self.name)
        )

    async def cancel_garbage_collection(self, uuid: str) -> GarbageCollection:
        """Cancel the garbage collection that is under way.

        ``PUT …/{registry}/garbage-collection/{uuid}``.

        Raises:
            NotFoundError: There is none with this UUID.
            RegistryError: Any other of its kinds.
        """
        return await self._families.call(
            lambda endpoints: endpoints.cancel_garbage_collection(self.name, uuid),
            _GARBAGE_COLLECTION.decode,
        )

    async def wait_for_garbage_collection(
        self,
        uuid: str | None = None,
        *,
        timeout: float | None = None,
        interval: float = 10.0,
        on_status: Callable[[GarbageCollection], object] | None = None,
    ) -> GarbageCollection | None:
        """Wait until a garbage collection has ended, and return it as it ended.

        Look at `status` of what is returned: it may have failed or been cancelled.

        Args:
            uuid: Which; None means the one that is under way now.
            timeout: Seconds to wait at most; None waits as long as it takes.
            interval: Seconds between two looks, each a request.
            on_status: Called after each look while it is under way.

        Returns:
            The garbage collection; None when `uuid` is None and none is under way.

        Raises:
            NotFoundError: There is none with this UUID, neither under way nor past.
            RegistryTimeoutError: It has not ended in time; it goes on.
            RegistryError: Any other of its kinds.
        """
        check_callback("on_status", on_status)
        if interval <= 0:
            raise ValueError(f"interval must be positive: {interval}")
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._end_of_garbage_collection(uuid, interval, on_status)
        except TimeoutError:
            # A request may have timed out for itself, and says more than we could.
            if not deadline.expired():
                raise
        raise RegistryTimeoutError(f"the garbage collection has not ended within {timeout} s")

    async def _end_of_garbage_collection(
        self,
        uuid: str | None,
        interval: float,
        on_status: Callable[[GarbageCollection], object] | None,
    ) -> GarbageCollection | None:
        while (active := await self.garbage_collection()) is not None:
            uuid = uuid or active.uuid
            if active.uuid != uuid:
                break
            if active.ended:
                return active
            if on_status is not None:
                on_status(active)
            await asyncio.sleep(interval)
        if uuid is None:
            return None
        async for past in self.garbage_collections():
            if past.uuid == uuid:
                return past
        raise NotFoundError(f"there is no garbage collection {uuid!r} in {self.name!r}")


class RepositoryHandle:
    """A repository by name. Made by `RegistryHandle.repository`.

    Attributes:
        registry_name: The registry's name.
        name: The repository's name.
    """

    def __init__(
        self,
        registry_name: str,
        name: str,
        families: PathFamilies,
        pagers: PagerFactory,
        concurrency: int,
    ) -> None:
        self.registry_name = registry_name
        self.name = names.check_repository(name)
        self._path = repository_path(registry_name, name)
        self._families = families
        self._pagers = pagers
        self._concurrency = concurrency

    def __repr__(self) -> str:
        return f"RepositoryHandle({self.registry_name!r}, {self.name!r})"

    def tags(self) -> Pager[Tag]:
        """Return a pager over the tags: ``GET …/repositories/{repository}/tags``."""
        return self._pagers.pager(
            TAGS, lambda endpoints: endpoints.list_tags(self.registry_name, self.name)
        )

    def manifests(self) -> Pager[Manifest]:
        """Return a pager over the manifests: ``GET …/repositories/{repository}/digests``."""
        return self._pagers.pager(
            MANIFESTS, lambda endpoints: endpoints.list_manifests(self.registry_name, self.name)
        )

    async def delete_tag(self, tag: str) -> None:
        """Delete a tag; the manifest that it is on stays.

        ``DELETE …/repositories/{repository}/tags/{tag}``.

        Raises:
            InvalidNameError: No tag can be called so; nothing was sent.
            NotFoundError: There is no such tag.
            RegistryError: Any other of its kinds.
        """
        await self._families.send(self._tag_deletion(tag))

    async def delete_manifest(self, digest: str) -> None:
        """Delete a manifest, and **all tags on it**.

        ``DELETE …/repositories/{repository}/digests/{digest}``.

        Raises:
            InvalidNameError: That is no digest; nothing was sent.
            NotFoundError: There is no such manifest.
            RegistryError: Any other of its kinds.
        """
        await self._families.send(self._manifest_deletion(digest))

    async def delete_tags(
        self,
        names: Names,
        on_outcome: Callable[[Outcome], object] | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        check: Callable[[str], Awaitable[object]] | None = None,
    ) -> DeletionReport:
        """Delete many tags at once, and report what became of each.

        One ``DELETE …/tags/{tag}`` for each. No item's failure stops the others, but after an
        `AuthenticationError` nothing more is sent. When this is cancelled, `on_outcome` has told of
        every item that was begun.

        Args:
            names: The tags; an async iterable is read no faster than it is worked off.
            on_outcome: Called with each `Outcome` as soon as it is known.
            on_progress: Called with a `Progress`, ten times a second at most; it knows the time
                that is left when `names` has a length.
            check: Awaited with the name right before its DELETE is sent, when all waiting for
                quota is over. A `RegistryError` that it raises keeps the item: its outcome is
                ``not_attempted``, with this error.

        Raises:
            ClientClosedError: The client is closed.
            Exception: Whatever `names` or a callback raises.
        """
        return await self._delete_many(names, self._tag_deletion, on_outcome, on_progress, check)

    async def delete_manifests(
        self,
        digests: Names,
        on_outcome: Callable[[Outcome], object] | None = None,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        check: Callable[[str], Awaitable[object]] | None = None,
    ) -> DeletionReport:
        """Delete many manifests at once, **all tags on them too**; as `delete_tags` does.

        One ``DELETE …/digests/{digest}`` for each.
        """
        return await self._delete_many(
            digests, self._manifest_deletion, on_outcome, on_progress, check
        )

    def iter_delete_tags(self, names: Names) -> OutcomeIterator:
        """Delete many tags as `delete_tags` does, and yield each `Outcome` as it is known."""
        return self._iter_delete(names, self._tag_deletion)

    def iter_delete_manifests(self, digests: Names) -> OutcomeIterator:
        """Delete many manifests as `iter_delete_tags` does tags."""
        return self._iter_delete(digests, self._manifest_deletion)

    def _tag_deletion(self, tag: str) -> MakeRequest:
        return lambda endpoints: endpoints.delete_tag_below(self._path, tag)

    def _manifest_deletion(self, digest: str) -> MakeRequest:
        return lambda endpoints: endpoints.delete_manifest_below(self._path, digest)

    async def _delete_many(
        self,
        given: Names,
        deletion_of: Callable[[str], MakeRequest],
        on_outcome: Callable[[Outcome], object] | None,
        on_progress: Callable[[Progress], object] | None,
        check: Callable[[str], Awaitable[object]] | None,
    ) -> DeletionReport:
        check_callback("on_outcome", on_outcome)
        check_callback("on_progress", on_progress)
        outcomes: list[Outcome] = []
        progress = None
        if on_progress is not None:
            progress = ProgressReporter(
                on_progress,
                len(given) if isinstance(given, Sized) else None,
                self._concurrency,
                self._families.session.seconds_for,
                asyncio.get_running_loop().time,
            )

        def tell(outcome: Outcome) -> None:
            outcomes.append(outcome)
            if on_outcome is not None:
                on_outcome(outcome)

        await self._deletion(given, deletion_of, tell, progress=progress, check=check).run()
        return DeletionReport.of(outcomes)

    def _iter_delete(
        self, given: Names, deletion_of: Callable[[str], MakeRequest]
    ) -> OutcomeIterator:
        return OutcomeIterator(
            lambda tell, gate: self._deletion(given, deletion_of, tell, gate),
            self._families.session.start,
            self._concurrency,
        )

    def _deletion(
        self,
        given: Names,
        deletion_of: Callable[[str], MakeRequest],
        tell: Callable[[Outcome], object],
        gate: ReaderGate | None = None,
        progress: ProgressReporter | None = None,
        check: Callable[[str], Awaitable[object]] | None = None,
    ) -> Deletion:
        self._families.session.check_open()

        def delete(name: str, log: RequestLog) -> Awaitable[object]:
            return self._families.send(
                deletion_of(name),
                priority="bulk",
                log=log,
                check=None if check is None else partial(check, name),
            )

        session = self._families.session
        return Deletion(
            given,
            delete,
            session.start,
            self._concurrency,
            tell,
            AbortScope(session),
            gate,
            progress,
        )
