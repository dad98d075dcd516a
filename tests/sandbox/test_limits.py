"""The sliding windows on a virtual clock, against a list of all timestamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.sandbox import Limits
from aioregistry.sandbox.limits import Limiter, headers_of

# Whole eighths of a second: exact in binary, so that the edges of windows are hit.
STEPS = st.lists(st.integers(0, 80).map(lambda eighths: eighths / 8), max_size=150)


class AllTimestamps:
    """The rule, written down naively: every counted request stays one whole window."""

    def __init__(self, limits):
        self.limits = limits
        self.counted = []

    def take(self, now):
        minute = sum(now - at < 60 / self.limits.scale for at in self.counted)
        hour = sum(now - at < 3600 / self.limits.scale for at in self.counted)
        allowed = minute < self.limits.per_minute and hour < self.limits.per_hour
        if allowed or self.limits.count_rejected:
            self.counted.append(now)
        return allowed, hour + (allowed or self.limits.count_rejected)


@given(
    steps=STEPS,
    per_minute=st.integers(1, 12),
    per_hour=st.integers(1, 40),
    scale=st.sampled_from([1.0, 2.0, 64.0]),
    count_rejected=st.booleans(),
)
def test_exactly_those_are_rejected_that_a_list_of_all_timestamps_rejects(
    steps, per_minute, per_hour, scale, count_rejected
):
    limits = Limits(per_minute, per_hour, scale=scale, count_rejected=count_rejected)
    limiter, rule, now = Limiter(limits), AllTimestamps(limits), 0.0
    for step in steps:
        now += step
        allowed, in_hour = rule.take(now)
        verdict = limiter.take("token", now)
        assert verdict.allowed is allowed
        if allowed:
            assert verdict.remaining == per_hour - in_hour


@given(steps=STEPS)
def test_who_waits_as_long_as_told_is_let_through(steps):
    limiter, now = Limiter(Limits(3, 7)), 0.0
    for step in steps:
        now += step
        verdict = limiter.take("token", now)
        if not verdict.allowed:
            wait = verdict.retry_after
            now = verdict.reset if wait is None else now + wait
            assert limiter.take("token", now).allowed


def test_a_request_counts_for_one_whole_window_and_not_longer():
    limiter = Limiter(Limits(1, 10))
    assert limiter.take("token", 0.0).allowed
    assert not limiter.take("token", 59.999).allowed
    assert limiter.take("token", 60.0).allowed


def test_each_token_has_its_own_quota():
    limiter = Limiter(Limits(1, 10))
    assert limiter.take("one", 0.0).allowed
    assert limiter.take("two", 0.0).allowed
    assert not limiter.take("one", 1.0).allowed


def test_the_minute_limit_says_when_to_come_back_and_that_nothing_remains():
    limiter = Limiter(Limits(1, 10))
    limiter.take("token", 100.0)
    told = headers_of(limiter.take("token", 130.5), 1_000_000.0, fractions=False)
    assert told["retry-after"] == "30"
    assert told["ratelimit-remaining"] == "0"
    assert told["ratelimit-limit"] == "10"
    assert told["ratelimit-reset"] == "1003700"


def test_the_hour_limit_only_says_when_the_oldest_request_expires():
    limiter = Limiter(Limits(10, 1))
    limiter.take("token", 100.0)
    told = headers_of(limiter.take("token", 130.5), 1_000_000.0, fractions=False)
    assert "retry-after" not in told
    assert told["ratelimit-remaining"] == "0"
    assert told["ratelimit-reset"] == "1003700"


def test_scaled_times_carry_fractions():
    limiter = Limiter(Limits(1, 10, scale=60))
    limiter.take("token", 100.0)
    told = headers_of(limiter.take("token", 100.25), 0.0, fractions=True)
    assert told["retry-after"] == "0.750"
    assert told["ratelimit-reset"] == "160.000"


def test_without_limits_everything_passes_and_is_counted():
    limiter = Limiter(None)
    verdicts = [limiter.take("token", 0.0) for _ in range(5010)]
    assert all(verdict.allowed for verdict in verdicts)
    assert [verdict.remaining for verdict in verdicts[:2]] == [4999, 4998]
    assert verdicts[-1].remaining == 0


def test_other_clients_use_leaves_less():
    limiter = Limiter(Limits(250, 5000))
    limiter.spend("token", 249, 0.0)
    assert limiter.take("token", 1.0).remaining == 5000 - 250
    assert not limiter.take("token", 2.0).allowed
    assert limiter.take("token", 60.0).allowed


def test_the_state_kept_is_no_larger_than_the_limits():
    limiter = Limiter(Limits(3, 5, count_rejected=True))
    for second in range(1000):
        limiter.take("token", second / 1000)
    kept = limiter._windows["token"]
    assert [len(window.times) for window in kept] == [3, 5]


@pytest.mark.parametrize("bad", [{"per_minute": 0}, {"per_hour": 0}, {"scale": 0.0}])
def test_senseless_limits_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        Limits(**bad)
