"""What a DELETE waits for comes before the last look at its item, whatever that is."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from aioregistry import RegistryClient
from aioregistry.cleanup import ContentReader, Delete, Distribution, Policy, apply_plan, make_plan
from aioregistry.testing.virtual_time import run_virtual
from tests.worlds.server import World
from tests.worlds.world import serving

# How long each DELETE takes, in seconds.
_SLOW = 10.0


async def _clean_up(token: str | Callable[[], Awaitable[str]], connections: int) -> set[str]:
    """Delete three tags, move the last of them when the first is gone, and return what is left."""
    world = World(asyncio.get_running_loop().time)
    kept = world.push("keep")
    for number in range(3):
        world.push(f"pr-{number}")
    delete = world._delete

    def move_another(kind: str, name: str):
        answer = delete(kind, name)
        if len(world.deletes) == 1:
            for tag in [one for one in world.repository.tags if one.startswith("pr-")]:
                world.tag(tag, kept)
        return answer

    async def slow(request: aiohttp.web.Request) -> aiohttp.web.Response:
        if request.method == "DELETE":
            await asyncio.sleep(_SLOW)
        return await answer(request)

    answer, world.answer, world._delete = world.answer, slow, move_another
    async with (
        serving(world) as url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as http,
        RegistryClient(token, base_url=url, session=http, concurrency=3) as client,
        Distribution(client.registry("example"), base_url=url) as distribution,
    ):
        contents, registry = ContentReader(distribution), client.registry("example")
        policy = Policy([Delete(tags="pr-*")], floor=0)
        plan = await make_plan(registry, policy, contents, now=world.now(), memory=False)
        report = await apply_plan(registry, plan, contents, force=True, memory=False)
    assert len(report.deleted) == 1, report
    assert len(report.drift) == 2, report
    return {*world.repository.tags}


def test_a_tag_that_moves_while_its_delete_waits_for_a_connection_stays():
    assert len(run_virtual(_clean_up("token", connections=1), grace=0)) == 3


def test_a_tag_that_moves_while_its_delete_waits_for_a_token_stays():
    asking = 0

    async def token() -> str:
        nonlocal asking
        # Of those that come at once each waits longer: the first DELETE is through by then.
        wait, asking = 0.01 + 1.2 * _SLOW * asking, asking + 1
        try:
            await asyncio.sleep(wait)
        finally:
            asking -= 1
        return "token"

    assert len(run_virtual(_clean_up(token, connections=10), grace=0)) == 3
