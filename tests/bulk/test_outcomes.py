"""Outcomes one by one, as items finish."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from aioregistry.bulk.report import Outcome
from aioregistry.errors import (
    ClientClosedError,
)
from tests.bulk.registry import (
    DIGEST,
    HANG,
    Client,
    names,
    now,
)
from tests.ratelimit.strict_server import virtual


@virtual
async def test_the_iterator_yields_each_outcome_as_it_is_known(registry):
    registry.seconds = {"v0": 3.0, "v1": 1.0, "v2": 2.0}
    seen = [
        (outcome.name, round(now()))
        async for outcome in Client(registry).repository.iter_delete_tags(names(3))
    ]
    assert seen == [("v1", 1), ("v2", 2), ("v0", 3)]


@virtual
async def test_the_iterator_takes_digests_too(registry):
    outcomes = Client(registry).repository.iter_delete_manifests([DIGEST])
    assert [outcome.status async for outcome in outcomes] == ["deleted"]


@virtual
async def test_the_iterator_begins_with_the_first_outcome_asked_for(registry):
    outcomes = Client(registry).repository.iter_delete_tags(names(3))
    await asyncio.sleep(1.0)
    assert registry.sent == []
    await outcomes.aclose()
    assert [outcome async for outcome in outcomes] == []
    assert registry.sent == []


@virtual
async def test_a_slow_reader_is_not_run_away_from(registry):
    outcomes = Client(registry, concurrency=4).repository.iter_delete_tags(names(100))
    await anext(outcomes)
    await asyncio.sleep(60.0)
    assert len(registry.sent) <= 2 * 4 + 1
    assert len([outcome async for outcome in outcomes]) == 99


@virtual
async def test_closing_the_iterator_cancels_the_rest(registry):
    async with Client(registry).repository.iter_delete_tags(names(100)) as outcomes:
        async for _ in outcomes:
            break
    sent = len(registry.sent)
    await asyncio.sleep(60.0)
    assert (len(registry.sent), registry.in_flight) == (sent, 0)
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_dropping_the_iterator_cancels_the_rest(registry):
    async for _ in Client(registry).repository.iter_delete_tags(names(100)):
        break
    gc.collect()
    await asyncio.sleep(1.0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(registry.sent) < 20


@virtual
async def test_closing_the_iterator_while_another_task_reads_ends_the_reading(registry):
    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(3600.0)
        yield "v0"

    outcomes = Client(registry).repository.iter_delete_tags(source())
    reading = asyncio.ensure_future(anext(outcomes))
    await asyncio.sleep(1.0)
    await outcomes.aclose()
    with pytest.raises(StopAsyncIteration):
        await reading


@virtual
async def test_the_iterator_raises_what_the_source_raises_after_the_outcomes(registry):
    def source():
        yield "v0"
        raise LookupError("no more names")

    outcomes = Client(registry).repository.iter_delete_tags(source())
    assert (await anext(outcomes)).name == "v0"
    with pytest.raises(LookupError):
        await anext(outcomes)
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 5.0])
@virtual
async def test_the_iterator_of_a_client_that_is_closed_meanwhile_says_so(registry, seconds):
    registry.ends = {name: [HANG] for name in names(4)}
    client = Client(registry, concurrency=4)
    outcomes = client.repository.iter_delete_tags(names(10))

    async def read() -> list[Outcome]:
        return [outcome async for outcome in outcomes]

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(seconds)
    await client.session.close()
    with pytest.raises(ClientClosedError, match=r"^the client was closed while deleting$"):
        await reading
