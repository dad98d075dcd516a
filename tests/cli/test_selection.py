"""Which items of a list are shown, and in which order."""

from datetime import timedelta

import pytest
from attrs import evolve, frozen

from aioregistry.cli.display.selection import Facts, Selection
from aioregistry.cli.options import Filters, Order
from tests.cleanup.registries import NOW, ago


@frozen
class Item:
    name: str
    days: float | None = 1
    size: int | None = 100
    tags: tuple[str, ...] = ("x",)


FACTS: Facts[Item] = Facts(
    lambda item: (item.name, *item.tags),
    lambda item: None if item.days is None else ago(item.days),
    lambda item: item.size,
    lambda item: not item.tags,
)
ITEMS = [
    Item("b", 1, 300),
    Item("a", 30, 100, ()),
    Item("d", None, None),
    Item("c", 60, 200, ("v1",)),
]


def names(**options) -> str:
    wanted = Selection.of(Filters(**options), NOW)
    found = wanted.of_page(ITEMS, FACTS)
    return "".join(item.name for item in (wanted.in_order(found, FACTS) if wanted.sort else found))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "badc"),
        ({"match": "[ab]"}, "ba"),
        ({"match": "v*"}, "c"),
        ({"regex": "a|v1"}, "ac"),
        ({"match": "[abc]", "regex": "c|b"}, "bc"),
        ({"older_than": "30d"}, "ac"),
        ({"newer_than": "30d"}, "ba"),
        ({"older_than": "2d", "newer_than": "40d"}, "a"),
        ({"larger_than": "100B"}, "bc"),
        ({"untagged": True}, "a"),
        ({"sort": Order.NAME}, "abcd"),
        ({"sort": Order.NAME, "reverse": True}, "dcba"),
        ({"sort": Order.UPDATED}, "bacd"),
        ({"sort": Order.SIZE}, "bcad"),
        ({"sort": Order.SIZE, "limit": 2}, "bc"),
        ({"sort": Order.SIZE, "reverse": True, "limit": 2}, "da"),
    ],
)
def test_options_select(options, shown):
    assert names(**options) == shown


def test_what_has_no_time_is_neither_old_nor_new():
    assert "d" not in names(older_than="0s")
    assert "d" not in names(newer_than="100w")


def test_more_time_than_there_was_is_no_error():
    assert names(newer_than="999999d") == "bac"
    assert names(older_than="999999d") == ""


@pytest.mark.parametrize(
    "options",
    [{"older_than": "soon"}, {"larger_than": "big"}, {"regex": "("}, {"reverse": True}],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"not a|needs"):
        Selection.of(Filters(**options), NOW)


def test_of_equals_the_order_stays():
    items = [evolve(ITEMS[0], name=name) for name in "zyx"]
    assert Selection(sort=Order.SIZE).in_order(items, FACTS) == items


def test_times_are_told_apart_to_the_microsecond():
    late, later = NOW, NOW + timedelta(microseconds=1)
    facts: Facts = Facts(lambda _: ("x",), lambda moment: moment, lambda _: 0)
    assert Selection(sort=Order.UPDATED).in_order([late, later], facts) == [later, late]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--older-than", "5"),
        ("--newer-than", "x"),
        ("--larger-than", "huge"),
        ("--regex", "("),
    ],
)
def test_a_wrong_value_is_told_with_its_option(shell, option, value):
    result = shell.run("tags", "web", option, value)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"aioregistry tags: {option}: ")
    assert shell.sandbox.request_count == 0
