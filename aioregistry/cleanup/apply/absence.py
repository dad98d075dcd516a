"""Whether something is gone: the API says so, and a 404 may pass, so the registry is asked, too."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from aioregistry.cleanup.manifests.content import Content
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError

__all__ = ["but", "exist", "is_gone", "lacking", "repository_remains", "why_it_may_remain"]

_LOOKS_AT_ONCE = 16
# After so many failed looks in a row, a registry is taken for unreachable.
_MAX_FAILED_LOOKS = 10
# So many references of a repository are looked for before it is taken for gone.
_MAX_SAMPLE = 16


async def exist(
    contents: ContentSource, repository: str, references: Sequence[str]
) -> dict[str, bool | RegistryError]:
    """Return for each tag or digest whether the registry has it, or why that is unknown.

    Raises:
        ClientClosedError: The client is closed.
    """
    found: dict[str, bool | RegistryError] = {}
    waiting = iter(references)
    failed_in_a_row: list[RegistryError] = []

    async def work() -> None:
        for reference in waiting:
            if len(failed_in_a_row) >= _MAX_FAILED_LOOKS:
                found[reference] = failed_in_a_row[-1]
                continue
            try:
                found[reference] = await contents.current_digest(repository, reference) is not None
                failed_in_a_row.clear()
            except ClientClosedError:
                raise
            except RegistryError as error:
                found[reference] = error
                failed_in_a_row.append(error)

    await asyncio.gather(*(work() for _ in range(min(_LOOKS_AT_ONCE, len(references)))))
    return found


async def repository_remains(
    contents: ContentSource, repository: str, references: Iterable[str]
) -> bool:
    """Return whether the registry has a repository, by its list of tags and by some of its parts.

    Args:
        contents: The registry.
        repository: The repository's name.
        references: Tags and digests that it had. The registry may not serve its list of tags, and
            answers as it does for a repository that does not exist: then some of them are asked
            for.

    Raises:
        RegistryError: That cannot be found out.
    """
    try:
        if await contents.list_tags(repository):
            return True
    except NotFoundError:
        pass
    some = [one for one, _ in zip(references, range(_MAX_SAMPLE), strict=False)]
    looks = (await exist(contents, repository, some)).values()
    for look in looks:
        if isinstance(look, RegistryError):
            raise look
    return any(looks)


async def why_it_may_remain(
    contents: ContentSource, repository: str, references: Iterable[str]
) -> str | None:
    """Return why a repository that the API does not have may remain; None where it is gone.

    Raises:
        ClientClosedError: The client is closed.
    """
    try:
        remains = await repository_remains(contents, repository, references)
    except ClientClosedError:
        raise
    except RegistryError as unsure:
        return f"whether the registry has the repository: {unsure}"
    return "the registry has the repository all the same" if remains else None


async def is_gone(registry: RegistryHandle, repository: str, contents: ContentSource) -> bool:
    """Return whether a list of the API without the repository, and the registry, prove that.

    Raises:
        ClientClosedError: The client is closed.
    """
    try:
        listed = await registry.repositories().collect(require_complete=True)
        if any(one.name == repository for one in listed):
            return False
        return not await repository_remains(contents, repository, ())
    except ClientClosedError:
        raise
    except RegistryError:
        return False


async def lacking(
    contents: ContentSource,
    repository: str,
    listed: Collection[str],
    known: Mapping[str, Content],
    gone: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """Return the manifests that lack a part that was deleted, each with these parts, sorted.

    Args:
        contents: The registry.
        repository: The repository's name.
        listed: The digests of the manifests that the API lists.
        known: What manifests say, by digest.
        gone: What was deleted. A part that is listed, and that the registry has, is back: it was
            pushed again.

    Raises:
        ClientClosedError: The client is closed.
    """
    lacks = {
        digest: missing
        for digest in listed
        if digest in known and (missing := {one for one in known[digest].children if one in gone})
    }
    looks = await exist(
        contents, repository, sorted(set[str]().union(*lacks.values()).intersection(listed))
    )
    back = {one for one, look in looks.items() if look is True}
    return {digest: tuple(sorted(some - back)) for digest, some in lacks.items() if some - back}


def but(look: bool | RegistryError) -> str:
    """Return what the registry says of a thing that does not exist by the API."""
    if isinstance(look, RegistryError):
        return f"and whether the registry has it could not be found out: {look}"
    return "and the registry has it"
