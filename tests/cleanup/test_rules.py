"""What each rule decides: images and tags, untagged manifests, orphans, releases of all kinds."""

from datetime import timedelta

import pytest

from aioregistry.cleanup.policy.ages import tag_time
from aioregistry.cleanup.policy.patterns import Glob, Globs, Regex, covers
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rule import PushedTag, TagRule, UntaggedManifest, names_referrers
from aioregistry.cleanup.policy.rules import (
    Delete,
    DeleteOlderThan,
    Keep,
    KeepNewest,
    KeepReleases,
)
from aioregistry.cleanup.policy.untagged_rules import (
    DeleteOrphaned,
    DeleteUntagged,
    KeepNewestUntagged,
)
from aioregistry.cleanup.policy.usage import RuleUsage
from tests.cleanup.registries import NOW, ago

HEX = "9" * 64


def deleted(policy: Policy, tags: list[PushedTag]) -> list[str]:
    decisions = policy.decide_tags("web", tags, NOW)
    return sorted(tag.name for tag, one in zip(tags, decisions, strict=True) if not one.keep)


def named(*names: str) -> list[PushedTag]:
    return [PushedTag(name, ago(50 - nth)) for nth, name in enumerate(names)]


@pytest.mark.parametrize(
    ("updated", "pushed", "counts"),
    [
        (ago(1), ago(60), ago(1)),
        (ago(60), ago(1), ago(1)),
        (None, ago(1), None),
        (ago(1), None, None),
    ],
)
def test_a_tag_is_as_old_as_the_later_of_its_setting_and_its_push(updated, pushed, counts):
    assert tag_time(updated, pushed) == counts


def images(count: int) -> list[PushedTag]:
    """Images of three tags each, the first one the oldest."""
    return [
        PushedTag(f"{number}-{tag}", ago(60 - number), f"sha256:{number}")
        for number in range(count)
        for tag in ("a", "b", "c")
    ]


def test_the_newest_are_images_unless_tags_are_counted():
    rest = Delete()
    assert len(deleted(Policy([KeepNewest(2), rest], floor=0), images(6))) == 4 * 3
    by_tags = Policy([KeepNewest(2, unit="tags"), rest], floor=0)
    assert len(deleted(by_tags, images(6))) == 5 * 3


def test_an_image_is_as_young_as_its_youngest_tag_that_the_rule_matches():
    old = [PushedTag("pr-1", ago(60), "sha256:a"), PushedTag("prod", ago(0), "sha256:a")]
    young = [PushedTag("pr-2", ago(30), "sha256:b")]
    every = Policy([KeepNewest(1), Delete()], floor=0)
    assert deleted(every, [*old, *young]) == ["pr-2"]
    of_requests = Policy([KeepNewest(1, tags="pr-*"), Delete(tags="pr-*")], floor=0)
    assert deleted(of_requests, [*old, *young]) == ["pr-1"]


def test_an_image_is_counted_in_each_group_that_it_has_a_tag_in():
    tags = [
        PushedTag("main-2", ago(1), "sha256:a"),
        PushedTag("dev-2", ago(1), "sha256:a"),
        PushedTag("main-1", ago(2), "sha256:b"),
        PushedTag("dev-1", ago(3), "sha256:c"),
    ]
    policy = Policy([KeepNewest(1, group_by=r"(\w+)-\d"), Delete()], floor=0)
    assert deleted(policy, tags) == ["dev-1", "main-1"]


def deleted_untagged(*rules, days) -> list[float]:
    manifests = {UntaggedManifest(f"sha256:{age}", ago(age)): age for age in days}
    decided = Policy(rules).decide_untagged("web", list(manifests), NOW)
    return [age for one, age in manifests.items() if not decided[one.name].keep]


def test_the_newest_untagged_manifests_stay_and_later_rules_have_the_rest():
    rules = KeepNewestUntagged(2), DeleteUntagged(timedelta(days=10))
    assert deleted_untagged(*rules, days=[5, 20, 30, 40]) == [30, 40]
    assert deleted_untagged(*rules, days=[5, 20, 20, 40]) == [40]


