"""Layouts, scales and names: what pages are drawn from."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.report.charts import chart
from aioregistry.report.lists import MAX_ROWS, Budget, choices, digests, minutes
from aioregistry.report.maps import Node, bytes_map
from aioregistry.report.parts import bars
from aioregistry.report.treemap import Box, squarified
from aioregistry.report.usage_figures import growth
from aioregistry.report.usage_map import map_of
from aioregistry.sizes import counted as in_words
from tests.report.registries import counted, planned

SIZES = st.lists(st.integers(1, 10**9), min_size=1, max_size=60).map(
    lambda found: sorted(found, reverse=True)
)


@given(SIZES, st.floats(1, 2_000), st.floats(1, 2_000))
def test_boxes_fill_the_whole_with_the_areas_of_their_values(values, width, height):
    boxes = squarified(values, Box(0, 0, width, height))
    scale = width * height / sum(values)
    for value, box in zip(values, boxes, strict=True):
        assert box.width * box.height == pytest.approx(value * scale, rel=1e-4, abs=1e-6)
        assert -1e-6 <= box.x <= box.x + box.width <= width * (1 + 1e-4)
        assert -1e-6 <= box.y <= box.y + box.height <= height * (1 + 1e-4)


def test_equal_values_are_near_to_squares():
    for box in squarified([1.0] * 12, Box(0, 0, 400, 300)):
        assert box.width / box.height == pytest.approx(1)


def test_what_cannot_be_seen_is_one_tile():
    nodes = [Node("large", 10**9, "repository"), *(Node(f"{n}", 1, "tag") for n in range(500))]
    tiles = bytes_map("wide", nodes, 1000, 500).tiles
    assert [tile.node.name for tile in tiles] == ["large", "500 smaller"]
    assert tiles[1].node.bytes == 500


def test_nothing_stored_is_a_map_without_tiles():
    assert bytes_map("wide", [Node("empty", 0, "repository")], 1000, 500).tiles == []


@given(st.integers(0, 10**15), st.integers(1, 9_000))
def test_a_chart_has_few_round_marks_that_reach_above_its_line(most, days):
    first = date(2001, 1, 1)
    found = chart([(first, 0), (first + timedelta(days=days), most)], 1120, 260)
    assert 2 <= len(found.sizes) <= 7
    assert found.top >= most
    assert all(found.left <= tick.at <= found.right for tick in found.times)
    assert all(0 <= y <= found.bottom for _, y in found.points)
    assert 1 <= len(found.times) <= 14


def test_growth_stays_where_it_is_between_pushes():
    found = growth([counted({"web": ["v1"]}).usage])
    assert found is not None
    (_, before), (_, still), (_, after) = [(x, y) for x, y in found.charts["wide"].points]
    assert before == still > after


def test_bars_are_to_one_scale_and_what_is_there_is_seen():
    long, short, none = bars(
        [("a", [("tag", 900)], []), ("b", [("tag", 1)], []), ("c", [("tag", 0)], [])]
    )
    assert long.stretches[0].width == 100
    assert short.stretches[0].width == pytest.approx(0.2)
    assert none.stretches == []


def test_columns_have_numbers_for_texts_and_beginnings_of_digests():
    assert choices(["b", "a", "b"]) == ([0, 1, 0], ["b", "a"])
    assert digests(["sha256:" + "0123456789abcdef" * 4, "odd"]) == "0123456789ab" + "odd         "
    assert minutes(None) == -1


def test_a_colon_in_a_name_does_not_mislead():
    repositories = {"web": ["a:b", "c"], "web:x": ["d"]}
    found = map_of([counted(repositories).usage], {"example": planned(repositories, keep=0)})
    named = {(found.repositories[tag.repository].name, tag.name) for tag in found.tags}
    assert named == {("web", "a:b"), ("web", "c"), ("web:x", "d")}
    assert all(tag.reason for tag in found.tags)
    assert {one.name: one.going for one in found.repositories} == {"web": 2, "web:x": 1}


def test_counts_have_the_plural_of_their_unit():
    assert [in_words(n, "repository") for n in (1, 2)] == ["1 repository", "2 repositories"]
    assert in_words(1_000, "tag") == "1,000 tags"


def test_a_list_ends_where_a_page_would_be_too_heavy():
    budget = Budget()
    name, rows = "f" * 40, 200_000
    fitting = budget.rows((name, "why") for _ in range(rows))
    assert 60_000 < fitting < MAX_ROWS
    assert budget.rows(((name, "why") for _ in range(rows)), 7) == 7
    assert Budget().rows(("v1", "why") for _ in range(rows)) == MAX_ROWS
    # Texts that are not shared weigh for each row.
    assert Budget().rows((name, f"{n} {name}") for n in range(rows)) < 60_000
