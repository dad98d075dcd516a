"""Parts of plans: some repositories, and slices for several processes."""

from datetime import UTC, datetime

import pytest

from aioregistry.cleanup import CapExceededError, Caps, Condemned, FreedBytes, Plan, RepositoryPlan

MADE = datetime(2026, 6, 1, tzinfo=UTC)


def items(count: int, size: int | None = 10) -> tuple[Condemned, ...]:
    return tuple(
        Condemned(delete="manifest", digest=f"sha256:{nth:064x}", size_bytes=size)
        for nth in range(count)
    )


def plan(*counts: int, size: int | None = 10, **more: object) -> Plan:
    repositories = tuple(
        RepositoryPlan(name=f"app{nth}", tags=9, manifests=9, condemned=items(count, size))
        for nth, count in enumerate(counts)
    )
    frees = FreedBytes(bytes=1000)
    return Plan(
        registry="example", made_at=MADE, **{"repositories": repositories, "frees": frees} | more
    )


def names(part: Plan) -> list[str]:
    return [one.name for one in part.repositories]


def test_only_some_repositories_are_left():
    part = plan(1, 2, 3).only("app2", "app0")
    assert names(part) == ["app0", "app2"]
    assert part.id != plan(1, 2, 3).id


def test_a_name_that_is_not_in_the_plan_is_an_error():
    with pytest.raises(ValueError, match="no repository 'web'"):
        plan(1).only("app0", "web")


@pytest.mark.parametrize("cut", [lambda whole: whole.only("app0"), lambda w: w.without("app1")])
def test_what_a_part_frees_is_an_upper_bound_of_its_own(cut):
    assert cut(plan(2, 3)).frees == FreedBytes(bytes=20, at_most=True)
    # What is shared among the items is counted once in the whole.
    assert cut(plan(2, 3, frees=FreedBytes(bytes=15))).frees == FreedBytes(bytes=15, at_most=True)


def test_of_unknown_sizes_the_whole_is_the_bound():
    assert plan(2, 3, size=None).only("app0").frees == FreedBytes(bytes=1000, at_most=True)


def test_a_part_with_all_that_is_deleted_frees_what_the_whole_does():
    assert plan(2, 0).only("app0").frees == FreedBytes(bytes=1000)


def test_slices_have_every_repository_once_and_about_as_many_requests():
    whole = plan(90, 10, 50, 45, 0, 5)
    parts = whole.slices(2)
    found = sorted(name for part in parts for name in names(part))
    assert found == ["app0", "app1", "app2", "app3", "app5"]
    assert [sum(1 for _ in part.condemned) for part in parts] == [100, 100]
    assert len({part.id for part in parts}) == 2


def test_there_are_no_more_slices_than_repositories_with_something_to_delete():
    assert len(plan(1, 0, 1).slices(9)) == 2
    assert plan(0).slices(3) == ()
    with pytest.raises(ValueError, match="1 slice or more"):
        plan(1).slices(0)


def test_a_plan_over_its_cap_has_slices_over_theirs():
    def problems(most: int) -> list[str]:
        parts = plan(2, 2, 2, max_deletes=most).slices(3)
        caps = Caps(max_fraction=1.0)
        return [problem for part in parts for problem in caps.exceeded(part)]

    assert problems(6) == []
    assert len(problems(5)) == 3
    with pytest.raises(CapExceededError):
        Caps(max_fraction=1.0).check(plan(2, 2, 2, max_deletes=1).slices(3)[2])
