"""The arithmetic of the quota, pure: rolling windows."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import takewhile

__all__ = ["RollingWindow", "seconds_for"]


class RollingWindow:
    """At most `limit` requests in any `period` seconds, as the server counts them.

    The server counts a request from when it arrives there. A permit counts from when it is given
    until one full period after its answer arrived, so network delay can never make the server's
    count exceed ours.

    Requests of other clients are inferred from the rate-limit headers. Others that were seen lately
    are expected to use again the room that their old requests leave, until nothing was seen of them
    for a while. Then one request of ours at a time tries that room (a probe); a probe without an
    answer is no longer waited for after as long a while.

    Args:
        limit: The requests that the server grants in a period.
        period: Seconds.
        share: How many of them are ours; the rest is left to others. By default all.
        others_timeout: Seconds without news of others after which they are thought to be gone; by
            default one period.

    Attributes:
        in_flight: Requests of ours without an answer yet.
        probing: Whether only one request at a time is to try the room that others have left.
    """

    __slots__ = (
        "_expired",
        "_held",
        "_others",
        "_others_seen",
        "_returns",
        "_taken_at",
        "in_flight",
        "limit",
        "others_timeout",
        "period",
        "probing",
        "share",
    )

    def __init__(
        self,
        limit: int,
        period: float,
        share: int | None = None,
        others_timeout: float | None = None,
    ) -> None:
        self.limit: int = limit
        self.period: float = period
        self.share: int = limit if share is None else share
        self.others_timeout: float = period if others_timeout is None else others_timeout
        self.in_flight: int = 0
        self.probing: bool = False
        self._taken_at = -math.inf
        # When our permits come back, and when the last ones did.
        self._returns: deque[float] = deque()
        self._expired: deque[float] = deque(maxlen=limit)
        # When requests of others leave the window, and how long the room that they left is held.
        self._others: list[float] = []
        self._held: deque[float] = deque()
        self._others_seen = -math.inf

    def _expire(self, now: float) -> None:
        returns, others = self._returns, self._others
        while returns and returns[0] <= now:
            self._expired.append(returns.popleft())
        while others and others[0] <= now:
            left = heappop(others)
            if self._is_held(left):
                self._held.append(left + self.others_timeout)
        while self._held and self._held[0] <= now:
            self._held.popleft()
            self.probing = True

    def _is_held(self, left: float) -> bool:
        return left < self._others_seen + self.others_timeout

    def _waits_for_probe(self, now: float) -> bool:
        return self.probing and self.in_flight > 0 and now < self._taken_at + self.others_timeout

    def _others_leave(self) -> list[float]:
        """Return when the room of others will be free, if they do not come again."""
        timeout = self.others_timeout
        # As in `_is_held`, for thousands at once.
        held_before = self._others_seen + timeout
        left = [at + timeout if at < held_before else at for at in self._others]
        return [*self._held, *left]

    def used(self, now: float) -> int:
        """Return how many permits of ours are out, in flight or not yet come back."""
        self._expire(now)
        return self.in_flight + len(self._returns)

    def used_since(self, then: float, now: float) -> int:
        """Return how many permits of ours were out at any time between two."""
        self._expire(now)
        used = self.in_flight + len(self._returns)
        if not self._expired:
            return used
        return used + sum(1 for _ in takewhile(lambda at: at > then, reversed(self._expired)))

    def used_by_others(self, now: float) -> int:
        """Return how many requests of other clients are thought to be in the window."""
        self._expire(now)
        return len(self._others)

    @property
    def roomy(self) -> bool:
        """Whether a request may be sent however old the others are: a look that costs little.

        When this is False, `free` decides.
        """
        return (
            self.in_flight + len(self._returns) < self.share
            and not self.probing
            and not self._others
            and not self._held
        )

    def free(self, now: float) -> int:
        """Return how many requests may be sent at once; not positive when none may."""
        used = self.used(now)
        if self._waits_for_probe(now):
            return 0
        others = len(self._others) + len(self._held)
        # Where there are others, each unanswered request of ours may hide one of theirs.
        hidden = self.in_flight if others else 0
        return min(self.share - used, self.limit - used - others - hidden)

    def free_at(self, now: float, ahead: int = 0) -> float:
        """Return when a request may be sent at the earliest that has `ahead` others before it.

        That is `now` when it may be sent at once, and infinity while it depends on answers that
        are still to come: they are thought to come soon.
        """
        needed = ahead + 1 - self.free(now)
        if needed <= 0:
            return now
        coming: Sequence[float] = self._returns
        if self._others or self._held:
            coming = sorted([*self._returns, *self._others_leave()])
            needed -= self.in_flight
        elif self.probing:
            needed -= self.in_flight
        return coming[needed - 1] if 0 < needed <= len(coming) else math.inf

    def opens_at(self, now: float, ahead: int = 0) -> float:
        """Return when more than `ahead` requests may be sent, should no answer come any more.

        That is `now` when they may be sent at once, and infinity when only an answer frees as many.
        At that time `free` decides anew: others may have left the window for good by then, or the
        room that they left may have to be tried.
        """
        if self.free(now) > ahead:
            return now
        if self._waits_for_probe(now):
            return self._taken_at + self.others_timeout
        used = self.in_flight + len(self._returns)
        at = _nth(self._returns, ahead + 1 + used - self.share, now)
        if leave := sorted(self._others_leave()):
            coming = sorted([*self._returns, *leave])
            needed = ahead + 1 + used + len(leave) - self.limit
            # While any of them is there, our unanswered requests count twice.
            beside = _nth(coming, needed + self.in_flight, now)
            after = max(leave[-1], _nth(coming, needed, now))
            at = max(at, min(beside, after))
        return at

    def seconds_for(
        self, requests: int, now: float, within: Callable[[int], float], reserved: int = 0
    ) -> float:
        """Return how long some further requests take at least.

        Others that were seen lately keep what they have, unless it is all that there is; the rest
        leaves, and nobody else comes.

        Args:
            requests: How many, at least 1.
            now: The time.
            within: Returns how long fewer than `limit` of them take for other reasons.
            reserved: Requests of the window that are left free; by default none.
        """
        used = self.used(now)
        held_before = self._others_seen + self.others_timeout
        leave = [at for at in self._others if at >= held_before]
        staying = len(self._others) + len(self._held) - len(leave)
        if staying + reserved >= self.limit:
            # As long as they stay, none of ours can be sent.
            leave, staying = self._others_leave(), 0
        left = self.limit - staying
        rounds, last = divmod(requests - 1, max(1, min(self.share, left) - reserved))
        # The last one of them goes at once, or when this permit comes back, or others have left.
        nth = last - (min(self.share, left - len(leave)) - reserved - used)
        wait = 0.0
        if nth >= 0:
            coming = sorted([*self._returns, *leave]) if leave else self._returns
            wait = coming[nth] - now if nth < len(coming) else self.period
        return rounds * self.period + max(wait, within(last + 1))

    def take(self, now: float) -> None:
        """Count a request that is about to be sent."""
        self.in_flight += 1
        self._taken_at = now

    def give_back(self, now: float, *, sent: bool) -> None:
        """Count its answer, or that we gave it up; it is free at once when it was never sent."""
        self.in_flight -= 1
        if sent:
            self._returns.append(now + self.period)

    def add_others(self, count: int, first: float, last: float) -> None:
        """Count requests of other clients that leave evenly from one time on until another."""
        count = min(count, self.limit)
        step = (last - first) / count if count else 0.0
        for nth in range(count):
            heappush(self._others, first + nth * step)

    def observe_others(self, count: int, now: float) -> None:
        """Count requests of others that came since the last answer, and expect more."""
        self._expire(now)
        self._others_seen = now
        for _ in range(min(count, len(self._held))):
            self._held.popleft()
        self.add_others(count, now + self.period, now + self.period)

    def cap_others(self, count: int) -> None:
        """Forget all but `count` requests of others, the oldest first."""
        while len(self._others) > max(0, count):
            heappop(self._others)


def _nth(times: Sequence[float], number: int, now: float) -> float:
    """Return the `number`-th of some times in order: `now` before the first, infinity after all."""
    if number <= 0:
        return now
    return times[number - 1] if number <= len(times) else math.inf


def seconds_for(
    requests: int,
    windows: Sequence[RollingWindow],
    burst: float,
    now: float,
    reserved: Sequence[int] = (),
) -> float:
    """Return how long some further requests take at least, by all windows.

    Args:
        requests: How many.
        windows: The shortest first.
        burst: Requests that may be sent at once, and then in each second.
        now: The time.
        reserved: How many requests of each window are left free; by default none.
    """
    if requests <= 0:
        return 0.0
    if not windows:
        return max(0.0, (requests - burst) / burst)
    *shorter, longest = windows

    def within(fewer: int) -> float:
        return seconds_for(fewer, shorter, burst, now, reserved)

    kept = reserved[len(shorter)] if reserved else 0
    return longest.seconds_for(requests, now, within, kept)
