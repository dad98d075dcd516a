"""Tables of results: what does not fit is wrapped between words, and no name is ever broken."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from aioregistry.cleanup.plan.items import Condemned, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cli.display.plan_tables import table_of_plan
from aioregistry.cli.display.tables import in_table, plain_table, print_table

NAMES = ["web", "platform/payments-service-worker", "team/" + "x" * 60]
ITEM = Condemned(delete="manifest", digest=f"sha256:{1:064x}", tags=("v1",), reason="old")


def printed(table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, _environ={})
    print_table(table, console)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def plan(*names: str) -> Plan:
    repositories = tuple(
        RepositoryPlan(name=name, tags=12_345, manifests=9_876, condemned=(ITEM,)) for name in names
    )
    return Plan(registry="example", made_at=datetime.now(UTC), repositories=repositories)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("name", NAMES)
def test_a_repository_in_a_plan_is_never_broken(name, width):
    lines = printed(table_of_plan(plan(name), width), width)
    assert any(name in line for line in lines)
    assert max(map(len, lines)) <= max(width, len(name) + 1)


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        (NAMES[0], 80, {"12,345", "9,876"}),
        (NAMES[1], 200, {"12,345", "9,876"}),
        (NAMES[1], 80, {"tags to", "manifests to", "DELETEs"}),
        (NAMES[2], 80, {"1 of 12,345 tags* and", "1 of 9,876 manifests to delete (1 DELETE)"}),
    ],
)
def test_a_plan_leaves_out_what_has_no_room_beside_a_name(name, width, shown):
    text = "\n".join(printed(table_of_plan(plan(name), width), width))
    assert {each for each in shown if each not in text} == set()


@pytest.mark.parametrize("width", [20, 80])
def test_of_many_repositories_some_are_shown_and_the_rest_counted(width):
    text = "\n".join(printed(table_of_plan(plan(*(f"web{n}" for n in range(30))), width), width))
    assert "web19" in text
    assert "web20" not in text
    assert "10 more in the" in text
    assert "30 of 30" in text


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_word_is_never_broken_in_any_column(width):
    words = "registry", "run-20260131-235959", "1,234", "2026-01-31 23:59:59", "y" * 50
    table = plain_table(("name", "run", "tags", "since", "digest"), ("tags",))
    table.add_row(*words)
    text = "\n".join(printed(table, width))
    assert all(part in text for word in words for part in word.split())


def test_results_that_do_not_fit_have_no_lines_around_them():
    rows = [[("not attempted", "1,234", "sent, but no answer confirmed it")]]
    assert printed(in_table(rows), 60)[0].startswith("╭")
    assert printed(in_table(rows), 20) == [
        "not        1,234  sent, but",
        "attempted         no answer",
        "                  confirmed",
        "                  it",
    ]
