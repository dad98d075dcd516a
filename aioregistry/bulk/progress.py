"""How far a bulk job is, how long it will take, and the callbacks that are called with that."""

from collections.abc import Callable

from attrs import frozen

from aioregistry.arguments import Ignored

__all__ = ["Progress", "ProgressReporter"]

_SECONDS_BETWEEN_REPORTS = 0.1


@frozen
class Progress:
    """How far a bulk job is.

    Attributes:
        done: Items whose outcome is known.
        total: Items in all; None when the source does not say how many it has.
        seconds: Seconds since the job began.
        seconds_left: Seconds that the rest will take, by the quota and by the pace so far; None
            without a total.
    """

    done: int
    total: int | None
    seconds: float
    seconds_left: float | None


class ProgressReporter:
    """Reports progress, ten times a second at most and at the end.

    Args:
        report: Called with a `Progress`.
        total: Items in all, where it is known.
        concurrency: How many items are worked off at once.
        seconds_for: Returns how long the quota makes some further requests take at least.
        clock: Returns seconds.
    """

    def __init__(
        self,
        report: Callable[[Progress], Ignored],
        total: int | None,
        concurrency: int,
        seconds_for: Callable[[int], float],
        clock: Callable[[], float],
    ) -> None:
        self._report = report
        self._total = total
        self._concurrency = concurrency
        self._seconds_for = seconds_for
        self._clock = clock
        self._begun = self._reported_at = clock()
        self._done = 0
        self._busy = 0.0

    def count(self, busy: float) -> None:
        """Count an item that took `busy` seconds, without its wait for quota."""
        self._done += 1
        self._busy += busy
        now = self._clock()
        if now - self._reported_at >= _SECONDS_BETWEEN_REPORTS or self._done == self._total:
            self._reported_at = now
            self._report(self._progress(now))

    def _progress(self, now: float) -> Progress:
        left = None
        if self._total is not None:
            items = self._total - self._done
            by_pace = items * self._busy / self._done / self._concurrency
            left = max(by_pace, self._seconds_for(items)) if items else 0.0
        return Progress(self._done, self._total, now - self._begun, left)
