"""What was read of images in use, as plans record it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from attrs import frozen

__all__ = ["AskedServer", "InUseSummary"]

_MAX_NAMES_SHOWN = 5
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@frozen(kw_only=True)
class AskedServer:
    """A server that was asked what it runs.

    Attributes:
        source: What it was named by: ``kubernetes:production``.
        server: Its address.
        authority: The SHA-256 of what its certificate was checked against, which tells clusters of
            one address apart; empty for the system's authorities.
        counts: How many objects of each kind were read.
        at: When the first of them was asked for.
        left_out: What it was not asked for, by option: ``cluster/staging``, ``app/blog``.
        passed_over: Images that it names and no cluster can pull, a sentence each.
    """

    source: str
    server: str
    authority: str = ""
    counts: Mapping[str, int]
    at: datetime
    left_out: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items() if count)
        text = (
            f"{self.source} ({self.server}) at {self.at:%Y-%m-%d %H:%M:%S %Z}: {counts or 'none'}"
        )
        if self.left_out:
            text += f"; not asked: {', '.join(self.left_out)}"
        return "; ".join([text, *self.passed_over])


@frozen(kw_only=True)
class InUseSummary:
    """How many references to images in use were read, and which of them a registry has.

    Attributes:
        read: How many different references were read.
        references: Those that are of this registry.
        not_found: Those of them for which the registry has no tag or manifest.
        asked: The servers that were asked; those of an apply have to be the same.
    """

    read: _Count
    references: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    asked: tuple[AskedServer, ...] = ()

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
