"""Callbacks are called, not awaited: a coroutine function would be lost in silence."""

import inspect
from collections.abc import Callable

__all__ = ["check_callback"]


def check_callback(name: str, callback: Callable[..., object] | None) -> None:
    """Raise `TypeError` when `callback`, given as `name`, is a coroutine function."""
    if inspect.iscoroutinefunction(callback):
        raise TypeError(f"{name} must be a plain function: it is called, not awaited")
