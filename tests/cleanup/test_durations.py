"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.policy.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
        ("1w2d3h4m5s", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
        ("0s", timedelta()),
    ],
)
def test_a_length_of_time_is_read(text, length):
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "30", "d", "-1d", "1.5h", "1d 2h", "2h1d", "1d1d", "30 days", "1y", "٣d", "1d\n"]
)
def test_what_is_none_is_refused_with_what_may_be_written(text):
    with pytest.raises(ValueError, match=r"write 90s, 15m"):
        parse_duration(text)


def test_what_is_none_is_shown_by_its_beginning():
    with pytest.raises(ValueError, match="not a length") as caught:
        parse_duration("0123456789" * 5)
    assert str(caught.value) == (
        "not a length of time: '0123456789012345678901234567890123456789'; "
        "write 90s, 15m, 12h, 30d or 1d12h"
    )


def test_a_time_longer_than_any_calendar_is_refused():
    with pytest.raises(ValueError, match="too long") as caught:
        parse_duration("999999999w")
    assert str(caught.value) == "too long a time: '999999999w'"


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_the_same(seconds):
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=30), "30d"),
        (timedelta(hours=36), "1d12h"),
        (timedelta(), "0s"),
        (timedelta(seconds=1.9), "1s"),
    ],
)
def test_it_is_written_in_days_and_what_is_left(length, text):
    assert format_duration(length) == text
