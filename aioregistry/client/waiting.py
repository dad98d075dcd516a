"""The wait for a garbage collection, a look after the other."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aioregistry.api.models import GarbageCollection
from aioregistry.arguments import Ignored
from aioregistry.errors import NotFoundError
from aioregistry.paging.pager import Pager

__all__ = ["end_of_garbage_collection"]

# A garbage collection that was just started may be unknown to a part of the API for a moment.
_LOOKS_FOR_A_NEW_COLLECTION = 3
_SECONDS_BETWEEN_LOOKS = 2.0


class _Collections(Protocol):
    name: str

    async def garbage_collection(self) -> GarbageCollection | None: ...

    def garbage_collections(self) -> Pager[GarbageCollection]: ...


async def end_of_garbage_collection(
    registry: _Collections,
    uuid: str | None,
    interval: float,
    on_status: Callable[[GarbageCollection], Ignored] | None,
) -> GarbageCollection | None:
    """Return a garbage collection once it has ended; None where none is under way.

    Args:
        registry: The handle of its registry.
        uuid: Which; None for the one that is under way.
        interval: Seconds between two looks.
        on_status: Called after each look while it is under way; None for no call.

    Raises:
        NotFoundError: There is none with this UUID.
        RegistryError: Any other of its kinds.
    """
    looks_left = _LOOKS_FOR_A_NEW_COLLECTION
    while True:
        found = await registry.garbage_collection()
        if uuid is None:
            if found is None:
                return None
            uuid = found.uuid
        if found is None or found.uuid != uuid:
            found = await _past(registry, uuid)
        if found is None:
            looks_left -= 1
            if not looks_left:
                raise NotFoundError(f"there is no garbage collection {uuid!r} in {registry.name!r}")
            await asyncio.sleep(min(interval, _SECONDS_BETWEEN_LOOKS))
            continue
        if found.ended:
            return found
        looks_left = _LOOKS_FOR_A_NEW_COLLECTION
        if on_status is not None:
            on_status(found)
        await asyncio.sleep(interval)


async def _past(registry: _Collections, uuid: str) -> GarbageCollection | None:
    async for past in registry.garbage_collections():
        if past.uuid == uuid:
            return past
    return None
