"""Garbage collection after a clean-up: started, waited for, and held against the estimate."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from attrs import frozen

from aioregistry.api.documents import Document
from aioregistry.api.models import GarbageCollection
from aioregistry.arguments import Ignored, plain_callback
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.client.garbage import GarbageCollectionType
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import (
    ConflictError,
    InvalidRequestError,
    PreconditionFailedError,
    RegistryError,
    ServerError,
)
from aioregistry.sizes import size_in_words

__all__ = [
    "READ_ONLY",
    "CollectedGarbage",
    "GarbageCollectionError",
    "collect_garbage",
    "newest_collection",
]

_GOOD_ENDS = frozenset({"succeeded", "success"})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

READ_ONLY = "the registry is read-only until the garbage collection has ended: pushes fail"


class GarbageCollectionError(RegistryError):
    """A garbage collection ended without success."""


@frozen
class CollectedGarbage(Document):
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


async def newest_collection(registry: RegistryHandle) -> str:
    """Return the uuid of a registry's newest garbage collection; empty when it had none.

    ``GET …/{registry}/garbage-collections``. See `collect_garbage`, which takes it as `after`.

    Raises:
        RegistryError: Any of its kinds.
    """
    newest = max(await registry.garbage_collections().collect(), key=_begun, default=None)
    return "" if newest is None else newest.uuid


def _begun(run: GarbageCollection) -> datetime:
    return run.created_at or _LONG_AGO


async def _ended_well_after(registry: RegistryHandle, known: str) -> GarbageCollection | None:
    """Return the newest garbage collection, if it ended well and is newer than a known one."""
    runs = await registry.garbage_collections().collect()
    newest = max(runs, key=_begun, default=None)
    if newest is None or newest.status not in _GOOD_ENDS:
        return None
    # Without the known one in the list, nothing says that another is newer.
    since = [_begun(run) for run in runs if run.uuid == known] if known else [_LONG_AGO]
    return newest if since and _begun(newest) > since[0] else None


async def collect_garbage(
    registry: RegistryHandle,
    *,
    type: GarbageCollectionType = "unreferenced blobs only",  # noqa: A002
    estimate: FreedBytes | None = None,
    after: str | None = None,
    timeout: float | None = None,
    interval: float = 10.0,
    on_status: Callable[[GarbageCollection], Ignored] | None = None,
    check: Callable[[], Awaitable[None]] | None = None,
) -> CollectedGarbage:
    """Start a garbage collection, and wait until it has ended.

    Where one is under way already, that one is waited for: DELETEs are refused while it runs, so it
    began after them. The registry is read-only meanwhile: pushes fail.
    `RegistryHandle.cancel_garbage_collection` ends it early; cancelling this coroutine ends the
    wait alone.

    A process that is killed in here may have started one. Whoever tries again passes `after`, noted
    before the first attempt: then one that was started since is adopted, and no second one started.

    ``POST …/{registry}/garbage-collection``, then ``GET`` until it has ended.

    Args:
        registry: The registry.
        type: What it collects; by default unreferenced blobs only, because untagged manifests that
            nothing needs are for the policy to choose.
        estimate: The bytes that it frees by the plan; None, the default, without a plan.
        after: What `newest_collection` returned after the last DELETE: a newer garbage collection,
            which has ended well or is under way, is taken for this one. None, the default: only one
            that is under way is.
        timeout: Seconds to wait at most; None, the default, waits as long as it takes.
        interval: Seconds between two looks, each a request; 10 by default.
        on_status: Called with the garbage collection when it was started, and after each look;
            None, the default, for no call.
        check: Awaited right before one is started, when all waiting for quota is over; what it
            raises is raised, and none is started: for whoever may have been replaced by another.
            None, the default, for none.

    Raises:
        GarbageCollectionError: It failed or was cancelled.
        RegistryTimeoutError: It has not ended in time; it continues.
        RegistryError: Any other of its kinds.
    """
    on_status = plain_callback("on_status", on_status)
    started = None
    if after is not None:
        # One that ends between the two looks is in the list.
        started = await registry.garbage_collection()
        if started is None or started.ended:
            started = await _ended_well_after(registry, after)
    if started is None:
        started = await _start(registry, type, check)
    if on_status is not None:
        on_status(started)
    ended = await registry.wait_for_garbage_collection(
        started.uuid, timeout=timeout, interval=interval, on_status=on_status
    )
    if ended is None:
        raise ServerError(f"the garbage collection {started.uuid} is not to be found")
    if ended.status not in _GOOD_ENDS:
        raise GarbageCollectionError(
            f"the garbage collection {ended.uuid} ended as {ended.status!r}; what was deleted "
            "stays deleted, and its blobs go with the next one"
        )
    return CollectedGarbage(ended, estimate)


async def _start(
    registry: RegistryHandle,
    kind: GarbageCollectionType,
    check: Callable[[], Awaitable[None]] | None,
) -> GarbageCollection:
    """Start a garbage collection; return the one that is under way where there is one."""
    try:
        return await registry.start_garbage_collection(kind, check=check)
    except (ConflictError, InvalidRequestError, PreconditionFailedError):
        active = await registry.garbage_collection()
        if active is None or active.ended:
            raise
        return active
