"""Text that is safe to show, and counts, sizes and times as people write them."""

import re
import shlex
from pathlib import Path

from aioregistry.errors import printable
from aioregistry.sizes import counted, size_in_words

__all__ = [
    "counted",
    "csv_cell",
    "how_to_undo",
    "parse_size",
    "reason_of",
    "safe",
    "size_in_words",
    "time_in_words",
]

_UNITS = {
    "": 1, "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})", re.ASCII)

safe = printable


def parse_size(text: str) -> int:
    """Return the bytes in a text such as ``500MB``, ``1.5GiB`` or ``1024``.

    Raises:
        ValueError: The text is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    unit = None if found is None else _UNITS.get(found[2].upper())
    if found is None or unit is None:
        raise ValueError(f"not a size: {text[:40]!r}; write 500MB, 2GiB or a number of bytes")
    return round(float(found[1]) * unit)


def time_in_words(seconds: float) -> str:
    """Return a length of time in readable units: ``3 min 20 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def how_to_undo(archive: Path) -> str:
    """Return how what was deleted is restored from an archive."""
    undo = f"aioregistry cleanup undo {shlex.quote(str(archive))}"
    return f"until the next garbage collection, to restore: {undo}"


def reason_of(error: OSError, what: object = "") -> str:
    """Return why a file cannot be used, with its name: ``plan.json: No space left on device``.

    Args:
        error: The error.
        what: What to name where the error has no file.
    """
    name = error.filename or what
    text = error.strerror or str(error)
    return f"{name}: {text}" if name else text


def csv_cell(text: str) -> str:
    """Return a text that is safe in a spreadsheet: no control characters, and no formula."""
    text = safe(text)
    # Spreadsheets take these for formulas.
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
