"""What is counted, and what the API reports as stored: what the difference means: pure."""

from aioregistry.api.models import Registry
from aioregistry.sizes import size_in_words
from aioregistry.usage.model import UsageRow

__all__ = ["difference"]


def difference(total: UsageRow, stored: int, reported: Registry) -> str:
    """Return what the API reports, beside what was counted, and what the difference means.

    Args:
        total: What was counted.
        stored: The bytes that the API reports.
        reported: What else it says of the registry.
    """
    at = reported.storage_usage_bytes_updated_at
    when = "" if at is None else f" (measured {at:%Y-%m-%d %H:%M} UTC)"
    said = f"the API reports {size_in_words(stored)} stored{when}"
    if stored > total.bytes:
        more = size_in_words(stored - total.bytes)
        if total.at_least:
            return f"{said}, {more} more: not collected yet, or left out of the lists"
        return (
            f"{said}, {more} more: no manifest needs them; a garbage collection frees them:"
            f" aioregistry gc start {reported.name}"
        )
    if stored < total.bytes:
        return f"{said}, {size_in_words(total.bytes - stored)} less: pushed since it measured"
    return f"{said}, as counted"
