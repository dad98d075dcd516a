"""What all rules have in common, and what they decide on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from attrs import field, frozen

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.keys import Key
from aioregistry.cleanup.policy.patterns import (
    ANY,
    Globs,
    Pattern,
    check_repositories,
    check_tags,
    literals_of,
    matcher_of,
    pattern,
)
from aioregistry.cleanup.policy.releases import Release

__all__ = [
    "Candidate",
    "Decision",
    "PushedTag",
    "Rule",
    "TagRule",
    "UntaggedManifest",
    "UntaggedRule",
    "check_age",
    "check_count",
    "is_protected",
    "names_referrers",
    "newest",
    "older",
    "undated",
]


class _Dated(msgspec.Struct, frozen=True, gc=False):
    name: str
    time: datetime | None = None
    digest: str | None = None


class Candidate(_Dated, frozen=True, gc=False, kw_only=True):
    """A tag or a manifest that rules decide on.

    Attributes:
        name: The tag; the digest of an untagged manifest.
        time: The time from which its age counts; None when that is unknown.
        digest: The manifest that a tag is on; None when that is unknown: then the tag counts as an
            image of its own.
        is_orphaned: Whether it refers to a subject that does not exist.
    """

    is_orphaned: bool = False


class PushedTag(Candidate, frozen=True, gc=False):
    """A tag: as old as `tag_time` says."""


class UntaggedManifest(Candidate, frozen=True, gc=False):
    """A manifest that has no tag of an image and that no manifest needs: as old as its push."""


@frozen
class Decision:
    """Whether a tag or a manifest is kept, and why, in words."""

    keep: bool
    reason: str


def check_count(_: object, attribute: Any, value: Any) -> None:
    """Raise `ValueError` for an attribute that is no whole number, or below 0."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{attribute.name} must be a whole number, 0 or more, not {value!r}")


def check_age(_: object, attribute: Any, value: Any) -> None:
    """Raise `ValueError` for an attribute that is no length of time, or a negative one."""
    if not isinstance(value, timedelta) or value < timedelta():
        raise ValueError(f"{attribute.name} must be a timedelta, and not negative, not {value!r}")


def is_protected(tag: str) -> bool:
    """Return whether a tag is deleted only by a rule that says so: ``latest``, or a release."""
    # Most tags are none: to see that takes no pattern.
    return tag == "latest" or ("." in tag and Release.parse(tag) is not None)


def names_referrers(tags: Pattern, tag: str) -> bool:
    """Return whether a pattern matches a tag because that is a signature's, or the like.

    ``sha256-*`` and ``*.sig`` do, ``*`` and ``*-*`` do not: they match the tag as they match any.
    """
    if isinstance(tags, Globs):
        return any(names_referrers(one, tag) for one in tags.globs)
    if not tags.matches(tag):
        return False
    algorithm, _, rest = tag.partition("-")
    neighbours = [f"{algorithm[:-1]}{_shifted(algorithm[-1], -1)}-{rest}"]
    if "." in rest:
        neighbours.append(tag[:-1] + _shifted(tag[-1], 1))
    return not all(tags.matches(neighbour) for neighbour in neighbours)


def _shifted(character: str, by: int) -> str:
    return chr(ord(character) + by)


def _checked(check: Callable[[Pattern], None]) -> Callable[[object, object, Pattern], None]:
    return lambda _, __, value: check(value)


@frozen
class Rule(ABC):
    """A rule of a policy. It decides on things of three kinds, or leaves them to later rules.

    Attributes:
        repositories: The repositories that it applies to; a text is a glob, a list has several.
            All by default.
        name: What the rule is called in reasons. Empty by default.
    """

    repositories: Pattern = field(
        default=ANY, converter=pattern, validator=_checked(check_repositories), kw_only=True
    )
    name: str = field(default="", kw_only=True)

    # How it is written in files: the key that makes it this rule, and its further keys.
    key: ClassVar[Key]
    options: ClassVar[tuple[Key, ...]] = ()
    common: ClassVar[tuple[Key, ...]] = (
        keys.repositories(
            "repositories", "repositories", "The repositories that the rule applies to."
        ),
        keys.regex("repositories-regex", "repositories", "The same, as a regular expression."),
        keys.text("name", "name", "What the rule is called in reasons."),
    )

    @property
    def deletes(self) -> bool:
        """Whether it ever deletes anything."""
        return False

    @property
    def decides_all(self) -> bool:
        """Whether it decides on everything that it matches, so that no later rule can."""
        return False

    @abstractmethod
    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:
        """Decide on what the rule matches and no earlier rule has decided on.

        Args:
            candidates: Tags or manifests, all of one kind.
            now: The time up to which ages are counted.

        Returns:
            Decisions by name; a candidate without one is left to later rules.
        """

    def matching_tags(self, tags: Sequence[Candidate]) -> list[Candidate]:  # noqa: ARG002
        """Return the tags of images that the rule matches; none unless overridden."""
        return []

    def matching_referrers(self, tags: Sequence[Candidate]) -> list[Candidate]:  # noqa: ARG002
        """Return the tags of signatures and the like that it matches; none unless overridden."""
        return []

    def matching_untagged(self, manifests: Sequence[Candidate]) -> list[Candidate]:  # noqa: ARG002
        """Return the untagged manifests that it matches; none unless overridden."""
        return []

    def protected_among(self, tags: Sequence[Candidate]) -> int:  # noqa: ARG002
        """Return how many tags it would match if they were not protected."""
        return 0

    def describe(self, number: int) -> str:
        """Return how notes call the rule: its number, from 1, and its name."""
        return f"rule {number} ({self.name})" if self.name else f"rule {number}"

    def _because(self, reason: str) -> str:
        return f"{self.name}: {reason}" if self.name else reason


