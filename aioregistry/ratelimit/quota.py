"""What a client may send now, and when it may send more, by all windows together: pure."""

import math

from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limits import Priority, RateLimit, WindowStatus
from aioregistry.ratelimit.reserve import Reserve
from aioregistry.ratelimit.windows import RollingWindow, seconds_for

__all__ = ["Quota"]

_DEFAULT_CLOSURE_SECONDS = 1.0
# In shortest periods. A job at the limit hears of others about once in a period: not hearing of
# them for so long, and then some, means that they are gone.
_OTHERS_TIMEOUT_PERIODS = 1.25


class Quota:
    """The quota as far as it is known here: the server's windows, mirrored, and what it reports.

    Args:
        rate_limit: How much of it the client takes.

    Attributes:
        windows: The windows, the shortest first.
        reserve: What bulk work leaves to interactive requests.
        closed_until: Until when nothing is sent, after a 429.
        reported: The rate-limit headers that the server sent last; None before its first answer.
    """

    def __init__(self, rate_limit: RateLimit) -> None:
        self._rate_limit = rate_limit
        others_timeout = _OTHERS_TIMEOUT_PERIODS * rate_limit.windows[0][1]
        self.windows: list[RollingWindow] = [
            RollingWindow(limit, period, rate_limit.share_of(limit), others_timeout)
            for limit, period in rate_limit.windows
        ]
        self.reserve: Reserve = Reserve(rate_limit)
        self.closed_until: float = 0.0
        self.reported: RateLimitHeaders | None = None
        self._bulk_granted_at = -math.inf
        self._others_at_least: int | None = None
        self._others_known = False

    def is_open(self, now: float) -> bool:
        """Return whether a request may be sent now, by all windows and by the last 429."""
        if self.closed_until > now:
            return False
        for window in self.windows:  # noqa: SIM110, a generator costs half of all this
            if not window.roomy and window.free(now) <= 0:
                return False
        return True

    def is_open_for_bulk(self, now: float) -> bool:
        """Return whether more is free than is left to interactive requests."""
        held = self.reserve.held(now)
        return all(window.free(now) > left for window, left in zip(self.windows, held, strict=True))

    def _held_from(self, priority: Priority, now: float) -> list[int]:
        if priority == "bulk" and self.reserve.active:
            return self.reserve.held(now)
        return [0] * len(self.windows)

    def opens_at(self, priority: Priority, now: float) -> float:
        """Return when the next request of a priority may be sent, should no answer come any more.

        An answer wakes the dispatcher: this is the timer for when none does.
        """
        held = self._held_from(priority, now)
        at = max(
            window.opens_at(now, left) for window, left in zip(self.windows, held, strict=True)
        )
        if at > now and any(held):
            # What is held may become less before anything comes back.
            at = min(at, now + self._rate_limit.windows[0][1])
        return max(at, self.closed_until)

    def foreseen_at(self, now: float, ahead: int, priority: Priority = "interactive") -> float:
        """Return when a request may be sent at the earliest, should all answers come soon."""
        held = self._held_from(priority, now)
        at = max(
            window.free_at(now, ahead + left)
            for window, left in zip(self.windows, held, strict=True)
        )
        return max(at, self.closed_until)

    def take(self, priority: Priority, now: float, *, bulk_waits: bool) -> None:
        """Count a request that is about to be sent.

        Args:
            priority: Its priority.
            now: The time.
            bulk_waits: Whether bulk work waits for quota.
        """
        for window in self.windows:
            window.take(now)
        if priority == "bulk":
            self._bulk_granted_at = now
        else:
            lately = now < self._bulk_granted_at + self._rate_limit.windows[0][1]
            self.reserve.count(now, beside_bulk=lately or bulk_waits)

    def give_back(self, reported: RateLimitHeaders | None, now: float, *, sent: bool) -> None:
        """Count the end of a request, and believe what its answer reports.

        Args:
            reported: The rate-limit headers of the answer; None without one.
            now: The time.
            sent: Whether the request was sent.
        """
        rejected = reported is not None and reported.status == 429
        for window in self.windows:
            # Should the server count what it rejects, it shows as a request of others.
            window.give_back(now, sent=sent and not rejected)
        if reported is not None:
            self.reported = reported
            if rejected:
                self._close(reported, now)
            else:
                if now >= self.closed_until:
                    for window in self.windows:
                        window.probing = False
                self._count_others(reported, now)
        if self.windows[-1].in_flight == 0:
            self._settle_others()

    def window_statuses(self, now: float) -> tuple[WindowStatus, ...]:
        """Return how each window stands, the shortest first."""
        return tuple(
            WindowStatus(
                window.limit,
                window.period,
                window.used(now),
                window.used_by_others(now),
                max(0, window.free(now)),
                held,
            )
            for window, held in zip(self.windows, self.reserve.held(now), strict=True)
        )

    def seconds_for(self, requests: int, now: float) -> float:
        """Return how long some requests of bulk work take at least; those in flight come first.

        Args:
            requests: How many.
            now: The time.
        """
        further = requests - self.windows[-1].in_flight
        if further <= 0:
            return 0.0
        held = self.reserve.held(now)
        at_least = seconds_for(further, self.windows, self._rate_limit.burst, now, held)
        return max(at_least, self.closed_until - now)

    def _close(self, reported: RateLimitHeaders, now: float) -> None:
        """Close the gate for all at once after a 429, and count those who used what we did not.

        With `retry-after` the shortest window is meant that it fits in, else the longest.
        """
        asked = reported.retry_after
        fitting = [each for each in self.windows if asked is not None and asked <= each.period]
        window = fitting[0] if fitting else self.windows[-1]
        delay = reported.reset_after if asked is None else asked
        # No quota is ever further away than its period: a wilder report is not believed.
        delay = min(_DEFAULT_CLOSURE_SECONDS if delay is None else delay, window.period)
        known = window.used_by_others(now)
        unknown = window.limit - window.used(now) - known
        if known and now >= self.closed_until:
            # Others were allowed for, and went on.
            window.observe_others(unknown, now)
        else:
            window.add_others(unknown, now + delay, now + window.period)
        window.probing = True
        self.closed_until = max(self.closed_until, now + delay)

    def _count_others(self, reported: RateLimitHeaders, now: float) -> None:
        """Take from `remaining` how much of the longest window others have used.

        The server may have counted all that was in flight, or none of it. If all, then others
        have used what is left over: so they have used that much at least.
        """
        window = self.windows[-1]
        if reported.remaining is None or (
            reported.limit is not None and reported.limit != window.limit
        ):
            return
        surely = window.limit - reported.remaining - window.used_since(now - reported.took, now)
        self._others_at_least = max(self._others_at_least or 0, surely)
        new = surely - window.used_by_others(now) if surely > 0 else 0
        if new > 0 and self._others_known:
            for each in self.windows:
                each.observe_others(new, now)
        elif new > 0:
            # They were there before us, and leave between when the first expires and then.
            reset = min(reported.reset_after or 0.0, window.period)
            window.add_others(new, now + reset, now + window.period)

    def _settle_others(self) -> None:
        """Take the highest count since the last time for the true one: nothing is in flight."""
        if self._others_at_least is not None:
            self.windows[-1].cap_others(self._others_at_least)
            self._others_at_least = None
            self._others_known = True
