"""The handle of a repository: its lists, and deletes of one or of many."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from aioregistry.api import names
from aioregistry.api.endpoints import repository_path
from aioregistry.api.models import Manifest, Tag
from aioregistry.arguments import Ignored, Names
from aioregistry.bulk.outcomes import OutcomeIterator
from aioregistry.bulk.progress import Progress
from aioregistry.bulk.report import DeletionReport
from aioregistry.client.archiving import DeletionArchive, manifests_first, tags_first
from aioregistry.client.credentials import writer_for
from aioregistry.client.deleting import BulkDeletes, Check, OnOutcome
from aioregistry.client.families import MakeRequest, PathFamilies
from aioregistry.client.lists import PagerFactory, list_of_manifests, list_of_tags
from aioregistry.errors import NotFoundError, PartialListingError
from aioregistry.paging.pager import Pager

if TYPE_CHECKING:
    from aioregistry.oci.tagging import TagOutcome
    from aioregistry.oci.writer import DistributionWriter

__all__ = ["RepositoryHandle"]


class RepositoryHandle:
    """A repository by name, made by `RegistryHandle.repository`. To make one sends nothing.

    Example:
        ```python
        repo = client.registry("example").repository("web")
        async for tag in repo.tags():
            print(tag.tag, tag.updated_at)
        report = await repo.delete_tags(["v1.0.0", "v1.0.1"])
        report.raise_for_failures()
        ```

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
        self.name: str = names.check_repository(name)
        self._path = repository_path(registry_name, name)
        self._families = families
        self._pagers = pagers
        self._deletes = BulkDeletes(families, concurrency)

    def __repr__(self) -> str:
        return f"RepositoryHandle({self.registry_name!r}, {self.name!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RepositoryHandle):
            return NotImplemented
        return self._path == other._path and self._families is other._families

    def __hash__(self) -> int:
        return hash(self._path)

    def tags(self) -> Pager[Tag]:
        """Return a pager over the tags: ``GET …/repositories/{repository}/tags``.

        Nothing is sent before the pager is walked; errors come from the walk.

        Example:
            ```python
            async for tag in repo.tags():
                print(tag.tag, tag.manifest_digest)
            ```
        """
        return self._pagers.pager(list_of_tags(self._path, self.registry_name, self.name))

    def manifests(self) -> Pager[Manifest]:
        """Return a pager over the manifests: ``GET …/repositories/{repository}/digests``.

        Nothing is sent before the pager is walked; errors come from the walk. A manifest without
        tags is an untagged one, which may be a part of a tagged index all the same.
        """
        return self._pagers.pager(list_of_manifests(self._path, self.registry_name, self.name))

    async def get_tag(self, name: str) -> Tag:
        """Return a tag by its name: ``GET …/repositories/{repository}/tags``.

        The API lists tags and has no call for one: pages are read until it is found, up to a
        request for each 200 tags. For the digest alone, `Distribution.find_manifest` asks the
        registry itself, in one request.

        Args:
            name: The tag's name.

        Raises:
            InvalidNameError: No tag can have such a name; nothing was sent.
            NotFoundError: There is no such tag, or no such repository.
            PartialListingError: It was not found, and the list may have left it out.
            RegistryError: Any other of its kinds.
        """
        names.check_tag(name)
        async with aiter(self.tags()) as tags:
            async for tag in tags:
                if tag.tag == name:
                    return tag
        if not tags.complete:
            raise PartialListingError(
                f"the tag {name!r} was not found in a list that moved: try again",
                found=tags.found,
                total=tags.total,
            )
        raise NotFoundError(f"there is no tag {name!r} in {self.name!r}")

    async def tag(
        self,
        reference: str,
        *tags: str,
        force: bool = False,
        writer: "DistributionWriter | None" = None,
    ) -> "tuple[TagOutcome, ...]":
        """Set further tags on a manifest; no layer is pulled or pushed.

        Asks the registry itself: ``GET /v2/{registry}/{repository}/manifests/{reference}``, then
        for each tag a ``HEAD``, and a ``PUT`` of the manifest where it is needed. The token needs
        the scopes ``registry:read``, ``registry:update`` and ``registry:create``.

        Example:
            ```python
            await repo.tag("v1.0.0", "stable", "v1")
            await repo.tag("v1.0.1", "stable", force=True)
            ```

        Args:
            reference: A tag, or a digest.
            tags: The tags to set.
            force: Whether tags that are on other manifests are moved; by default that is refused.
            writer: An open `DistributionWriter` of this registry; with None, the default, one is
                opened for this call, which costs one API request for credentials.

        Returns:
            What became of each tag, in their order.

        Raises:
            InvalidNameError: No tag or digest can be called so; nothing was sent.
            ValueError: No tag is given, or the writer is of another registry; nothing was sent.
            NotFoundError: There is no such manifest.
            TagExistsError: A tag is on another manifest, and `force` is not set; none was set.
            RegistryError: Any other of its kinds; tags set before it stay set.
        """
        if writer is not None:
            if writer.registry_name != self.registry_name:
                raise ValueError(f"the writer is of the registry {writer.registry_name!r}")
            return await writer.tag(self.name, reference, *tags, force=force)
        async with writer_for(self.registry_name, self._families) as own:
            return await own.tag(self.name, reference, *tags, force=force)

    async def delete_tag(self, tag: str) -> None:
        """Delete a tag; the manifest that it is on stays.

        ``DELETE …/repositories/{repository}/tags/{tag}``.

        Args:
            tag: The tag's name.

        Raises:
            InvalidNameError: No tag can have such a name; nothing was sent.
            NotFoundError: There is no such tag.
            RegistryError: Any other of its kinds.
        """
        await self._families.call(self._tag_deletion(tag))

    async def delete_manifest(self, digest: str) -> None:
        """Delete a manifest, and **all tags on it**.

        ``DELETE …/repositories/{repository}/digests/{digest}``.

        Args:
            digest: The manifest's digest, such as ``sha256:…``.

        Raises:
            InvalidNameError: This is no digest; nothing was sent.
            NotFoundError: There is no such manifest.
            RegistryError: Any other of its kinds.
        """
        await self._families.call(self._manifest_deletion(digest))

    async def delete_tags(
        self,
        names: Names,
        on_outcome: OnOutcome | None = None,
        *,
        on_progress: Callable[[Progress], Ignored] | None = None,
        check: Check | None = None,
        list_first: bool = False,
        archive: DeletionArchive | None = None,
    ) -> DeletionReport:
        """Delete many tags at once, and report the outcome of each.

        One ``DELETE …/repositories/{repository}/tags/{tag}`` for each. A failure of one tag does
        not stop the others, but after an `AuthenticationError`, and after a
        `RegistryReadOnlyError`, nothing more is sent. When this is cancelled, `on_outcome` was
        called for every tag that was begun.

        Example:
            ```python
            report = await repo.delete_tags(["v1.0.0", "v1.0.1"])
            print(len(report.deleted), "deleted,", len(report.absent), "did not exist")
            report.raise_for_failures()
            ```

        Args:
            names: The tags; an async iterable is read no faster than the deletes go on.
            on_outcome: Called with each `Outcome` as soon as it is known; None, the default, for
                no call.
            on_progress: Called with a `Progress`, ten times a second at most; the time that is
                left is known when `names` has a length. None, the default, for no call.
            check: Awaited with the tag right before its DELETE is sent, when all waiting for
                quota is over. A `RegistryError` that it raises keeps the tag: its outcome is
                ``not_attempted``, with this error. None, the default, for no check.
            list_first: Whether the tags are listed first (``GET …/tags``, a request for 200 tags),
                and no DELETE is sent for one that does not exist: it is ``absent``. Without it,
                the default, a tag that never existed may be reported as ``deleted``, because the
                API may accept a DELETE for it.
            archive: An open `aioregistry.cleanup.Archive`, in which each tag is written down before
                its DELETE is sent; the tags are listed first. What cannot be archived is kept, and
                a write that fails ends the deletes. None, the default, for no archive.

        Returns:
            The outcomes by status, each in the order of `names`.

        Raises:
            TypeError: `names` is one string, or a callback is a coroutine function.
            ValueError: The archive is another registry's.
            ClientClosedError: The client is closed.
            RegistryError: With `list_first`, the list could not be had; nothing was deleted.
            Exception: Any that `names` or a callback raises.
        """
        existing = self._list_tags if list_first or archive is not None else None
        check = tags_first(archive, self.registry_name, self.name, check)
        return await self._deletes.run(
            names, self._tag_deletion, on_outcome, on_progress, check, existing
        )

    async def delete_manifests(
        self,
        digests: Names,
        on_outcome: OnOutcome | None = None,
        *,
        on_progress: Callable[[Progress], Ignored] | None = None,
        check: Check | None = None,
        list_first: bool = False,
        archive: DeletionArchive | None = None,
    ) -> DeletionReport:
        """Delete many manifests at once, **all tags on them too**; as `delete_tags` does.

        One ``DELETE …/repositories/{repository}/digests/{digest}`` for each.

        Args:
            digests: The manifests' digests.
            on_outcome: See `delete_tags`; None by default.
            on_progress: See `delete_tags`; None by default.
            check: See `delete_tags`; None by default.
            list_first: See `delete_tags`; by default the manifests are not listed first.
            archive: See `delete_tags`; each manifest is archived with the tags of the list, and
                with those that were set since by the registry's own list of tags, which is at most
                30 seconds old, mostly one.

        Returns:
            The outcomes by status, each in the order of `digests`.

        Raises:
            Exception: What `delete_tags` raises.
        """
        tags: dict[str, tuple[str, ...]] = {}
        lists = list_first or archive is not None
        existing = partial(self._list_manifests, tags) if lists else None
        check = manifests_first(archive, self.registry_name, self.name, tags, check)
        return await self._deletes.run(
            digests, self._manifest_deletion, on_outcome, on_progress, check, existing
        )

    def iter_delete_tags(
        self, names: Names, *, archive: DeletionArchive | None = None
    ) -> OutcomeIterator:
        """Delete many tags as `delete_tags` does, and yield each `Outcome` as it is known.

        One ``DELETE …/repositories/{repository}/tags/{tag}`` for each. The deletes begin with the
        first step of the iteration, and end with it.

        Example:
            ```python
            async with repo.iter_delete_tags(["v1.0.0", "v1.0.1"]) as outcomes:
                async for outcome in outcomes:
                    print(outcome.name, outcome.status)
            ```

        Args:
            names: The tags.
            archive: See `delete_tags`; None, the default, for no archive.

        Raises:
            TypeError: `names` is one string.
            ValueError: The archive is another registry's.
            ClientClosedError: The client is closed.
        """
        check = tags_first(archive, self.registry_name, self.name, None)
        existing = None if archive is None else self._list_tags
        return self._deletes.iterate(names, self._tag_deletion, check, existing)

    def iter_delete_manifests(
        self, digests: Names, *, archive: DeletionArchive | None = None
    ) -> OutcomeIterator:
        """Delete many manifests as `iter_delete_tags` does tags; **all tags on them too**.

        One ``DELETE …/repositories/{repository}/digests/{digest}`` for each.

        Args:
            digests: The manifests' digests.
            archive: See `delete_manifests`; None, the default, for no archive.

        Raises:
            TypeError: `digests` is one string.
            ValueError: The archive is another registry's.
            ClientClosedError: The client is closed.
        """
        tags: dict[str, tuple[str, ...]] = {}
        check = manifests_first(archive, self.registry_name, self.name, tags, None)
        existing = None if archive is None else partial(self._list_manifests, tags)
        return self._deletes.iterate(digests, self._manifest_deletion, check, existing)

    async def _list_tags(self) -> set[str]:
        return {one.tag for one in await self.tags().collect(require_complete=True)}

    async def _list_manifests(self, tags: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """List the manifests, and add the tags of each to those given."""
        for one in await self.manifests().collect(require_complete=True):
            tags[one.digest] = one.tags
        return tags

    def _tag_deletion(self, tag: str) -> MakeRequest[None]:
        # Made for each tag: a partial would take three times as long.
        return lambda endpoints: endpoints.delete_tag(self._path, tag)

    def _manifest_deletion(self, digest: str) -> MakeRequest[None]:
        return lambda endpoints: endpoints.delete_manifest(self._path, digest)
