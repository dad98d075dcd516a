"""The positions of a moving list whose items have been seen."""

__all__ = ["Coverage"]


class Coverage:
    """The positions of a moving list whose items have been seen."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._seen: list[tuple[int, int]] = []

    def observe(self, total: int) -> int:
        """Take in the list's total, and return by how much it fell."""
        moved = 0 if self._total is None else total - self._total
        self._total = total
        rose, fell = max(0, moved), max(0, -moved)
        left = ((a + rose if a else 0, b - fell) for a, b in self._seen)
        self._seen = [(a, b) for a, b in left if a < b]
        return fell

    def add(self, start: int, end: int) -> None:
        """Count the positions from `start` up to `end` as seen."""
        joined = []
        for a, b in self._seen:
            if b < start or a > end:
                joined.append((a, b))
            else:
                start, end = min(a, start), max(b, end)
        joined.append((start, end))
        joined.sort()
        self._seen = joined

    def gaps(self, end: int) -> list[tuple[int, int]]:
        """Return the stretches before position `end` that are not seen."""
        if self._total is not None:
            end = min(end, self._total)
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
