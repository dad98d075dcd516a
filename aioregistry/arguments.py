"""Arguments that are easily given wrong: several things that are one text, callbacks to await."""

import inspect
from asyncio import Future
from collections.abc import AsyncIterable, Callable, Iterator, Sized
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Ignored", "Many", "Names", "Several", "plain_callback", "refuse_one"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Many(Protocol[T_co]):
    """A collection of any kind but a text: that is one name, and its letters are none.

    The type checker sees the difference by ``in``: a list may be asked for any object, a text for
    other texts only.
    """

    def __iter__(self) -> Iterator[T_co]:
        """Iterate over all of them."""

    def __contains__(self, item: object, /) -> bool:
        """Return whether this is one of them."""

    def __len__(self) -> int:
        """Return how many they are."""


# What callers have as an Iterable[str] may be a text: iter() says that it is none.
Several = Many[T] | Iterator[T]
Names = Several[str] | AsyncIterable[str]

# What a callback may return. Nothing is done with it; of a coroutine, nothing at all would be.
Ignored = Sized | float | Future[Any] | None


def refuse_one(name: str, given: object) -> None:
    """Raise `TypeError` when an argument for several names is one text.

    Args:
        name: The argument.
        given: What was given for it.
    """
    if isinstance(given, str | bytes):
        raise TypeError(f"{name} takes several: put a single one into a list, [{given!r}]")


def plain_callback(name: str, callback: Callable[P, T] | None) -> Callable[P, T] | None:
    """Return a callback that raises `TypeError` where it would have to be awaited.

    Callbacks are called, not awaited: the work of a coroutine would be lost without a word.

    Args:
        name: The argument.
        callback: What was given for it; None stays None.

    Raises:
        TypeError: It is a coroutine function. What returns a coroutine all the same is found out
            when it is called.
    """
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"{name} must be a function, not {callback!r}")
    # Of an object that is called, its method is the function.
    for function in (callback, type(callback).__call__):
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise _not_awaited(name)

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        result = callback(*args, **kwargs)
        if inspect.iscoroutine(result):
            result.close()
            raise _not_awaited(name)
        return result

    return called


def _not_awaited(name: str) -> TypeError:
    return TypeError(f"{name} must be a plain function: it is called, not awaited")
