"""Numbers of bytes and of things as people write them."""

__all__ = ["counted", "size_in_words"]

_STEP = 1000


def size_in_words(size: int) -> str:
    """Return a number of bytes in a readable unit: ``12.3 MB``."""
    if size < _STEP:
        return f"{size} B"
    amount, units = size / _STEP, ["kB", "MB", "GB", "TB"]
    # What would be shown as 1,000.0 is 1.0 of the next.
    while len(units) > 1 and round(amount, 1) >= _STEP:
        amount, units = amount / _STEP, units[1:]
    return f"{amount:,.1f} {units[0]}"


def counted(count: int, unit: str) -> str:
    """Return a count with its unit, given in the singular: ``1 tag``, ``1,000 tags``."""
    if count == 1:
        return f"{count:,} {unit}"
    return f"{count:,} {unit[:-1]}ies" if unit.endswith("ry") else f"{count:,} {unit}s"