def test_orphans_are_deleted_when_old_and_other_referrers_are_not():
    tags = [
        PushedTag("old", ago(9), is_orphaned=True),
        PushedTag("young", ago(0.5), is_orphaned=True),
        PushedTag("undated", None, is_orphaned=True),
        PushedTag("with-subject", ago(9)),
    ]
    decided = Policy([DeleteOrphaned()]).decide_referrers("web", tags, NOW)
    assert {name for name, decision in decided.items() if not decision.keep} == {"old"}
    assert "young" not in decided


def test_untagged_orphans_are_deleted_by_the_same_rule():
    manifests = [
        UntaggedManifest("sha256:a", ago(9), is_orphaned=True),
        UntaggedManifest("sha256:b", ago(9)),
    ]
    decided = Policy([DeleteOrphaned()]).decide_untagged("web", manifests, NOW)
    assert [decided[one.name].keep for one in manifests] == [False, True]


@pytest.mark.parametrize(
    "pattern",
    [
        Glob("sha256-*"),
        Glob(f"sha256-{HEX}.sig"),
        Glob("*.sig"),
        Glob("*.s*g"),
        Regex("(sha256|sha512)-.*"),
        Regex(r"sha256-[0-9a-f]{64}\.(sig|att)"),
        Globs((Glob("*"), Glob("sha256-*"))),
    ],
)
def test_a_pattern_may_be_about_signatures(pattern):
    assert names_referrers(pattern, f"sha256-{HEX}.sig")


def test_a_pattern_is_about_tags_with_any_suffix():
    assert names_referrers(Glob("sha256-*"), f"sha256-{HEX}.my-sbom")
    assert names_referrers(Glob("*.my-sbom"), f"sha256-{HEX}.my-sbom")


@pytest.mark.parametrize(
    "pattern",
    [
        *map(Glob, ["*", "s*", "*-*", "sha*", "*.*", "*.???"]),
        Regex("[a-z0-9-.]+"),
    ],
)
def test_a_pattern_that_matches_signatures_by_the_way_is_not_about_them(pattern):
    assert pattern.matches(f"sha256-{HEX}.sig")
    assert not names_referrers(pattern, f"sha256-{HEX}.sig")


def test_a_rule_with_several_patterns_counts_all_that_they_match_together():
    tags = named("pr-1", "dev-1", "v1", "pr-2", "dev-2")
    policy = Policy([KeepNewest(2, tags=["pr-*", "dev-*"]), Delete(tags=["pr-*", "dev-*"])])
    assert deleted(policy, tags) == ["dev-1", "pr-1"]


def test_a_rule_decides_on_protected_tags_that_its_patterns_name():
    tags = named("latest", "v1.0.0", "v1.0.1")
    policy = Policy([Delete(tags=["v*", "latest", "v1.0.1"])], floor=0)
    assert deleted(policy, tags) == ["latest", "v1.0.1"]


def test_a_rule_that_has_its_own_way_to_match_matches_by_it():
    class DeleteShort(Delete):
        def matches(self, tag: str) -> bool:
            return len(tag) < 3

    assert deleted(Policy([DeleteShort()], floor=0), named("v1", "v1.0.0", "long")) == ["v1"]


def test_a_rule_about_signatures_decides_on_them_and_others_do_not():
    tags = named(f"sha256-{HEX}.sig", f"sha512-{HEX}{HEX}")
    assert not Policy([Delete()]).decide_referrers("web", tags, NOW)
    assert {*Policy([Delete(tags="sha256-*")]).decide_referrers("web", tags, NOW)} == {tags[0].name}
    assert {*Policy([Keep(tags="sha512-*")]).decide_referrers("web", tags, NOW)} == {tags[1].name}


EVERYTHING_ELSE = Delete(including_protected=True)


@pytest.mark.parametrize(
    ("tags", "gone"),
    [
        (["1.0.0", "1.0.1", "1.0.2_build.5"], ["1.0.0", "1.0.1"]),
        (["1.0.1_a", "1.0.1_b", "1.0.0"], ["1.0.0"]),
        (["2024.01.15", "2024.1.20"], ["2024.01.15"]),
        (["24.04.1", "24.04.02"], ["24.04.1"]),
        (["v1.0.0", "v1.0.1-rc1"], ["v1.0.1-rc1"]),
    ],
)
def test_the_newest_release_of_a_line_stays(tags, gone):
    policy = Policy([KeepReleases(1), EVERYTHING_ELSE], floor=0)
    assert deleted(policy, named(*tags)) == gone


