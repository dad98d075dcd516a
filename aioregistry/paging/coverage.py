"""The positions of a moving list whose items have been seen."""

from collections.abc import Sequence

__all__ = ["Coverage"]


class Coverage:
    """The positions of a moving list whose items have been seen, as of the last answer.

    An item that was there all the time is seen when its position is. When d items go, it may have
    moved to the left by up to d, so every stretch of seen positions loses its last d; when d items
    come, it loses its first d, unless it begins the list.
    """

    def __init__(self) -> None:
        # The total after the last answer: which it is may not be known for sure.
        self._least: int | None = None
        self._most = 0
        self._seen: list[tuple[int, int]] = []

    @property
    def certain(self) -> bool:
        """Whether it is known what the list counted last, or that it does not count."""
        return self._least is None or self._least == self._most

    def differs(self, total: int) -> bool:
        """Return whether a total is another than the last one."""
        return self._least is not None and not self._least == self._most == total

    def observe(self, total: int) -> int:
        """Take in the total of an answer that is later than all others.

        Returns:
            By how much the total fell, at most.
        """
        if self._least is None:
            self._least = self._most = total
        if total == self._least == self._most:
            return 0
        rose, fell = max(0, total - self._least), max(0, self._most - total)
        self._least = self._most = total
        self._shrink(rose, fell)
        return fell

    def observe_unordered(self, totals: Sequence[int]) -> None:
        """Take in the totals of answers that are later than all others, in an unknown order.

        In whichever order they were served: a fall begins at one of the totals and ends at
        another, and each total is the begin of one change, and the end of one, at most.
        """
        begins = (*totals, self._most)
        least, most = min(begins), max(begins)
        self._shrink(
            rose=min(sum(total - least for total in totals), sum(most - total for total in begins)),
            fell=min(sum(most - total for total in totals), sum(total - least for total in begins)),
        )
        self._least, self._most = min(totals), max(totals)

    def _shrink(self, rose: int, fell: int) -> None:
        left = ((a + rose if a else 0, b - fell) for a, b in self._seen)
        self._seen = [(a, b) for a, b in left if a < b]

    def add(self, start: int, end: int) -> None:
        """Count the positions from `start` up to `end` as seen."""
        if self._seen and self._seen[-1][1] == start:
            # As nearly all of them are added.
            self._seen[-1] = (self._seen[-1][0], end)
            return
        joined = []
        for a, b in self._seen:
            if b < start or a > end:
                joined.append((a, b))
            else:
                start, end = min(a, start), max(b, end)
        joined.append((start, end))
        joined.sort()
        self._seen = joined

    def remove(self, start: int, end: int) -> None:
        """Count the positions from `start` up to `end` as not seen."""
        parts = [part for a, b in self._seen for part in ((a, min(b, start)), (max(a, end), b))]
        self._seen = [(a, b) for a, b in parts if a < b]

    def gaps(self, end: int) -> list[tuple[int, int]]:
        """Return the stretches before position `end` that are not seen."""
        if self._least is not None:
            end = min(end, self._most)
        gaps = []
        at = 0
        for a, b in self._seen:
            if a >= end:
                break
            if a > at:
                gaps.append((at, a))
            at = b
        if at < end:
            gaps.append((at, end))
        return gaps
