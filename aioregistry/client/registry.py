"""The handle of a registry: its repositories, all its tags, its garbage collections."""

from collections.abc import AsyncIterable, Callable
from functools import partial

from aioregistry.api import names
from aioregistry.api.endpoints import Endpoints, RepositoryPath, repository_path
from aioregistry.api.models import (
    DockerCredentials,
    Manifest,
    Registry,
    Repository,
    RepositoryV1,
    Tag,
)
from aioregistry.arguments import Ignored, Several
from aioregistry.bulk.progress import Progress
from aioregistry.bulk.report import DeletionReport
from aioregistry.client.archiving import DeletionArchive, archive_repository, items_first
from aioregistry.client.credentials import docker_credentials
from aioregistry.client.deleting import BulkDeletes, OnOutcome, deletion_of, references
from aioregistry.client.families import PathFamilies
from aioregistry.client.garbage import GarbageCollections
from aioregistry.client.lists import (
    ListEndpoint,
    PagerFactory,
    by_name,
    list_of_manifests,
    list_of_tags,
)
from aioregistry.client.repository import RepositoryHandle
from aioregistry.paging.pager import Pager

__all__ = ["RegistryHandle"]


class RegistryHandle(GarbageCollections):
    """A registry by name, made by `RegistryClient.registry`. To make one sends nothing.

    Example:
        ```python
        registry = client.registry("example")
        async for repository in registry.repositories():
            print(repository.name, repository.tag_count)
        ```

    Attributes:
        name: The registry's name.
    """

    def __init__(
        self, name: str, families: PathFamilies, pagers: PagerFactory, concurrency: int
    ) -> None:
        super().__init__(names.check_registry(name), families, pagers)
        self._concurrency = concurrency

    def __repr__(self) -> str:
        return f"RegistryHandle({self.name!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RegistryHandle):
            return NotImplemented
        return self.name == other.name and self._families is other._families

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def api_url(self) -> str:
        """The origin of the API that calls for this registry go to."""
        return self._families.session.base_url

    @property
    def seconds_ahead(self) -> float | None:
        """By how many seconds this machine's clock is ahead of the API's; None before an answer."""
        return self._families.session.recent.seconds_ahead

    async def get(self) -> Registry:
        """Return this registry: ``GET /v2/registry`` or ``GET /v2/registries/{registry}``.

        Raises:
            NotFoundError: The account has no registry of this name.
            RegistryError: Any other of its kinds.
        """
        return await self._families.get_registry(self.name)

    def repository(
        self, name: "str | Repository | RepositoryV1 | Tag | Manifest"
    ) -> RepositoryHandle:
        """Return a handle on a repository; no request is sent.

        Args:
            name: The repository's name, such as ``web`` or ``team/web``; or what a list yielded:
                the repository, or a tag or a manifest in it.

        Raises:
            InvalidNameError: No repository can have such a name.
            ValueError: What a list yielded is another registry's.
        """
        if isinstance(name, Repository | RepositoryV1 | Tag | Manifest):
            if name.registry_name not in {self.name, ""}:
                raise ValueError(f"{name!r} is in the registry {name.registry_name!r}")
            name = name.repository if isinstance(name, Tag | Manifest) else name.name
        return RepositoryHandle(self.name, name, self._families, self._pagers, self._concurrency)

    def repositories(self) -> Pager[Repository]:
        """Return a pager over the repositories.

        ``GET …/{registry}/repositoriesV2``, by page tokens. Nothing is sent before the pager is
        walked; errors come from the walk.
        """
        listed = partial(Endpoints.list_repositories, registry=self.name)
        return self._pagers.pager(ListEndpoint(listed, by_name, by_token=True))

    def repositories_v1(self) -> Pager[RepositoryV1]:
        """Return a pager over the repositories as the deprecated list gives them.

        ``GET /v2/registry/{registry}/repositories``; an account with several registries may get
        `PreconditionFailedError`. Nothing is sent before the pager is walked.
        """
        listed = partial(Endpoints.list_repositories_v1, registry=self.name)
        return self._pagers.pager(ListEndpoint(listed, by_name))

    def tags(self) -> Pager[Tag]:
        """Return a pager over every tag of every repository, one repository after the other.

        The repositories to come are read ahead. One that was deleted by then is passed over.
        ``GET …/{registry}/repositoriesV2`` and, for each, ``GET …/repositories/{repository}/tags``.
        Nothing is sent before the pager is walked.

        Example:
            ```python
            async for tag in registry.tags():
                print(tag.repository, tag.tag)
            ```
        """
        return self._pagers.chained(
            self.repositories(),
            lambda repository: list_of_tags(*self._list_of(repository.name)),
        )

    def manifests(self) -> Pager[Manifest]:
        """Return a pager over every manifest of every repository, as `tags` does over tags.

        ``GET …/{registry}/repositoriesV2`` and, for each, ``GET
        …/repositories/{repository}/digests``.
        """
        return self._pagers.chained(
            self.repositories(),
            lambda repository: list_of_manifests(*self._list_of(repository.name)),
        )

    def _list_of(self, repository: str) -> tuple[RepositoryPath, str, str]:
        return repository_path(self.name, repository), self.name, repository

    async def delete(
        self,
        items: "Several[Tag | Manifest] | AsyncIterable[Tag | Manifest]",
        on_outcome: OnOutcome | None = None,
        *,
        on_progress: Callable[[Progress], Ignored] | None = None,
        archive: DeletionArchive | None = None,
    ) -> DeletionReport:
        """Delete tags and manifests of any repositories, as lists yielded them, at once.

        One ``DELETE …/repositories/{repository}/tags/{tag}`` or ``…/digests/{digest}`` for each;
        **a manifest goes with all tags on it**. As `RepositoryHandle.delete_tags` does.

        Example:
            ```python
            old = [tag async for tag in registry.tags() if tag.tag.startswith("pr-")]
            report = await registry.delete(old)
            print([outcome.name for outcome in report.deleted])  # ['web:pr-1', …]
            ```

        Args:
            items: The tags and manifests; an async iterable is read no faster than the deletes go
                on.
            on_outcome: Called with each `Outcome` as soon as it is known, whose `name` is
                ``repository:tag`` or ``repository@digest``; None, the default, for no call.
            on_progress: Called with a `Progress`; None, the default, for no call.
            archive: See `RepositoryHandle.delete_manifests`: manifests are listed first, those of
                a repository before its first one is deleted. None, the default, for no archive.

        Returns:
            The outcomes by status, each in the order of `items`.

        Raises:
            TypeError: An item is no tag and no manifest, or a callback is a coroutine function.
            ValueError: An item, or the archive, is another registry's.
            ClientClosedError: The client is closed.
            Exception: Any that `items` or a callback raises.
        """
        check = items_first(archive, self.name, lambda name: self.repository(name).manifests())
        return await BulkDeletes(self._families, self._concurrency).run(
            references(items, self.name),
            partial(deletion_of, self.name),
            on_outcome,
            on_progress,
            check,
        )

    async def delete_repository(self, name: str, *, archive: DeletionArchive | None = None) -> None:
        """Delete a repository with **all its tags and manifests**.

        ``DELETE /v2/registries/{registry}/repositories/{repository}``.

        Args:
            name: The repository's name.
            archive: An open `aioregistry.cleanup.Archive`, in which all manifests and tags are
                written down before, read from the registry itself and listed (a request for 200)
                until nothing new is found; what is pushed later is not in it. None by default.

        Raises:
            InvalidNameError: No repository can have such a name; nothing was sent.
            ValueError: The archive is another registry's; nothing was sent.
            NotFoundError: There is no such repository.
            NotRecordedError: The archive cannot be written; nothing was deleted.
            RegistryError: Any other of its kinds; so where a manifest cannot be archived, and
                nothing was deleted.
        """
        if archive is not None:
            manifests = self.repository(name).manifests()
            await archive_repository(archive, self.name, name, manifests, self._concurrency)
        await self._families.call(lambda endpoints: endpoints.delete_repository(self.name, name))

    async def docker_credentials(
        self, read_write: bool = False, expiry_seconds: int | None = None
    ) -> DockerCredentials:
        """Return Docker credentials for this registry.

        ``GET …/docker-credentials``. The first family's call carries no name: before it, the name
        of the account's registry is compared with this one (``GET /v2/registry``, once).

        Example:
            ```python
            credentials = await registry.docker_credentials(expiry_seconds=3600)
            print(credentials.host)
            ```

        Args:
            read_write: Whether they may push; by default they may not.
            expiry_seconds: How many seconds they are valid; None, the default, or 0: they never
                expire.

        Raises:
            NotFoundError: The account has no registry of this name.
            RegistryError: Any other of its kinds.
        """
        return await docker_credentials(
            self._families, self.name, read_write=read_write, expiry_seconds=expiry_seconds
        )

    def seconds_for(self, requests: int) -> float:
        """Return how many seconds the quota makes some further requests take at least.

        Args:
            requests: How many requests.
        """
        return self._families.session.seconds_for(requests)
