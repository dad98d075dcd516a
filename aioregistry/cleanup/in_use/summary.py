"""What was read of images in use, as plans record it."""

from typing import Annotated

import msgspec
from attrs import frozen

__all__ = ["InUseSummary"]

_MAX_NAMES_SHOWN = 5
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@frozen(kw_only=True)
class InUseSummary:
    """How many references to images in use were read, and which of them a registry has.

    Attributes:
        read: How many different references were read.
        references: Those that are of this registry.
        not_found: Those of them for which the registry has no tag or manifest.
    """

    read: _Count
    references: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.read:
            return "in use: nothing, as stated"
        missing = len(self.not_found)
        text = (
            f"in use: {self.read:,} reference{'' if self.read == 1 else 's'} read,"
            f" {len(self.references):,} of this registry,"
            f" {len(self.references) - missing:,} found, {missing:,} not found"
        )
        if not missing:
            return text
        more = f" and {missing - _MAX_NAMES_SHOWN:,} more" if missing > _MAX_NAMES_SHOWN else ""
        return f"{text}: {', '.join(self.not_found[:_MAX_NAMES_SHOWN])}{more}"
