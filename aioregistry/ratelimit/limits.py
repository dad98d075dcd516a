"""How much of the quota a client takes, and how the quota stands: the part that users write."""

import math
from fractions import Fraction
from typing import Literal, Protocol

from attrs import evolve, field, frozen, validators

from aioregistry.ratelimit.headers import RateLimitHeaders

__all__ = ["Limiter", "Priority", "RateLimit", "RateLimitStatus", "WindowStatus", "part_of"]

Priority = Literal["interactive", "bulk"]


class Limiter(Protocol):
    """What the client needs of a limiter: a permit before each request, given back after it.

    A limiter that also has `status` and `seconds_for`, as `WindowLimiter` has, serves
    `RegistryClient.rate_limit_status` and `Progress.seconds_left` as well.

    Nothing that has a permit may wait for another one before it has given the first one back:
    a limiter with a single permit left would keep both waiting for ever.
    """

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may be sent.

        Args:
            priority: ``"interactive"`` (the default) for requests that somebody waits for,
                ``"bulk"`` for jobs, which are served after them.

        Raises:
            RateLimitedError: The wait would be, or was, longer than the limiter allows.
        """
        ...

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Give a permit back, when its request is over.

        After a 429 nobody but the limiter waits: the next `acquire` has to wait long enough.

        Args:
            reported: The rate-limit headers of the answer; None, the default, without an answer.
            sent: Whether the request was sent; by default True. False when the permit was not
                used after all.
        """
        ...


def _windows(
    value: tuple[tuple[int, float], ...],
) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(((limit, float(period)) for limit, period in value), key=lambda w: w[1]))


def _check_windows(_: object, __: object, value: tuple[tuple[int, float], ...]) -> None:
    if not value or any(limit < 1 or period <= 0 for limit, period in value):
        raise ValueError(f"windows must be pairs of requests and seconds, both positive: {value}")


def part_of(limit: int, share: float) -> int:
    """Return how many whole requests a share of a limit is, by the share's decimal digits."""
    # As a float, 0.29 of 100 is 28.999…96.
    return math.floor(limit * Fraction(str(share)))


@frozen(kw_only=True)
class RateLimit:
    """How much of the API's quota a client takes.

    Example:
        ```python
        from aioregistry import RateLimit, RegistryClient

        # Leave a fifth of the quota to others; let people wait for five seconds at most,
        # and jobs for as long as it takes.
        quota = RateLimit(headroom=0.2, max_wait=5.0, bulk_may_wait=True)
        client = RegistryClient(rate_limit=quota)
        ```

    Attributes:
        windows: The server's rolling windows, each as requests and seconds; by default 250 requests
            in 60 seconds and 5,000 in 3,600.
        burst: Requests that may be sent at once, and then in each second; by default 100.
        headroom: The share of each window that is left to other clients of the token, from 0 up to
            but not including 1; by default 0.
        reserve: The share of each window, from 0 up to but not including 1, that bulk work leaves
            to interactive requests. By default None: bulk work alone leaves nothing; once
            interactive requests are made beside it, it leaves a fiftieth of each window, and 1.25
            times as many requests as are made at that rate, but never more than half.
        max_wait: The longest, in seconds, that a request may wait for quota before
            `RateLimitedError` is raised; by default None, which waits as long as it takes.
        bulk_may_wait: Whether bulk work is free of `max_wait` and waits as long as it takes; by
            default False. For services, where people wait for some requests and nobody for others.

    Raises:
        ValueError: A value is outside its range.
    """

    windows: tuple[tuple[int, float], ...] = field(
        default=((250, 60.0), (5000, 3600.0)), converter=_windows, validator=_check_windows
    )
    burst: float = field(default=100.0, validator=validators.ge(1.0))
    headroom: float = field(default=0.0, validator=[validators.ge(0.0), validators.lt(1.0)])
    reserve: float | None = field(
        default=None, validator=validators.optional([validators.ge(0.0), validators.lt(1.0)])
    )
    max_wait: float | None = field(default=None, validator=validators.optional(validators.ge(0.0)))
    bulk_may_wait: bool = False

    def max_wait_of(self, priority: Priority) -> float | None:
        """Return the longest that a request of a priority may wait, in seconds; None if no limit.

        Args:
            priority: ``"interactive"`` or ``"bulk"``.
        """
        return None if self.bulk_may_wait and priority == "bulk" else self.max_wait

    def scaled(self, factor: float) -> "RateLimit":
        """Return the same quota in a time that runs faster, as a sandbox's may.

        Args:
            factor: How many times faster.
        """
        windows = tuple((limit, period / factor) for limit, period in self.windows)
        return evolve(self, windows=windows, burst=self.burst * factor)

    def share_of(self, limit: int) -> int:
        """Return how many requests of a window this client may use; at least one.

        Args:
            limit: The requests that the server grants in the window.
        """
        return max(1, math.floor(limit * (1 - Fraction(str(self.headroom)))))


@frozen
class WindowStatus:
    """One window of the quota, now.

    Attributes:
        limit: The requests that the server grants in a period.
        period: The period in seconds.
        used: Requests of this client in the window, those without an answer yet included.
        used_by_others: Requests of other clients of the token that are thought to be in it.
        free: Requests that may be sent now.
        reserved: How many of the free ones bulk work leaves to interactive requests.
    """

    limit: int
    period: float
    used: int
    used_by_others: int
    free: int
    reserved: int = 0


@frozen
class RateLimitStatus:
    """The quota, now.

    Attributes:
        windows: Each window, the shortest first.
        waiting: Requests that wait for quota.
        next_free: Seconds until a further interactive request could be sent; 0 when at once,
            infinity while that depends on answers still to come.
        server: The rate-limit headers that the server sent last; None before its first answer.
        away: Why the Redis that keeps a shared quota cannot be used now; None while it can, and
            where there is none.
    """

    windows: tuple[WindowStatus, ...]
    waiting: int
    next_free: float
    server: RateLimitHeaders | None
    away: str | None = None
