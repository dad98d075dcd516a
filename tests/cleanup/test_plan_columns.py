"""Plans of any size: items in columns, and files that are read and written line by line."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.plan.condemned import CondemnedItems, time_of
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.items import Condemned, Kept, RepositoryPlan
from aioregistry.cleanup.plan.plan import Plan

MADE = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
# Beside what fits in columns, all that does not.
digests = st.integers(0, 2**256 - 1).map("sha256:{:064x}".format) | st.sampled_from(
    ["sha512:" + "a" * 128, "sha256:" + "A" * 64, "sha256:" + " a" * 32, "", "sha256:"]
)
words = st.text(st.sampled_from('av1-.\n\0\x7f"é😀\ud800'), max_size=3)
times = st.none() | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-23)), timezone(timedelta(hours=23))])
)
items = st.builds(
    Condemned,
    delete=st.sampled_from(["manifest", "tag"]),
    digest=digests,
    tags=st.lists(words, max_size=3).map(tuple),
    reason=words,
    pushed_at=times,
    set_at=times,
    size_bytes=st.none() | st.integers(-(2**64), 2**64),
)


@given(st.lists(items).map(tuple))
def test_items_in_columns_are_those_that_were_put_in(some):
    columns = CondemnedItems(some)
    assert columns == some
    assert tuple(columns) == some
    assert [columns[nth] for nth in range(-len(some), len(some))] == [*some, *some]
    assert columns[1:] == some[1:]
    assert hash(columns) == hash(some)
    assert repr(columns) == repr(tuple(columns))
    assert columns.tags == sum(len(item.tags) for item in some)
    assert columns.manifests == sum(item.delete == "manifest" for item in some)


def test_items_that_differ_are_not_equal():
    one = Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=("v1",))
    other = Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=("v2",))
    assert CondemnedItems([one]) != (other,)
    assert CondemnedItems([one]) != (one, other)
    assert CondemnedItems([one]) != [one]


@pytest.mark.parametrize("tags", [("v1\nv2",), ("v1\0",), ("",), ("", "v1"), ("v1", "v2\n")])
def test_a_tag_is_not_split_at_what_no_tag_has_in_it(tags):
    item = Condemned(delete="tag", digest="sha256:" + "a" * 64, tags=("v1",))
    odd = evolve(item, tags=tags)
    assert CondemnedItems([odd]) == (odd,)
    assert CondemnedItems([item, odd, item]) == (item, odd, item)


def test_each_of_many_reasons_is_kept():
    some = tuple(
        Condemned(delete="tag", digest=f"sha256:{nth:064x}", tags=("v1",), reason=f"because {nth}")
        for nth in range(5000)
    )
    assert CondemnedItems(some) == some


def test_one_that_does_not_fit_in_columns_changes_none_of_its_neighbours():
    some = [
        Condemned(delete="manifest", digest=f"sha256:{nth:064x}", tags=("v1",), pushed_at=MADE)
        for nth in range(2500)
    ]
    some[1500] = Condemned(delete="manifest", digest="sha512:" + "a" * 128)
    assert CondemnedItems(some) == tuple(some)


def written(item: Condemned) -> str:
    """Return the line of an item, as Python's own encoder writes it."""

    def time(at: datetime) -> str:
        with suppress(OverflowError):
            at = at.astimezone(UTC)
        return at.isoformat().replace("+00:00", "Z")

    said = {"delete": item.delete, "tags": item.tags, "digest": item.digest}
    if item.pushed_at is not None:
        said["pushed_at"] = time(item.pushed_at)
    if item.set_at is not None:
        said["set_at"] = time(item.set_at)
    if item.size_bytes is not None:
        said["size_bytes"] = item.size_bytes
    return json.dumps({**said, "reason": item.reason})


@given(st.lists(items, min_size=1))
def test_each_item_is_written_as_if_it_were_alone(some):
    repository = RepositoryPlan(name="web", tags=9, manifests=9, condemned=some)
    plan = Plan(registry="example", made_at=MADE, repositories=(repository,))
    lines = ",\n     ".join(map(written, some))
    assert f'    "condemned": [\n     {lines}\n    ],\n' in plan.to_json()


def test_rows_of_very_many_items_are_these_items():
    reasons = ["old", "überholt", *(f"reason {nth}" for nth in range(5000))]
    given = [
        Condemned(
            delete="manifest",
            digest=f"sha{256 if nth % 7 else 512}:{nth:0{64 if nth % 7 else 128}x}",
            tags=tuple(f"t{nth}-{number}" for number in range(nth % 3)),
            reason=reasons[nth % len(reasons) if 1900 < nth < 7000 else 0],
            pushed_at=MADE + timedelta(microseconds=nth) if nth % 11 else None,
            set_at=MADE + timedelta(days=nth % 2) if nth % 5 else None,
            size_bytes=nth if nth % 13 else None,
        )
        for nth in range(8100)
    ]
    found = [
        row
        if isinstance(row, Condemned)
        else Condemned(
            delete=row[0],
            digest=row[1],
            tags=tuple(row[2]),
            reason=row[3],
            pushed_at=None if row[4] is None else time_of(row[4]),
            set_at=None if row[5] is None else time_of(row[5]),
            size_bytes=row[6],
        )
        for row in CondemnedItems(given).rows()
    ]
    assert found == given


