"""What came of a run, and what is wrong with it."""

import io

import pytest
from attrs import evolve
from rich.console import Console

from aioregistry import NotFoundError, Outcome, RateLimit, Tag
from aioregistry.cli.content import Content
from aioregistry.cli.meter import Meter
from aioregistry.cli.render import Display
from aioregistry.cli.result import Result, Tally, Walk
from aioregistry.sandbox import State


def tags(*names: str) -> tuple[Tag, ...]:
    return tuple(Tag(repository="web", tag=name) for name in names)


def walk(*names: str) -> Walk:
    return Walk(1, tags(*names))


@pytest.fixture
def result() -> Result:
    """A run that left all as it should be."""
    tally = Tally(to_delete=2)
    for index in range(2):
        tally.add(Outcome(index, f"old{index}", "deleted"))
    return Result(
        content=Content("content", State(), tags=4, keep=2),
        tally=tally,
        meter=Meter(RateLimit()),
        before=walk("new0", "new1", "old0", "old1"),
        expected=walk("new0", "new1").names,
        after=walk("new1", "new0"),
        rejected=0,
        seconds=1.0,
        memory=(None, None),
    )


def shown(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80)
    Display(console).show(result.table())
    return console.file.getvalue()


def test_a_run_that_left_what_it_should_has_no_problem(result):
    assert result.problems() == []
    assert "exactly those to keep" in shown(result)


def test_memory_that_is_not_known_is_not_shown(result):
    assert "memory" not in shown(result)
    assert "MiB" in shown(evolve(result, memory=(2**20, 2**21)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"before": walk("new0", "new1", "old0")}, "the walk found 3 tags of 4"),
        ({"before": walk(*["new0", "new1", "old0", "old1"] * 2)}, "4 tags came twice in a walk"),
        ({"after": walk("new0", "new1", "new1")}, "1 tags came twice in a walk"),
        ({"after": walk("new0")}, "1 kept tags are gone: web:new1"),
        ({"after": walk("new0", "new1", "old0")}, "1 deleted tags are there: web:old0"),
    ],
)
def test_walks_that_do_not_agree_are_a_problem(result, changes, problem):
    assert evolve(result, **changes).problems() == [problem]


def test_only_the_first_names_are_told(result):
    after = walk("new0", "new1", "a", "b", "c", "d")
    (problem,) = evolve(result, after=after).problems()
    assert problem == "4 deleted tags are there: web:a, web:b, web:c, ..."


@pytest.mark.parametrize("status", ["failed", "unknown", "not_attempted"])
def test_what_is_not_deleted_is_a_problem(result, status):
    for index in range(5):
        result.tally.add(Outcome(index, f"tag{index}", status, NotFoundError("no")))
    assert result.problems() == [
        *(f"tag{index} is {status.replace('_', ' ')}: no" for index in range(3)),
        "and 2 more that are not deleted",
    ]


def test_what_was_absent_is_no_problem(result):
    result.tally.add(Outcome(3, "tag", "absent"))
    assert result.problems() == []


def test_a_tally_tells_what_is_left_undone():
    tally = Tally()
    assert str(tally) == "no tag was deleted"
    tally.to_delete = 2000
    for status in ("deleted", "deleted", "absent", "unknown", "not_attempted"):
        tally.add(Outcome(0, "tag", status))
    assert str(tally) == "2 of 2,000 tags deleted, 1 absent, 1 unknown, 1,996 not attempted"
