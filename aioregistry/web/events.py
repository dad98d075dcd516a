"""Server-sent events: what both frameworks share."""

from collections.abc import Mapping

__all__ = ["HEADERS", "last_event_id"]

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    # Proxies of the nginx kind would hold events back.
    "X-Accel-Buffering": "no",
}
_MAX_DIGITS = 18


def last_event_id(headers: Mapping[str, str]) -> int | None:
    """Return the number of the last event that a reader has seen; None for a new reader."""
    text = headers.get("Last-Event-ID", "")
    known = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if known else None
