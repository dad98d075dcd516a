"""Rules for untagged manifests, and for signatures and the like whose subject is gone."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from attrs import field, frozen

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.durations import format_duration
from aioregistry.cleanup.policy.keys import Key
from aioregistry.cleanup.policy.rule import (
    Candidate,
    Decision,
    Rule,
    UntaggedRule,
    check_age,
    check_count,
    newest,
    older,
    undated,
)

__all__ = ["DeleteOrphaned", "DeleteUntagged", "KeepNewestUntagged"]


@frozen
class KeepNewestUntagged(UntaggedRule):
    """Keeps the untagged manifests that were pushed last, and leaves the others to later rules.

    Those as old as the last one that is kept are kept as well. Manifests without a known push time
    are kept, and not counted.

    Attributes:
        count: How many.
    """

    count: int = field(validator=check_count)

    key: ClassVar[Key] = keys.count(
        "keep-newest-untagged", "count", "Keep the N newest untagged manifests, ties included."
    )

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        dated = [(one.time, one.name) for one in candidates if one.time is not None]
        reason = f"among the {self.count} newest untagged manifests"
        kept = Decision(keep=True, reason=self._because(reason))
        return {**undated(candidates), **dict.fromkeys(newest(dated, self.count), kept)}


@frozen
class DeleteUntagged(UntaggedRule):
    """Deletes untagged manifests that no manifest needs and that were pushed longer ago.

    Attributes:
        age: How long ago; one day by default. While an image of several platforms is pushed, its
            parts are untagged until its index comes.
    """

    age: timedelta = field(default=timedelta(days=1), validator=check_age)

    key: ClassVar[Key] = keys.age(
        "delete-untagged-older-than", "Delete untagged manifests that nothing needs."
    )

    @property
    def deletes(self) -> bool:
        """True."""
        return True

    @property
    def decides_all(self) -> bool:
        """True."""
        return True

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        age = format_duration(self.age)
        young = Decision(keep=True, reason=self._because(f"untagged, but pushed within {age}"))
        old = Decision(keep=False, reason=self._because(f"untagged, and older than {age}"))
        return {
            **dict.fromkeys((one.name for one in candidates), young),
            **older(candidates, self.age, now, old),
        }


@frozen
class DeleteOrphaned(Rule):
    """Deletes signatures, attestations, SBOMs and fallback indexes whose subject does not exist.

    A subject exists as long as any repository of the registry has it, or may have it because it
    could not be listed: cosign can keep signatures in a repository of their own.

    That is manifests with a tag such as ``sha256-<hex>``, ``sha256-<hex>.sig``, ``.att`` or
    ``.sbom``, or with any other suffix after the dot (sha512, too), and untagged ones with a
    `subject`. Younger ones are left to later rules.

    Attributes:
        age: How old its tag, or without one its push, must be; one day by default, as a signature
            may be pushed before its image.
    """

    age: timedelta = field(default=timedelta(days=1), validator=check_age)

    key: ClassVar[Key] = keys.age(
        "delete-orphaned-older-than", "Delete signatures and the like whose subject does not exist."
    )

    @property
    def deletes(self) -> bool:
        """True."""
        return True

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        reason = f"its subject does not exist, and it is older than {format_duration(self.age)}"
        gone = Decision(keep=False, reason=self._because(reason))
        return older(candidates, self.age, now, gone)

    def matching_referrers(self, tags: Sequence[Candidate]) -> list[Candidate]:
        """See `Rule.matching_referrers`."""
        return [tag for tag in tags if tag.is_orphaned]

    def matching_untagged(self, manifests: Sequence[Candidate]) -> list[Candidate]:
        """See `Rule.matching_untagged`."""
        return [one for one in manifests if one.is_orphaned]
