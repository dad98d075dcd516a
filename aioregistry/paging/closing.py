"""What iterators share that hold something open: they can be closed, by hand or by a block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["Closing"]


class Closing(ABC):
    """Closed by ``aclose``, or at the end of an ``async with`` block."""

    @abstractmethod
    async def aclose(self) -> None:
        """End what is under way."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