@frozen
class TagRule(Rule):
    """A rule for tags.

    Attributes:
        tags: The tags that it matches; a text is a glob, a list has several. All by default, but
            for those of signatures and the like, which only a pattern such as ``sha256-*`` or
            ``*.sig`` matches.
        including_protected: Whether it matches ``latest`` and releases, too. False by default; a
            name that `tags` has in full is matched in any case.
    """

    tags: Pattern = field(
        default=ANY, converter=pattern, validator=_checked(check_tags), kw_only=True
    )
    including_protected: bool = field(default=False, kw_only=True)

    common: ClassVar[tuple[Key, ...]] = (
        *Rule.common,
        keys.tags("tags", "tags", "The tags that the rule matches."),
        keys.regex("tags-regex", "tags", "The same, as a regular expression."),
        keys.boolean(
            "including-protected",
            "including_protected",
            "Whether the rule matches latest and releases, too.",
        ),
    )

    def matches(self, tag: str) -> bool:
        """Return whether the rule may decide on a tag of an image."""
        if not self.tags.matches(tag):
            return False
        return self.including_protected or not is_protected(tag) or tag in literals_of(self.tags)

    def matching_tags(self, tags: Sequence[Candidate]) -> list[Candidate]:
        """See `Rule.matching_tags`."""
        matches = self.matches
        if type(self).matches is not TagRule.matches:
            return [tag for tag in tags if matches(tag.name)]
        is_match = matcher_of(self.tags)
        matching = [tag for tag in tags if is_match(tag.name)]
        if self.including_protected:
            return matching
        return [tag for tag in matching if not is_protected(tag.name) or matches(tag.name)]

    def matching_referrers(self, tags: Sequence[Candidate]) -> list[Candidate]:
        """See `Rule.matching_referrers`."""
        return [tag for tag in tags if names_referrers(self.tags, tag.name)]

    def protected_among(self, tags: Sequence[Candidate]) -> int:
        """See `Rule.protected_among`."""
        return sum(self.tags.matches(tag.name) and not self.matches(tag.name) for tag in tags)

    def _matching(self) -> str:
        return "" if self.tags == ANY else f" that match {self.tags}"


@frozen
class UntaggedRule(Rule):
    """A rule for untagged manifests that no manifest needs."""

    def matching_untagged(self, manifests: Sequence[Candidate]) -> list[Candidate]:
        """See `Rule.matching_untagged`."""
        return list(manifests)


def undated(candidates: Iterable[Candidate]) -> dict[str, Decision]:
    """Return the decision to keep each candidate that has no known time."""
    unknown = Decision(keep=True, reason="its push time is unknown")
    return {one.name: unknown for one in candidates if one.time is None}


def older(
    candidates: Iterable[Candidate], age: timedelta, now: datetime, decision: Decision
) -> dict[str, Decision]:
    """Return a decision for each candidate that is older, and keep those without a known time."""
    candidates = list(candidates)
    old = [one.name for one in candidates if one.time is not None and now - one.time > age]
    return {**undated(candidates), **dict.fromkeys(old, decision)}


def newest(dated: Iterable[tuple[datetime, str]], count: int) -> set[str]:
    """Return the newest names, and those as old as the last of them."""
    ordered = sorted(dated, reverse=True)
    if not count or not ordered:
        return set()
    oldest = ordered[min(count, len(ordered)) - 1][0]
    return {name for time, name in ordered if time >= oldest}
