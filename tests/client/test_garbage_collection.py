"""Waiting for a garbage collection."""

import json

import pytest

from aioregistry import NotFoundError, RegistryTimeoutError
from aioregistry.sandbox import Fault, Faults, Phases

UUID = "eff0feee-49c7-4e8f-ba5c-a320c109c8a8"
LONG, OVER = Phases(requested=3600.0), Phases(*[0.0] * 6)


@pytest.fixture
def ends_after(sandbox):
    """Makes an `on_status` after so many calls of which a garbage collection ends."""
    sandbox.state.phases = LONG

    def make(looks: int, seen: list):
        def look(run):
            seen.append(run)
            if len(seen) == looks:
                sandbox.state.phases = OVER

        return look

    return make


async def test_it_is_waited_for_until_it_has_ended(client, ends_after):
    registry = client.registry("example")
    started = await registry.start_garbage_collection("unreferenced blobs only")
    seen = []
    ended = await registry.wait_for_garbage_collection(interval=0.01, on_status=ends_after(3, seen))
    assert (ended.uuid, ended.status, ended.ended) == (started.uuid, "succeeded", True)
    assert len(seen) == 3
    assert not any(look.ended for look in seen)


async def test_without_one_there_is_nothing_to_wait_for(client):
    assert await client.registry("example").wait_for_garbage_collection() is None


async def test_one_that_is_past_is_found_among_the_past_ones(client):
    registry = client.registry("example")
    started = await registry.start_garbage_collection()
    await registry.wait_for_garbage_collection(interval=0.05)
    assert (await registry.wait_for_garbage_collection(started.uuid)).uuid == started.uuid


async def test_one_that_never_was_is_not_found(sandbox, client):
    with pytest.raises(NotFoundError, match=UUID):
        await client.registry("example").wait_for_garbage_collection(UUID, interval=0.01)
    assert len(sandbox.requests) == 6


async def test_one_that_the_api_does_not_know_yet_is_looked_for_again(sandbox, client):
    registry = client.registry("example")
    started = await registry.start_garbage_collection()
    none = json.dumps({"garbage_collections": [], "meta": {"total": 0}})
    sandbox.faults = Faults(
        Fault(kind="status", status=404, method="GET", route="*/garbage-collection", times=2),
        Fault(kind="body", method="GET", route="*/garbage-collections", body=none, times=2),
    )
    ended = await registry.wait_for_garbage_collection(started.uuid, interval=0.02)
    assert (ended.uuid, ended.status) == (started.uuid, "succeeded")


async def test_one_that_only_the_list_knows_is_waited_for(sandbox, client, ends_after):
    registry = client.registry("example")
    started = await registry.start_garbage_collection()
    sandbox.faults = Faults(
        Fault(kind="status", status=404, method="GET", route="*/garbage-collection")
    )
    with pytest.raises(RegistryTimeoutError, match="it continues"):
        await registry.wait_for_garbage_collection(started.uuid, interval=0.01, timeout=0.1)
    seen = []
    # More looks than one that neither call knows is looked for.
    ended = await registry.wait_for_garbage_collection(
        started.uuid, interval=0.01, on_status=ends_after(8, seen)
    )
    assert (ended.uuid, ended.status, len(seen)) == (started.uuid, "succeeded", 8)


async def test_a_timeout_ends_the_search_for_one_too(sandbox, client):
    with pytest.raises(RegistryTimeoutError):
        await client.registry("example").wait_for_garbage_collection(UUID, timeout=0.05)


async def test_it_may_take_too_long(sandbox, client):
    sandbox.state.phases = LONG
    registry = client.registry("example")
    await registry.start_garbage_collection()
    with pytest.raises(RegistryTimeoutError, match=r"within 0\.1 s"):
        await registry.wait_for_garbage_collection(timeout=0.1, interval=0.01)


async def test_a_timeout_of_the_callback_is_not_taken_for_ours(sandbox, client):
    sandbox.state.phases = LONG
    registry = client.registry("example")
    await registry.start_garbage_collection()

    def fail(_):
        raise TimeoutError("of the callback")

    with pytest.raises(TimeoutError, match="of the callback"):
        await registry.wait_for_garbage_collection(on_status=fail)


async def test_a_look_without_a_pause_is_refused(client):
    with pytest.raises(ValueError, match="interval"):
        await client.registry("example").wait_for_garbage_collection(interval=0)


async def test_one_under_way_can_be_cancelled(sandbox, client):
    sandbox.state.phases = LONG
    registry = client.registry("example")
    started = await registry.start_garbage_collection()
    await registry.cancel_garbage_collection(started.uuid)
    ended = await registry.wait_for_garbage_collection(started.uuid, interval=0.05)
    assert ended.status == "cancelled"
