"""Looking for a subject in the other repositories of a registry."""

import asyncio

from aioregistry.cleanup.manifests.content import subject_key
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, NotFoundError, RegistryError

__all__ = ["find_subjects"]

_LOOKS_AT_ONCE = 16
_WHOLE = "sha256:"


async def find_subjects(
    registry: RegistryHandle, contents: ContentSource, missing: frozenset[str]
) -> frozenset[str]:
    """Return which subjects any repository has, or may have because it cannot be asked.

    ``GET …/repositoriesV2``, then of the registry itself, for each repository, ``HEAD
    …/manifests/{digest}``. A tag has only a part of a digest of SHA-512, which nobody can be asked
    for: for such a subject the manifests are listed, ``GET …/digests``.

    Args:
        registry: The registry.
        contents: The registry itself.
        missing: The `subject_key` of each subject.

    Raises:
        ClientClosedError: The client is closed.
    """
    try:
        listed = await registry.repositories().collect(require_complete=True)
        waiting = iter([(one.name, key) for one in listed for key in sorted(missing)])
        found: set[str] = set()

        async def work() -> None:
            for repository, key in waiting:
                if key not in found and await _has(registry, contents, repository, key):
                    found.add(key)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_LOOKS_AT_ONCE):
                tasks.create_task(work())
    except ClientClosedError:
        raise
    except RegistryError:
        return missing
    except BaseExceptionGroup as group:
        error = group.exceptions[0]
        if isinstance(error, ClientClosedError) or not isinstance(error, RegistryError):
            raise error from None
        return missing
    return frozenset(found)


async def _has(
    registry: RegistryHandle, contents: ContentSource, repository: str, key: str
) -> bool:
    if key.startswith(_WHOLE):
        return await contents.current_digest(repository, key) is not None
    try:
        manifests = registry.repository(repository).manifests()
        listed = await manifests.collect(require_complete=True)
    except NotFoundError:
        return False
    return any(subject_key(one.digest) == key for one in listed)
