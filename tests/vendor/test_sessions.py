"""A caller's own session, whatever its defaults are; our own; and what comes before and after."""

import asyncio
import gzip
import json
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from aioregistry import (
    ClientClosedError,
    NotFoundError,
    RegistryClient,
    RegistryError,
)
from tests.vendor import examples
from tests.vendor.raw import answer
from tests.vendor.server import TOKEN, Answer, VendorServer

TAG = "/v2/registry/example/repositories/repo-1/tags/gone"


def basic_auth() -> Any:
    """A session-wide login; newer aiohttp warns of it, older has nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return aiohttp.BasicAuth("user", "password")


async def refuse(_: aiohttp.ClientResponse) -> None:
    raise RuntimeError("the session's own check ran")


def no_json(_: Any) -> str:
    raise RuntimeError("the session's own JSON ran")


BORROWED: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "raise_for_status": lambda: {"raise_for_status": True},
    "raise_for_status, a callable": lambda: {"raise_for_status": refuse},
    "base_url of another origin": lambda: {"base_url": "http://elsewhere.invalid/"},
    "base_url with a path": lambda: {"base_url": "http://elsewhere.invalid/deep/er/"},
    "cookies": lambda: {"cookies": {"theirs": "1"}},
    "auth": lambda: {"auth": basic_auth()},
    "authorization": lambda: {"headers": {"Authorization": "Bearer theirs"}},
    "authorization, lower case": lambda: {"headers": {"authorization": "Bearer theirs"}},
    "two authorizations": lambda: {
        "headers": [("Authorization", "Bearer theirs"), ("Authorization", "Bearer other")]
    },
    "other headers": lambda: {"headers": {"Content-Type": "text/plain", "Accept": "text/html"}},
    "no automatic headers": lambda: {
        "skip_auto_headers": ["User-Agent", "Content-Type", "Accept", "Accept-Encoding"]
    },
    "trust_env": lambda: {"trust_env": True},
    "a short timeout": lambda: {"timeout": aiohttp.ClientTimeout(total=1e-9)},
    "no decompression": lambda: {"auto_decompress": False},
    "json": lambda: {"json_serialize": no_json},
    "http 1.0": lambda: {"version": aiohttp.HttpVersion10},
    "dummy cookies": lambda: {"cookie_jar": aiohttp.DummyCookieJar()},
}


async def open_session(name: str) -> aiohttp.ClientSession:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return aiohttp.ClientSession(**BORROWED[name]())


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A login for the test server's host, where `trust_env` looks for one."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login user password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("name", BORROWED)
class TestBorrowed:
    """Used, never closed, never changed."""

    @pytest.fixture
    async def session(self, name):
        session = await open_session(name)
        yield session
        assert not session.closed
        await session.close()

    async def test_reads_and_writes(self, server, connect, session):
        async with connect(server, session=session) as client:
            registry = await client.create_registry("example", subscription_tier="basic")
            assert registry.name == "example"
            tags = await client.registry("example").repository("repo-1").tags().collect()
            assert [tag.tag for tag in tags] == ["latest"]
            await client.registry("example").repository("repo-1").delete_tag("v1")
        assert len(server.requests) == 3
        for request in server.requests:
            assert request.headers.getall("Authorization") == [f"Bearer {TOKEN}"]
        assert server.requests[0].headers.getall("Content-Type") == ["application/json"]

    async def test_errors_are_ours(self, server, connect, session):
        server.on("DELETE", TAG, Answer(404, examples.NOT_FOUND))
        async with connect(server, session=session) as client:
            with pytest.raises(NotFoundError) as caught:
                await client.registry("example").repository("repo-1").delete_tag("gone")
        assert caught.value.error_id == "not_found"
        assert caught.value.attempts == len(server.requests) == 1

    async def test_redirects_are_not_followed(self, raw, connect, session):
        thief = await raw(answer(200, {"options": examples.OPTIONS}))
        server = await raw(answer(307, b"", f"Location: {thief.url}/"))
        async with connect(server, session=session) as client:
            with pytest.raises(RegistryError):
                await client.options()
        assert thief.connections == 0

    async def test_its_defaults_stay(self, server, connect, session):
        before = (dict(session.headers), session.auth, session.timeout, session.raise_for_status)
        async with connect(server, session=session) as client:
            await client.options()
        after = (dict(session.headers), session.auth, session.timeout, session.raise_for_status)
        assert after == before
        assert not session.closed

    async def test_compressed_answers_are_read(self, server, connect, session):
        def compressed(request):
            body = json.dumps({"options": examples.OPTIONS}).encode()
            if "gzip" not in request.headers.get("Accept-Encoding", ""):
                return Answer(200, body)
            return Answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})

        server.on("GET", "/v2/registry/options", compressed)
        async with connect(server, session=session) as client:
            assert (await client.options()).available_regions[0] == "nyc3"


async def test_a_borrowed_sessions_middlewares_still_run(server, connect):
    seen = []

    async def theirs(request, handler):
        seen.append(request.method)
        return await handler(request)

    async with (
        aiohttp.ClientSession(middlewares=(theirs,)) as session,
        connect(server, session=session) as client,
    ):
        await client.options()
    assert seen == ["GET"]


async def test_two_clients_share_a_session(server, connect):
    async with aiohttp.ClientSession() as session:
        async with connect(server, session=session) as one, connect(server, session=session) as two:
            await asyncio.gather(one.options(), two.options())
        async with connect(server, session=session) as three:
            await three.options()
    assert len(server.requests) == 3


async def test_a_borrowed_session_that_was_closed_is_an_error_of_ours(server, connect):
    async with aiohttp.ClientSession() as session, connect(server, session=session) as client:
        await session.close()
        with pytest.raises(RegistryError):
            await client.options()


CALLS = {
    "options": lambda c: c.options(),
    "credentials": lambda c: c.docker_credentials(),
    "registries": lambda c: c.registries(),
    "delete tag": lambda c: c.registry("example").repository("repo-1").delete_tag("v1"),
    "first": lambda c: c.registry("example").repository("repo-1").tags().first(),
    "collect": lambda c: c.registry("example").repositories().collect(),
    "all tags": lambda c: c.registry("example").tags().collect(),
}


@pytest.mark.parametrize("borrowed", [False, True], ids=["own", "borrowed"])
@pytest.mark.parametrize("call", CALLS)
class TestStates:
    """New, open, closed."""

    @pytest.fixture
    async def made(self, server: VendorServer, connect, borrowed):
        if not borrowed:
            yield connect(server)
            return
        async with aiohttp.ClientSession() as session:
            yield connect(server, session=session)

    async def test_before_it_is_entered(self, server, made: RegistryClient, call):
        with pytest.raises(RegistryError, match="async with"):
            await CALLS[call](made)
        assert server.requests == []

    async def test_after_it_is_closed(self, server, made: RegistryClient, call):
        async with made:
            pass
        with pytest.raises(ClientClosedError):
            await CALLS[call](made)
        assert server.requests == []

    async def test_after_an_error_inside(self, made: RegistryClient, call):
        with pytest.raises(KeyError):
            async with made:
                raise KeyError
        with pytest.raises(ClientClosedError):
            await CALLS[call](made)

    async def test_closed_is_closed(self, made: RegistryClient, call):
        async with made:
            pass
        with pytest.raises(ClientClosedError):
            async with made:
                await CALLS[call](made)


async def test_a_handle_outlives_its_client_only_as_an_error(server, connect):
    async with connect(server) as client:
        repository = client.registry("example").repository("repo-1")
        walk = aiter(repository.tags())
        assert (await anext(walk)).tag == "latest"
    with pytest.raises(ClientClosedError):
        await repository.delete_tag("v1")
    with pytest.raises(ClientClosedError):
        await repository.tags().first()


async def drain(walk: AsyncIterator[Any]) -> None:
    async for _ in walk:
        pass


async def test_a_walk_cut_off_by_the_end_of_its_client_does_not_look_complete(server, connect):
    path = "/v2/registry/example/repositories/repo-1/tags"
    tags = [{**examples.TAG, "tag": f"v{number}"} for number in range(3)]
    page = {"tags": tags, "meta": {"total": 300}, "links": {"pages": {"next": "x?page=2"}}}
    server.on("GET", path, Answer(200, page))
    async with connect(server) as client:
        walk = aiter(client.registry("example").repository("repo-1").tags())
        await anext(walk)
    with pytest.raises(ClientClosedError):
        await drain(walk)


async def test_its_own_session_leaves_no_connection_behind(raw, connect):
    server = await raw(answer(200, {"options": examples.OPTIONS}))
    async with connect(server) as client:
        await client.options()
    async with asyncio.timeout(60):
        await server.hung_up()


async def test_its_own_session_keeps_connections_between_requests(raw, connect):
    server = await raw(answer(200, {"options": examples.OPTIONS}))
    async with connect(server) as client:
        for _ in range(5):
            await client.options()
    assert server.connections == 1