@pytest.mark.parametrize("regex", [r"app-v(?P<version>.*)", r"app-v(\d+\.\d+\.\d+)"])
def test_a_group_marks_the_version(regex):
    tags = named("app-v2.0.0", "app-v2.0.1", "app-vx", "api-v1.0.0")
    policy = Policy([KeepReleases(1, tags=Regex(regex)), Delete(tags="app-*")], floor=0)
    assert deleted(policy, tags) == ["app-v2.0.0", "app-vx"]


def test_other_groups_set_lines_apart():
    tags = named("app-v1.0.0", "app-v1.0.1", "api-v1.0.0")
    rule = KeepReleases(1, tags=Regex(r"(app|api)-v(?P<version>.*)"))
    assert deleted(Policy([rule, Delete()], floor=0), tags) == ["app-v1.0.0"]


def test_groups_on_either_side_of_the_version_set_lines_apart():
    regex = Regex(r"(app|api)-(?P<version>[0-9.]+)-(alpine|slim)")
    tags = named("app-1.0.0-alpine", "app-1.0.1-slim", "app-1.0.2-slim", "api-1.0.0-slim")
    policy = Policy([KeepReleases(1, tags=regex), Delete()], floor=0)
    assert deleted(policy, tags) == ["app-1.0.1-slim"]


@pytest.mark.parametrize(
    "tags", ["app-*", "latest", Regex("app-.*"), "release-v1.*", ["v*", "app-*"]]
)
def test_a_rule_for_releases_that_can_match_none_is_refused(tags):
    with pytest.raises(ValueError, match="no version begins with"):
        KeepReleases(1, tags=tags)


def test_several_groups_need_the_name_of_the_version():
    with pytest.raises(ValueError, match=r"must be named: \(\?P<version>…\)"):
        KeepReleases(1, tags=Regex("(a)-(b)"))


@pytest.mark.parametrize(
    "tags", ["*", "v*", "v1.*", "1.2.*", "*-app", Regex("v1.*"), Regex("a?1.*"), ["v1.*", "v2.*"]]
)
def test_a_rule_for_releases_that_may_match_some_is_taken(tags):
    assert KeepReleases(1, tags=tags)


def test_older_releases_go_when_the_rule_says_so():
    tags = named("1.0.0", "1.0.1", "1.1.0", "main")
    assert deleted(Policy([KeepReleases(1), Delete()], floor=0), tags) == ["main"]
    policy = Policy([KeepReleases(1, older="delete")], floor=0)
    assert policy.deletes
    assert deleted(policy, tags) == ["1.0.0"]
    reason = policy.decide_tags("web", tags, NOW)[0].reason
    assert reason == "older than the 1 newest releases of 1.0.x"


def test_nothing_is_deleted_of_excluded_repositories():
    policy = Policy([Delete()], exclude=["prod*", Regex("base/.*")])
    assert [policy.may_delete(name) for name in ("web", "prod-api", "base/os")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "limits",
    [
        {"max_fraction": 1.1},
        {"max_fraction": -0.1},
        {"max_fraction": True},
        {"max_fraction": "all"},
        {"max_deletes": -1},
        {"max_deletes": 1.5},
        {"exclude": [""]},
    ],
)
def test_a_limit_that_is_none_is_refused(limits):
    with pytest.raises(ValueError, match="must be"):
        Policy([Delete()], **limits)


@pytest.mark.parametrize("fraction", [None, 0, 0.5, 1])
def test_a_fraction_is_from_0_to_1(fraction):
    assert Policy([Delete()], max_fraction=fraction, max_deletes=0).max_fraction == fraction


