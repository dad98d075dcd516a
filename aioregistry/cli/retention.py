"""What the demo keeps and what it deletes: a pure choice among the tags that were listed."""

import re
from collections import defaultdict
from collections.abc import Container, Iterable

from aioregistry.models import Tag

__all__ = ["COMMIT_DIGITS", "condemned"]

# As many digits of a commit's sha as an image is tagged with.
COMMIT_DIGITS = 12

_COMMIT = re.compile(rf"[0-9a-f]{{{COMMIT_DIGITS}}}")


def condemned(
    tags: Iterable[Tag], keep: int, releases: Container[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the tags to delete.

    Only commit tags are ever deleted, those that are 12 digits of a sha: in each repository all
    but the newest. Every other tag stays: versions, ``latest``, ``main``, signatures.

    Args:
        tags: All tags of all repositories, in any order.
        keep: How many commit tags to keep in each repository. Of tags of the same moment the
            names decide; a tag without a time is kept and not counted.
        releases: Tags to keep although they look like a commit's.

    Returns:
        For each repository that has any, its tags to delete, the oldest first.
    """
    commits: dict[str, list[tuple[object, str]]] = defaultdict(list)
    for tag in tags:
        if tag.updated_at and tag.tag not in releases and _COMMIT.fullmatch(tag.tag):
            commits[tag.repository].append((tag.updated_at, tag.tag))
    return {
        repository: tuple(name for _, name in sorted(found)[: len(found) - keep])
        for repository, found in commits.items()
        if len(found) > keep
    }
