"""Garbage collection: explicit, waited for, and held against the estimate."""

import asyncio

import pytest

from aioregistry import ConflictError, RegistryTimeoutError, ServerError
from aioregistry.api.models import GarbageCollection
from aioregistry.cleanup.garbage import (
    CollectedGarbage,
    GarbageCollectionError,
    collect_garbage,
    newest_collection,
)
from aioregistry.cleanup.plan.items import FreedBytes
from aioregistry.sandbox import Fault, Faults, Phases
from tests.cleanup.registries import Builder


@pytest.fixture
def registry(sandbox, client):
    image = Builder(sandbox.state).image("a")
    sandbox.state.delete_manifest("example", "web", image)
    Builder(sandbox.state).image()
    return client.registry("example")


@pytest.fixture
def end_it(sandbox):
    """Ends a garbage collection once it was seen to be under way, and not before."""
    sandbox.state.phases = Phases(3600)

    def end(_: GarbageCollection) -> None:
        sandbox.state.phases = Phases(*[0.0] * 6)

    return end


async def test_it_collects_blobs_alone_unless_told_otherwise(sandbox, registry):
    seen: list[GarbageCollection] = []
    done = await collect_garbage(
        registry, interval=0.01, on_status=seen.append, estimate=FreedBytes(bytes=5)
    )
    assert done.run.freed_bytes > 0
    assert done.estimate == FreedBytes(bytes=5)
    assert seen[0].uuid == done.run.uuid
    # The untagged manifest is still there.
    assert len(sandbox.state.registry("example").repository("web").manifests) == 1


async def test_untagged_manifests_go_when_asked_for(sandbox, registry):
    await collect_garbage(registry, type="untagged manifests and unreferenced blobs", interval=0.01)
    assert not list(sandbox.state.registry("example").manifests())


async def test_one_that_takes_too_long_goes_on(sandbox, registry):
    sandbox.state.phases = Phases(60, 60, 60)
    with pytest.raises(RegistryTimeoutError, match="has not ended"):
        await collect_garbage(registry, timeout=0.05, interval=0.01)
    assert sandbox.state.active_collection("example") is not None


async def test_one_that_is_under_way_is_waited_for(registry, end_it):
    running = await registry.start_garbage_collection()
    done = await collect_garbage(registry, interval=0.01, on_status=end_it)
    assert done.run.uuid == running.uuid


async def test_a_start_that_is_refused_while_none_is_under_way_is_an_error(sandbox, registry):
    sandbox.faults = Faults(Fault(kind="status", status=409, method="POST"))
    with pytest.raises(ConflictError):
        await collect_garbage(registry)


async def test_one_that_was_cancelled_is_an_error(sandbox, registry):
    sandbox.state.phases = Phases(0.2, 60, 0.05)
    waiting: list[asyncio.Task] = []

    def cancel(run: GarbageCollection) -> None:
        if not waiting:
            waiting.append(asyncio.ensure_future(registry.cancel_garbage_collection(run.uuid)))

    with pytest.raises(GarbageCollectionError, match="ended as 'cancelled'"):
        await collect_garbage(registry, interval=0.01, on_status=cancel)
    await waiting[0]


@pytest.mark.parametrize(
    ("run", "estimate", "said"),
    [
        (
            GarbageCollection(freed_bytes=2_000, blobs_deleted=3),
            FreedBytes(bytes=1_999, at_least=True),
            "2.0 kB in 3 blobs freed; the plan said at least 2.0 kB",
        ),
        (GarbageCollection(), None, "an unknown number of bytes freed"),
    ],
)
def test_it_is_told_beside_the_estimate(run, estimate, said):
    assert str(CollectedGarbage(run, estimate)) == said


class Answering:
    """A registry whose garbage collection ends as it was told, and which notes what it is asked."""

    def __init__(self, ended: GarbageCollection | None) -> None:
        self._ended = ended
        self.asked: list[object] = []

    async def start_garbage_collection(self, kind: str, **_) -> GarbageCollection:
        self.asked.append(kind)
        return GarbageCollection(uuid="u1", status="requested")

    async def wait_for_garbage_collection(self, uuid: str, **how: object) -> object:
        self.asked.append((uuid, how))
        return self._ended


async def test_it_looks_every_ten_seconds_for_as_long_as_it_takes():
    registry = Answering(GarbageCollection(uuid="u1", status="succeeded"))
    await collect_garbage(registry)
    assert registry.asked == [
        "unreferenced blobs only",
        ("u1", {"timeout": None, "interval": 10.0, "on_status": None}),
    ]


