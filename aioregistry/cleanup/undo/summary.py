"""What an archive has, without a request."""

from datetime import datetime
from pathlib import Path

from attrs import Factory, define, frozen

from aioregistry.cleanup.records.archive_format import read_archive, registry_of

__all__ = ["ArchiveSummary", "ArchivedRepository", "summarize_archive"]


@define
class ArchivedRepository:
    """What an archive has of one repository.

    Attributes:
        tags: The tags that were deleted.
        manifests: The digests of the manifests that were deleted.
        first: When the first of them was deleted.
        last: When the last of them was deleted.
    """

    first: datetime
    last: datetime
    tags: set[str] = Factory(set)
    manifests: set[str] = Factory(set)


@frozen
class ArchiveSummary:
    """What an archive has.

    Attributes:
        registry: The registry's name.
        repositories: What it has of each repository, by name.
    """

    registry: str
    repositories: dict[str, ArchivedRepository]


def summarize_archive(path: Path) -> ArchiveSummary:
    """Return what an archive has; nothing is sent.

    Args:
        path: The file.

    Raises:
        ArchiveError: It cannot be read, or is no archive.
    """
    found: dict[str, ArchivedRepository] = {}
    for one in read_archive(path):
        repository = found.setdefault(one.repository, ArchivedRepository(one.at, one.at))
        repository.last = one.at
        repository.tags.update(one.tags)
        if one.document is not None:
            repository.manifests.add(one.digest)
    return ArchiveSummary(registry_of(path), found)
