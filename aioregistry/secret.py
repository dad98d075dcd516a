"""Texts that are to be sent, and not to be shown."""

__all__ = ["Secret"]


class Secret(str):
    """A text that its ``repr`` does not tell: tracebacks that show local variables print that."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"
