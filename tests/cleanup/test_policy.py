"""Policies: which tags stay, which go, and why."""

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.policy.patterns import Glob, Regex
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import Decision, PushedTag, Rule, TagRule, UntaggedManifest
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
    KeepWithin,
)
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged
from tests.cleanup.registries import NOW, ago


def tags(**pushed: float | None) -> list[PushedTag]:
    """Tags, each pushed so many days ago; ``_`` stands for ``-``."""
    return [
        PushedTag(name.replace("_", "-"), None if days is None else ago(days))
        for name, days in pushed.items()
    ]


def kept(policy: Policy, given: list[PushedTag], **held: str) -> set[str]:
    decisions = policy.decide_tags("web", given, NOW, held)
    return {tag.name for tag, decision in zip(given, decisions, strict=True) if decision.keep}


def reasons(policy: Policy, given: list[PushedTag], **held: str) -> dict[str, str]:
    decisions = policy.decide_tags("web", given, NOW, held)
    return {tag.name: decision.reason for tag, decision in zip(given, decisions, strict=True)}


def untagged(policy: Policy, days: float | None) -> Decision:
    """The decision on an untagged manifest that was pushed so many days ago."""
    one = UntaggedManifest("sha256:1", None if days is None else ago(days))
    return policy.decide_untagged("web", [one], NOW)["sha256:1"]


def rules(*rules: Rule, floor: int = 0) -> Policy:
    return Policy(rules, floor=floor)


def test_what_no_rule_speaks_of_stays():
    policy = rules(Delete(tags="pr-*"))
    assert reasons(policy, tags(main=5)) == {"main": "no rule decides on it"}


def test_the_first_rule_that_decides_decides():
    assert kept(rules(Keep(tags="a"), Delete()), tags(a=1, b=1)) == {"a"}
    assert kept(rules(Delete(), Keep(tags="a")), tags(a=1, b=1)) == set()


def test_a_rule_holds_where_its_repositories_match():
    policy = rules(Delete(repositories="api*"))
    assert kept(policy, tags(a=1)) == {"a"}
    assert not policy.may_delete("web")
    assert policy.may_delete("api-v2")


def test_the_newest_are_the_last_pushed_and_not_the_last_by_name():
    policy = rules(KeepNewest(2), Delete())
    assert kept(policy, tags(v9=3, v10=1, v11=9, v8=2)) == {"v10", "v8"}


def test_those_of_one_time_at_the_end_all_stay():
    assert kept(rules(KeepNewest(2), Delete()), tags(a=1, b=2, c=2, d=3)) == {"a", "b", "c"}


def test_the_newest_are_counted_over_what_is_left_by_rules_before():
    policy = rules(Keep(tags="a"), KeepNewest(1), Delete())
    assert kept(policy, tags(a=1, b=2, c=3)) == {"a", "b"}


def test_the_newest_are_counted_over_what_matches():
    policy = rules(KeepNewest(1, tags="pr-*"), Delete(tags="pr-*"))
    assert kept(policy, tags(main=1, pr_1=3, pr_2=2)) == {"main", "pr-2"}


def test_the_newest_of_each_group():
    policy = rules(KeepNewest(1, group_by=r"(\w+)-\d+"), Delete())
    given = tags(main_1=3, main_2=2, dev_1=5, dev_2=4, other=1)
    assert kept(policy, given) == {"main-2", "dev-2"}
    assert reasons(policy, given)["main-2"] == "among the 1 newest images of main"


def test_none_of_the_newest_is_none():
    assert kept(rules(KeepNewest(0), Delete()), tags(a=1)) == set()


@pytest.mark.parametrize(
    "rule", [KeepNewest(1), KeepWithin(timedelta(days=1)), DeleteOlderThan(timedelta(days=1))]
)
def test_a_tag_without_a_push_time_stays_and_is_not_counted(rule):
    given = tags(dated=0.5, undated=None)
    assert kept(rules(rule, Delete(tags="old")), given) == {"dated", "undated"}
    assert reasons(rules(rule), given)["undated"] == "its push time is unknown"


def test_what_is_young_stays_up_to_the_very_second():
    policy = rules(KeepWithin(timedelta(days=30)), Delete())
    just = [PushedTag("at", ago(30)), PushedTag("over", ago(30) - timedelta(seconds=1))]
    assert kept(policy, just) == {"at"}


def test_what_is_old_goes_from_the_very_second():
    policy = rules(DeleteOlderThan(timedelta(days=30)))
    just = [PushedTag("at", ago(30)), PushedTag("over", ago(30) - timedelta(seconds=1))]
    assert kept(policy, just) == {"at"}
    assert reasons(policy, just)["over"] == "older than 30d"


RELEASES = [PushedTag(tag, ago(50)) for tag in ("v1.0.0", "v1.0.1", "v1.0.10", "v1.1.0", "2.0.0")]


