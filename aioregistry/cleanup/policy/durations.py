"""Lengths of time as people write them: ``30d``, ``12h``, ``1d12h``."""

import re
from datetime import timedelta

__all__ = ["format_duration", "parse_duration"]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]{1,9})([wdhms])")


def parse_duration(text: str) -> timedelta:
    """Return the length of time of a text such as ``90s``, ``30d`` or ``1d12h``.

    Args:
        text: Whole numbers with units, the largest first: ``w``, ``d``, ``h``, ``m``, ``s``.

    Raises:
        ValueError: It is no length of time.
    """
    parts = _PART.findall(text)
    units = [unit for _, unit in parts]
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != text
        or units != sorted(set(units), key=list(_UNITS).index)
    ):
        raise ValueError(f"not a length of time: {text[:40]!r}; write 90s, 15m, 12h, 30d or 1d12h")
    try:
        return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"too long a time: {text!r}") from None


def format_duration(length: timedelta) -> str:
    """Return a length of time as `parse_duration` reads it; parts of a second are dropped."""
    left = int(length.total_seconds())
    text = ""
    for unit, seconds in list(_UNITS.items())[1:]:
        count, left = divmod(left, seconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
