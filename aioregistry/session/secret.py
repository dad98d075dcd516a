"""Texts that are to be sent, and not to be shown."""

from typing import Any

__all__ = ["Secret"]


class Secret(str):
    """A text that its ``repr`` does not tell: tracebacks that show local variables print that."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"

    def __getitem__(self, key: Any) -> "Secret":
        # Of what is long, Rich shows the beginning.
        return Secret(super().__getitem__(key))
