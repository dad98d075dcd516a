"""What is known of the bytes of a registry: data."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from attrs import field, frozen

from aioregistry.api.documents import Document

__all__ = ["By", "RegistryUsage", "UsageRow", "UsageRows"]


class By(StrEnum):
    """What the bytes of a registry are counted by."""

    REPOSITORY = "repository"
    TAG = "tag"
    AGE = "age"
    PLATFORM = "platform"
    LAYER = "layer"


@frozen(kw_only=True)
class UsageRow(Document):
    """The bytes of a registry, or of one of its repositories, tags, ages, platforms or layers.

    A manifest is untagged here if no tag needs it: children of a tagged index and referrers of
    what is kept are not.

    Attributes:
        name: What was counted: ``web`` for a repository, ``web:v1`` for a tag, a digest for a
            layer.
        tags: How many tags it has.
        manifests: How many manifests it has; of a layer, how many manifests have it.
        untagged: How many of these no tag needs.
        bytes: The bytes of its blobs, each counted once, manifests among them.
        exclusive_bytes: What a garbage collection would free if it was deleted, with all manifests
            that nothing else needs.
        untagged_bytes: What of that only untagged manifests have; None where it is not counted.
        referrer_bytes: What of that only signatures, attestations and SBOMs have; None where it is
            not counted.
        at_least: Whether the API left out a size of these blobs.
        oldest: When its oldest manifest was pushed; None where the API does not say.
        newest: When its newest manifest was pushed; None where the API does not say.
        recent_pushes: How many of its manifests were pushed in the last 30 days.
    """

    name: str
    tags: int = 0
    manifests: int = 0
    untagged: int = 0
    bytes: int = 0
    exclusive_bytes: int = 0
    untagged_bytes: int | None = None
    referrer_bytes: int | None = None
    at_least: bool = False
    oldest: datetime | None = None
    newest: datetime | None = None
    recent_pushes: int = 0

    @property
    def shared_bytes(self) -> int:
        """The bytes that something else has, too, and that stay if this is deleted."""
        return self.bytes - self.exclusive_bytes

    def pushes_a_day(self, now: datetime) -> float | None:
        """Return the manifests pushed a day, of those that are left, in the last 30 days.

        Args:
            now: The time of counting. What is younger than 30 days is averaged over its age, at
                least a day.

        Returns:
            The average; None where nobody says when anything was pushed.
        """
        if self.oldest is None:
            return None
        days = (now - self.oldest).total_seconds() / 86_400
        return self.recent_pushes / min(30.0, max(1.0, days))


@frozen
class UsageRows:
    """The largest rows of one kind.

    Attributes:
        rows: The rows, the largest exclusive bytes first; of layers, the largest.
        left_out: How many further rows there are.
    """

    rows: tuple[UsageRow, ...] = ()
    left_out: int = 0


@frozen(kw_only=True)
class RegistryUsage(Document):
    """Where the bytes of a registry are.

    Attributes:
        registry: The registry's name.
        by: What the rows are.
        at: When it was counted.
        total: The registry as a whole; nothing else shares its blobs.
        rows: The rows, the largest exclusive bytes first; of layers, the largest.
        left_out: How many further rows there are.
        groups: What else the registry was counted by, with the rows of each.
        image_bytes: The sum of the sizes of all manifests, in which shared blobs count many times.
        grown: For each day of the last 56, the oldest first, the bytes of the blobs that are left
            and were first pushed on it.
        pushed: The same for every day on which some were, the oldest first; last, those of which
            the API does not say when, with None.
        unread: How many manifests could not be read, so that what they need is not known: their
            children count as untagged.
        complete: Whether all of the lists was shown to be read.
    """

    registry: str
    by: By
    at: datetime
    total: UsageRow
    rows: tuple[UsageRow, ...] = ()
    left_out: int = 0
    groups: Mapping[By, UsageRows] = field(factory=dict)
    image_bytes: int = 0
    grown: tuple[int, ...] = ()
    pushed: tuple[tuple[date | None, int], ...] = ()
    unread: int = 0
    complete: bool = True
