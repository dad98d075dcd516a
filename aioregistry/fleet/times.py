"""Schedules and windows of time: when a run is due, and when work may be done; pure."""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from attrs import frozen

__all__ = ["Schedule", "Window", "zone_of"]

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DAY = timedelta(days=1)
# Of each field of cron: how many there are of what, and in what.
_FIELDS = (
    (60, "minutes", "an hour"),
    (24, "hours", "a day"),
    (31, "days", "a month"),
    (12, "months", "a year"),
    (7, "days", "a week"),
)
# A moment that was missed by more, as by a fleet that stood still, is left out.
_MAX_LATE = timedelta(hours=1)


def zone_of(name: str) -> tzinfo:
    """Return a time zone.

    Raises:
        ValueError: There is none of this name.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Windows and the smallest of images have no list.
        known = "write a name such as UTC or Europe/Berlin"
        if not available_timezones():
            known = "this system knows none: install its package tzdata, or 'pip install tzdata'"
        raise ValueError(f"no time zone {name!r}; {known}") from None


@frozen
class Schedule:
    """The moments at which runs begin.

    Attributes:
        text: Five fields as of cron: minute, hour, day of the month, month, day of the week.
        zone: The time zone in which they are meant.
    """

    text: str
    zone: tzinfo = UTC

    def __attrs_post_init__(self) -> None:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415  (of an extra)

        if len(self.text.split()) != 5:
            raise ValueError(f"not the five fields of cron: {self.text!r}; write 0 3 * * *")
        try:
            CronSim(self.text, datetime.now(self.zone))
        except CronSimError as error:
            raise ValueError(f"{self.text!r}: {error}; write 0 3 * * * for every night") from None
        for field, (count, units, whole) in zip(self.text.split(), _FIELDS, strict=True):
            for term in field.split(","):
                if int(term.partition("/")[2] or 1) > count:
                    raise ValueError(
                        f"{self.text!r}: {term} is a step of more than the {count} {units} of"
                        f" {whole}, and would mean once in {whole}; write 0 3 * * * for every night"
                    )

    def due(self, now: datetime) -> datetime | None:
        """Return the last moment, unless it is more than an hour ago.

        Every worker, by whatever clock, comes to the same moments: of each there is one run.
        """
        from cronsim import CronSim  # noqa: PLC0415

        here = (now + timedelta(seconds=1)).astimezone(self.zone)
        last: datetime | None = next(CronSim(self.text, here, reverse=True), None)
        if last is None or now - last > _MAX_LATE:
            return None
        return last.astimezone(UTC)

    def next(self, now: datetime) -> datetime | None:
        """Return the next moment; None where there is none."""
        from cronsim import CronSim  # noqa: PLC0415

        found: datetime | None = next(CronSim(self.text, now.astimezone(self.zone)), None)
        return None if found is None else found.astimezone(UTC)


@frozen
class Window:
    """The time of the day in which work is done; it may go past midnight.

    Attributes:
        start: When it opens.
        end: When it closes.
        zone: The time zone in which they are meant.
    """

    start: time
    end: time
    zone: tzinfo = UTC

    @classmethod
    def parse(cls, text: str, zone: tzinfo = UTC) -> "Window":
        """Return the window of a text such as ``01:00-05:30``.

        Raises:
            ValueError: It is none.
        """
        found = _WINDOW.fullmatch(text)
        if found is None or found[1] + found[2] == found[3] + found[4]:
            raise ValueError(f"not a window of time: {text!r}; write 01:00-05:30")
        start, end = (time(int(found[nth]), int(found[nth + 1])) for nth in (1, 3))
        return cls(start, end, zone)

    def opens(self, now: datetime) -> datetime:
        """Return `now` while the window is open, and when it opens next while it is not."""
        return now if self.closes(now) is not None else self._next(self.start, now)

    def closes(self, now: datetime) -> datetime | None:
        """Return when the open window closes; None while it is closed."""
        here = now.astimezone(self.zone).time()
        if self.start < self.end:
            is_open = self.start <= here < self.end
        else:
            is_open = here >= self.start or here < self.end
        return self._next(self.end, now) if is_open else None

    def _next(self, at: time, now: datetime) -> datetime:
        here = now.astimezone(self.zone)
        for days in range(3):
            day = (here + days * _DAY).date()
            found = datetime.combine(day, at, self.zone).astimezone(UTC)
            if found > now:
                return found
        raise AssertionError(at)  # pragma: no cover, a day has 25 hours at most
