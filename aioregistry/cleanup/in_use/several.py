"""Several sources at once: all of them, or one error."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING

from aioregistry.cleanup.in_use.references import Use
from aioregistry.oci.references import Reference

if TYPE_CHECKING:
    from aioregistry.cleanup.in_use.summary import AskedServer

__all__ = ["SeveralInUse"]


class SeveralInUse:
    """What several sources say is in use, asked at the same time; nothing of it if one fails.

    Example:
        ```python
        in_use = SeveralInUse(ClusterInUse("blue"), ClusterInUse("green"))
        print(in_use.asked)  # empty, until make_plan(…, in_use=in_use) has asked both
        ```

    Args:
        sources: Async iterables, as `ClusterInUse`.

    Attributes:
        notes: What each has passed over, in sentences.
        asked: The servers that were asked, once all have answered.

    Raises:
        InUseError: While it is iterated: one of them cannot be known, and why.
    """

    def __init__(self, *sources: AsyncIterable[Use | Reference | str]) -> None:
        self.notes: list[str] = []
        self.asked: tuple[AskedServer, ...] = ()
        self._sources = sources

    async def __aiter__(self) -> AsyncGenerator[Use | Reference | str]:
        for use in await self.ask():
            yield use

    async def ask(self) -> list[Use | Reference | str]:
        """Return what all sources say.

        Raises:
            InUseError: One of them cannot be known, and why.
        """
        asking = [asyncio.ensure_future(_all_of(source)) for source in self._sources]
        try:
            found = await asyncio.gather(*asking)
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        self.notes = [note for one in self._sources for note in getattr(one, "notes", ())]
        self.asked = tuple(each for one in self._sources for each in getattr(one, "asked", ()))
        return [use for some in found for use in some]


async def _all_of(
    source: AsyncIterable[Use | Reference | str],
) -> list[Use | Reference | str]:
    return [use async for use in source]