@pytest.mark.parametrize(
    ("wider", "narrower", "result"),
    [
        (Glob("*"), Regex("x"), True),
        (Glob("v*"), Glob("v1.*"), True),
        (Glob("v*"), Glob("*"), False),
        (Glob("v*"), Glob("v1"), True),
        (Glob("*ab*"), Glob("[ab]"), False),
        (Glob("?"), Glob("*"), False),
        (Regex("a.*"), Glob("ab"), True),
        (Regex("a.*"), Glob("ab*"), False),
        (Regex("a"), Regex("a"), True),
        (Globs((Glob("a*"), Glob("b*"))), Globs((Glob("b1"), Glob("a1"))), True),
        (Globs((Glob("a*"), Glob("b*"))), Globs((Glob("b1"), Glob("c1"))), False),
        (Glob("*"), Globs((Glob("a"), Glob("b"))), True),
    ],
)
def test_a_pattern_covers_another_as_far_as_it_can_be_seen(wider, narrower, result):
    assert covers(wider, narrower) is result


def notes(*rules, tags=(), untagged=()) -> list[str]:
    policy, usage = Policy(rules), RuleUsage(rules)
    policy.decide_tags("web", tags, NOW, usage=usage)
    policy.decide_untagged("web", untagged, NOW, usage)
    return list(usage.notes())


ONLY_PROTECTED = (
    "rule 1 matched nothing but protected tags (1); only a rule with including-protected = true"
    " decides on these"
)


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        ([Delete(tags="x*", name="mine")], "rule 1 (mine) matched nothing"),
        (
            [Delete(), Delete(repositories="api")],
            "rule 2 applied to no repository that this policy deletes from: it is for api",
        ),
        (
            [Delete(tags="v*")],
            ONLY_PROTECTED,
        ),
        (
            [Keep(), DeleteOlderThan(timedelta())],
            "rule 2 had nothing to decide: earlier rules decided on all that it matched (1)",
        ),
        ([DeleteUntagged()], "rule 1 matched nothing"),
    ],
)
def test_a_rule_without_effect_is_named(rules, note):
    assert note in notes(*rules, tags=named("v1.0.0", "main"))


def test_a_rule_that_matches_and_finds_nothing_old_has_an_effect():
    assert notes(DeleteOlderThan(timedelta(days=99)), tags=named("main")) == []
    assert notes(DeleteUntagged(), untagged=[UntaggedManifest("sha256:a", ago(0))]) == []


def test_a_rule_of_ones_own_is_a_class():
    class KeepEven(TagRule):
        def decide(self, candidates, now):
            return Keep().decide([one for one in candidates if int(one.name) % 2 == 0], now)

    policy = Policy([KeepEven(), Delete()], floor=0)
    assert deleted(policy, named("1", "2", "3", "4")) == ["1", "3"]


def test_a_rule_for_a_repository_that_is_left_alone_is_not_called_idle():
    rules = [Delete(repositories="web"), Delete(repositories="api")]
    usage = RuleUsage(rules)
    usage.skip("web")
    assert list(usage.notes()) == [
        "rule 2 applied to no repository that this policy deletes from: it is for api"
    ]


def test_what_earlier_rules_decided_or_protection_keeps_is_counted():
    usage = RuleUsage([Keep(), Delete(), Delete(), Delete(name="n")])
    usage.add_effect(0)
    usage.add(1, 2, 5)
    usage.add(1, 1_200, 0)
    usage.add(2, 0, 3)
    usage.add(2, 0, 4)
    second, third, fourth = usage.notes()
    assert second == (
        "rule 2 had nothing to decide: earlier rules decided on all that it matched (1,202)"
    )
    assert third == (
        "rule 3 matched nothing but protected tags (7); only a rule with including-protected ="
        " true decides on these"
    )
    assert fourth == "rule 4 (n) applied to no repository that this policy deletes from"


def test_each_untagged_decision_has_its_reason():
    manifests = [UntaggedManifest(f"sha256:{day}", ago(day)) for day in (3, 2, 1)]
    policy = Policy([KeepNewestUntagged(1, name="few"), DeleteUntagged(timedelta(days=1))])
    decided = policy.decide_untagged("web", manifests, NOW)
    assert decided["sha256:1"].reason == "few: among the 1 newest untagged manifests"
    assert decided["sha256:3"].reason == "untagged, and older than 1d"
    orphan = UntaggedManifest("sha256:9", ago(9), is_orphaned=True)
    gone = Policy([DeleteOrphaned()]).decide_untagged("web", [orphan], NOW)["sha256:9"]
    assert gone.reason == "its subject does not exist, and it is older than 1d"
