"""Whether and when a request is sent again, without sending any."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.session.answers import Failure
from aioregistry.session.retry import RetryPolicy

LOST = Failure(None)
REFUSED = Failure(None, sent=False)

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    backoff=st.just(0.0) | st.floats(0.001, 100),
    cap=st.floats(0, 100),
    max_retry_after=st.floats(0, 1000),
)
failures = st.builds(
    Failure,
    status=st.none() | st.integers(300, 599),
    sent=st.just(True),
    retry_after=st.none() | st.floats(0, 2000),
) | st.just(REFUSED)
attempts = st.integers(1, 12)
draws = st.floats(0, 1, exclude_max=True)


def decide(failure: Failure, *, repeatable: bool = True, attempt: int = 1, **policy: float):
    return RetryPolicy(**policy).decide(failure, attempt, repeatable=repeatable, draw=lambda: 0.5)


@pytest.mark.parametrize(
    ("failure", "repeatable", "again"),
    [
        (LOST, True, True),
        (LOST, False, False),
        (REFUSED, True, True),
        (REFUSED, False, True),
        (Failure(429), True, True),
        (Failure(429), False, True),
        (Failure(408), True, True),
        (Failure(425), True, True),
        (Failure(500), True, True),
        (Failure(500), False, False),
        (Failure(502), True, True),
        (Failure(503), True, True),
        (Failure(503), False, False),
        (Failure(504), True, True),
        (Failure(501), True, False),
        (Failure(520), True, True),
        (Failure(522), False, False),
        (Failure(524), True, True),
        (Failure(526), True, False),
        (Failure(530), True, True),
        (Failure(307), True, False),
        (Failure(400), True, False),
        (Failure(401), True, False),
        (Failure(403), True, False),
        (Failure(404), True, False),
        (Failure(409), True, False),
        (Failure(412), True, False),
        (Failure(422), True, False),
    ],
)
def test_what_is_sent_again(failure, repeatable, again):
    assert (decide(failure, repeatable=repeatable) is not None) is again


@given(policies, failures, attempts, st.booleans(), draws)
def test_no_wait_is_longer_than_the_cap_unless_the_server_asks(
    policy, failure, attempt, repeatable, drawn
):
    wait = policy.decide(failure, attempt, repeatable=repeatable, draw=lambda: drawn)
    assert wait is None or 0 <= wait <= max(policy.cap, failure.retry_after or 0.0)


@given(policies, failures, attempts, st.booleans(), draws)
def test_no_wait_is_shorter_than_the_server_asks(policy, failure, attempt, repeatable, drawn):
    wait = policy.decide(failure, attempt, repeatable=repeatable, draw=lambda: drawn)
    assert wait is None or wait >= (failure.retry_after or 0.0)


@given(policies, failures, attempts, st.booleans())
def test_no_more_attempts_than_allowed_are_made(policy, failure, attempt, repeatable):
    if attempt >= policy.attempts:
        assert policy.decide(failure, attempt, repeatable=repeatable) is None


@given(policies, failures.filter(lambda failure: failure.sent), attempts)
def test_what_may_not_be_repeated_is_repeated_only_when_it_was_turned_away(
    policy, failure, attempt
):
    if failure.status != 429:
        assert policy.decide(failure, attempt, repeatable=False) is None


@given(policies, st.integers(1, 400))
def test_the_jitter_is_drawn_from_zero_to_the_whole_backoff(policy, attempt):
    roomy = RetryPolicy(attempts=500, backoff=policy.backoff, cap=policy.cap)
    longest = min(policy.cap, policy.backoff * 2.0 ** min(attempt - 1, 900))
    for drawn in (0.0, 0.25, 1.0):
        wait = roomy.decide(LOST, attempt, repeatable=True, draw=lambda drawn=drawn: drawn)
        assert wait == pytest.approx(drawn * longest)


def test_the_backoff_doubles_up_to_the_cap():
    policy = RetryPolicy(attempts=10, backoff=0.5, cap=3.0)
    waits = [
        policy.decide(LOST, attempt, repeatable=True, draw=lambda: 1.0) for attempt in range(1, 7)
    ]
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_the_doubling_does_not_overflow():
    policy = RetryPolicy(attempts=10**9)
    assert math.isfinite(policy.decide(LOST, 10**8, repeatable=True))


def test_chance_differs_from_attempt_to_attempt():
    assert len({RetryPolicy().decide(LOST, 1, repeatable=True) for _ in range(20)}) > 1


def test_a_server_may_ask_for_more_than_the_cap():
    assert decide(Failure(503, retry_after=60.0), cap=5.0) == 60.0


def test_a_server_that_asks_for_too_much_is_not_waited_for():
    assert decide(Failure(503, retry_after=301.0)) is None


def test_a_wait_for_quota_may_be_too_long_as_well():
    assert decide(Failure(429, retry_after=3_000.0)) is None


def test_one_attempt_never_repeats():
    assert decide(REFUSED, attempts=1) is None


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"backoff": -1.0}, {"cap": -1.0}, {"max_retry_after": -1.0}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        RetryPolicy(**wrong)
