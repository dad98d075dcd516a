"""Rolling windows against a list of all that happened, and the reading of headers."""

import math
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.windows import RollingWindow, seconds_for

NOW = 1_700_000_000.0
PERIOD = 10.0

gaps = st.floats(0, 2 * PERIOD).map(lambda seconds: round(seconds, 2))
# Each request: seconds since the one before, seconds to its answer, and where between the two
# the server counts it.
requests = st.lists(st.tuples(gaps, gaps, st.floats(0, 1)), max_size=60)


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def parse(status: int = 200, now: float = NOW, **headers: str) -> RateLimitHeaders:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RateLimitHeaders.parse(status, CIMultiDict(named), now)


class EveryTimestamp:
    """The same window, by looking at every request there ever was."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.answered: list[float] = []
        self.in_flight = 0

    def used(self, now: float) -> int:
        return self.in_flight + sum(now < at + PERIOD for at in self.answered)

    def free_at(self, now: float, ahead: int) -> float:
        times = [now, *(at + PERIOD for at in self.answered if at + PERIOD > now)]
        return min(
            (at for at in times if self.used(at) + ahead < self.limit),
            default=math.inf,
        )


@given(
    st.integers(1, 8),
    st.lists(st.tuples(gaps, st.sampled_from(["take", "answer", "give up unsent"])), max_size=80),
    st.integers(0, 5),
)
def test_a_window_counts_as_a_list_of_all_timestamps_does(limit, steps, ahead):
    window, every = RollingWindow(limit, PERIOD), EveryTimestamp(limit)
    now = 0.0
    for gap, step in steps:
        now += gap
        if step == "take" and window.free(now) > 0:
            window.take(0.0)
            every.in_flight += 1
        elif step != "take" and window.in_flight:
            window.give_back(now, sent=step == "answer")
            every.in_flight -= 1
            every.answered += [now] if step == "answer" else []
        assert window.used(now) == every.used(now)
        assert window.free(now) == limit - every.used(now)
        assert window.free_at(now, ahead) == every.free_at(now, ahead)


def most_in_a_period(times: list[float]) -> int:
    return max((sum(at <= other < at + PERIOD for other in times) for at in times), default=0)


@given(st.integers(1, 6), requests)
def test_no_delay_on_the_way_makes_the_servers_window_fuller_than_the_limit(limit, plan):
    window = RollingWindow(limit, PERIOD)
    now, counted, answers = 0.0, [], []
    for gap, latency, where in plan:
        now += gap
        for answer in sorted(answers):
            if answer <= now:
                window.give_back(answer, sent=True)
        answers = [answer for answer in answers if answer > now]
        if window.free(now) > 0:
            window.take(0.0)
            counted.append(now + where * latency)
            answers.append(now + latency)
    assert most_in_a_period(counted) <= limit


def test_a_permit_comes_back_one_period_after_the_answer():
    window = RollingWindow(1, PERIOD)
    window.take(0.0)
    window.give_back(3.0, sent=True)
    assert window.free_at(3.0) == 3.0 + PERIOD


def test_a_permit_that_was_not_used_comes_back_at_once():
    window = RollingWindow(1, PERIOD)
    window.take(0.0)
    window.give_back(3.0, sent=False)
    assert window.free(3.0) == 1


def test_what_is_left_to_others_is_not_taken():
    window = RollingWindow(10, PERIOD, share=7)
    assert window.free(0) == 7


def test_others_take_room_until_they_leave():
    window = RollingWindow(10, PERIOD)
    window.add_others(4, 1.0, 5.0)
    assert [window.free(now) for now in (0, 1, 2, 3, 4)] == [6, 7, 8, 9, 10]


def test_no_more_others_are_counted_than_the_window_holds():
    window = RollingWindow(10, PERIOD)
    window.add_others(1_000_000_000, 1.0, 5.0)
    assert window.used_by_others(0) == 10


def test_room_that_others_leave_is_held_for_them_while_they_are_about():
    window = RollingWindow(10, PERIOD, others_timeout=PERIOD)
    window.observe_others(4, 0.0)
    assert window.free(PERIOD - 1) == 6
    window.observe_others(0, PERIOD - 1)
    assert window.free(PERIOD + 1) == 6
    assert window.free(2 * PERIOD) == 10


def test_room_that_is_held_is_what_others_take_next():
    window = RollingWindow(10, PERIOD)
    window.observe_others(4, 0.0)
    window.observe_others(0, PERIOD - 1)
    window.observe_others(3, PERIOD + 1)
    assert window.free(PERIOD + 1) == 6


def test_an_unanswered_request_may_hide_one_of_others():
    window = RollingWindow(10, PERIOD)
    window.observe_others(4, 0.0)
    window.take(0.0)
    assert window.free(0.0) == 10 - 4 - 1 - 1
    window.give_back(1.0, sent=True)
    assert window.free(1.0) == 10 - 4 - 1


def test_while_unsure_one_request_at_a_time_goes():
    window = RollingWindow(10, PERIOD)
    window.probing = True
    assert window.free(0.0) == 10
    window.take(0.0)
    assert (window.free(0.0), window.free_at(0.0)) == (0, math.inf)


def test_the_oldest_of_others_are_forgotten_first():
    window = RollingWindow(10, PERIOD)
    window.add_others(4, 1.0, 5.0)
    window.cap_others(2)
    assert [window.used_by_others(now) for now in (0, 2, 3, 4)] == [2, 2, 1, 0]


def test_permits_that_came_back_on_the_way_of_an_answer_count_for_it():
    window = RollingWindow(10, PERIOD)
    for answered in (0.0, 1.0, 2.0):
        window.take(0.0)
        window.give_back(answered, sent=True)
    assert window.used(PERIOD + 1.5) == 1
    assert window.used_since(PERIOD + 0.5, PERIOD + 1.5) == 2


# What the rate-limit headers report.


def test_the_names_of_headers_ignore_case():
    reported = parse(**{"RateLimit-Limit": "5000", "RATELIMIT-REMAINING": "7"})
    assert (reported.limit, reported.remaining) == (5000, 7)


def test_without_headers_nothing_is_said():
    assert parse() == RateLimitHeaders(200)


@pytest.mark.parametrize(
    "junk", ["", " ", "soon", "-1", "inf", "-inf", "nan", "1,5", "0x10", "12 34", "1e999"]
)
def test_junk_says_nothing(junk):
    reported = parse(
        429, ratelimit_limit=junk, ratelimit_remaining=junk, ratelimit_reset=junk, retry_after=junk
    )
    assert reported == RateLimitHeaders(429)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_makes_the_reading_fail(text, other):
    reported = parse(
        429,
        ratelimit_limit=text,
        ratelimit_remaining=other,
        ratelimit_reset=text,
        retry_after=other,
        date=text,
    )
    for value in (
        reported.limit,
        reported.remaining,
        reported.reset_at,
        reported.reset_after,
        reported.retry_after,
    ):
        assert value is None or 0 <= value < math.inf


@given(st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [JFMASOND][a-z]{2} \d{1,5} \d\d:\d\d:\d\d \S{1,6}"))
def test_no_date_makes_the_reading_fail(text):
    reported = parse(429, retry_after=text, date=text)
    assert reported.retry_after is None or 0 <= reported.retry_after < math.inf


def test_times_may_have_fractions():
    reported = parse(
        429, retry_after="0.25", ratelimit_reset=f"{NOW + 0.5:.3f}", ratelimit_remaining="0"
    )
    assert (reported.retry_after, reported.reset_after) == (0.25, 0.5)


def test_numbers_of_requests_are_whole():
    assert parse(ratelimit_remaining="4.9").remaining == 4


def test_retry_after_may_be_a_date():
    assert parse(429, retry_after=date(NOW + 30)).retry_after == 30


def test_a_date_without_a_time_zone_is_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse(429, retry_after=date(NOW + 30).replace("GMT", "-0000")).retry_after == 30
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_retry_after_in_the_past_is_now():
    assert parse(429, retry_after=date(NOW - 30)).retry_after == 0


def test_a_reset_in_the_past_is_now():
    assert parse(ratelimit_remaining="0", ratelimit_reset=str(NOW - 30)).reset_after == 0


@given(st.integers(-10_000_000, 10_000_000).filter(lambda skew: abs(skew) >= 2))
def test_times_are_by_the_servers_clock(skew):
    server = NOW + skew
    reported = parse(
        429,
        date=date(server),
        retry_after=date(server + 20),
        ratelimit_remaining="0",
        ratelimit_reset=str(server + 40),
    )
    assert (reported.retry_after, reported.reset_after) == (20, 40)


@given(st.floats(0, 0.99))
def test_the_granularity_of_the_date_is_no_skew(fraction):
    now = NOW + fraction
    reported = parse(429, now, date=date(NOW), retry_after="", ratelimit_reset=str(NOW + 40))
    assert reported.reset_after == pytest.approx(40 - fraction)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_seconds_to_reset_are_never_negative(now, reset):
    assume(math.isfinite(reset))
    reported = parse(200, now, ratelimit_reset=repr(reset), ratelimit_remaining="3")
    assert reported.reset_after == max(0.0, reset - now)


def windows_with(answered: dict[float, list[float]]) -> list[RollingWindow]:
    """Both real windows at time 0, with requests that were answered so many seconds ago."""
    windows = [RollingWindow(250, 60.0), RollingWindow(5000, 3600.0)]
    for window in windows:
        for age in answered.get(window.period, []):
            window.take(0.0)
            window.give_back(-age, sent=True)
    return windows


# Both windows are spent: the hour's two a second, the first one due back in 10 seconds as is the
# first of the minute's, whose 250 were answered within a second.
SPENT = {
    3600.0: [3590.0 - number / 2 for number in range(5000)],
    60.0: [50.0 - number / 250 for number in range(250)],
}


@pytest.mark.parametrize(
    ("requests", "answered", "seconds"),
    [
        (0, {}, 0.0),
        (100, {}, 0.0),
        (250, {}, 1.5),  # the burst
        (251, {}, 60.0),
        (5000, {}, 19 * 60.0 + 1.5),
        (5001, {}, 3600.0),
        (5500, {}, 3660.0 + 1.5),
        (1, SPENT, 10.0),
        (101, SPENT, 60.0),
        (5001, SPENT, 3610.0),
    ],
)
def test_requests_take_as_long_as_the_windows_make_them(requests, answered, seconds):
    windows = windows_with(answered)
    assert seconds_for(requests, windows, 100.0, 0.0) == pytest.approx(seconds)


def test_what_others_have_and_what_is_held_for_them_is_not_for_ours():
    window = RollingWindow(10, 60.0, others_timeout=100.0)
    window.add_others(4, 60.0, 60.0)
    # Two of others that were seen left, and are thought to come again.
    window.observe_others(2, -59.0)
    assert (window.used_by_others(1.0), window.free(1.0)) == (4, 4)
    assert window.seconds_for(4, 1.0, lambda _: 0.0) == 0.0
    # The others leave, and the room that is held goes on being held.
    assert window.seconds_for(5, 1.0, lambda _: 0.0) == 59.0
    assert [window.seconds_for(count, 1.0, lambda _: 0.0) for count in (8, 9)] == [59.0, 60.0]


def test_others_that_were_there_before_leave_and_are_waited_for_once():
    window = RollingWindow(10, 60.0)
    window.add_others(10, 40.0, 40.0)
    assert [window.seconds_for(count, 0.0, lambda _: 0.0) for count in (1, 10, 11)] == [40, 40, 100]


def test_others_that_have_all_are_thought_to_leave_with_the_time_that_is_held_for_them():
    window = RollingWindow(250, 60.0, others_timeout=75.0)
    window.observe_others(250, 0.0)
    assert window.free(0.0) <= 0
    # At one request a minute it would be 41 hours.
    minutes = 2472 // 250
    assert window.seconds_for(2472, 0.0, lambda _: 0.0) == 60.0 + 75.0 + minutes * 60.0


def test_others_beside_a_share_take_nothing_of_it():
    window = RollingWindow(10, 60.0, share=8)
    window.add_others(2, 60.0, 60.0)
    assert [window.seconds_for(count, 0.0, lambda _: 0.0) for count in (8, 9)] == [0, 60]


def test_what_is_in_flight_comes_back_a_period_later_at_the_earliest():
    window = RollingWindow(2, 60.0)
    window.take(0.0)
    window.take(0.0)
    window.give_back(0.0, sent=True)
    assert window.seconds_for(1, 10.0, lambda _: 0.0) == 50.0
    assert window.seconds_for(2, 10.0, lambda _: 0.0) == 60.0
