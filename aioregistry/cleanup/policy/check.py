"""Checking a policy file without a registry: all of its mistakes, and rules without effect."""

from collections.abc import Iterator

from attrs import frozen

from aioregistry.cleanup.policy.file import PolicyText
from aioregistry.cleanup.policy.patterns import covers, literals_of, parts_of
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import (
    Rule,
    TagRule,
    UntaggedRule,
    is_protected,
    names_referrers,
)
from aioregistry.cleanup.policy.rules import DeleteOlderThan, KeepReleases, KeepWithin
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned

__all__ = ["Finding", "check_policy"]

# A tag of each kind that rules match only when they are about such.
_REFERRERS = tuple(
    f"{algorithm}-{'0' * length}{ending}"
    for algorithm, length in (("sha256", 64), ("sha512", 64))
    for ending in ("", ".sig", ".att", ".sbom")
)


_OLDER_STAY = (
    "keeps the newest releases, and the older ones are kept, too, as releases are protected;"
    ' older = "delete" deletes them'
)


@frozen
class Finding:
    """A mistake in a policy, or a rule that has no effect.

    Attributes:
        is_error: Whether the policy cannot be used like this.
        line: The line, from 1; None when that is unknown.
        problem: What is wrong, with the key or the rule.
    """

    is_error: bool
    line: int | None
    problem: str

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{'error' if self.is_error else 'note'}: {self.problem}"


def check_policy(text: str, name: str) -> list[Finding]:
    """Return everything that is wrong with a policy, or that has no effect. Nothing is sent.

    Args:
        text: The policy.
        name: What it is called; its ending says how it is written.

    Returns:
        Either all mistakes, or, where there are none, notes on rules without effect.

    Raises:
        PolicyFileError: It is no document of the kind that its name says.
        ModuleNotFoundError: It needs a package that is missing.
    """
    read = PolicyText.read(text, name)
    if read.policy is None:
        mistakes = [Finding(True, one.line, f"{one.key}: {one.problem}") for one in read.mistakes]
        return sorted(mistakes, key=lambda one: one.line or 0)
    return [
        Finding(False, read.document.line_of(("rules", number)), note)
        for number, note in _notes(read.policy)
    ]


def _notes(policy: Policy) -> Iterator[tuple[int, str]]:
    """Yield a sentence for each rule that has no effect, with its place."""
    if not policy.deletes:
        yield 0, "no rule deletes anything, and tags that match no rule are kept"
        return
    for number, rule in enumerate(policy.rules):
        called = rule.describe(number + 1)
        for earlier, other in enumerate(policy.rules[:number]):
            if _shadows(other, rule):
                by = other.describe(earlier + 1)
                yield number, f"{called} has no effect: {by} decides on all that it matches"
                break
        else:
            if any(covers(pattern, rule.repositories) for pattern in policy.exclude):
                yield number, f"{called} has no effect: exclude names all of its repositories"
            elif _keeps_in_vain(rule, policy.rules[number + 1 :]):
                yield number, f"{called} has no effect: no later rule deletes such"
            elif _leaves_protected(rule, policy.rules[number + 1 :]):
                yield number, f"{called} {_OLDER_STAY}"


def _shadows(first: Rule, second: Rule) -> bool:
    """Return whether a rule decides on all that a later one decides on, as far as can be seen."""
    if not covers(first.repositories, second.repositories):
        return False
    if isinstance(first, TagRule) and isinstance(second, TagRule):
        return _matches_all_of(first, second) and _decides_first(first, second)
    if isinstance(first, UntaggedRule) and isinstance(second, UntaggedRule):
        return first.decides_all
    if isinstance(first, DeleteOrphaned) and isinstance(second, DeleteOrphaned):
        return first.age <= second.age
    return False


def _matches_all_of(first: TagRule, second: TagRule) -> bool:
    if not covers(first.tags, second.tags):
        return False
    if not first.including_protected:
        if second.including_protected or isinstance(second, KeepReleases):
            return False
        named = {name for name in literals_of(second.tags) if is_protected(name)}
        if not named <= literals_of(first.tags):
            return False
    return all(
        names_referrers(first.tags, tag) or not names_referrers(second.tags, tag)
        for tag in _REFERRERS
    )


def _decides_first(first: TagRule, second: TagRule) -> bool:
    if isinstance(first, DeleteOlderThan) and isinstance(second, DeleteOlderThan):
        return first.age <= second.age
    if isinstance(first, KeepWithin) and isinstance(second, KeepWithin):
        return first.age >= second.age
    return first.decides_all


def _keeps_in_vain(rule: Rule, later: tuple[Rule, ...]) -> bool:
    kind = TagRule if isinstance(rule, TagRule) else UntaggedRule
    return not rule.deletes and not any(
        one.deletes and isinstance(one, kind | DeleteOrphaned) for one in later
    )


def _leaves_protected(rule: Rule, later: tuple[Rule, ...]) -> bool:
    return (
        isinstance(rule, KeepReleases)
        and not rule.deletes
        and not any(
            isinstance(one, TagRule)
            and one.deletes
            and (one.including_protected or isinstance(one, KeepReleases))
            for one in later
        )
        and any(part.prefix in {"", "v"} for part in parts_of(rule.tags))
    )
