"""The garbage collections of a registry: calls of its handle, and the wait for an end."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, overload

from aioregistry.api.endpoints import Endpoints
from aioregistry.api.models import GarbageCollection
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.client.families import PathFamilies
from aioregistry.client.lists import ListEndpoint, PagerFactory
from aioregistry.errors import NotFoundError, RegistryTimeoutError
from aioregistry.paging.pager import Pager

__all__ = ["GarbageCollectionType", "GarbageCollections"]

GarbageCollectionType = Literal[
    "untagged manifests only",
    "unreferenced blobs only",
    "untagged manifests and unreferenced blobs",
]
# A garbage collection that was just started may be unknown to a part of the API for a moment.
_LOOKS_FOR_A_NEW_COLLECTION = 3
_SECONDS_BETWEEN_LOOKS = 2.0


class GarbageCollections:
    """The calls for a registry's garbage collections, which `RegistryHandle` has.

    Attributes:
        name: The registry's name.
    """

    def __init__(self, name: str, families: PathFamilies, pagers: PagerFactory) -> None:
        self.name: str = name
        self._families = families
        self._pagers = pagers

    async def start_garbage_collection(
        self,
        type: GarbageCollectionType | None = None,  # noqa: A002
        *,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> GarbageCollection:
        """Start a garbage collection; the registry is read-only until it has ended.

        ``POST …/{registry}/garbage-collection``. Never repeated by itself.

        Example:
            ```python
            started = await registry.start_garbage_collection("unreferenced blobs only")
            ```

        Args:
            type: Which kind to run; None, the default, leaves the choice to the API.
            check: Awaited when all waiting is over; nothing is sent if it raises. None by default.

        Raises:
            RegistryError: One is under way already, or any other of its kinds.
        """
        return await self._families.call(
            lambda endpoints: endpoints.start_garbage_collection(self.name, type), check=check
        )

    async def garbage_collection(self) -> GarbageCollection | None:
        """Return the garbage collection that is under way, or None.

        ``GET …/{registry}/garbage-collection``.

        Raises:
            RegistryError: Any of its kinds, but for the 404 of no garbage collection.
        """
        try:
            return await self._families.call(
                lambda endpoints: endpoints.get_garbage_collection(self.name)
            )
        except NotFoundError as error:
            if not error.is_certain:
                raise
            return None

    def garbage_collections(self) -> Pager[GarbageCollection]:
        """Return a pager over past garbage collections.

        ``GET …/{registry}/garbage-collections``. Nothing is sent before the pager is walked.
        """
        listed = partial(Endpoints.list_garbage_collections, registry=self.name)
        return self._pagers.pager(ListEndpoint(listed, lambda runs: [run.uuid for run in runs]))

    async def cancel_garbage_collection(self, uuid: str) -> GarbageCollection:
        """Cancel the garbage collection that is under way.

        ``PUT …/{registry}/garbage-collection/{uuid}``.

        Args:
            uuid: Its UUID.

        Raises:
            InvalidNameError: This is no UUID; nothing was sent.
            NotFoundError: There is none with this UUID.
            RegistryError: Any other of its kinds.
        """
        return await self._families.call(
            lambda endpoints: endpoints.cancel_garbage_collection(self.name, uuid)
        )

    @overload
    async def wait_for_garbage_collection(
        self,
        uuid: str,
        *,
        timeout: float | None = None,
        interval: float = 10.0,
        on_status: Callable[[GarbageCollection], Ignored] | None = None,
    ) -> GarbageCollection: ...

    @overload
    async def wait_for_garbage_collection(
        self,
        uuid: str | None = None,
        *,
        timeout: float | None = None,
        interval: float = 10.0,
        on_status: Callable[[GarbageCollection], Ignored] | None = None,
    ) -> GarbageCollection | None: ...

    async def wait_for_garbage_collection(
        self,
        uuid: str | None = None,
        *,
        timeout: float | None = None,
        interval: float = 10.0,
        on_status: Callable[[GarbageCollection], Ignored] | None = None,
    ) -> GarbageCollection | None:
        """Wait until a garbage collection has ended, and return it as it ended.

        ``GET …/{registry}/garbage-collection``, and once it is no longer under way,
        ``GET …/{registry}/garbage-collections``. Look at `status` of the result: the garbage
        collection may have failed or been cancelled. One that neither call knows is looked for
        twice more, because the API may take a moment to know a new one.

        Args:
            uuid: Which; None, the default, means the one that is under way now.
            timeout: Seconds to wait at most; None, the default, waits as long as it takes.
            interval: Seconds between two looks, each a request; 10 by default.
            on_status: Called after each look while it is under way; None, the default, for no
                call.

        Returns:
            The garbage collection; None when `uuid` is None and none is under way.

        Raises:
            ValueError: `interval` is not positive.
            NotFoundError: There is none with this UUID, neither under way nor past.
            RegistryTimeoutError: It has not ended in time; it continues.
            RegistryError: Any other of its kinds.
        """
        on_status = plain_callback("on_status", on_status)
        if interval <= 0:
            raise ValueError(f"interval must be positive: {interval}")
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._look_until_ended(uuid, interval, on_status)
        except TimeoutError:
            # A request may have timed out for itself, and its error has more to say.
            if not deadline.expired():
                raise
        seconds = round(timeout or 0.0, 1)
        raise RegistryTimeoutError(
            f"the garbage collection has not ended within {seconds:g} s; it continues"
        )

    async def _look_until_ended(
        self,
        uuid: str | None,
        interval: float,
        on_status: Callable[[GarbageCollection], Ignored] | None,
    ) -> GarbageCollection | None:
        looks_left = _LOOKS_FOR_A_NEW_COLLECTION
        while True:
            found = await self.garbage_collection()
            if uuid is None:
                if found is None:
                    return None
                uuid = found.uuid
            if found is None or found.uuid != uuid:
                found = await self._past(uuid)
            if found is None:
                looks_left -= 1
                if not looks_left:
                    raise NotFoundError(f"there is no garbage collection {uuid!r} in {self.name!r}")
                await asyncio.sleep(min(interval, _SECONDS_BETWEEN_LOOKS))
                continue
            if found.ended:
                return found
            looks_left = _LOOKS_FOR_A_NEW_COLLECTION
            if on_status is not None:
                on_status(found)
            await asyncio.sleep(interval)

    async def _past(self, uuid: str) -> GarbageCollection | None:
        async for past in self.garbage_collections():
            if past.uuid == uuid:
                return past
        return None
