"""Several accounts in one application, WebSockets, and a lifespan beside the service's own."""

from contextlib import asynccontextmanager
from typing import Annotated

import aiohttp
import pytest
from aiohttp import web

from aioregistry import RegistryClient
from aioregistry.sandbox import Sandbox
from aioregistry.web import Health, Jobs
from aioregistry.web.aiohttp import CLIENT, JOBS, ready, setup


@asynccontextmanager
async def served(app: web.Application):
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            yield http
    finally:
        await runner.cleanup()


@asynccontextmanager
async def account(registry: str):
    async with Sandbox() as sandbox:
        sandbox.state.delete_registry("example")
        sandbox.state.add_registry(registry)
        yield sandbox


STAGING = web.AppKey("staging", RegistryClient)


async def test_an_aiohttp_application_has_two_accounts(tmp_path):
    async with account("one") as one, account("two") as two:
        app = web.Application()
        setup(app, lambda: RegistryClient(one.token, base_url=one.url), reports=tmp_path)
        setup(app, lambda: RegistryClient(two.token, base_url=two.url), key=STAGING)
        with pytest.raises(ValueError, match="already"):
            setup(app, key=STAGING)
        with pytest.raises(ValueError, match="jobs already"):
            setup(app, key=web.AppKey("third", RegistryClient), reports=tmp_path)

        async def show(request):
            clients = [request.config_dict[key] for key in (CLIENT, STAGING)]
            assert isinstance(request.config_dict[JOBS], Jobs)
            return web.json_response([(await client.get_registry()).name for client in clients])

        app.router.add_get("/", show)
        app.router.add_get("/ready", ready)
        async with served(app) as http:
            async with http.get("/") as answer:
                assert await answer.json() == ["one", "two"]
            await app[STAGING].close()
            async with http.get("/ready") as answer:
                assert (answer.status, (await answer.json())["status"]) == (503, "closed")
        assert app[CLIENT].closed


def test_the_worst_health_of_several_is_that_of_all():
    found = [Health("ok"), Health("refused"), Health("waiting")]
    assert Health.worst(found).status == "refused"
    assert Health.worst(found[::2]).status == "waiting"


async def call(app, scope: dict, *incoming: dict) -> list[dict]:
    """Call an ASGI application, and return what it sends."""
    sent, left = [], [*incoming]

    async def receive() -> dict:
        return left.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    await app({"headers": [], "query_string": b"", "path": "/", **scope}, receive, send)
    return sent


async def test_a_fastapi_application_has_two_accounts_web_sockets_and_a_lifespan_of_its_own():
    fastapi = pytest.importorskip("fastapi")
    module = pytest.importorskip("aioregistry.web.fastapi")
    steps = []

    @asynccontextmanager
    async def own(app):
        steps.append("begun")
        yield {"database": "db"}
        steps.append("ended")

    async with account("one") as one, account("two") as two:
        app = fastapi.FastAPI(
            lifespan=module.lifespan(
                lambda: RegistryClient(one.token, base_url=one.url),
                others={"staging": lambda: RegistryClient(two.token, base_url=two.url)},
                join=own,
            )
        )
        staging = Annotated[RegistryClient, fastapi.Depends(module.client_named("staging"))]
        app.get("/ready")(module.ready)

        async def names(socket, client, other, jobs) -> None:
            await socket.accept()
            assert isinstance(jobs, Jobs)
            found = [(await each.get_registry()).name for each in (client, other)]
            await socket.send_json([socket.state.database, *found])

        names.__annotations__ = {
            "socket": fastapi.WebSocket,
            "client": module.Client,
            "other": staging,
            "jobs": module.JobsOf,
        }
        app.websocket("/")(names)
        async with app.router.lifespan_context(app) as state:
            sent = await call(
                app, {"type": "websocket", "state": state}, {"type": "websocket.connect"}
            )
            assert sent[1]["text"] == '["db","one","two"]'
            get = {"type": "http", "method": "GET", "path": "/ready", "state": state}
            request = {"type": "http.request"}
            assert (await call(app, get, request))[0]["status"] == 200
            await state["registry_clients"]["staging"].close()
            assert (await call(app, get, request))[0]["status"] == 503
            assert steps == ["begun"]
        assert state["registry_client"].closed
    assert steps == ["begun", "ended"]
