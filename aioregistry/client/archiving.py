"""Writing down what is deleted before each DELETE of a bulk delete is sent."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from aioregistry.errors import RegistryError
from aioregistry.session.exchange import Verdict

__all__ = ["DeletionArchive", "manifests_first", "tags_first"]

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

    def keep(digest: str) -> Awaitable[bool]:
        return kept.keep_manifest(repository, digest, tags.get(digest, ()))

    return _ArchiveFirst(keep, check)


def _check_registry(archive: DeletionArchive, registry: str) -> None:
    if archive.registry != registry:
        raise ValueError(f"the archive is for {archive.registry!r}, not for {registry!r}")
