"""Policies: rules in order, and what holds whatever they say. Pure decisions, with reasons."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from attrs import field, frozen

from aioregistry.cleanup.policy.patterns import Pattern, check_repositories, pattern
from aioregistry.cleanup.policy.rule import (
    Candidate,
    Decision,
    Rule,
    check_count,
    is_protected,
)
from aioregistry.cleanup.policy.usage import RuleUsage

__all__ = ["Policy"]

_PROTECTED = Decision(keep=True, reason="protected: latest and releases are kept")
_NO_RULE = Decision(keep=True, reason="no rule decides on it")
_UNTAGGED_NO_RULE = Decision(keep=True, reason="untagged, and no rule decides on it")


def _as_tuple(rules: "Iterable[Rule]") -> "tuple[Rule, ...]":
    return tuple(rules)


def _patterns(given: "str | Pattern | Iterable[str | Pattern]") -> tuple[Pattern, ...]:
    if not isinstance(given, Iterable) or isinstance(given, str):
        given = (given,)
    patterns = tuple(map(pattern, given))
    for one in patterns:
        check_repositories(one)
    return patterns


def _check_fraction(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (type(value) not in {int, float} or not 0 <= value <= 1):
        raise ValueError(f"{attribute.name} must be a number from 0 to 1, not {value!r}")


def _check_optional_count(_: object, attribute: Any, value: Any) -> None:
    if value is not None:
        check_count(_, attribute, value)


@frozen
class Policy:
    """Rules in order: the first that decides on a tag or a manifest decides.

    Whatever no rule decides on is kept. So are ``latest`` and releases, unless a rule says that it
    matches them (`TagRule.including_protected`).

    Attributes:
        rules: The rules.
        floor: Never leave fewer tags than this in a repository, as far as it has them; those of
            signatures and the like are not counted. 1 by default.
        max_fraction: The largest part of a repository's tags that a plan may delete, from 0 to 1;
            None, the default, leaves that to whoever applies the plan.
        max_deletes: The largest number of DELETEs that a plan may have; None, the default, for any.
        exclude: Repositories of which nothing is ever deleted; texts are globs. None by default.
    """

    rules: tuple[Rule, ...] = field(converter=_as_tuple)
    floor: int = field(default=1, validator=check_count)
    max_fraction: float | None = field(default=None, validator=_check_fraction, kw_only=True)
    max_deletes: int | None = field(default=None, validator=_check_optional_count, kw_only=True)
    exclude: tuple[Pattern, ...] = field(default=(), converter=_patterns, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise TypeError(f"a policy is made of rules, and {rule!r} is none")

    @property
    def deletes(self) -> bool:
        """Whether any rule deletes anything."""
        return any(rule.deletes for rule in self.rules)

    def is_excluded(self, repository: str) -> bool:
        """Return whether nothing of a repository is ever deleted."""
        return any(pattern.matches(repository) for pattern in self.exclude)

    def may_delete(self, repository: str) -> bool:
        """Return whether any rule may delete anything in a repository."""
        return not self.is_excluded(repository) and any(
            rule.deletes for _, rule in self._rules_for(repository)
        )

    def decide_tags(
        self,
        repository: str,
        tags: Sequence[Candidate],
        now: datetime,
        exempt: Mapping[str, str] | None = None,
        usage: RuleUsage | None = None,
    ) -> list[Decision]:
        """Decide on all tags of a repository, those of signatures and the like left out.

        Args:
            repository: The repository's name.
            tags: Its tags.
            now: The time up to which ages are counted.
            exempt: Tags that are kept whatever the rules say, each with its reason; None, the
                default, for none.
            usage: Where it is noted which rules applied to how many tags; None, the default, for
                nowhere.

        Returns:
            A decision for each tag, in the order of `tags`.
        """
        decided = self._first(
            repository, tags, lambda rule, left: rule.matching_tags(left), now, usage
        )
        decisions = [
            decided.get(tag.name) or (_PROTECTED if is_protected(tag.name) else _NO_RULE)
            for tag in tags
        ]
        if exempt:
            decisions = [
                Decision(keep=True, reason=exempt[tag.name]) if tag.name in exempt else decision
                for tag, decision in zip(tags, decisions, strict=True)
            ]
        return self._with_floor(tags, decisions)

    def decide_referrers(
        self,
        repository: str,
        tags: Sequence[Candidate],
        now: datetime,
        usage: RuleUsage | None = None,
    ) -> dict[str, Decision]:
        """Decide on the tags of signatures, attestations, SBOMs and fallback indexes.

        Args:
            repository: The repository's name.
            tags: These tags.
            now: The time up to which ages are counted.
            usage: Where it is noted which rules applied to how many tags; None, the default, for
                nowhere.

        Returns:
            Decisions by tag. A tag without one is kept and deleted with its subject.
        """
        return self._first(
            repository, tags, lambda rule, left: rule.matching_referrers(left), now, usage
        )

    def decide_untagged(
        self,
        repository: str,
        manifests: Sequence[Candidate],
        now: datetime,
        usage: RuleUsage | None = None,
    ) -> dict[str, Decision]:
        """Decide on untagged manifests that no manifest needs.

        Args:
            repository: The repository's name.
            manifests: All of these manifests.
            now: The time up to which ages are counted.
            usage: Where it is noted which rules applied to how many manifests; None, the default,
                for nowhere.

        Returns:
            A decision for each manifest, by digest.
        """
        decided = self._first(
            repository, manifests, lambda rule, left: rule.matching_untagged(left), now, usage
        )
        return {one.name: decided.get(one.name, _UNTAGGED_NO_RULE) for one in manifests}

    def _first(
        self,
        repository: str,
        candidates: Sequence[Candidate],
        matching: Callable[[Rule, Sequence[Candidate]], list[Candidate]],
        now: datetime,
        usage: RuleUsage | None,
    ) -> dict[str, Decision]:
        """Return the decisions of the first rule that decides on each candidate, by name."""
        decided: dict[str, Decision] = {}
        left = candidates
        for number, rule in self._rules_for(repository):
            matched = matching(rule, left)
            if matched:
                decided.update(rule.decide(matched, now))
                left = [one for one in left if one.name not in decided]
            if usage is not None and matched:
                usage.add_effect(number)
            elif usage is not None:
                earlier, protected = matching(rule, candidates), rule.protected_among(candidates)
                usage.add(number, len(earlier), protected)
        return decided

    def _rules_for(self, repository: str) -> list[tuple[int, Rule]]:
        """Return the rules that apply to a repository, with their places in the policy."""
        return [
            (number, rule)
            for number, rule in enumerate(self.rules)
            if rule.repositories.matches(repository)
        ]

    def _with_floor(self, tags: Sequence[Candidate], decisions: list[Decision]) -> list[Decision]:
        kept = (1 for decision in decisions if decision.keep)
        missing = self.floor - sum(islice(kept, min(self.floor, len(decisions))))
        if missing <= 0:
            return decisions
        condemned = [
            (tag.time, tag.name, nth)
            for nth, (tag, decision) in enumerate(zip(tags, decisions, strict=True))
            if not decision.keep
        ]
        # A tag without a known time was condemned by its name alone, and counts as the oldest.
        condemned.sort(key=lambda one: (one[0] is not None, one[0], one[1]), reverse=True)
        spared = Decision(keep=True, reason=f"among the {self.floor} tags that the floor keeps")
        for _, _, nth in condemned[:missing]:
            decisions[nth] = spared
        return decisions
