"""Schedules and windows of time, on clocks that are not quite the same."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from aioregistry.fleet import Schedule, Window, times

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_workers_whose_clocks_differ_come_to_the_same_moment():
    schedule = Schedule("0 3 * * *")
    moments = {
        schedule.due(at("2026-06-01T03:00:00") + timedelta(seconds=seconds))
        for seconds in (-0.5, 0, 1.5, 59, 3000)
    }
    assert moments == {at("2026-06-01T03:00:00")}


def test_a_moment_is_due_for_an_hour():
    schedule = Schedule("0 3 * * *")
    assert schedule.due(at("2026-06-01T02:59:58")) is None
    assert schedule.due(at("2026-06-01T03:59:59")) == at("2026-06-01T03:00:00")
    assert schedule.due(at("2026-06-01T04:00:01")) is None


def test_a_schedule_is_in_its_time_zone():
    schedule = Schedule("0 3 * * *", BERLIN)
    assert schedule.next(at("2026-06-01T00:00:00")) == at("2026-06-01T01:00:00")
    assert schedule.next(at("2026-12-01T00:00:00")) == at("2026-12-01T02:00:00")


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_moment_in_a_change_of_the_clock_is_due_once(day):
    schedule = Schedule("30 2 * * *", BERLIN)
    begin = at(f"{day}T00:00:00") - timedelta(hours=12)
    due = {schedule.due(begin + timedelta(minutes=nth)) for nth in range(24 * 60)} - {None}
    assert len(due) == 1


@pytest.mark.parametrize("text", ["0 3 * *", "* * * * * *", "61 * * * *", "every night", ""])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError, match=r"0 3 \* \* \*"):
        Schedule(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*/90 * * * *", r"\*/90 is .* the 60 minutes of an hour, and would mean once in an hour"),
        ("0 */36 * * *", r"\*/36 is .* the 24 hours of a day"),
        ("0 0 1,2/32 * *", r"2/32 is .* the 31 days of a month"),
        ("0 0 1 */13 *", r"\*/13 is .* the 12 months of a year"),
        ("0 0 * * 1-5/8", r"1-5/8 is .* the 7 days of a week"),
    ],
)
def test_a_step_past_the_end_of_its_field_is_refused_with_what_it_would_mean(text, told):
    with pytest.raises(ValueError, match=told):
        Schedule(text)


@pytest.mark.parametrize("text", ["*/60 * * * *", "0 */24 * * *", "5/15,3 1-5/2 */31 */12 */7"])
def test_a_step_of_a_whole_field_is_taken(text):
    assert Schedule(text).next(at("2026-06-01T00:00:00")) is not None


@pytest.mark.parametrize("day", ["2026-04-04", "2026-10-03"])
def test_where_clocks_change_by_half_an_hour_every_moment_of_a_schedule_is_due_once(day):
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    schedule, begin = Schedule("15 */2 * * *", lord_howe), at(f"{day}T06:00:00")
    minutes = [begin + timedelta(minutes=nth) for nth in range(24 * 60)]
    here = {each: each.astimezone(lord_howe) for each in minutes}
    moments = {each for each in minutes if (here[each].minute, here[each].hour % 2) == (15, 0)}
    due = {schedule.due(each) for each in minutes} - {None}
    assert {each for each in due if each >= begin} == moments


def test_a_window_is_open_between_its_times():
    window = Window.parse("01:00-05:30")
    assert window.closes(at("2026-06-01T00:59:59")) is None
    assert window.closes(at("2026-06-01T01:00:00")) == at("2026-06-01T05:30:00")
    assert window.closes(at("2026-06-01T05:30:00")) is None
    assert window.opens(at("2026-06-01T05:30:00")) == at("2026-06-02T01:00:00")
    assert window.opens(at("2026-06-01T02:00:00")) == at("2026-06-01T02:00:00")


def test_a_window_may_go_past_midnight():
    window = Window.parse("22:00-05:00", BERLIN)
    assert window.closes(at("2026-06-01T20:00:00")) == at("2026-06-02T03:00:00")
    assert window.closes(at("2026-06-01T02:59:00")) == at("2026-06-01T03:00:00")
    assert window.opens(at("2026-06-01T12:00:00")) == at("2026-06-01T20:00:00")


@pytest.mark.parametrize("text", ["1:00-5:00", "01:00", "24:00-05:00", "05:00-05:00", "late"])
def test_what_is_no_window_is_refused(text):
    with pytest.raises(ValueError, match="01:00-05:30"):
        Window.parse(text)


def test_a_system_without_time_zones_is_told_what_to_install(monkeypatch):
    def none(name):
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(times, "ZoneInfo", none)
    monkeypatch.setattr(times, "available_timezones", set)
    with pytest.raises(ValueError, match="no time zone 'Europe/Berlin'; this system knows none"):
        times.zone_of("Europe/Berlin")
    assert times.zone_of("UTC") is UTC
