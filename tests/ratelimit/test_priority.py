"""All that a job requests is bulk work."""

import asyncio

import pytest

from aioregistry import RegistryClient, WindowLimiter
from aioregistry.cleanup import ContentReader, Distribution, apply_plan, make_plan, read_policy
from aioregistry.ratelimit.limits import Priority
from aioregistry.ratelimit.priority import bulk_work, within
from aioregistry.sandbox import Sandbox


class Watching(WindowLimiter):
    """Remembers the priority of every request."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Priority] = []

    async def acquire(self, priority: Priority = "interactive") -> None:
        self.seen.append(priority)
        await super().acquire(priority)


async def test_a_task_that_is_started_within_bulk_work_is_bulk_work():
    async def priority() -> Priority:
        return within("interactive")

    with bulk_work():
        inside = asyncio.create_task(priority())
    assert await inside == "bulk"
    assert await priority() == "interactive"


async def test_bulk_work_ends_with_an_error():
    with pytest.raises(ValueError), bulk_work():
        raise ValueError
    assert within("interactive") == "interactive"


async def test_lists_and_credentials_of_a_clean_up_are_bulk_work():
    limiter = Watching()
    policy = read_policy(
        '[[rules]]\nkeep-newest = 1\n[[rules]]\ndelete-older-than = "0s"\n', "policy.toml"
    )
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", ["v1"])
        sandbox.state.push("example", "web", ["v2"])
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=limiter
        ) as client:
            registry = client.registry("example")
            async with Distribution(registry, base_url=sandbox.url) as distribution:
                contents = ContentReader(distribution)
                plan = await make_plan(registry, policy, contents)
                planning = len(limiter.seen)
                report = await apply_plan(registry, plan, contents, force=True)
            after = len(limiter.seen)
            await client.registries()
    assert report.deleted
    # Whether the registry and its repositories exist is asked before.
    assert limiter.seen[:planning].count("interactive") <= 1
    assert limiter.seen[planning:after].count("interactive") <= 1
    assert after - planning > 3
    assert limiter.seen[-1] == "interactive"
