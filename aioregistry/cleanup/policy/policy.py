"""Policies: which tags and untagged manifests stay and which go. Pure decisions, with reasons."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from attrs import field, frozen

from aioregistry.cleanup.policy.durations import format_duration
from aioregistry.cleanup.policy.patterns import ANY, Pattern, Regex, pattern
from aioregistry.cleanup.policy.releases import Release

__all__ = [
    "Decision",
    "Delete",
    "DeleteOlderThan",
    "DeleteUntagged",
    "Keep",
    "KeepNewest",
    "KeepReleases",
    "KeepWithin",
    "Policy",
    "PushedTag",
    "Rule",
]

# What the groups of a regular expression matched.
_Group = tuple[str | None, ...]

_NO_RULE = "matches no rule"
_NO_TIME = "its push time is unknown"


@frozen
class PushedTag:
    """A tag, and when the manifest that it is on was pushed; None when nobody knows."""

    name: str
    pushed_at: datetime | None = None


@frozen
class Decision:
    """Whether something stays, and why, in words."""

    keep: bool
    reason: str


def _as_tuple(rules: "Iterable[Rule]") -> "tuple[Rule, ...]":
    return tuple(rules)


def _check_count(_: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{attribute.name} must be a whole number, 0 or more, not {value!r}")


def _regex(given: str | Regex | None) -> Regex | None:
    return Regex(given) if isinstance(given, str) else given


def _check_age(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, timedelta) or value < timedelta():
        raise ValueError(f"{attribute.name} must be a timedelta, and not negative, not {value!r}")


@frozen
class Rule(ABC):
    """A rule of a policy. It decides on tags, or leaves them to the rules that follow.

    Attributes:
        repositories: Where it holds; a text is a glob.
        tags: The tags that it speaks of; a text is a glob.
        including_protected: Whether it speaks of ``latest`` and of releases, too. A rule whose
            `tags` is one name speaks of that name in any case.
        name: What it is called in reasons.
    """

    repositories: Pattern = field(default=ANY, converter=pattern, kw_only=True)
    tags: Pattern = field(default=ANY, converter=pattern, kw_only=True)
    including_protected: bool = field(default=False, kw_only=True)
    name: str = field(default="", kw_only=True)

    # Whether it ever deletes a tag.
    deletes = False

    def matches(self, tag: str) -> bool:
        """Return whether this rule is about a tag."""
        if not self.tags.matches(tag):
            return False
        return self.including_protected or not _protected(tag) or self.tags.literal == tag

    @abstractmethod
    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:
        """Decide on tags that the rule speaks of and that no rule before has decided on.

        Args:
            tags: The tags.
            now: Up to when ages are counted.

        Returns:
            Decisions by tag; a tag without one is left to the rules that follow.
        """

    def _said(self, reason: str) -> str:
        return f"{self.name}: {reason}" if self.name else reason

    def _of_tags(self) -> str:
        return "" if self.tags == ANY else f" that match {self.tags}"


def _protected(tag: str) -> bool:
    return tag == "latest" or Release.parse(tag) is not None


@frozen
class Keep(Rule):
    """Keeps all tags that it speaks of."""

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        kept = Decision(keep=True, reason=self._said(f"matches {self.tags}"))
        return {tag.name: kept for tag in tags}


@frozen
class KeepNewest(Rule):
    """Keeps the newest tags by push time, and leaves the others to the rules that follow.

    Tags of the same time as the last one that is kept are kept as well. Tags without a time are
    kept, and not counted.

    Attributes:
        count: How many.
        group_by: Counts for each group by itself: tags for which the groups of this regular
            expression match the same. It does not speak of a tag that does not match.
    """

    count: int = field(validator=_check_count)
    group_by: Regex | None = field(
        default=None,
        converter=_regex,
        kw_only=True,
    )

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        groups: dict[_Group, list[PushedTag]] = defaultdict(list)
        for tag in tags:
            group: _Group | None = ()
            if self.group_by is not None:
                group = self.group_by.groups(tag.name)
            if group is not None:
                groups[group].append(tag)
        decisions: dict[str, Decision] = {}
        for group, members in groups.items():
            decisions |= self._decide_group(group, members)
        return decisions

    def _decide_group(self, group: _Group, tags: Iterable[PushedTag]) -> dict[str, Decision]:
        dated = [(tag.pushed_at, tag.name) for tag in tags if tag.pushed_at is not None]
        decisions = _undated(tags)
        if self.count and dated:
            dated.sort(reverse=True)
            oldest = dated[min(self.count, len(dated)) - 1][0]
            kept = Decision(keep=True, reason=self._said(self._reason(group)))
            decisions |= {name: kept for pushed_at, name in dated if pushed_at >= oldest}
        return decisions

    def _reason(self, group: _Group) -> str:
        among = f" of {'-'.join(map(str, group))}" if group else ""
        return f"among the {self.count} newest{among}{self._of_tags()}"


@frozen
class KeepWithin(Rule):
    """Keeps tags that were pushed at most so long ago. Tags without a time are kept.

    Attributes:
        age: How long.
    """

    age: timedelta = field(validator=_check_age)

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        reason = f"pushed within {format_duration(self.age)}"
        kept = Decision(keep=True, reason=self._said(reason))
        recent = {
            tag.name: kept
            for tag in tags
            if tag.pushed_at is not None and now - tag.pushed_at <= self.age
        }
        return {**_undated(tags), **recent}


@frozen
class KeepReleases(Rule):
    """Keeps the newest releases, by version, of each line, and leaves the others.

    It speaks of tags such as ``v1.2.3`` and ``1.2.3`` alone, protected or not.

    Attributes:
        count: How many of each line.
        per: What a line is: ``major``, all of 1.x; or ``minor``, all of 1.2.x.
    """

    count: int = field(validator=_check_count)
    per: Literal["major", "minor"] = field(default="minor", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.per not in {"major", "minor"}:
            raise ValueError(f"per must be 'major' or 'minor', not {self.per!r}")

    def matches(self, tag: str) -> bool:
        """Return whether this rule is about a tag."""
        return Release.parse(tag) is not None and self.tags.matches(tag)

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        lines: dict[tuple[int, ...], dict[Release, list[str]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for tag in tags:
            release = Release.parse(tag.name)
            if release is not None:
                minor = () if self.per == "major" else (release.minor,)
                line = (release.major, *minor)
                lines[line][release].append(tag.name)
        decisions: dict[str, Decision] = {}
        for line, releases in lines.items():
            called = ".".join(map(str, line))
            reason = f"among the {self.count} newest releases of {called}.x"
            kept = Decision(keep=True, reason=self._said(reason))
            # v1.2.3 and 1.2.3 are one release.
            for release in sorted(releases, reverse=True)[: self.count]:
                decisions |= dict.fromkeys(releases[release], kept)
        return decisions


@frozen
class DeleteOlderThan(Rule):
    """Deletes tags that were pushed longer ago. Tags without a time are kept.

    Attributes:
        age: How long.
    """

    age: timedelta = field(validator=_check_age)
    deletes = True

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        reason = f"older than {format_duration(self.age)}"
        gone = Decision(keep=False, reason=self._said(reason))
        old = {
            tag.name: gone
            for tag in tags
            if tag.pushed_at is not None and now - tag.pushed_at > self.age
        }
        return {**_undated(tags), **old}


@frozen
class Delete(Rule):
    """Deletes all tags that it speaks of."""

    deletes = True

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        reason = f"matches {self.tags}, and no earlier rule keeps it"
        gone = Decision(keep=False, reason=self._said(reason))
        return {tag.name: gone for tag in tags}


@frozen
class DeleteUntagged(Rule):
    """Deletes untagged manifests that nothing needs, and that were pushed longer ago.

    It speaks of no tag.

    Attributes:
        age: How long; a push of several platforms is untagged until its index comes.
    """

    age: timedelta = field(default=timedelta(days=1), validator=_check_age)

    def matches(self, tag: str) -> bool:  # noqa: ARG002
        """Return False: it is about no tag."""
        return False

    def decide(self, tags: Sequence[PushedTag], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """Decide on no tag."""
        return {}

    def decide_untagged(self, pushed_at: datetime | None, now: datetime) -> Decision:
        """Decide on an untagged manifest that nothing needs."""
        age = format_duration(self.age)
        if pushed_at is None:
            return Decision(keep=True, reason=_NO_TIME)
        if now - pushed_at > self.age:
            reason = f"untagged, and older than {age}"
            return Decision(keep=False, reason=self._said(reason))
        return Decision(keep=True, reason=self._said(f"untagged, but pushed within {age}"))


def _undated(tags: Iterable[PushedTag]) -> dict[str, Decision]:
    unknown = Decision(keep=True, reason=_NO_TIME)
    return {tag.name: unknown for tag in tags if tag.pushed_at is None}


def _any_deletes(rules: Iterable[Rule]) -> bool:
    return any(rule.deletes or isinstance(rule, DeleteUntagged) for rule in rules)


@frozen
class Policy:
    """Rules in order: the first that decides on a tag decides.

    What no rule decides on is kept; so are ``latest`` and releases, unless a rule says that it
    speaks of them (`Rule.including_protected`).

    Attributes:
        rules: The rules.
        floor: With how many tags at least a repository is left, as far as it has them; those of
            signatures do not count.
    """

    rules: tuple[Rule, ...] = field(converter=_as_tuple)
    floor: int = field(default=1, validator=_check_count)

    def __attrs_post_init__(self) -> None:
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise TypeError(f"a policy is made of rules, and {rule!r} is none")

    @property
    def deletes(self) -> bool:
        """Whether there is a rule that deletes anything."""
        return _any_deletes(self.rules)

    def may_delete(self, repository: str) -> bool:
        """Return whether a rule speaks of deleting anything in a repository."""
        return _any_deletes(self._rules_for(repository))

    def decide_tags(
        self,
        repository: str,
        tags: Sequence[PushedTag],
        now: datetime,
        held: Mapping[str, str] | None = None,
    ) -> list[Decision]:
        """Decide on all tags of a repository, those of signatures left out.

        Args:
            repository: The repository's name.
            tags: Its tags.
            now: Up to when ages are counted.
            held: Tags that stay whatever the rules say, each with why.

        Returns:
            A decision for each tag, in the order of `tags`.
        """
        decided: dict[str, Decision] = {}
        for rule in self._rules_for(repository):
            open_tags = [tag for tag in tags if tag.name not in decided and rule.matches(tag.name)]
            if open_tags:
                decided.update(rule.decide(open_tags, now))
        protected = Decision(keep=True, reason="protected: latest and releases are kept")
        no_rule = Decision(keep=True, reason=_NO_RULE)
        decisions = [
            decided.get(tag.name) or (protected if _protected(tag.name) else no_rule)
            for tag in tags
        ]
        if held:
            decisions = [
                Decision(keep=True, reason=held[tag.name]) if tag.name in held else decision
                for tag, decision in zip(tags, decisions, strict=True)
            ]
        return self._with_floor(tags, decisions)

    def decide_untagged(
        self, repository: str, pushed_at: datetime | None, now: datetime
    ) -> Decision:
        """Decide on an untagged manifest that nothing needs."""
        for rule in self._rules_for(repository):
            if isinstance(rule, DeleteUntagged):
                return rule.decide_untagged(pushed_at, now)
        return Decision(keep=True, reason="untagged, and matches no rule")

    def _rules_for(self, repository: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.repositories.matches(repository)]

    def _with_floor(self, tags: Sequence[PushedTag], decisions: list[Decision]) -> list[Decision]:
        missing = self.floor - sum(decision.keep for decision in decisions)
        if missing <= 0:
            return decisions
        condemned = [
            (tag.pushed_at, tag.name, nth)
            for nth, (tag, decision) in enumerate(zip(tags, decisions, strict=True))
            if not decision.keep
        ]
        # What is without a time was condemned by its name alone, and counts as the oldest.
        condemned.sort(key=lambda one: (one[0] is not None, one[0], one[1]), reverse=True)
        kept = Decision(keep=True, reason=f"among the {self.floor} tags that the floor keeps")
        for _, _, nth in condemned[:missing]:
            decisions[nth] = kept
        return decisions
