"""Whether and when a request is sent again: a pure decision."""

import random
from collections.abc import Callable

from attrs import field, frozen, validators

from aioregistry.errors import InvalidTokenError

__all__ = ["Failure", "RetryPolicy", "wait_for_token"]

_PASSING_STATUSES = frozenset({408, 425, 500, 502, 503, 504})
# What a token callable raises because of how it is written: the next call would raise it, too.
_MISTAKES = (
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    NotImplementedError,
    TypeError,
    InvalidTokenError,
)
_MIN_TOKEN_WAIT = 0.1


@frozen
class Failure:
    """An attempt that failed.

    Attributes:
        status: The HTTP status of the answer; None when there was no answer.
        sent: Whether the request may have reached the server.
        retry_after: Seconds after which the server asked to come again.
    """

    status: int | None
    sent: bool = True
    retry_after: float | None = None


@frozen(kw_only=True)
class RetryPolicy:
    """How often a request is sent, and how long is waited in between.

    The wait before attempt n + 1 is drawn from 0 to ``min(cap, backoff * 2 ** (n - 1))``, all of
    it at random, and is never shorter than the server asked for. A request that is not safe to
    repeat is repeated only when it cannot have had an effect.

    Attributes:
        attempts: How often a request is sent at most, those attempts not counted that the server
            rejected with a 429; of these there may be as many. 1 never repeats.
        backoff: The longest first wait, in seconds.
        cap: The longest wait, in seconds, that is chosen here.
        max_retry_after: The longest wait, in seconds, that a server may ask for; when it asks for
            more, the error is raised instead. Where a limiter waits for quota, its own limit is
            `RateLimit.max_wait`.
    """

    attempts: int = field(default=5, validator=validators.ge(1))
    backoff: float = field(default=0.5, validator=validators.ge(0.0))
    cap: float = field(default=30.0, validator=validators.ge(0.0))
    max_retry_after: float = field(default=300.0, validator=validators.ge(0.0))

    def decide(
        self,
        failure: Failure,
        attempt: int,
        *,
        repeatable: bool,
        draw: Callable[[], float] = random.random,
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or None to stop.

        Args:
            failure: What happened.
            attempt: The number of the attempt that failed; the first is 1.
            repeatable: Whether the route may be sent twice.
            draw: Returns a number from 0 to 1.
        """
        if attempt >= self.attempts:
            return None
        refused = failure.status == 429 or not failure.sent
        passing = failure.status is None or failure.status in _PASSING_STATUSES
        if not refused and not (passing and repeatable):
            return None
        asked = failure.retry_after or 0.0
        if asked > self.max_retry_after:
            return None
        return max(asked, draw() * _longest_wait(self, attempt))


def wait_for_token(
    policy: RetryPolicy,
    cause: BaseException | None,
    failures: int,
    left: float,
    *,
    draw: Callable[[], float] = random.random,
) -> float | None:
    """Return the seconds to wait before a token callable is asked again, or None to stop.

    Args:
        policy: How often, and when, is tried again.
        cause: What it raised; None when it returned something that is no token.
        failures: How often it failed in a row, now included.
        left: The seconds that are left until the timeout of an attempt has passed since the
            first of these failures.
        draw: Returns a number from 0 to 1.
    """
    if policy.attempts == 1 or cause is None or isinstance(cause, _MISTAKES):
        return None
    wait = max(_MIN_TOKEN_WAIT, draw() * _longest_wait(policy, failures))
    return min(wait, left) if left >= _MIN_TOKEN_WAIT else None


def _longest_wait(policy: RetryPolicy, attempt: int) -> float:
    # Doubling stops mattering long before it overflows.
    return min(policy.cap, policy.backoff * 2.0 ** min(attempt - 1, 60))
