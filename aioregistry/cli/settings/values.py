"""Values of settings: addresses, speeds and lengths of time."""

import re

from attrs import field, frozen

from aioregistry.cli.settings.config_file import SettingsError
from aioregistry.session.origins import check_origin

__all__ = ["Setting", "scale_of", "url_of", "whole_seconds"]

_CENTURY = 100 * 366 * 86_400
_RATE_LIMIT = re.compile(r"off|real|scaled:(\d{1,4}(?:\.\d+)?)", re.ASCII)


@frozen
class Setting:
    """A value and its source.

    Attributes:
        value: The value.
        source: Where it comes from, for errors.
        warning: What is wrong with that place; empty for nothing.
    """

    value: str = field(repr=False)
    source: str
    warning: str = ""


def url_of(key: str, setting: Setting) -> str:
    """Return an address that a setting has.

    Raises:
        SettingsError: It is none.
    """
    try:
        return check_origin(f"{setting.source}: {key}", setting.value)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def scale_of(setting: Setting) -> float:
    """Return how many times faster than the API's the limits run; 0 for no limits."""
    known = _RATE_LIMIT.fullmatch(setting.value)
    scale = float(known[1] or 1) if known else 0.0
    if setting.value == "off":
        return 0.0
    if not scale:
        raise SettingsError(
            f"{setting.source}: rate-limit must be real, off, or scaled:60 with a positive number,"
            f" not {setting.value!r}"
        )
    return scale


def whole_seconds(length: str) -> int:
    """Return the seconds of a length of time, such as ``1h``.

    Raises:
        ValueError: It is no length of time, zero, or more than a century.
    """
    from aioregistry.cleanup.policy.durations import parse_duration

    seconds = int(parse_duration(length).total_seconds())
    if seconds == 0:
        raise ValueError("0 s means credentials that never expire: use --never-expire")
    if seconds > _CENTURY:
        raise ValueError(f"{length} is more than 100 years; check the unit")
    return seconds
