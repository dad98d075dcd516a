"""Rows as a table, plain columns, CSV, JSON, names."""

import csv
import io
import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cli.display.rows import Column, choose_columns, printer_for
from aioregistry.cli.display.widths import table_widths
from aioregistry.cli.options import Format, Output

MOMENT = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)


@frozen
class Row:
    name: str
    size: int | None = 1500
    at: datetime | None = MOMENT
    tags: tuple[str, ...] = ("a", "b")


COLUMNS: list[Column[Row]] = [
    Column("name", lambda row: row.name, width=6),
    Column("size", lambda row: row.size, kind="bytes", width=5),
    Column("at", lambda row: row.at, kind="time"),
    Column("tags", lambda row: row.tags, shown=False),
]
NOTHING = Row("n", None, None, ())


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def written(capsys, *rows: Row, **options) -> str:
    printer = printer_for(COLUMNS, Output(**options))
    printer.begin()
    for row in rows:
        printer.rows([row])
    printer.end()
    return capsys.readouterr().out


def test_plain_columns_have_no_blanks_in_a_cell(capsys):
    assert written(capsys, Row("web"), NOTHING) == (
        "NAME    SIZE   AT\nweb     1500   2026-05-01T14:30:15+02:00\nn       -      -\n"
    )


def test_a_hostile_name_begins_neither_a_column_nor_a_line(capsys):
    shown = written(capsys, Row("a b\n\x1b[2J"), columns="name,size", no_header=True)
    assert shown == "a\\x20b\\n\\x1b[2J  1500\n"


def test_times_are_utc_when_asked_for(capsys):
    assert written(capsys, Row("w"), columns="at", utc=True, no_header=True) == (
        "2026-05-01T12:30:15Z\n"
    )


def test_names_stand_alone(capsys):
    assert written(capsys, Row("a"), Row("b\x1b"), quiet=True) == "a\nb\\x1b\n"


def test_json_is_one_list(capsys):
    text = written(capsys, Row("a"), NOTHING, output=Format.JSON, columns="all")
    assert json.loads(text) == [
        {"name": "a", "size": 1500, "at": "2026-05-01T12:30:15Z", "tags": ["a", "b"]},
        {"name": "n", "size": None, "at": None, "tags": []},
    ]


def test_json_of_nothing_is_an_empty_list(capsys):
    assert json.loads(written(capsys, output=Format.JSON)) == []


def test_ndjson_is_a_document_a_line(capsys):
    lines = written(capsys, Row("a\x1b"), NOTHING, output=Format.NDJSON).splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a\x1b", "n"]
    assert "\x1b" not in "".join(lines)


def test_csv_has_a_header_unless_told_otherwise(capsys):
    assert (
        written(capsys, Row("a"), output=Format.CSV)
        == "name,size,at\na,1500,2026-05-01T12:30:15Z\n"
    )
    assert written(capsys, output=Format.CSV, no_header=True) == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_cell_of_csv_is_no_formula(capsys, name):
    (cells,) = csv.reader(
        io.StringIO(written(capsys, Row(name), output=Format.CSV, no_header=True))
    )
    assert cells[0] == f"'{name}"


def test_a_table_is_for_people(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = written(capsys, Row("web"), NOTHING, output=Format.TABLE, columns="all").splitlines()
    assert [line.split() for line in lines] == [
        ["name", "size", "at", "tags"],
        ["web", "1.5", "kB", "2026-05-01", "14:30", "a,", "b"],
        ["n"],
    ]


def test_a_table_says_when_times_are_utc(capsys):
    assert "12:30Z" in written(capsys, Row("web"), output=Format.TABLE, utc=True)


def test_a_table_wraps_between_words_and_breaks_none(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    tags = tuple(f"v{number}" for number in range(30))
    text = written(capsys, Row("x" * 50, tags=tags), output=Format.TABLE, columns="name,at,tags")
    lines = text.splitlines()
    assert "x" * 50 in text
    assert "2026-05-01 " in text
    assert len(lines) > 10
    assert set(tags) <= set(text.replace(",", " ").split())


def test_what_follows_a_long_name_is_below_it_and_other_lines_stay_lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    shown = written(capsys, Row("web"), Row("x" * 75), output=Format.TABLE, columns="name,size,at")
    header, web, long, below = shown.splitlines()
    assert max(map(len, (header, web, below))) <= 60
    assert long == "x" * 75
    assert below.split() == ["1.5", "kB", "2026-05-01", "14:30"]
    assert below.index("kB") == web.index("kB")


def test_a_name_that_is_longer_than_the_last_column_makes_no_other_line_longer(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    rows = Row("web", tags=("y" * 70,)), Row("api", tags=("v1",))
    long, short = written(
        capsys, *rows, output=Format.TABLE, columns="name,at,tags", no_header=True
    ).splitlines()
    assert long.endswith(f"14:30  {'y' * 70}")
    assert short.endswith("14:30  v1")


def test_untruncated_every_row_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    row = Row("x" * 75)
    shown = written(capsys, row, output=Format.TABLE, columns="name,at", no_trunc=True)
    assert len(shown.splitlines()) == 2


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(1, 100)), min_size=1, max_size=8),
    st.integers(20, 250),
)
def test_a_table_has_room_where_columns_can_give_way(columns, room):
    natural = [max(column) for column in columns]
    least = [min(column) for column in columns]
    widths = table_widths(natural, least, room)
    for low, width, high in zip(least, widths, natural, strict=True):
        assert low <= width <= high
    total = sum(widths) + 2 * (len(widths) - 1)
    assert total <= room or widths == least
    if sum(natural) + 2 * (len(natural) - 1) <= room:
        assert widths == natural


DIGEST = f"sha256:{'0123456789abcdef' * 4}"
DIGESTS: list[Column[Row]] = [
    Column("name", lambda row: row.name),
    Column("digest", lambda _: DIGEST, kind="digest"),
    Column("tags", lambda row: row.tags),
]


@pytest.mark.parametrize(
    ("width", "no_trunc", "digest"),
    [(80, False, DIGEST[7:19]), (200, False, DIGEST), (80, True, DIGEST)],
)
def test_a_digest_is_shown_whole_or_in_its_short_form(capsys, monkeypatch, width, no_trunc, digest):
    monkeypatch.setenv("COLUMNS", str(width))
    row = Row("web", tags=tuple(f"v1.{n}.0-rc.1" for n in range(12 if width < 100 else 3)))
    output = Output(output=Format.TABLE, no_trunc=no_trunc)
    printer = printer_for(DIGESTS, output)
    printer.all([row])
    text = capsys.readouterr().out
    assert digest in text.split()
    for tag in row.tags:
        assert tag in text.replace(",", " ").split()
    if not no_trunc:
        assert max(map(len, text.splitlines())) <= width


def test_columns_come_in_the_order_that_is_asked_for(capsys):
    assert written(capsys, Row("a"), columns="size, name,size", no_header=True) == "1500   a\n"


def test_a_column_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="no column 'nix'; the columns are name, size, at, tags"):
        choose_columns(COLUMNS, "name,nix")


def test_an_offset_of_the_api_does_not_show(capsys):
    at = MOMENT.astimezone(timezone(timedelta(hours=-3)))
    assert "2026-05-01T12:30:15Z" in written(capsys, Row("a", at=at), output=Format.CSV)


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize(
    "at",
    [
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=12))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12))),
    ],
)
@pytest.mark.parametrize("utc", [False, True])
def test_a_time_at_an_end_of_the_calendar_is_shown(capsys, form, at, utc):
    assert written(capsys, Row("n", at=at), output=form, utc=utc)