@pytest.mark.parametrize("rule", [Delete(), DeleteOlderThan(timedelta()), KeepNewest(0)])
def test_latest_and_releases_stay_unless_a_rule_says_that_it_speaks_of_them(rule):
    given = [*RELEASES, PushedTag("latest", ago(60))]
    assert kept(rules(rule), given) == {tag.name for tag in given}
    assert reasons(rules(rule), given)["latest"] == "protected: latest and releases are kept"


def test_a_rule_may_speak_of_what_is_protected():
    given = [*RELEASES, PushedTag("latest", ago(60))]
    assert kept(rules(Delete(including_protected=True)), given) == set()


@pytest.mark.parametrize("pattern", ["latest", Glob("latest"), Regex("latest")])
def test_a_rule_for_one_name_speaks_of_it_in_any_case(pattern):
    assert kept(rules(Delete(tags=pattern)), tags(latest=1, other=1)) == {"other"}


def test_the_newest_releases_of_each_minor_stay():
    policy = rules(KeepReleases(1), Delete(including_protected=True))
    assert kept(policy, RELEASES) == {"v1.0.10", "v1.1.0", "2.0.0"}
    assert reasons(policy, RELEASES)["v1.0.10"] == "among the 1 newest releases of 1.0.x"


def test_the_newest_releases_of_each_major_stay():
    policy = rules(KeepReleases(2, per="major"), Delete(including_protected=True))
    assert kept(policy, RELEASES) == {"v1.0.10", "v1.1.0", "2.0.0"}


def test_the_newest_releases_are_counted_over_what_matches():
    policy = rules(KeepReleases(2, tags="v*"), Delete(including_protected=True))
    assert kept(policy, RELEASES) == {"v1.0.1", "v1.0.10", "v1.1.0"}


def test_a_release_with_two_spellings_counts_once():
    given = [*RELEASES, PushedTag("1.0.10", ago(1))]
    policy = rules(KeepReleases(1), Delete(including_protected=True))
    assert kept(policy, given) == {"v1.0.10", "1.0.10", "v1.1.0", "2.0.0"}


def test_a_rule_for_releases_leaves_other_tags_alone():
    assert kept(rules(KeepReleases(1), Delete()), tags(main=1)) == set()


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Keep(), "matches *"),
        (Keep(tags="a*"), "matches a*"),
        (KeepNewest(2), "among the 2 newest images"),
        (KeepNewest(2, tags="a*"), "among the 2 newest images that match a*"),
        (KeepNewest(2, group_by=r"(\w)(\d)"), "among the 2 newest images of a-1"),
        (KeepNewest(2, tags="a*", group_by="(a)1"), "among the 2 newest images of a that match a*"),
        (KeepWithin(timedelta(days=2)), "newer than 2d"),
        (KeepReleases(2, tags="v*"), "among the 2 newest releases of 1.0.x"),
        (KeepReleases(2, per="major"), "among the 2 newest releases of 1.x"),
        (DeleteOlderThan(timedelta(hours=12)), "older than 12h"),
        (Delete(tags=Regex("a.")), "matches /a./, and no earlier rule keeps it"),
    ],
)
def test_each_rule_has_its_reason_after_its_name(rule, reason):
    release = isinstance(rule, KeepReleases)
    (tag,) = given = [PushedTag("v1.0.0" if release else "a1", ago(1))]
    assert reasons(rules(rule), given) == {tag.name: reason}
    assert reasons(rules(evolve(rule, name="mine")), given) == {tag.name: f"mine: {reason}"}


@pytest.mark.parametrize(
    ("days", "keep", "reason"),
    [
        (0.5, True, "untagged, but pushed within 1d"),
        (1, True, "untagged, but pushed within 1d"),
        (1.001, False, "untagged, and older than 1d"),
    ],
)
def test_an_untagged_manifest_goes_when_it_is_older_with_a_reason(days, keep, reason):
    assert untagged(rules(DeleteUntagged()), days) == Decision(keep, reason)
    named = rules(DeleteUntagged(name="mine"))
    assert untagged(named, days) == Decision(keep, f"mine: {reason}")


def test_what_is_held_stays_whatever_the_rules_say():
    policy = rules(Delete(including_protected=True))
    assert reasons(policy, tags(a=1), a="in use: pod x") == {"a": "in use: pod x"}


def test_the_floor_keeps_the_newest_of_what_would_go():
    policy = rules(Delete(), floor=2)
    given = [*tags(a=1, b=3, c=2), PushedTag("d")]
    assert kept(policy, given) == {"a", "c"}
    assert reasons(policy, given)["a"] == "among the 2 tags that the floor keeps"


def test_the_floor_keeps_the_last_by_name_of_one_time_and_what_has_no_time_last():
    given = [*tags(a=1, c=1, b=1), PushedTag("e"), PushedTag("d")]
    order = ["c", "b", "a", "e", "d"]
    for floor in range(6):
        assert kept(rules(Delete(), floor=floor), given) == set(order[:floor])