def test_items_of_which_little_is_known_are_written_with_no_more_than_that():
    later = MADE + timedelta(days=1)
    some = [
        Condemned(
            delete="manifest",
            digest=f"sha256:{len(tags):064x}",
            tags=tags,
            pushed_at=pushed_at,
            set_at=set_at,
            size_bytes=size,
        )
        for tags in ((), ("v1",), ("v1", "v2"))
        for pushed_at in (None, MADE)
        for set_at in (None, MADE, later)
        for size in (None, 0, 7)
    ]
    assert CondemnedItems(some) == tuple(some)
    repository = RepositoryPlan(name="web", tags=9, manifests=9, condemned=some)
    plan = Plan(registry="example", made_at=MADE, repositories=(repository,))
    lines = ",\n     ".join(map(written, some))
    assert f'    "condemned": [\n     {lines}\n    ],\n' in plan.to_json()


def saved(path: Path) -> list[str]:
    """Write a plan of two repositories, and return its lines."""
    kept = (Kept("kept", ("latest", '"repositories": [')),)
    repositories = tuple(
        RepositoryPlan(
            name=name,
            tags=9,
            manifests=9,
            condemned=[
                Condemned(
                    delete=delete,
                    digest=f"sha256:{nth:064x}",
                    tags=(f"v{nth}", f"w{nth}")[: 1 if delete == "tag" else nth],
                    reason='of "quotes" \\ and é',
                    pushed_at=MADE,
                    set_at=MADE,
                    size_bytes=nth,
                )
                for nth, delete in enumerate(deletes)
            ],
            kept=kept,
            known=("0123456789abcdef",) * 7,
        )
        for name, deletes in (
            ("web", ["tag", "manifest", "manifest"]),
            ("api", ["tag"]),
            ("db", []),
        )
    )
    Plan(registry="example", made_at=MADE, repositories=repositories).save(path)
    return path.read_text().splitlines(keepends=True)


def test_a_plan_is_read_line_by_line(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    text = "".join(saved(path))
    expected = Plan.from_json(text)
    # Some Pythons have it in a base of Path, from where nothing can be deleted.
    monkeypatch.setattr(Path, "read_bytes", None)
    assert Plan.load(path) == expected
    assert Plan.load(path).id == expected.id


def test_a_plan_that_a_program_formatted_anew_is_read(tmp_path):
    path = tmp_path / "plan.json"
    expected = Plan.from_json("".join(saved(path)))
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3))
    assert Plan.load(path) == expected


EDITS = {
    "taken out": lambda lines, nth: lines[:nth] + lines[nth + 1 :],
    "doubled": lambda lines, nth: [*lines[:nth], lines[nth], *lines[nth:]],
    "all taken out from here": lambda lines, nth: lines[:nth],
    "joined with the next": lambda lines, nth: [
        *lines[:nth],
        lines[nth].rstrip("\n"),
        *lines[nth + 1 :],
    ],
    "without its comma": lambda lines, nth: [
        *lines[:nth],
        lines[nth].replace(",\n", "\n"),
        *lines[nth + 1 :],
    ],
    "with a comma": lambda lines, nth: [
        *lines[:nth],
        lines[nth].replace("}\n", "},\n"),
        *lines[nth + 1 :],
    ],
    "with another digest": lambda lines, nth: [
        *lines[:nth],
        lines[nth].replace("sha256:", "sha257:"),
        *lines[nth + 1 :],
    ],
    "with a key twice": lambda lines, nth: [
        *lines[:nth],
        lines[nth].replace('"tags"', '"tags": [], "tags"'),
        *lines[nth + 1 :],
    ],
    "with other tags": lambda lines, nth: [
        *lines[:nth],
        lines[nth].replace('"tags": [', '"tags": ["x", '),
        *lines[nth + 1 :],
    ],
    "named as the one before": lambda lines, nth: [
        line.replace('"api"', '"web"') if '"name": "api"' in lines[nth] else line for line in lines
    ],
    "with a name that leads elsewhere": lambda lines, nth: [
        line.replace('"api"', '"../api"') if '"name": "api"' in lines[nth] else line
        for line in lines
    ],
    "put before the next": lambda lines, nth: [
        *lines[:nth],
        *lines[nth + 1 : nth + 2],
        lines[nth],
        *lines[nth + 2 :],
    ],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_an_edited_file_is_read_line_by_line_as_it_is_as_a_whole(tmp_path, edit):
    path = tmp_path / "plan.json"
    lines = saved(path)
    for nth in range(len(lines)):
        text = "".join(edit(lines, nth))
        path.write_text(text)
        expected: object
        try:
            expected = Plan.from_json(text)
        except PlanFileError as error:
            expected = f"{path}: {error.message}"
        try:
            found: object = Plan.load(path)
        except PlanFileError as error:
            found = error.message
        assert found == expected, f"line {nth + 1}"
