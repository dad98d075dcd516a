"""The status of a garbage collection while a command waits for its end."""

from typing import TYPE_CHECKING

from aioregistry.cli.display.progress import Display

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioregistry.api.models import GarbageCollection

__all__ = ["show_status_of"]


def show_status_of(
    display: Display, *, warns: bool = True
) -> "Callable[[GarbageCollection], None]":
    """Return a callback that shows each status once.

    Args:
        display: Where it is shown.
        warns: Whether it says first that the registry is read-only.
    """
    from aioregistry.cleanup.garbage import READ_ONLY

    seen: list[str] = []

    def show_status(run: "GarbageCollection") -> None:
        display.waits_for = "the end of the garbage collection"
        if warns and not seen and not run.ended:
            display.say(READ_ONLY, begin="Collect")
        if run.status not in seen:
            seen.append(run.status)
            display.say(f"garbage collection: {run.status}", begin="Collect")

    return show_status
