"""Texts that are safe to show, and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cli.display.text import counted, parse_size, safe, size_in_words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1.0", "v1.0"),
        ("größe-日本", "größe-日本"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_in_a_safe_text_takes_over_a_terminal(text, shown):
    assert safe(text) == shown


@given(st.text(st.characters(), max_size=50))
def test_a_safe_text_is_one_line_that_can_be_encoded(text):
    shown = safe(text)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1
    shown.encode()


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("500MB", 500_000_000), ("1.5GiB", 1_610_612_736), ("2 kb", 2000)],
)
def test_a_size_is_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "5 parsecs", "-1", "1e9", "٣MB", "1..5GB", "nan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (53_849_001, "53.8 MB"),
        (999_999, "1.0 MB"),
        (1_200_000_000_000_000, "1,200.0 TB"),
    ],
)
def test_a_size_is_said_in_words(size, words):
    assert size_in_words(size) == words


def test_one_thing_is_no_plural():
    said = [counted(number, "tag") for number in (0, 1, 2, 1000)]
    assert said == ["0 tags", "1 tag", "2 tags", "1,000 tags"]
