"""Garbage collection after a clean-up: started, waited for, and held against the estimate."""

from collections.abc import Callable

from attrs import frozen

from aioregistry.api.models import GarbageCollection
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.client.registry import GarbageCollectionType, RegistryHandle
from aioregistry.errors import (
    ConflictError,
    InvalidRequestError,
    PreconditionFailedError,
    RegistryError,
    ServerError,
)
from aioregistry.sizes import size_in_words

__all__ = ["READ_ONLY", "CollectedGarbage", "GarbageCollectionError", "collect_garbage"]

READ_ONLY = "the registry is read-only until the garbage collection has ended: pushes fail"


class GarbageCollectionError(RegistryError):
    """A garbage collection ended without success."""


@frozen
class CollectedGarbage:
    """A garbage collection that has ended well.

    Attributes:
        run: The garbage collection as it ended.
        estimate: What the plan said that it would free; None without a plan.
    """

    run: GarbageCollection
    estimate: FreedBytes | None = None

    def __str__(self) -> str:
        freed = self.run.freed_bytes
        told = "an unknown number of bytes" if freed is None else size_in_words(freed)
        blobs = "" if self.run.blobs_deleted is None else f" in {self.run.blobs_deleted:,} blobs"
        estimate = "" if self.estimate is None else f"; the plan said {self.estimate}"
        return f"{told}{blobs} freed{estimate}"


async def collect_garbage(
    registry: RegistryHandle,
    *,
    type: GarbageCollectionType = "unreferenced blobs only",  # noqa: A002
    estimate: FreedBytes | None = None,
    timeout: float | None = None,
    interval: float = 10.0,
    on_status: Callable[[GarbageCollection], Ignored] | None = None,
) -> CollectedGarbage:
    """Start a garbage collection, and wait until it has ended.

    Where one is under way already, that one is waited for: DELETEs are refused while it runs, so it
    began after them. The registry is read-only meanwhile: pushes fail.
    `RegistryHandle.cancel_garbage_collection` ends it early; cancelling this coroutine ends the
    wait alone.

    ``POST …/{registry}/garbage-collection``, then ``GET`` until it has ended.

    Args:
        registry: The registry.
        type: What it collects; by default unreferenced blobs only, because untagged manifests that
            nothing needs are for the policy to choose.
        estimate: The bytes that it frees by the plan; None, the default, without a plan.
        timeout: Seconds to wait at most; None, the default, waits as long as it takes.
        interval: Seconds between two looks, each a request; 10 by default.
        on_status: Called with the garbage collection when it was started, and after each look.

    Raises:
        GarbageCollectionError: It failed or was cancelled.
        RegistryTimeoutError: It has not ended in time; it continues.
        RegistryError: Any other of its kinds.
    """
    on_status = plain_callback("on_status", on_status)
    try:
        started = await registry.start_garbage_collection(type)
    except (ConflictError, InvalidRequestError, PreconditionFailedError):
        active = await registry.garbage_collection()
        if active is None or active.ended:
            raise
        started = active
    if on_status is not None:
        on_status(started)
    ended = await registry.wait_for_garbage_collection(
        started.uuid, timeout=timeout, interval=interval, on_status=on_status
    )
    if ended is None:
        raise ServerError(f"the garbage collection {started.uuid} is not to be found")
    if ended.status not in {"succeeded", "success"}:
        raise GarbageCollectionError(
            f"the garbage collection {ended.uuid} ended as {ended.status!r}; what was deleted "
            "stays deleted, and its blobs go with the next one"
        )
    return CollectedGarbage(ended, estimate)
