"""Requests over connectors and sessions of the caller's, which are small or raise."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from aioregistry import ClientClosedError, RegistryClient, RegistryError
from aioregistry.oci.distribution import Distribution
from aioregistry.session.connections import Connections
from tests.conftest import QUICK
from tests.ratelimit.strict_server import virtual

TAGS = [f"t{number}" for number in range(12)]


@asynccontextmanager
async def server(seconds: float):
    """A server whose every answer takes some seconds; yields its address and what it was sent."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path.rsplit("/", 1)[-1])
        await asyncio.sleep(seconds)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("borrowed", [True, False])
@pytest.mark.parametrize("limits", [{"limit": 1}, {"limit": 0, "limit_per_host": 1}])
@virtual
async def test_the_wait_for_a_connection_is_no_part_of_an_attempt(borrowed, limits):
    """Twelve deletes of 5 s one after the other, each of which may take 40 s."""
    finished = []
    async with server(5.0) as (url, seen), aiohttp.ClientSession() as unused:
        connector = aiohttp.TCPConnector(**limits)
        session = aiohttp.ClientSession(connector=connector) if borrowed else None
        async with RegistryClient(
            "token",
            base_url=url,
            session=session,
            connector=None if borrowed else connector,
            timeout=40.0,
            retry=QUICK,
            on_request=finished.append,
        ) as client:
            report = await client.registry("example").repository("web").delete_tags(TAGS)
        if session is not None:
            await session.close()
        assert not unused.closed
    assert len(report.deleted) == len(TAGS)
    assert sorted(seen) == sorted(TAGS)
    assert {one.attempts for one in finished} == {1}


async def test_who_waits_for_a_connection_ends_with_the_client():
    async with server(60) as (url, _):
        client = await RegistryClient(
            "token", base_url=url, connector=aiohttp.TCPConnector(limit=1), retry=QUICK
        ).open()
        asking = [asyncio.create_task(client.options()) for _ in range(3)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(50):
            await client.close()
            results = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(result).__name__ for result in results} == {"ClientClosedError"}


@pytest.mark.parametrize("at_registry", [False, True])
@virtual
async def test_an_attempt_in_a_borrowed_session_ends_in_time_though_its_client_was_closed(
    at_registry,
):
    """The session stays open, and nothing else would ever end it."""
    async with server(3600) as (url, seen), aiohttp.ClientSession() as session:
        client = RegistryClient("token", base_url=url, session=session, timeout=10.0, retry=QUICK)
        registry = client.registry("example")
        opened = client
        if at_registry:
            opened = Distribution(
                registry, base_url=url, session=session, timeout=10.0, retry=QUICK
            )
        await opened.open()
        asked = opened.list_tags("web") if at_registry else registry.get()
        asking = asyncio.create_task(asked)
        while not seen:
            await asyncio.sleep(0.01)
        begun = asyncio.get_running_loop().time()
        await opened.close()
        with pytest.raises(ClientClosedError):
            await asking
        assert asyncio.get_running_loop().time() - begun <= 10.0
    assert len(seen) == 1


@pytest.mark.parametrize("at_registry", [False, True])
def test_a_session_of_another_event_loop_is_refused_before_anything_is_sent(at_registry):
    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use() -> None:
        client = RegistryClient("token", base_url="http://127.0.0.1:9", session=session)
        opened = client
        if at_registry:
            opened = Distribution(client.registry("example"), session=session)
        for _ in range(2):
            with pytest.raises(ClientClosedError, match="session belongs to another event loop"):
                await opened.open()
        assert client.closed
        await opened.close()

    with asyncio.Runner() as theirs:
        session = theirs.run(make())
        asyncio.run(use())
        theirs.run(session.close())


def raising_for(path_end: str, how: str) -> dict:
    """Return arguments for a session that has one request raise."""

    async def middleware(request, send):
        if request.url.path.endswith(path_end):
            raise KeyError("hvs.SECRET")
        return await send(request)

    async def hook(_, __, params):
        if params.url.path.endswith(path_end):
            raise KeyError("hvs.SECRET")

    if how == "middleware":
        return {"middlewares": (middleware,)}
    trace = aiohttp.TraceConfig()
    getattr(trace, how).append(hook)
    return {"trace_configs": [trace]}


@pytest.mark.parametrize("how", ["middleware", "on_request_start", "on_request_end"])
async def test_a_hook_that_raises_ends_one_item_and_not_the_job(how):
    async with (
        server(0) as (url, seen),
        aiohttp.ClientSession(**raising_for("/t3", how)) as session,
        RegistryClient("token", base_url=url, session=session, retry=QUICK) as client,
    ):
        report = await client.registry("example").repository("web").delete_tags(TAGS)
    assert len(report.deleted) == len(TAGS) - 1
    (unknown,) = report.unknown
    assert unknown.name == "t3"
    assert unknown.attempts == 1
    assert "KeyError" in str(unknown.error)
    assert "SECRET" not in str(unknown.error)
    assert isinstance(unknown.error.__cause__, KeyError)
    assert seen.count("t3") <= 1


async def test_a_hook_that_raises_is_an_error_of_ours_at_the_registry_too(sandbox):
    sandbox.state.push("example", "web", ["t3"])
    async with (
        aiohttp.ClientSession(**raising_for("/t3", "on_request_start")) as session,
        RegistryClient(sandbox.token, base_url=sandbox.url) as client,
        Distribution(
            client.registry("example"), base_url=sandbox.url, session=session
        ) as distribution,
    ):
        with pytest.raises(RegistryError, match="raised KeyError"):
            await distribution.find_manifest("web", "t3")


async def turns(most: int, waiting: int) -> tuple[Connections, list[asyncio.Task]]:
    """Return turns of which all are taken, and tasks that wait for further ones."""
    connections = Connections(most)
    assert all(connections.acquire_at_once() for _ in range(most))
    tasks = [asyncio.create_task(connections.acquire()) for _ in range(waiting)]
    await asyncio.sleep(0)
    return connections, tasks


async def test_a_turn_that_comes_back_goes_to_who_has_waited_longest():
    connections, tasks = await turns(2, 2)
    connections.release()
    assert not connections.acquire_at_once()
    await asyncio.wait_for(tasks[0], 60)
    assert not tasks[1].done()
    connections.release()
    await asyncio.wait_for(tasks[1], 60)
    connections.release()
    assert connections.acquire_at_once()


@pytest.mark.parametrize("given_before", [False, True])
async def test_a_turn_is_not_lost_with_who_waited_for_it(given_before):
    connections, tasks = await turns(1, 2)
    if given_before:
        connections.release()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    if not given_before:
        connections.release()
    await asyncio.wait_for(tasks[1], 60)
    assert not connections.acquire_at_once()
    connections.release()
    assert connections.acquire_at_once()


async def test_without_a_limit_there_is_always_a_turn():
    connections = Connections(None)
    assert all(connections.acquire_at_once() for _ in range(1000))
    connections.release()
