"""What callbacks and reports see of a request, and of the latest ones."""

import logging
from collections.abc import Callable
from typing import Literal

from attrs import asdict, define, frozen

from aioregistry.api.endpoints import Request
from aioregistry.ratelimit.headers import seconds_ahead

__all__ = ["FinishedRequest", "RecentRequests", "RequestLog", "Verdict", "report"]

logger: logging.Logger = logging.getLogger("aioregistry")


@frozen
class Verdict:
    """Why a check has a request end unsent. The verdict to go ahead is None.

    Attributes:
        kind: ``gone``, its object does not exist any more; ``drifted``, the object has changed;
            ``cannot_tell``, whether it has changed could not be found out.
        why: The reason, in words; empty where the kind says it all.
    """

    kind: Literal["gone", "drifted", "cannot_tell"]
    why: str = ""


@frozen
class FinishedRequest:
    """A request that is over, however it ended, as the `on_request` callback gets it.

    Attributes:
        method: The HTTP method.
        route: The path's template, without names.
        status: The HTTP status of the last answer; None when there was none.
        attempts: How often the request was sent.
        rate_limited: How many of the attempts were answered with 429.
        quota_seconds: Seconds that the request waited for quota.
        seconds: Seconds that the request took in all, waits included.
        error: The name of the error's class; None when the request succeeded.
    """

    method: str
    route: str
    status: int | None
    attempts: int
    rate_limited: int
    quota_seconds: float
    seconds: float
    error: str | None


@define
class RequestLog:
    """The record of a request, readable while it runs and after it was cancelled.

    Attributes:
        request: The request; None until it begins.
        attempts: How often it was sent.
        rate_limited: How many of the attempts were answered with 429.
        status: The HTTP status of the last answer; None when there was none.
        quota_seconds: Seconds that it waited for quota.
        answered_at: When its last answer came, on the event loop's clock; None when there was none.
        outcome_unknown: Whether an attempt was sent, and no answer shows whether the API carried
            it out.
        may_have_taken_effect: Whether an attempt may have had its effect unseen: it got no
            answer, or an error that does not rule it out.
        token_failures: How often in a row the token callable failed.
        token_failed_at: When it did so first, on the event loop's clock.
        verdict: The check's verdict that ended the request unsent; None where there was none.
            Earlier attempts, before another check, may have been sent all the same.
    """

    request: Request | None = None
    attempts: int = 0
    rate_limited: int = 0
    status: int | None = None
    quota_seconds: float = 0.0
    answered_at: float | None = None
    outcome_unknown: bool = False
    may_have_taken_effect: bool = False
    token_failures: int = 0
    token_failed_at: float = 0.0
    verdict: Verdict | None = None

    def finished(self, request: Request, seconds: float, error: str | None) -> FinishedRequest:
        """Return what `on_request` gets.

        Args:
            request: The request.
            seconds: How long it took in all.
            error: The name of the error's class; None when it succeeded.
        """
        return FinishedRequest(
            request.method,
            request.route,
            self.status,
            self.attempts,
            self.rate_limited,
            self.quota_seconds,
            seconds,
            error,
        )


@define
class RecentRequests:
    """The latest results of a session; times are seconds on the event loop's clock.

    Attributes:
        newest: What came of the last request that had a result: ``answered``, also with an error
            that only concerns this request (403, 404 and the like); ``refused``, the API or the
            token's callable gave no valid token; ``failed``, no answer or a 5xx. None before the
            first.
        newest_at: When that was.
        answered_at: When a request was last ``answered``; None when none was.
        failures: How many requests have ``failed`` since one had another result.
        dated: The date of the last answer, as its header has it, and when that came by this
            machine's clock, in seconds since the epoch.
    """

    newest: Literal["answered", "refused", "failed"] | None = None
    newest_at: float = 0.0
    answered_at: float | None = None
    failures: int = 0
    dated: tuple[str | None, float] = (None, 0.0)

    @property
    def seconds_ahead(self) -> float | None:
        """By how many seconds this machine's clock is ahead of the server's; None: unknown."""
        return seconds_ahead(*self.dated)

    def record(self, error: str | None, status: int | None, now: float) -> None:
        """Take in a request that has ended.

        Args:
            error: The name of the error's class; None when the request succeeded.
            status: The HTTP status of the last answer; None when there was none.
            now: The time.
        """
        if status == 401 or error == "InvalidTokenError":
            self.newest = "refused"
            self.failures = 0
        elif error in {"RegistryConnectionError", "RegistryTimeoutError", "ServerError"}:
            self.newest = "failed"
            self.failures += 1
        elif error is None or (status is not None and status != 429):
            self.newest = "answered"
            self.answered_at = now
            self.failures = 0
        else:
            # Cancelled, or never sent: says nothing of the API.
            return
        self.newest_at = now


def report(
    finished: FinishedRequest, on_request: Callable[[FinishedRequest], object] | None
) -> None:
    """Log a request that is over, and tell the callback."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "%s %s: %s in %.3f s",
            finished.method,
            finished.route,
            finished.status or finished.error,
            finished.seconds,
            extra=asdict(finished),
        )
    if on_request is not None:
        try:
            on_request(finished)
        except Exception:
            # A measurement that fails is no reason for a request to fail.
            logger.exception("on_request raised")
