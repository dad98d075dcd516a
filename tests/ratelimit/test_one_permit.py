"""Nothing that has a permit waits for another one."""

import asyncio

import pytest

from aioregistry import RateLimit, RegistryClient
from aioregistry.sandbox import Limits, Sandbox
from aioregistry.testing import VirtualClock
from tests.ratelimit.one_permit import OnePermitLimiter
from tests.ratelimit.strict_server import virtual


@virtual
async def test_who_waits_with_a_permit_in_hand_is_noticed():
    limiter = OnePermitLimiter()
    await limiter.acquire()
    with pytest.raises(AssertionError, match="while it has one"):
        await limiter.acquire()
    with pytest.raises(AssertionError, match="while it has one"):
        await asyncio.create_task(limiter.acquire())
    limiter.release()
    await limiter.acquire()
    limiter.release()


@virtual
async def test_who_waits_when_its_permit_is_given_back_is_not():
    limiter = OnePermitLimiter()
    await limiter.acquire()

    async def later() -> None:
        await asyncio.sleep(1.0)
        await limiter.acquire()
        limiter.release()

    started = asyncio.create_task(later())
    limiter.release()
    await started


async def everything(client: RegistryClient) -> None:
    """Every kind of request that a client makes: walks, single calls, bulk deletes."""
    registry = client.registry("example")
    repository = registry.repository("web")
    tags = [tag async for tag in registry.tags()]
    assert len(tags) == 450
    await client.registries()
    await registry.docker_credentials()
    await repository.delete_tag(tags[0].tag)
    report = await repository.delete_tags(tag.tag for tag in tags[1:400])
    assert len(report.deleted) == 399


async def test_no_request_of_a_client_waits_for_another_one():
    limiter = OnePermitLimiter(RateLimit(windows=((10_000, 60.0),), burst=10_000))
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", [f"t{number}" for number in range(450)])
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=limiter
        ) as client:
            await everything(client)
    assert limiter.most > 1


async def in_any_room(clock: VirtualClock) -> None:
    async with clock.sandbox(limits=Limits()) as sandbox:
        sandbox.state.push("example", "web", [f"t{number}" for number in range(450)])
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=sandbox.rate_limit
        ) as client:
            # One request of the hour is left for all of it.
            sandbox.use_quota(4_999)
            async with asyncio.timeout(3 * 3600):
                await everything(client)


def test_a_client_ends_with_a_single_permit_left():
    with VirtualClock() as clock:
        clock.run(in_any_room(clock))