@pytest.mark.parametrize("status", ["succeeded", "success"])
async def test_both_words_for_success_are_one(status):
    ended = GarbageCollection(uuid="u1", status=status)
    assert await collect_garbage(Answering(ended)) == CollectedGarbage(ended, None)


@pytest.mark.parametrize("status", ["failed", "cancelled", "anything else"])
async def test_any_other_end_is_told_with_what_it_leaves(status):
    with pytest.raises(GarbageCollectionError) as caught:
        await collect_garbage(Answering(GarbageCollection(uuid="u1", status=status)))
    assert caught.value.message == (
        f"the garbage collection u1 ended as {status!r}; what was deleted stays deleted, and its "
        "blobs go with the next one"
    )


async def test_one_that_has_vanished_is_an_error():
    with pytest.raises(ServerError) as caught:
        await collect_garbage(Answering(None))
    assert caught.value.message == "the garbage collection u1 is not to be found"


async def test_the_start_is_told_before_the_first_look():
    seen: list[GarbageCollection] = []
    ended = GarbageCollection(uuid="u1", status="succeeded")
    await collect_garbage(Answering(ended), on_status=seen.append)
    assert [(run.uuid, run.status) for run in seen] == [("u1", "requested")]


async def test_how_to_wait_is_handed_on():
    registry = Answering(GarbageCollection(uuid="u1", status="succeeded"))
    how, seen = {"timeout": 60.0, "interval": 2.0}, []
    await collect_garbage(registry, type="untagged manifests only", **how, on_status=seen.append)
    kind, (uuid, given) = registry.asked
    given.pop("on_status")("a status")
    assert (kind, uuid, given, seen[-1]) == ("untagged manifests only", "u1", how, "a status")


async def test_one_that_was_started_before_a_process_was_killed_is_adopted(sandbox, registry):
    before = await newest_collection(registry)
    assert before == ""
    first = await collect_garbage(registry, after=before, interval=0.01)
    # The next process does not know that it was started.
    again = await collect_garbage(registry, after=before, interval=0.01)
    assert again.run.uuid == first.run.uuid
    assert again.run.freed_bytes == first.run.freed_bytes
    assert await newest_collection(registry) == first.run.uuid
    assert sum(one.method == "POST" for one in sandbox.requests) == 1


async def test_one_that_is_under_way_is_adopted_without_a_second_start(sandbox, registry, end_it):
    running = await registry.start_garbage_collection()
    done = await collect_garbage(registry, after="", interval=0.01, on_status=end_it)
    assert done.run.uuid == running.uuid
    assert sum(one.method == "POST" for one in sandbox.requests) == 1


async def test_one_of_before_the_deletes_is_not_adopted(registry):
    old = await collect_garbage(registry, interval=0.01)
    done = await collect_garbage(registry, after=await newest_collection(registry), interval=0.01)
    assert done.run.uuid != old.run.uuid


async def test_nothing_is_adopted_when_the_known_one_is_not_listed(registry):
    old = await collect_garbage(registry, interval=0.01)
    forgotten = "00000000-0000-4000-8000-000000000000"
    done = await collect_garbage(registry, after=forgotten, interval=0.01)
    assert done.run.uuid != old.run.uuid


async def test_one_that_was_cancelled_is_not_adopted(sandbox, registry):
    sandbox.state.phases = Phases(60, 60, 0.0)
    running = await registry.start_garbage_collection()
    await registry.cancel_garbage_collection(running.uuid)
    while await registry.garbage_collection() is not None:
        await asyncio.sleep(0.01)
    sandbox.state.phases = Phases(0.01, 0.01, 0.01)
    done = await collect_garbage(registry, after="", interval=0.01)
    assert done.run.uuid != running.uuid


async def test_none_is_started_once_a_check_fails(sandbox, registry):
    class ReplacedError(Exception):
        """Another has taken over."""

    async def check() -> None:
        raise ReplacedError

    with pytest.raises(ReplacedError):
        await collect_garbage(registry, after="", check=check)
    assert all(one.method != "POST" for one in sandbox.requests)


async def test_the_check_comes_after_the_wait_for_quota(sandbox, registry):
    told = []

    async def check() -> None:
        told.append(("checked", sandbox.request_count))

    before = sandbox.request_count
    await collect_garbage(registry, after="", check=check, interval=0.01)
    # After both looks, right before the start.
    assert told == [("checked", before + 2)]
