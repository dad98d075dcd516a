"""Which requests are bulk work: those of a job, whatever call makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aioregistry.ratelimit.limits import Priority

__all__ = ["bulk_work", "within"]

# Tasks that are started meanwhile inherit it.
_in_bulk_work: ContextVar[bool] = ContextVar("aioregistry_bulk_work", default=False)


@contextmanager
def bulk_work() -> Iterator[None]:
    """Make every request within bulk work: lists and credentials of a job give way to people."""
    token = _in_bulk_work.set(True)
    try:
        yield
    finally:
        _in_bulk_work.reset(token)


def within(priority: Priority) -> Priority:
    """Return the priority that a request of some priority has here."""
    return "bulk" if _in_bulk_work.get() else priority
