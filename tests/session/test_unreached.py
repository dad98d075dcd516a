"""Why no connection was made: in plain words, with what to look at, by API and registry alike."""

import asyncio
import errno
import socket
from types import SimpleNamespace

import aiohttp
import pytest

from aioregistry import RegistryClient, RegistryConnectionError, RetryPolicy
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Sandbox
from aioregistry.session.connections import cause_of
from tests.conftest import QUICK

THRICE = RetryPolicy(attempts=3, backoff=0.001)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def ask_api(client: RegistryClient, url: str) -> None:
    async with RegistryClient("the-token", base_url=url, retry=THRICE, trust_env=True) as other:
        await other.get_registry()


async def ask_registry(client: RegistryClient, url: str) -> None:
    registry = client.registry("example")
    async with Distribution(registry, base_url=url, retry=THRICE, trust_env=True) as distribution:
        await distribution.get_manifest("web", "v1")


both = pytest.mark.parametrize("ask", [ask_api, ask_registry])


async def refusal(ask, client: RegistryClient, url: str) -> RegistryConnectionError:
    with pytest.raises(RegistryConnectionError) as caught:
        await ask(client, url)
    return caught.value


@both
async def test_a_certificate_that_is_not_trusted_is_asked_for_once(client, ask):
    pytest.importorskip("trustme", reason="trustme is not installed")
    async with Sandbox(tls=True) as sandbox:
        error = await refusal(ask, client, sandbox.url)
    place = sandbox.url.removeprefix("https://")
    assert error.message.startswith(f"the certificate of {place} is refused: ")
    assert "certificate" in error.message.rpartition(": ")[2]
    assert "_ssl.c" not in str(error)
    assert error.hint == "SSL_CERT_FILE can name the certificates to trust"
    assert error.attempts == 1


@both
async def test_a_server_without_tls_is_not_asked_for_its_certificate(client, ask):
    async with Sandbox() as sandbox:
        place = sandbox.url.removeprefix("http://")
        error = await refusal(ask, client, f"https://{place}")
    assert error.message.startswith(f"no TLS with {place}: ")
    assert "_ssl.c" not in str(error)
    assert error.hint == "Check whether the address begins with http:// or https://"


@both
async def test_a_port_where_nobody_listens_is_named(client, ask):
    error = await refusal(ask, client, "http://127.0.0.1:9")
    assert error.message == "cannot connect to 127.0.0.1:9: Connection refused"
    assert error.attempts == 3


@both
async def test_a_name_that_nobody_knows_is_told_as_the_system_tells_it(client, ask):
    error = await refusal(ask, client, "http://registry.invalid")
    assert error.message.startswith("cannot connect to registry.invalid:80: ")
    assert "[Errno" not in error.message


@both
async def test_a_proxy_that_is_away_is_told_as_such(client, monkeypatch, ask):
    monkeypatch.setenv("HTTP_PROXY", "http://user:password-of-proxy@127.0.0.1:9")
    error = await refusal(ask, client, "http://only-by-proxy.invalid")
    assert error.message == "cannot connect to the proxy 127.0.0.1:9: Connection refused"
    assert error.hint == "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


@both
async def test_a_proxy_that_refuses_is_told_as_such(client, monkeypatch, ask):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Login, please\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = await refusal(ask, client, "https://only-by-proxy.invalid")
    assert error.message == "the proxy refuses to connect: 407 Login, please"
    assert error.hint == "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


@both
@pytest.mark.parametrize("proxy", ["socks5://me:the-secret@127.0.0.1:9", "http://the-secret@"])
async def test_a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(
    client, monkeypatch, ask, proxy
):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    error = await refusal(ask, client, "http://only-by-proxy.invalid")
    assert error.message == "HTTP_PROXY: the proxy cannot be used: write http://host:port"


@both
async def test_a_proxy_without_a_scheme_is_one_of_http(client, monkeypatch, ask):
    monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:9")
    error = await refusal(ask, client, "http://only-by-proxy.invalid")
    assert error.message == "cannot connect to the proxy 127.0.0.1:9: Connection refused"


def test_a_name_without_an_address_is_told_as_that_where_its_number_means_something_else_too():
    # As macOS has it: there EAI_NONAME is 8.
    unknown = socket.gaierror(errno.ENOEXEC, "nodename nor servname provided, or not known")
    place = SimpleNamespace(host="registry.invalid", port=443, ssl=True)
    error = aiohttp.ClientConnectorDNSError(place, unknown)
    assert cause_of(error)[0] == (
        "cannot connect to registry.invalid:443: nodename nor servname provided, or not known"
    )


@pytest.fixture
def taken_once(monkeypatch):
    """Have the event loop take the first new connection for another one, as uvloop may."""
    connect = aiohttp.TCPConnector._wrap_create_connection
    raised = []

    async def fail_once(self, *args, **options):
        if not raised:
            raised.append(RuntimeError("File descriptor 9 is used by transport <TCPTransport>"))
            raise raised[0]
        return await connect(self, *args, **options)

    monkeypatch.setattr(aiohttp.TCPConnector, "_wrap_create_connection", fail_once)
    return raised


async def test_a_connection_that_the_loop_takes_for_another_is_made_again(sandbox, taken_once):
    sandbox.state.push("example", "web", ["v1"])
    async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=QUICK) as client:
        report = await client.registry("example").repository("web").delete_tags(["v1"])
        assert [(one.status, one.attempts) for one in report.deleted] == [("deleted", 2)]
        taken_once.clear()
        registry = client.registry("example")
        async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
            assert await distribution.find_manifest("web", "v1") is None


async def test_a_connection_that_the_loop_takes_for_another_sends_nothing(sandbox, taken_once):
    once = RetryPolicy(attempts=1)
    async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=once) as client:
        report = await client.registry("example").repository("web").delete_tags(["v1"])
    assert [one.status for one in report.failed] == ["failed"]
    assert "the event loop takes the connection" in str(report.failed[0].error)
    assert taken_once
    assert sandbox.request_count == 0
