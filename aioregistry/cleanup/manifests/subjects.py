"""Looking for a subject in the other repositories of a registry."""

from aioregistry.cleanup.manifests.content import subject_key
from aioregistry.cleanup.manifests.reader import ContentSource
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, RegistryError
from aioregistry.oci.fan_out import for_each

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
        found: set[str] = set()

        async def look(place: tuple[str, str]) -> None:
            repository, key = place
            if key not in found and await _has(registry, contents, repository, key):
                found.add(key)

        places = [(one.name, key) for one in listed for key in sorted(missing)]
        await for_each(look, places, _LOOKS_AT_ONCE)
    except ClientClosedError:
        raise
    except RegistryError:
        return missing
    return frozenset(found)


async def _has(
    registry: RegistryHandle, contents: ContentSource, repository: str, key: str
) -> bool:
    if key.startswith(_WHOLE):
        return await contents.current_digest(repository, key) is not None
    # Not even a 404 shows that it is not there: the repository was listed a moment ago.
    listed = await registry.repository(repository).manifests().collect(require_complete=True)
    return any(subject_key(one.digest) == key for one in listed)
