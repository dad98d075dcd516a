"""Nothing that has a permit waits for another one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aioregistry import RateLimit, RegistryClient
from aioregistry.cleanup import ContentReader, Distribution, apply_plan, make_plan, read_policy
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


async def test_no_request_of_a_clean_up_waits_for_another_one():
    limiter = OnePermitLimiter(RateLimit(windows=((10_000, 60.0),), burst=10_000))
    policy = read_policy('[[rules]]\ndelete-older-than = "30d"\n', "policy.toml")
    async with Sandbox() as sandbox:
        for number in range(40):
            old = datetime.now(UTC) - timedelta(days=60)
            sandbox.state.push("example", "web", [f"t{number}"], at=old)
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=limiter
        ) as client:
            registry = client.registry("example")
            async with Distribution(registry, base_url=sandbox.url) as distribution:
                plan = await make_plan(registry, policy, ContentReader(distribution))
            # Another one has no credentials yet: the first look has to ask for them.
            async with Distribution(registry, base_url=sandbox.url) as distribution:
                contents = ContentReader(distribution)
                report = await apply_plan(registry, plan, contents, force=True)
    assert len(report.deleted) == 39


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
