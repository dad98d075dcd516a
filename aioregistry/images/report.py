"""What became of each manifest and tag of a copy."""

from typing import Literal

from attrs import frozen

from aioregistry.api.documents import Document

__all__ = ["CopyOutcome", "CopyReport", "CopyStatus"]

CopyStatus = Literal["copied", "moved", "present", "kept", "missing"]


@frozen
class CopyOutcome(Document):
    """What became of one manifest or tag.

    Attributes:
        name: The tag, or the manifest's digest.
        digest: The manifest's digest.
        status: ``copied``; ``moved``: the tag was on another manifest before; ``present``: the
            target had it; ``kept``: a tag of a signature or the like is on another manifest there,
            and was left alone; ``missing``: a referrer is listed, and the source does not have it.
        blobs: How many blobs the manifest names.
        size_bytes: The bytes of those blobs, compressed, as far as the manifest says; a blob that
            several manifests name counts for the first.
        reason: Why, for ``kept`` and ``missing``; for others empty.
    """

    name: str
    digest: str
    status: CopyStatus
    blobs: int = 0
    size_bytes: int = 0
    reason: str = ""

    @property
    def is_tag(self) -> bool:
        """Whether this is a tag."""
        return self.name != self.digest


@frozen
class CopyReport(Document):
    """What became of a copy.

    Attributes:
        digest: The image's digest.
        outcomes: What became of each manifest and tag, in the order in which it became known.
        mounted_blobs: How many blobs the target was given.
        mounted_bytes: Their bytes, compressed, as far as the manifests say.
    """

    digest: str
    outcomes: tuple[CopyOutcome, ...]
    mounted_blobs: int = 0
    mounted_bytes: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the target has all that the source has of the image."""
        return not any(one.status in {"kept", "missing"} for one in self.outcomes)

    def having(self, *statuses: CopyStatus) -> tuple[CopyOutcome, ...]:
        """Return the outcomes of some statuses."""
        return tuple(one for one in self.outcomes if one.status in statuses)