def test_a_floor_beyond_all_that_a_machine_counts_keeps_all():
    assert kept(rules(Delete(), floor=2**64), tags(a=1, b=2)) == {"a", "b"}


def test_the_floor_counts_what_stays_anyway():
    assert kept(rules(Delete(tags="a*"), floor=1), tags(a1=1, b=2)) == {"b"}


def test_one_tag_stays_unless_told_otherwise():
    assert kept(Policy([Delete()]), tags(a=2, b=1)) == {"b"}


def test_untagged_manifests_stay_unless_a_rule_speaks_of_them():
    stays = Decision(keep=True, reason="untagged, and no rule decides on it")
    elsewhere = DeleteUntagged(repositories="api")
    assert untagged(rules(Delete(), elsewhere), 900) == stays
    assert not untagged(rules(Delete(), DeleteUntagged()), 900).keep


def test_untagged_manifests_without_a_push_time_stay():
    stays = Decision(keep=True, reason="its push time is unknown")
    assert untagged(rules(DeleteUntagged()), None) == stays


def test_a_rule_for_untagged_manifests_speaks_of_no_tag():
    rule = DeleteUntagged()
    assert kept(rules(rule), tags(a=900)) == {"a"}
    assert rule.matching_tags(tags(a=900)) == []
    assert rules(rule).may_delete("web")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: KeepNewest(-1), "count must be a whole number, 0 or more, not -1"),
        (lambda: KeepNewest(True), "count must be a whole number, 0 or more, not True"),
        (lambda: KeepReleases(1.5), "count must be a whole number, 0 or more, not 1.5"),
        (lambda: KeepWithin(30), "age must be a timedelta, and not negative, not 30"),
        (
            lambda: DeleteOlderThan(timedelta(-1)),
            "age must be a timedelta, and not negative, not datetime.timedelta(days=-1)",
        ),
        (lambda: KeepReleases(1, per="patch"), "per must be 'major' or 'minor', not 'patch'"),
        (
            lambda: KeepNewest(1, group_by="("),
            "not a regular expression of RE2: missing ): (",
        ),
        (lambda: Keep(tags=""), "a glob must be a text, and not empty: ''"),
        (lambda: Policy([], floor=-1), "floor must be a whole number, 0 or more, not -1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(make, problem):
    with pytest.raises(ValueError, match="not") as caught:
        make()
    assert str(caught.value) == problem


def test_a_policy_is_made_of_rules():
    with pytest.raises(TypeError) as caught:
        Policy(["keep"])
    assert str(caught.value) == "a policy is made of rules, and 'keep' is none"


names = st.sampled_from(["a1", "a2", "b1", "latest", "v1.0.0", "v1.0.1", "v1.1.0", "pr-1", "pr-2"])
patterns = st.sampled_from(["*", "a*", "pr-*", "latest", "v*"])
common = {"tags": patterns, "including_protected": st.booleans()}
counts = st.integers(0, 3)
ages = st.integers(0, 5).map(lambda days: timedelta(days=days))
any_rule = st.one_of(
    st.builds(Keep, **common),
    st.builds(KeepNewest, counts, **common),
    st.builds(KeepWithin, ages, **common),
    st.builds(KeepReleases, counts, **common | {"tags": st.sampled_from(["*", "v*"])}),
    st.builds(DeleteOlderThan, ages, **common),
    st.builds(Delete, **common),
    st.builds(DeleteUntagged, ages),
)
pushed = st.none() | st.integers(0, 6).map(ago)
given_tags = st.dictionaries(names, pushed).map(
    lambda given: [PushedTag(name, at) for name, at in given.items()]
)


@given(st.lists(any_rule, max_size=5), st.integers(0, 4), given_tags)
def test_no_policy_goes_below_its_floor(some, floor, given):
    policy = Policy(some, floor=floor)
    assert len(kept(policy, given)) >= min(floor, len(given))
    assert all(reasons(policy, given).values())


@given(st.lists(any_rule, max_size=5), given_tags, st.randoms())
def test_the_order_of_the_tags_does_not_matter(some, given, random):
    policy = Policy(some)
    shuffled = random.sample(given, len(given))
    assert kept(policy, given) == kept(policy, shuffled)


@given(st.lists(any_rule, max_size=5), given_tags)
def test_protected_tags_go_only_by_a_rule_that_speaks_of_them(some, given):
    tag_rules = [rule for rule in some if isinstance(rule, TagRule)]
    if not any(rule.including_protected or rule.tags.literal for rule in tag_rules):
        stay = kept(Policy(some), given)
        assert {tag.name for tag in given if tag.name == "latest" or tag.name[0] == "v"} <= stay


@given(st.lists(any_rule, max_size=5), given_tags)
def test_a_policy_that_may_not_delete_deletes_nothing(some, given):
    policy = Policy(some)
    if not policy.may_delete("web"):
        assert kept(policy, given) == {tag.name for tag in given}
