"""What became of each tag that was to be set: pure."""

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.errors import TagExistsError

__all__ = ["TagOutcome", "outcome_of", "refuse_others"]

TagStatus = Literal["set", "moved", "present"]


@frozen
class TagOutcome(Document):
    """What became of one tag.

    Attributes:
        repository: The repository's name.
        tag: The tag.
        digest: The manifest that it is on now.
        status: ``set``: it is new; ``moved``: it was on another manifest; ``present``: it was on
            this one, and nothing was sent.
        previous: The manifest that it was on before; None for a new one.
    """

    repository: str
    tag: str
    digest: str
    status: TagStatus
    previous: str | None = None


def outcome_of(repository: str, tag: str, digest: str, previous: str | None) -> TagOutcome:
    """Return what becomes of a tag that is on some manifest, or None, and is to be on another."""
    status: TagStatus = "set" if previous is None else "moved"
    return TagOutcome(
        repository, tag, digest, "present" if previous == digest else status, previous
    )


def refuse_others(repository: str, tags: Mapping[str, str | None], digest: str) -> None:
    """Refuse to move tags that are on other manifests.

    Args:
        repository: The repository's name.
        tags: The digest that each tag is on; None for those that do not exist.
        digest: The digest that they are to be on.

    Raises:
        TagExistsError: Some are on other manifests.
    """
    others = {tag: now for tag, now in tags.items() if now is not None and now != digest}
    if others:
        where = ", ".join(f"{tag!r} is on {now}" for tag, now in sorted(others.items()))
        raise TagExistsError(
            f"{repository}: {where}; nothing was changed. Moving a tag needs force",
            tags=others,
        )
