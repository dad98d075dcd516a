"""The age of what was looked at: it grows while the machine sleeps, too."""

import sys
import time
from collections.abc import Callable

__all__ = ["AgeClock", "seconds_asleep"]

# Clocks that are read one after the other differ by less.
_MIN_ASLEEP = 1.0
_SLEEPLESS = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}


def seconds_asleep() -> float:
    """Return how long this machine has slept since some moment; 0 where `time.monotonic` counts it.

    On Linux and macOS that stands still while a machine sleeps, and so does the event loop.
    """
    sleepless = getattr(time, _SLEEPLESS.get(sys.platform, ""), None)
    return 0.0 if sleepless is None else time.clock_gettime(sleepless) - time.monotonic()


class AgeClock:
    """A clock that is never behind: of several clocks that which has passed most time counts.

    A laptop that slept for a night goes on in the middle of a batch, and by the clock of the event
    loop its lists are seconds old. A virtual machine that is paused with its host has only the time
    of day to show that, once it is set right. Where that is set forward otherwise, things are
    looked at again that need not be; that it is set back changes nothing.

    Args:
        awake: The seconds that the program has run, as the time of its event loop.
    """

    def __init__(self, awake: Callable[[], float]) -> None:
        self.awake: Callable[[], float] = awake
        self._asleep = 0.0
        self._before = self._read()

    def __call__(self) -> float:
        """Return the time, in seconds, with that which the machine has slept."""
        now = self._read()
        awake, ran, slept, day = (new - old for new, old in zip(now, self._before, strict=True))
        missed = max(slept, day - max(awake, ran))
        if missed >= _MIN_ASLEEP:
            self._asleep += missed
            self._before = now
        else:
            # What is less is added up, but not of the time of day, which is set by little often.
            self._before = (now[0], now[1], self._before[2], now[3])
        return now[0] + self._asleep

    def _read(self) -> tuple[float, float, float, float]:
        return self.awake(), time.monotonic(), seconds_asleep(), time.time()
