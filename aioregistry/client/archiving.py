"""Writing down what is deleted before each DELETE of a bulk delete is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Protocol

from aioregistry.api.models import Manifest
from aioregistry.errors import RegistryError
from aioregistry.oci.fan_out import for_each
from aioregistry.paging.pager import Pager
from aioregistry.session.exchange import Verdict
from aioregistry.session.permits import give_back_before

__all__ = ["DeletionArchive", "archive_repository", "items_first", "manifests_first", "tags_first"]

# The tags are listed again before a DELETE when the list is so many seconds old, and where
# that takes long, so many times what it took.
_MIN_TAGS_AGE = 1.0
_LISTINGS = 20.0
_MAX_TAGS_AGE = 30.0
_ATTEMPTS = 5
_Check = Callable[[str], Awaitable[object]]


class DeletionArchive(Protocol):
    """Keeps what is about to be deleted: an open `aioregistry.cleanup.Archive`."""

    @property
    def registry(self) -> str:
        """The name of the registry whose deletes it keeps."""

    async def keep_tag(self, repository: str, tag: str) -> bool:
        """Write down where a tag points; it is on disk when this returns.

        Returns:
            False where the registry itself has no such tag.

        Raises:
            RegistryError: It cannot be read.
            NotRecordedError: It cannot be written; nothing more may be deleted.
        """

    async def keep_manifest(self, repository: str, digest: str, tags: tuple[str, ...]) -> bool:
        """Write down a manifest, and the tags that are deleted with it; as `keep_tag`."""

    async def new_tags(self, repository: str, known: Collection[str]) -> Mapping[str, str]:
        """Return the digest of each tag that the registry itself has, without those known.

        Empty where the registry does not list its tags.

        Raises:
            RegistryError: It cannot be asked.
        """


class _ArchiveFirst:
    """The check of DELETEs that are archived: the caller's own, then the archive.

    Args:
        keep: Archives an item, and returns whether the registry has it.
        check: The caller's own check; None for none.
    """

    def __init__(
        self,
        keep: Callable[[str], Awaitable[bool]],
        check: Callable[[str], Awaitable[object]] | None,
    ) -> None:
        self._keep = keep
        self._check = check
        self._kept: set[str] = set()

    async def __call__(self, name: str) -> object:
        """Return why an item must not be deleted; None once it is archived.

        Raises:
            RegistryError: It cannot be archived.
        """
        verdict = None if self._check is None else await self._check(name)
        if isinstance(verdict, Verdict):
            return verdict
        if await self._keep(name):
            self._kept.add(name)
        elif name not in self._kept:
            # What was archived may have gone with an earlier attempt.
            raise RegistryError(
                f"the API lists {name!r}, and the registry does not have it: it cannot be archived"
            )
        return None


def tags_first(
    archive: DeletionArchive | None, registry: str, repository: str, check: _Check | None
) -> _Check | None:
    """Return the check of a repository's tags, which archives each that the caller's lets pass.

    Raises:
        ValueError: The archive is another registry's.
    """
    if archive is None:
        return check
    _check_registry(archive, registry)
    return _ArchiveFirst(partial(archive.keep_tag, repository), check)


def manifests_first(
    archive: DeletionArchive | None,
    registry: str,
    repository: str,
    tags: Mapping[str, tuple[str, ...]],
    check: _Check | None,
) -> _Check | None:
    """Return the check of a repository's manifests, each archived with its tags, by digest.

    Raises:
        ValueError: The archive is another registry's.
    """
    if archive is None:
        return check
    _check_registry(archive, registry)
    kept = archive
    late = _LateTags(archive, repository, tags)

    async def keep(digest: str) -> bool:
        return await kept.keep_manifest(repository, digest, await late.of(digest))

    return _ArchiveFirst(keep, check)


def items_first(
    archive: DeletionArchive | None,
    registry: str,
    manifests_of: Callable[[str], Pager[Manifest]],
) -> _Check | None:
    """Return the check of ``repository:tag`` and ``repository@digest``, each archived.

    Args:
        archive: The open archive; None for no check.
        registry: The registry's name.
        manifests_of: Returns the list of a repository's manifests.

    Raises:
        ValueError: The archive is another registry's.
    """
    if archive is None:
        return None
    _check_registry(archive, registry)
    kept = archive
    locks: dict[str, asyncio.Lock] = {}
    # What became of the list of each repository: it is asked for once.
    found: dict[str, _LateTags | RegistryError] = {}

    async def list_once(repository: str) -> _LateTags:
        if repository not in found:
            give_back_before(partial(list_once, repository))
        async with locks.setdefault(repository, asyncio.Lock()):
            if repository not in found:
                try:
                    listed = await manifests_of(repository).collect(require_complete=True)
                except RegistryError as error:
                    found[repository] = error
                else:
                    tags = {one.digest: one.tags for one in listed}
                    found[repository] = _LateTags(kept, repository, tags)
        late = found[repository]
        if isinstance(late, RegistryError):
            raise late
        return late

    async def keep(reference: str) -> bool:
        repository, at, digest = reference.partition("@")
        if not at:
            repository, _, tag = reference.rpartition(":")
            return await kept.keep_tag(repository, tag)
        late = await list_once(repository)
        return await kept.keep_manifest(repository, digest, await late.of(digest))

    return _ArchiveFirst(keep, None)


class _LateTags:
    """The tags of manifests, those included that were set since the manifests were listed.

    Args:
        archive: Asks the registry itself, which costs none of the API's quota.
        repository: The repository's name.
        tags: The tags of each manifest, by digest, filled by the time of the first question.
    """

    def __init__(
        self, archive: DeletionArchive, repository: str, tags: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._archive = archive
        self._repository = repository
        self._tags = tags
        self._late: dict[str, str] = {}
        self._due = 0.0
        self._lock = asyncio.Lock()

    async def of(self, digest: str) -> tuple[str, ...]:
        """Return the tags of a manifest.

        Raises:
            RegistryError: The registry cannot be asked.
        """
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() >= self._due:
                begun = clock()
                known = {tag for some in self._tags.values() for tag in some} | self._late.keys()
                self._late |= await self._archive.new_tags(self._repository, known)
                most = max(_MIN_TAGS_AGE, _LISTINGS * (clock() - begun))
                self._due = begun + min(most, _MAX_TAGS_AGE)
        return (*self._tags.get(digest, ()), *(t for t, on in self._late.items() if on == digest))


async def archive_repository(
    archive: DeletionArchive,
    registry: str,
    repository: str,
    manifests: Pager[Manifest],
    most: int,
) -> None:
    """Write down all manifests of a repository, until a list shows none that is not written down.

    Args:
        archive: The open archive.
        registry: The registry's name.
        repository: The repository's name.
        manifests: Its manifests, which are listed anew each time.
        most: How many are read at once.

    Raises:
        ValueError: The archive is another registry's.
        RegistryError: One cannot be archived, or images are pushed faster than they can be.
    """
    _check_registry(archive, registry)
    kept: dict[str, tuple[str, ...]] = {}
    left: list[str] = []
    for _ in range(_ATTEMPTS):
        listed = await manifests.collect(require_complete=True)
        tags = {one.digest: one.tags for one in listed}
        left = [digest for digest, some in tags.items() if kept.get(digest) != some]
        if not left:
            return
        kept |= await _archive_all(archive, repository, {one: tags[one] for one in left}, most)
    raise RegistryError(
        f"manifests of {repository!r} cannot be archived, or are pushed faster than they can be:"
        f" {left[0]} is one of them; nothing was deleted"
    )


async def _archive_all(
    archive: DeletionArchive, repository: str, tags: Mapping[str, tuple[str, ...]], most: int
) -> dict[str, tuple[str, ...]]:
    """Write down manifests with their tags, and return those that the registry has."""
    kept: dict[str, tuple[str, ...]] = {}

    async def keep(digest: str) -> None:
        if await archive.keep_manifest(repository, digest, tags[digest]):
            kept[digest] = tags[digest]

    await for_each(keep, tags, most)
    return kept


def _check_registry(archive: DeletionArchive, registry: str) -> None:
    if archive.registry != registry:
        raise ValueError(f"the archive is for {archive.registry!r}, not for {registry!r}")
