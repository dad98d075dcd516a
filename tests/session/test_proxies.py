"""Proxies that the environment names: used on request alone, on both sides."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from aioregistry import RegistryClient, RegistryConnectionError, RetryPolicy
from aioregistry.oci.distribution import Distribution
from aioregistry.session.origins import environment_proxy

ONCE = RetryPolicy(attempts=1)
API = "http://api.only-by-proxy.invalid"
LOGIN = "Basic dXNlcjpwYXNzd29yZC1vZi1wcm94eQ=="


class Proxy:
    """A proxy that answers everything itself, and keeps what it was asked for, and by whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None, str | None]] = []
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        by, login = request.headers.get("Authorization"), request.headers.get("Proxy-Authorization")
        self.seen.append((str(request.url), by, login))
        if "manifests" in request.path:
            return web.Response(body=b"{}")
        return web.json_response({"registry": {"name": "example"}})


@pytest.fixture
async def proxy(monkeypatch) -> AsyncIterator[Proxy]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    proxy = Proxy()
    runner = web.ServerRunner(web.Server(proxy.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield proxy
    await runner.cleanup()


def client_of(url: str, **options) -> RegistryClient:
    return RegistryClient("the-token", base_url=url, retry=ONCE, **options)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
async def test_the_api_is_reached_by_the_proxy_of_the_environment(proxy, monkeypatch, name):
    monkeypatch.setenv(name, proxy.url)
    async with client_of(API, trust_env=True) as client:
        assert (await client.get_registry()).name == "example"
    assert proxy.seen == [(f"{API}/v2/registry", "Bearer the-token", None)]


async def test_a_proxy_may_want_a_login(proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:password-of-proxy@"))
    async with client_of(API, trust_env=True) as client:
        await client.get_registry()
    assert proxy.seen == [(f"{API}/v2/registry", "Bearer the-token", LOGIN)]


async def test_a_proxy_that_is_away_does_not_show_its_login(proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://user:password-of-proxy@127.0.0.1:9")
    async with client_of(API, trust_env=True) as client:
        with pytest.raises(RegistryConnectionError) as caught:
            await client.get_registry()
    assert "password-of-proxy" not in str(caught.value)


async def test_unasked_for_no_proxy_is_used(proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with client_of(API) as client:
        with pytest.raises(RegistryConnectionError):
            await client.get_registry()
    assert proxy.seen == []


async def ask_api(_: RegistryClient) -> None:
    async with client_of("https://api.test.invalid", trust_env=True) as client:
        await client.get_registry()


async def ask_registry(client: RegistryClient) -> None:
    registry, url = client.registry("example"), "https://registry.test.invalid"
    async with Distribution(registry, base_url=url, retry=ONCE, trust_env=True) as distribution:
        await distribution.get_manifest("web", "v1")


@pytest.mark.parametrize(("ask", "host"), [(ask_api, "api"), (ask_registry, "registry")])
async def test_a_proxy_on_the_way_to_tls_learns_no_token(client, proxy, monkeypatch, ask, host):
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:password-of-proxy@127.0.0.1:{port}")
        with pytest.raises(RegistryConnectionError) as caught:
            await ask(client)
    assert "password-of-proxy" not in str(caught.value)
    (head,) = heads
    assert head.startswith(f"CONNECT {host}.test.invalid:443".encode())
    assert f"Proxy-Authorization: {LOGIN}".encode() in head
    assert b"the-token" not in head
    assert b"Bearer" not in head


@pytest.mark.parametrize("excepted", ["only-by-proxy.invalid", "*", "api.only-by-proxy.invalid"])
async def test_an_exception_is_honoured(proxy, monkeypatch, excepted):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", excepted)
    async with client_of(API, trust_env=True) as client:
        with pytest.raises(RegistryConnectionError):
            await client.get_registry()
    assert proxy.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_is_reached_without_a_proxy(proxy, monkeypatch, host):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert environment_proxy(f"http://{host}:8080/v2") == {}
    assert environment_proxy(API) != {}


async def test_a_login_of_netrc_does_not_take_the_place_of_the_token(proxy, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.only-by-proxy.invalid login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with client_of(API, trust_env=True) as client:
        await client.get_registry()
    assert [by for _, by, _ in proxy.seen] == ["Bearer the-token"]


@pytest.mark.parametrize("trust_env", [True, False])
async def test_the_registry_is_reached_by_the_proxy_of_the_environment(
    client, proxy, monkeypatch, trust_env
):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    url = "http://registry.only-by-proxy.invalid"
    async with Distribution(
        client.registry("example"), base_url=url, retry=ONCE, trust_env=trust_env
    ) as distribution:
        if trust_env:
            assert (await distribution.get_manifest("web", "v1")).body == b"{}"
        else:
            with pytest.raises(RegistryConnectionError):
                await distribution.get_manifest("web", "v1")
    assert len(proxy.seen) == int(trust_env)
