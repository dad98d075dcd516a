"""What came of a run, and what is wrong with it."""

import io
from datetime import UTC, datetime

import pytest
from attrs import evolve
from rich.console import Console

from aioregistry import GarbageCollection, RateLimit, Tag
from aioregistry.cleanup.garbage import CollectedGarbage
from aioregistry.cleanup.plan.items import Condemned, FreedBytes, LeftAlone
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome
from aioregistry.cli.demo.content import Content
from aioregistry.cli.demo.result import Result, Walk
from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.plan_tables import DeleteCounts
from aioregistry.cli.display.progress import Display
from aioregistry.sandbox import State

DIGEST = "sha256:" + "a" * 64


def tags(*names: str) -> tuple[Tag, ...]:
    return tuple(Tag(repository="web", tag=name) for name in names)


def walk(*names: str) -> Walk:
    return Walk(1, tags(*names))


@pytest.fixture
def result() -> Result:
    """A run that left all as it should be."""
    settled = tuple(
        ItemOutcome("web", Condemned(delete="tag", digest=DIGEST, tags=(f"old{index}",)), "deleted")
        for index in range(2)
    )
    frees = FreedBytes(bytes=7)
    return Result(
        content=Content("content", State(), tags=4, keep=2),
        plan=Plan(registry="example", made_at=datetime(2026, 1, 1, tzinfo=UTC), frees=frees),
        report=CleanupReport(deleted=settled),
        collected=CollectedGarbage(GarbageCollection(freed_bytes=7), frees),
        limiter=CountingLimiter(RateLimit()),
        before=walk("new0", "new1", "old0", "old1"),
        expected=walk("new0", "new1").names,
        after=walk("new1", "new0"),
        rejected=0,
        seconds=1.0,
        memory=(None, None),
    )


def shown(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80)
    Display(console, CountingLimiter(RateLimit())).show(result.table())
    return console.file.getvalue()


def test_a_run_that_left_what_it_should_has_no_problem(result):
    assert result.problems() == []
    assert "exactly the tags to keep" in shown(result)


def test_memory_that_is_not_known_is_not_shown(result):
    assert "memory" not in shown(result)
    assert "MiB" in shown(evolve(result, memory=(2**20, 2**21)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"before": walk("new0", "new1", "old0")}, "the walk found 3 tags of 4"),
        (
            {"before": walk(*["new0", "new1", "old0", "old1"] * 2)},
            "4 tags were listed twice in a walk",
        ),
        ({"after": walk("new0", "new1", "new1")}, "1 tags were listed twice in a walk"),
        ({"after": walk("new0")}, "1 tags to keep are missing: web:new1"),
        ({"after": walk("new0", "new1", "old0")}, "1 deleted tags still exist: web:old0"),
    ],
)
def test_walks_that_do_not_agree_are_a_problem(result, changes, problem):
    assert evolve(result, **changes).problems() == [problem]


def test_only_the_first_names_are_told(result):
    after = walk("new0", "new1", "a", "b", "c", "d")
    (problem,) = evolve(result, after=after).problems()
    assert problem == "4 deleted tags still exist: web:a, web:b, web:c, ..."


@pytest.mark.parametrize("status", ["drift", "failed", "unknown", "not_attempted"])
def test_what_is_not_deleted_is_a_problem(result, status):
    settled = tuple(
        ItemOutcome("web", Condemned(delete="tag", digest=DIGEST, tags=(f"tag{n}",)), status, "no")
        for n in range(7)
    )
    told = status.replace("_", " ")
    assert evolve(result, report=CleanupReport(**{status: settled})).problems() == [
        *(f"{told}: web:tag{n}: no" for n in range(5)),
        "and 2 more",
    ]


def test_what_was_absent_is_no_problem(result):
    gone = ItemOutcome("web", Condemned(delete="manifest", digest=DIGEST), "absent")
    assert evolve(result, report=CleanupReport(absent=(gone,))).problems() == []


def test_what_was_left_alone_is_a_problem(result):
    plan = evolve(result.plan, left_alone=(LeftAlone("api", "it moves"),))
    assert evolve(result, plan=plan).problems() == ["api: it moves"]


def test_bytes_that_the_plan_did_not_say_are_a_problem(result):
    plan = evolve(result.plan, frees=FreedBytes(bytes=5))
    (problem,) = evolve(result, plan=plan).problems()
    assert "7 bytes freed" in problem
    assert "NOT the plan's estimate" in shown(evolve(result, plan=plan))


def test_how_far_it_is_tells_what_is_left_undone():
    applied = DeleteCounts()
    assert str(applied) == "nothing was deleted"
    applied.total = 2000
    for status in ("deleted", "deleted", "absent", "unknown", "not_attempted"):
        applied.add(ItemOutcome("web", Condemned(delete="manifest", digest=DIGEST), status))
    assert str(applied) == "2 of 2,000 deleted, 1 did not exist, 1 unknown, 1,996 not attempted"
