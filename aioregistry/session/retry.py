"""Whether and when a request is sent again: decisions, which are handed their clocks."""

import logging
import random
from collections.abc import Callable

from attrs import field, frozen, validators

from aioregistry.api.endpoints import Request
from aioregistry.errors import InvalidResponseError, InvalidTokenError, RegistryError
from aioregistry.session.answers import Answer, Failure, NoAnswer, classify
from aioregistry.session.exchange import RequestLog
from aioregistry.session.hints import add_hint
from aioregistry.session.secret import Secret

__all__ = ["NextAttempt", "RetryPolicy", "located"]

logger: logging.Logger = logging.getLogger("aioregistry")

# From 520 on they are Cloudflare's, which stands before the API: it has no answer of the API.
_PASSING_STATUSES = frozenset({408, 425, 500, 502, 503, 504, *range(520, 526), 530})
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
            draw: Returns a number from 0 to 1; `random.random` by default.
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


def _longest_wait(policy: RetryPolicy, attempt: int) -> float:
    # Doubling stops mattering long before it overflows.
    return min(policy.cap, policy.backoff * 2.0 ** min(attempt - 1, 60))


@frozen
class NextAttempt:
    """Decides whether a request is sent again, and when; logs it where it is.

    Attributes:
        retry: Decides on repetition.
        base_url: The origin that requests go to.
        token_seconds: For how many seconds a token callable that fails is asked again.
        is_limited: Whether a limiter does the waiting after a 429, once for everyone.
        draw: Returns a number from 0 to 1.
    """

    retry: RetryPolicy
    base_url: str
    token_seconds: float
    is_limited: bool
    draw: Callable[[], float] = random.random

    def wait_after(
        self,
        request: Request,
        answer: Answer | NoAnswer,
        authorization: Secret,
        log: RequestLog,
        *,
        now: float,
        wall_clock: float,
    ) -> float:
        """Return how many seconds to wait before the next attempt.

        Args:
            request: The request.
            answer: What its last attempt came to.
            authorization: The value of the Authorization header that it was sent with.
            log: The request's record, in which the failure is counted.
            now: The time on the event loop's clock.
            wall_clock: Seconds since the epoch.

        Raises:
            RegistryError: There is no next attempt.
        """
        if isinstance(answer, NoAnswer):
            if isinstance(answer.error, InvalidTokenError):
                return self._wait_for_token(answer.error, log, now)
            if answer.final:
                raise located(answer.error, log, self.base_url)
            error, failure = answer.error, Failure(None, sent=answer.sent)
        else:
            error, failure = classify(answer, authorization, now=wall_clock)
            add_hint(error, request, answer.body)
        log.token_failures = 0
        is_rate_limited = failure.status == 429
        # What was refused for good is sent again all the same, in the other family of paths.
        may_pass = failure.status is None or failure.status in _PASSING_STATUSES
        log.may_have_taken_effect |= failure.sent and may_pass
        log.rate_limited += is_rate_limited
        number = log.rate_limited if is_rate_limited else log.attempts - log.rate_limited
        located(error, log, self.base_url)
        waits_at_limiter = is_rate_limited and self.is_limited
        if waits_at_limiter:
            failure = Failure(429)
        wait = self.retry.decide(failure, number, repeatable=request.repeatable, draw=self.draw)
        if wait is None:
            raise error
        if waits_at_limiter:
            wait = 0.0
        logger.info(
            "%s %s: %s; again in %.1f s",
            request.method,
            request.route,
            error.status or type(error).__name__,
            wait,
            extra={
                "method": request.method,
                "route": request.route,
                "status": error.status,
                "attempts": log.attempts,
                "wait": wait,
            },
        )
        return wait

    def _wait_for_token(self, error: InvalidTokenError, log: RequestLog, now: float) -> float:
        """Return how many seconds to wait before the token callable is asked again, or raise."""
        if not log.token_failures:
            log.token_failed_at = now
        log.token_failures += 1
        # Asked again for as long as an attempt may take; what returned something has no cause.
        left = log.token_failed_at + self.token_seconds - now
        cause = error.__cause__
        is_final = self.retry.attempts == 1 or cause is None or isinstance(cause, _MISTAKES)
        if is_final or left < _MIN_TOKEN_WAIT:
            raise error
        drawn = self.draw() * _longest_wait(self.retry, log.token_failures)
        wait = min(max(_MIN_TOKEN_WAIT, drawn), left)
        logger.info("%s; again in %.1f s", error, wait)
        return wait


def located(error: RegistryError, log: RequestLog, base_url: str) -> RegistryError:
    """Return an error that says which request it is of.

    Args:
        error: The error.
        log: The request's record.
        base_url: The origin that it was for.
    """
    if log.request is not None:
        error.method = log.request.method
        error.url = base_url + log.request.target
    error.attempts = log.attempts
    if error.status is None and isinstance(error, InvalidResponseError):
        error.status = log.status
    return error
