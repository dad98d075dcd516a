"""The rules that a policy can be made of: a new one is a class here, and its place in `RULES`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from aioregistry.cleanup.policy import keys
from aioregistry.cleanup.policy.durations import format_duration
from aioregistry.cleanup.policy.keys import Key
from aioregistry.cleanup.policy.patterns import Regex, parts_of
from aioregistry.cleanup.policy.releases import Release
from aioregistry.cleanup.policy.rule import (
    Candidate,
    Decision,
    Rule,
    TagRule,
    check_age,
    check_count,
    newest,
    older,
    undated,
)
from aioregistry.cleanup.policy.untagged_rules import (
    DeleteOrphaned,
    DeleteUntagged,
    KeepNewestUntagged,
)

__all__ = [
    "RULES",
    "Delete",
    "DeleteOlderThan",
    "Keep",
    "KeepNewest",
    "KeepReleases",
    "KeepWithin",
]

# What the groups of a regular expression matched.
_Group = tuple[str | None, ...]


def _regex(given: str | Regex | None) -> Regex | None:
    return Regex(given) if isinstance(given, str) else given


def _check_choice(*choices: str) -> Any:
    def check(_: object, attribute: Any, value: Any) -> None:
        if value not in choices:
            said = " or ".join(map(repr, choices))
            raise ValueError(f"{attribute.name} must be {said}, not {value!r}")

    return check


@frozen
class Keep(TagRule):
    """Keeps all tags that it matches."""

    key: ClassVar[Key] = keys.true("keep", "Keep every tag that the rule matches.")

    @property
    def decides_all(self) -> bool:
        """True."""
        return True

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        kept = Decision(keep=True, reason=self._because(f"matches {self.tags}"))
        return {tag.name: kept for tag in candidates}


@frozen
class KeepNewest(TagRule):
    """Keeps the newest images or tags, and leaves the others to later rules.

    Those as old as the last one that is kept are kept as well. Tags without a known time are kept,
    and not counted.

    Attributes:
        count: How many.
        unit: What is counted: ``images``, each as young as its youngest tag that the rule matches,
            and kept with all of these; or ``tags``. Images by default.
        group_by: Counts for each group by itself: tags for which the groups of this regular
            expression match the same. A tag whose whole name it does not match is left to later
            rules.
    """

    count: int = field(validator=check_count)
    unit: Literal["images", "tags"] = field(
        default="images", validator=_check_choice("images", "tags"), kw_only=True
    )
    group_by: Regex | None = field(default=None, converter=_regex, kw_only=True)

    key: ClassVar[Key] = keys.count(
        "keep-newest", "count", "Keep the N newest images, ties included."
    )
    options: ClassVar[tuple[Key, ...]] = (
        keys.choice("count", "unit", ("images", "tags"), "What is counted; images by default."),
        keys.regex(
            "group-by",
            "group_by",
            "Count for each value of these groups by itself; it has to match the whole name.",
        ),
    )

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        groups: dict[_Group, list[Candidate]] = defaultdict(list)
        for tag in candidates:
            group = () if self.group_by is None else self.group_by.groups(tag.name)
            if group is not None:
                groups[group].append(tag)
        decisions: dict[str, Decision] = {}
        for group, members in groups.items():
            decisions |= self._decide_group(group, members)
        return decisions

    def _decide_group(self, group: _Group, tags: Iterable[Candidate]) -> dict[str, Decision]:
        images: dict[str, datetime] = {}
        for tag in tags:
            if tag.time is not None:
                image = self._counted(tag)
                images[image] = max(tag.time, images.get(image, tag.time))
        kept_images = newest([(time, image) for image, time in images.items()], self.count)
        kept = Decision(keep=True, reason=self._because(self._reason(group)))
        return {
            **undated(tags),
            **{
                tag.name: kept
                for tag in tags
                if tag.time is not None and self._counted(tag) in kept_images
            },
        }

    def _counted(self, tag: Candidate) -> str:
        # No tag contains a colon, so no tag is taken for a digest.
        return tag.digest or tag.name if self.unit == "images" else tag.name

    def _reason(self, group: _Group) -> str:
        among = f" of {'-'.join(map(str, group))}" if group else ""
        return f"among the {self.count} newest {self.unit}{among}{self._matching()}"


@frozen
class KeepWithin(TagRule):
    """Keeps tags that are at most so old. Tags without a known time are kept.

    Attributes:
        age: How old.
    """

    age: timedelta = field(validator=check_age)

    key: ClassVar[Key] = keys.age("keep-within", "Keep tags that are at most this old: 12h, 30d.")

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        kept = Decision(keep=True, reason=self._because(f"newer than {format_duration(self.age)}"))
        young = [
            tag.name for tag in candidates if tag.time is not None and now - tag.time <= self.age
        ]
        return {**undated(candidates), **dict.fromkeys(young, kept)}


@frozen
class KeepReleases(TagRule):
    """Keeps the newest releases of each line, by version, and leaves or deletes the older ones.

    It matches only tags that are versions, such as ``v1.2.3``, ``1.2.3_build.5`` and
    ``2024.09.01``, protected or not. Where `tags` is a regular expression with a group named
    ``version``, or with one group only, the version is what that group matches:
    ``app-v(?P<version>.*)``. Its other groups set lines apart.

    Attributes:
        count: How many of each line.
        per: What a line is: ``major``, all of 1.x; or ``minor``, all of 1.2.x. Minor by default.
        older: What happens to the other releases: ``leave``, later rules decide; or ``delete``.
            Left by default, and then protected from rules that do not say `including_protected`.
    """

    count: int = field(validator=check_count)
    per: Literal["major", "minor"] = field(
        default="minor", validator=_check_choice("major", "minor"), kw_only=True
    )
    older: Literal["leave", "delete"] = field(
        default="leave", validator=_check_choice("leave", "delete"), kw_only=True
    )

    key: ClassVar[Key] = keys.count(
        "keep-releases", "count", "Keep the N newest releases of each line, by version."
    )
    options: ClassVar[tuple[Key, ...]] = (
        keys.choice("per", "per", ("major", "minor"), "What a line is; minor by default."),
        keys.choice(
            "older", "older", ("leave", "delete"), "What happens to older ones; leave by default."
        ),
    )

    def __attrs_post_init__(self) -> None:
        regex = self.tags if isinstance(self.tags, Regex) else None
        if regex is None or not regex.group_count:
            prefixes = [part.prefix for part in parts_of(self.tags)]
            wrong = [prefix for prefix in prefixes if not Release.may_begin_with(prefix)]
            if wrong:
                raise ValueError(
                    f"no version begins with {wrong[0]!r}, so that no tag is a release;"
                    " mark the version by a group: tags-regex = 'app-v(?P<version>.*)'"
                )
        elif regex.group_count > 1 and "version" not in regex.group_names:
            raise ValueError("one of several groups must be named: (?P<version>…)")

    @property
    def deletes(self) -> bool:
        """Whether it deletes older releases."""
        return self.older == "delete"

    def matches(self, tag: str) -> bool:
        """Return whether the rule may decide on a tag."""
        return self._release(tag) is not None

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        lines: dict[_Group, dict[Release, list[str]]] = defaultdict(lambda: defaultdict(list))
        for tag in candidates:
            found = self._release(tag.name)
            if found is not None:
                others, release = found
                minor = () if self.per == "major" else (str(release.minor),)
                line = (*others, str(release.major), *minor)
                lines[line][release].append(tag.name)
        decisions: dict[str, Decision] = {}
        for line, releases in lines.items():
            line_newest = f"the {self.count} newest releases of {'.'.join(map(str, line))}.x"
            kept = Decision(keep=True, reason=self._because(f"among {line_newest}"))
            gone = Decision(keep=False, reason=self._because(f"older than {line_newest}"))
            # v1.2.3, 1.2.3 and 1.2.3_build are one release.
            for nth, release in enumerate(sorted(releases, reverse=True)):
                if nth < self.count:
                    decisions |= dict.fromkeys(releases[release], kept)
                elif self.deletes:
                    decisions |= dict.fromkeys(releases[release], gone)
        return decisions

    def _release(self, tag: str) -> tuple[_Group, Release] | None:
        """Return the version of a tag, with what sets its line apart from others."""
        groups: _Group | None = ()
        if isinstance(self.tags, Regex):
            groups = self.tags.groups(tag)
        elif not self.tags.matches(tag):
            groups = None
        if groups is None:
            return None
        if isinstance(self.tags, Regex) and groups:
            number = self.tags.group_names.get("version", 1) - 1
            release = Release.parse(groups[number] or "")
            return None if release is None else ((*groups[:number], *groups[number + 1 :]), release)
        release = Release.parse(tag)
        return None if release is None else ((), release)


@frozen
class DeleteOlderThan(TagRule):
    """Deletes tags that are older. Tags without a known time are kept.

    Attributes:
        age: How old a tag may be.
    """

    age: timedelta = field(validator=check_age)

    key: ClassVar[Key] = keys.age("delete-older-than", "Delete tags that are older: 12h, 30d.")

    @property
    def deletes(self) -> bool:
        """True."""
        return True

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:
        """See `Rule.decide`."""
        gone = Decision(keep=False, reason=self._because(f"older than {format_duration(self.age)}"))
        return older(candidates, self.age, now, gone)


@frozen
class Delete(TagRule):
    """Deletes all tags that it matches."""

    key: ClassVar[Key] = keys.true("delete", "Delete every tag that the rule matches.")

    @property
    def deletes(self) -> bool:
        """True."""
        return True

    @property
    def decides_all(self) -> bool:
        """True."""
        return True

    def decide(self, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, Decision]:  # noqa: ARG002
        """See `Rule.decide`."""
        reason = f"matches {self.tags}, and no earlier rule keeps it"
        gone = Decision(keep=False, reason=self._because(reason))
        return {tag.name: gone for tag in candidates}


RULES: tuple[type[Rule], ...] = (
    Keep,
    KeepNewest,
    KeepWithin,
    KeepReleases,
    Delete,
    DeleteOlderThan,
    KeepNewestUntagged,
    DeleteUntagged,
    DeleteOrphaned,
)
