"""How much of the quota a client takes, and how the quota stands: the part that users write."""

from typing import Literal, Protocol

from attrs import evolve, field, frozen, validators

from aioregistry.ratelimit.headers import RateLimitHeaders

__all__ = ["Limiter", "Priority", "RateLimit", "RateLimitStatus", "WindowStatus"]

Priority = Literal["interactive", "bulk"]


class Limiter(Protocol):
    """What the client asks of a limiter: a permit for each request, and where it went.

    One that also has the `status` and `seconds_for` of `WindowLimiter` tells callers, through
    `RegistryClient.rate_limit_status` and `Progress.seconds_left`, what it knows.
    """

    async def acquire(self, priority: Priority = "interactive") -> None:
        """Wait until a request may go.

        Raises:
            RateLimitedError: It would have to wait longer than the limiter allows.
        """
        ...

    def release(self, reported: RateLimitHeaders | None = None, *, sent: bool = True) -> None:
        """Tell that a request is over.

        After a 429 it is the limiter alone that waits: the next `acquire` must.

        Args:
            reported: The rate-limit headers of its answer; None when there was no answer.
            sent: False when the permit was not used after all.
        """
        ...


def _windows(
    value: tuple[tuple[int, float], ...],
) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(((limit, float(period)) for limit, period in value), key=lambda w: w[1]))


def _check_windows(_: object, __: object, value: tuple[tuple[int, float], ...]) -> None:
    if not value or any(limit < 1 or period <= 0 for limit, period in value):
        raise ValueError(f"windows must be pairs of requests and seconds, both positive: {value}")


@frozen(kw_only=True)
class RateLimit:
    """How much of the API's quota a client takes.

    Attributes:
        windows: The server's rolling windows, each the requests and the seconds.
        burst: Requests that may go at once, and then in each second.
        headroom: The share of each window that is left to other clients of the token, 0 to 1.
        max_wait: The longest, in seconds, that a request may wait for quota before
            `RateLimitedError` is raised; None waits as long as it takes.
        bulk_may_wait: Whether `max_wait` is not for bulk work, which then waits as long as it
            takes: so in a service, where people wait for the one and nobody for the other.
    """

    windows: tuple[tuple[int, float], ...] = field(
        default=((250, 60.0), (5000, 3600.0)), converter=_windows, validator=_check_windows
    )
    burst: float = field(default=100.0, validator=validators.ge(1.0))
    headroom: float = field(default=0.0, validator=[validators.ge(0.0), validators.lt(1.0)])
    max_wait: float | None = field(default=None, validator=validators.optional(validators.ge(0.0)))
    bulk_may_wait: bool = False

    def max_wait_of(self, priority: Priority) -> float | None:
        """Return the longest that a request of a class may wait; None for as long as it takes."""
        return None if self.bulk_may_wait and priority == "bulk" else self.max_wait

    def scaled(self, factor: float) -> "RateLimit":
        """Return the same quota in a time that runs `factor` times faster, as a sandbox's may."""
        windows = tuple((limit, period / factor) for limit, period in self.windows)
        return evolve(self, windows=windows, burst=self.burst * factor)


@frozen
class WindowStatus:
    """One window now: its limit and period (seconds), and who has used how much of it."""

    limit: int
    period: float
    used: int
    used_by_others: int
    free: int


@frozen
class RateLimitStatus:
    """The quota now.

    Attributes:
        windows: Each window, the shortest first.
        waiting: Requests that wait for quota.
        next_free: Seconds until a further request could go; 0 when at once, infinity while that
            depends on answers still to come.
        server: What the server said last; None before its first answer.
    """

    windows: tuple[WindowStatus, ...]
    waiting: int
    next_free: float
    server: RateLimitHeaders | None
