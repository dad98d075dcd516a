"""What the rules of a policy had to decide, over all repositories of a plan."""

from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field

from aioregistry.cleanup.policy.patterns import ANY, literals_of
from aioregistry.cleanup.policy.rule import Rule, TagRule

__all__ = ["RuleUsage"]

_MAX_SHOWN = 3


@define
class _Counts:
    applied: bool = False
    has_effect: bool = False
    decided_before: int = 0
    protected: int = 0


@define
class RuleUsage:
    """Counts what each rule of a policy matched, and says what may not be meant.

    Args:
        rules: The rules of the policy, in order.
    """

    rules: Sequence[Rule]
    _counts: list[_Counts] = field(init=False)
    _versions: list[str] = field(init=False, factory=list)
    _lacking: list[str] = field(init=False, factory=list)

    @_counts.default
    def _none_yet(self) -> list[_Counts]:
        return [_Counts() for _ in self.rules]

    def add_effect(self, number: int) -> None:
        """Note that a rule had something to decide.

        Args:
            number: The place of the rule in the policy, from 0.
        """
        self._counts[number].applied = self._counts[number].has_effect = True

    def skip(self, repository: str) -> None:
        """Take the rules of a repository that could not be decided on as having an effect.

        Args:
            repository: The repository's name.
        """
        for number, rule in enumerate(self.rules):
            if rule.repositories.matches(repository):
                self.add_effect(number)

    def add(self, number: int, decided_before: int, protected: int) -> None:
        """Note that a rule had nothing to decide in one repository, and why.

        Args:
            number: The place of the rule in the policy, from 0.
            decided_before: How many tags or manifests it matched, all decided by earlier rules.
            protected: How many tags it would have matched if they were not protected.
        """
        counts = self._counts[number]
        counts.applied = True
        counts.decided_before += decided_before
        counts.protected += protected

    def add_lacking(self, images: Iterable[str]) -> None:
        """Note images that lack a part, as earlier clean-ups of other tools leave them.

        Args:
            images: Each as ``repository:tag``.
        """
        self._lacking += images

    def add_versions(self, repository: str, tags: Iterable[str]) -> None:
        """Note tags that are deleted, look like versions and are not protected as releases are.

        Args:
            repository: The repository's name.
            tags: The tags; those that a rule deletes by name, or with the releases, are left out.
        """
        rules = [
            rule
            for rule in self.rules
            if isinstance(rule, TagRule)
            and rule.deletes
            and not rule.including_protected
            and rule.repositories.matches(repository)
        ]
        for tag in sorted(tags):
            if any(rule.matches(tag) and tag not in literals_of(rule.tags) for rule in rules):
                self._versions.append(f"{repository}:{tag}")

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each rule that had no effect, with what is behind it."""
        for number, (rule, counts) in enumerate(zip(self.rules, self._counts, strict=True), 1):
            called = rule.describe(number)
            if counts.has_effect:
                continue
            if not counts.applied:
                where = "" if rule.repositories == ANY else f": it is for {rule.repositories}"
                yield f"{called} applied to no repository that this policy deletes from{where}"
            elif counts.decided_before:
                yield (
                    f"{called} had nothing to decide: earlier rules decided on all that it matched"
                    f" ({counts.decided_before:,})"
                )
            elif counts.protected:
                yield (
                    f"{called} matched nothing but protected tags ({counts.protected:,}); only a"
                    " rule with including-protected = true decides on these"
                )
            else:
                yield f"{called} matched nothing"

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for what nobody may know of: deleted versions, and images in parts."""
        if self._versions:
            yield (
                f"tags that look like versions are deleted: {_some(self._versions)}; releases,"
                " which are protected, have three numbers, as v1.2.3: a first rule with"
                " keep = true keeps others"
            )
        if self._lacking:
            yield (
                f"images lack a part that does not exist, and cannot be pulled for each platform:"
                f" {_some(self._lacking)}"
            )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
