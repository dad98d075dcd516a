"""What a plan may delete at most, and what is told of what became of it: pure."""

from datetime import UTC, datetime

import pytest
from attrs import evolve

from aioregistry.cleanup.apply.caps import CapExceededError, Caps
from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport, Incomplete, ItemOutcome

DIGEST = "sha256:" + "a" * 64


def tagged(number: int) -> Condemned:
    return Condemned(delete="tag", digest=DIGEST, tags=(f"t{number}",))


def losing(going: int, of: int, *names: str) -> Plan:
    """A plan for repositories that each lose some of their tags."""
    condemned = tuple(map(tagged, range(going)))
    repositories = tuple(
        RepositoryPlan(name=name, tags=of, manifests=1, condemned=condemned) for name in names
    )
    return Plan(
        registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC), repositories=repositories
    )


def refusal(plan: Plan, caps: Caps, *, force: bool = False) -> str:
    with pytest.raises(CapExceededError) as caught:
        caps.check(plan, force=force)
    return caught.value.message


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 2, "all", True])
def test_a_fraction_that_is_none_is_told(fraction):
    with pytest.raises(ValueError, match="max_fraction") as caught:
        Caps(max_fraction=fraction)
    assert str(caught.value) == f"max_fraction must be 0 to 1, not {fraction!r}"


@pytest.mark.parametrize("most", [-1, 1.5, "all", True])
def test_a_number_of_deletes_that_is_none_is_told(most):
    with pytest.raises(ValueError, match="max_deletes") as caught:
        Caps(max_deletes=most)
    assert str(caught.value) == f"max_deletes must be a whole number, 0 or more, not {most!r}"


@pytest.mark.parametrize("fraction", [0, 0.0, 0.5, 1, 1.0])
def test_a_fraction_is_from_0_to_1(fraction):
    assert Caps(max_fraction=fraction).max_fraction == fraction


@pytest.mark.parametrize("most", [None, 0, 1])
def test_any_whole_number_of_deletes_may_be_the_most(most):
    assert Caps(max_deletes=most).max_deletes == most


def test_as_many_deletes_as_are_allowed_may_be():
    Caps(max_deletes=4).check(losing(2, 9, "a", "b"))


def test_more_deletes_than_are_allowed_are_counted():
    caps = Caps(max_deletes=1_000)
    told = "the plan has 1,001 DELETEs, and 1,000 are allowed"
    assert refusal(losing(1_001, 9_999, "a"), caps) == told
    assert refusal(losing(1_001, 9_999, "a"), caps, force=True) == told


def test_where_no_delete_is_allowed_none_may_be():
    told = "the plan has 1 DELETEs, and 0 are allowed"
    assert refusal(losing(1, 9, "a"), Caps(max_deletes=0)) == told
    Caps(max_deletes=0).check(losing(0, 9, "a"))


@pytest.mark.parametrize(
    ("names", "told"),
    [("a", "a"), ("abc", "a, b, c"), ("abcde", "a, b, c, d, e"), ("abcdef", "a, b, c, d, e, …")],
)
def test_where_too_many_tags_would_go_is_told(names, told):
    assert refusal(losing(2, 3, *names), Caps(max_fraction=0.25)) == (
        f"more than 25% of the tags would be deleted in {told}; check the plan, and set "
        "max-fraction in the policy if that is right"
    )


def test_a_fraction_may_be_gone_over_by_force_alone():
    with pytest.raises(CapExceededError):
        Caps(max_fraction=0).check(losing(2, 2, "a"))
    Caps(max_fraction=0).check(losing(2, 2, "a"), force=True)


def test_as_large_a_fraction_as_is_allowed_may_go():
    Caps().check(losing(2, 4, "a"))
    Caps(max_fraction=1).check(losing(2, 2, "a"))


