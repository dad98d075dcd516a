"""How much of the quota bulk work leaves to interactive requests: pure."""

import math
from collections import deque
from functools import partial
from itertools import takewhile
from operator import lt

from aioregistry.ratelimit.limits import RateLimit, part_of

__all__ = ["Reserve"]

# When no share is given: a fiftieth of each window, and the requests that are made at today's rate,
# with a quarter for chance; but bulk work keeps half.
DEFAULT_SHARE = 0.02
MARGIN = 1.25
MAX_SHARE = 0.5


class Reserve:
    """Bulk work may be sent only while more than `held` requests of each window are free.

    Of the reserve of a window, the part is held that interactive requests have not used in the last
    period. With a share given, the reserve is that share. Without one, it follows the interactive
    requests that were made beside bulk work within the longest period, and there is none as long as
    there were none: a job that is alone loses nothing.

    Args:
        limit: The quota.

    Attributes:
        active: Whether anything may be held now; while it is not, nobody need ask.
    """

    __slots__ = ("_beside_bulk_only", "_bounds", "_fixed", "_made", "_periods", "_since", "active")

    def __init__(self, limit: RateLimit) -> None:
        shares = [limit.share_of(most) for most, _ in limit.windows]
        self._periods = [period for _, period in limit.windows]
        self._bounds = [(part_of(each, DEFAULT_SHARE), part_of(each, MAX_SHARE)) for each in shares]
        self._beside_bulk_only = limit.reserve is None
        self._fixed: list[int] = []
        if limit.reserve:
            self._fixed = [min(part_of(each, limit.reserve), each - 1) for each in shares]
        self.active: bool = bool(self._fixed)
        # When interactive requests were made, and since when they are.
        self._made: deque[float] = deque()
        self._since = 0.0

    def count(self, now: float, *, beside_bulk: bool) -> None:
        """Count an interactive request.

        Args:
            now: The time.
            beside_bulk: Whether bulk work is under way.
        """
        if not (beside_bulk if self._beside_bulk_only else self._fixed):
            return
        if not self._made:
            self._since = now
        self._made.append(now)
        self._expire(now)
        self.active = True

    def held(self, now: float) -> list[int]:
        """Return how many requests of each window bulk work leaves free now."""
        self._expire(now)
        if not self.active:
            return [0] * len(self._periods)
        return [
            max(0, reserve - self._made_lately(now, period))
            for reserve, period in zip(self._reserves(now), self._periods, strict=True)
        ]

    def _made_lately(self, now: float, period: float) -> int:
        if period == self._periods[-1]:
            # Those before are gone, and thousands may be left: too many to count for each request.
            return len(self._made)
        return sum(1 for _ in takewhile(partial(lt, now - period), reversed(self._made)))

    def _reserves(self, now: float) -> list[int]:
        if not self._beside_bulk_only:
            return self._fixed
        shortest, longest = self._periods[0], self._periods[-1]
        rate = MARGIN * len(self._made) / min(longest, now - self._since + shortest)
        return [
            min(least + math.ceil(rate * period), most)
            for (least, most), period in zip(self._bounds, self._periods, strict=True)
        ]

    def _expire(self, now: float) -> None:
        made, oldest = self._made, now - self._periods[-1]
        while made and made[0] <= oldest:
            made.popleft()
        if not made and not self._fixed:
            self.active = False