def test_each_repository_has_a_fraction_of_its_own():
    few, many = losing(1, 9, "few").repositories, losing(2, 3, "many").repositories
    plan = Plan(registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC))
    both = Plan(registry="example", made_at=plan.made_at, repositories=(*few, *many))
    assert "would be deleted in many;" in refusal(both, Caps())


def test_where_more_tags_go_than_there_are_said_to_be_all_go():
    Caps(max_fraction=1).check(losing(3, 2, "a"))
    assert "more than 99% of the tags" in refusal(losing(3, 0, "a"), Caps(max_fraction=0.99))


def test_untagged_manifests_are_no_part_of_the_tags():
    untagged = Condemned(delete="manifest", digest=DIGEST)
    web = RepositoryPlan(name="web", tags=0, manifests=1, condemned=(untagged,))
    plan = Plan(registry="example", made_at=datetime(2026, 6, 1, tzinfo=UTC), repositories=(web,))
    Caps(max_fraction=0).check(plan)


ONE = (ItemOutcome("web", tagged(0), "deleted"),)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (CleanupReport(), "nothing to do"),
        (CleanupReport(deleted=ONE * 1_000), "1,000 deleted"),
        (CleanupReport(absent=ONE), "1 no longer existed"),
        (CleanupReport(drift=ONE), "1 kept, changed since the plan"),
        (CleanupReport(failed=ONE), "1 failed"),
        (CleanupReport(unknown=ONE), "1 unknown"),
        (CleanupReport(not_attempted=ONE), "1 not attempted"),
        (
            CleanupReport(
                deleted=ONE, absent=ONE, drift=ONE, failed=ONE, unknown=ONE, not_attempted=ONE
            ),
            (
                "1 deleted, 1 no longer existed, 1 kept, changed since the plan, 1 failed, "
                "1 unknown, 1 not attempted"
            ),
        ),
    ],
)
def test_a_report_is_told_by_what_became_of_things(report, told):
    assert str(report) == told


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ("deleted", True),
        ("absent", True),
        ("drift", True),
        ("failed", False),
        ("unknown", False),
        ("not_attempted", False),
    ],
)
def test_it_is_done_when_nothing_is_left_to_do(status, done):
    report = CleanupReport(**{status: ONE})
    assert report.done is done
    assert report.total == 1


def test_all_that_was_settled_counts():
    report = CleanupReport(
        deleted=ONE,
        absent=ONE * 2,
        drift=ONE * 4,
        failed=ONE * 8,
        unknown=ONE * 16,
        not_attempted=ONE * 32,
    )
    assert report.total == 63


def test_the_limits_of_the_policy_hold_unless_others_are_given():
    plan = evolve(losing(3, 9, "a"), max_deletes=2, max_fraction=0.25)
    assert list(Caps().exceeded(plan)) == [
        "the plan has 3 DELETEs, and 2 are allowed",
        (
            "more than 25% of the tags would be deleted in a; check the plan, and set max-fraction"
            " in the policy if that is right"
        ),
    ]
    Caps(max_deletes=3, max_fraction=0.5).check(plan)


def test_a_report_names_every_kind_in_words():
    report = CleanupReport(
        **dict.fromkeys(("deleted", "absent", "drift", "failed", "unknown", "not_attempted"), ONE),
        incomplete=(Incomplete("web", "new", ("sha256:a",)),),
        unchecked=("web", "api"),
    )
    assert str(report) == (
        "1 deleted, 1 no longer existed, 1 kept, changed since the plan, 1 failed, 1 unknown,"
        " 1 not attempted, 1 pushed meanwhile and incomplete, 2 repositories not checked for"
        " pushes meanwhile"
    )


def test_an_incomplete_image_is_named_with_what_it_lacks():
    assert str(Incomplete("web", "new", ("sha256:a", "sha256:b"))) == (
        "web:new: lacks sha256:a, sha256:b"
    )
    assert str(Incomplete("web", "new", ())) == (
        "web:new: the tag no longer exists; it may have been moved to a manifest that was just"
        " then deleted"
    )
