"""The server: limits as they are felt, the record, where it listens."""

import ast
import asyncio
from pathlib import Path

import pytest

import aioregistry.sandbox
from aioregistry.sandbox import Limits, Sandbox
from tests.sandbox.conftest import Caller


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def test_every_answer_tells_what_is_left(call):
    first = await call("GET", "/v2/registry")
    missing = await call("GET", "/v2/registries/none")
    assert first.headers["ratelimit-limit"] == "5000"
    assert first.headers["ratelimit-remaining"] == "4999"
    assert first.headers["ratelimit-reset"].isdigit()
    assert missing.headers["ratelimit-remaining"] == "4998"


async def test_over_the_minute_limit_an_answer_is_429_until_it_has_room(session):
    clock = Clock()
    async with Sandbox(limits=Limits(per_minute=2), clock=clock) as sandbox:
        call = Caller(session, sandbox)
        replies = [await call("GET", "/v2/registry") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[2].json["id"] == "too_many_requests"
        assert replies[2].json["message"] == "API Rate limit exceeded."
        assert replies[2].headers["retry-after"] == "60"
        assert replies[2].headers["ratelimit-remaining"] == "0"
        clock.now += 60
        assert (await call("GET", "/v2/registry")).status == 200
        assert (sandbox.request_count, sandbox.rejected_count) == (4, 1)


async def test_a_rejected_request_changes_nothing(session):
    async with Sandbox(limits=Limits(per_minute=1), clock=Clock()) as sandbox:
        sandbox.state.push("example", "repo", ["v1"])
        call = Caller(session, sandbox)
        await call("GET", "/v2/registry")
        reply = await call("DELETE", "/v2/registry/example/repositories/repo/tags/v1")
        assert reply.status == 429
        assert sandbox.state.tag_names("example", "repo") == ["v1"]


async def test_a_scaled_limit_tells_fractions(session):
    async with Sandbox(limits=Limits(per_minute=1, scale=60), clock=Clock()) as sandbox:
        call = Caller(session, sandbox)
        await call("GET", "/v2/registry")
        reply = await call("GET", "/v2/registry")
    assert reply.headers["retry-after"] == "1.000"
    assert "." in reply.headers["ratelimit-reset"]


async def test_other_clients_can_use_up_the_quota(session):
    async with Sandbox(limits=Limits(), clock=Clock()) as sandbox:
        sandbox.use_quota(250)
        reply = await Caller(session, sandbox)("GET", "/v2/registry")
    assert reply.status == 429


async def test_a_second_token_has_a_quota_of_its_own(session):
    async with Sandbox(limits=Limits(per_minute=1), clock=Clock()) as sandbox:
        sandbox.tokens.add("second")
        call = Caller(session, sandbox)
        await call("GET", "/v2/registry")
        assert (await call("GET", "/v2/registry", token="second")).status == 200


async def test_requests_are_recorded_as_they_came(call, sandbox):
    await call("GET", "/v2/registry/example/repositories/my%2Frepo/tags?page=2")
    (request,) = sandbox.requests
    assert request.method == "GET"
    assert request.raw_path == "/v2/registry/example/repositories/my%2Frepo/tags?page=2"
    assert request.route == "/v2/registry/{registry}/repositories/{repository}/tags"
    assert request.status == 404
    assert request.token_ok


async def test_only_the_latest_requests_are_kept(session):
    async with Sandbox(record=2) as sandbox:
        call = Caller(session, sandbox)
        for number in range(3):
            await call("GET", f"/v2/{number}")
        assert [request.raw_path for request in sandbox.requests] == ["/v2/1", "/v2/2"]
        assert sandbox.request_count == 3


async def test_latency_delays_answers_but_not_each_other(session):
    async with Sandbox(latency=0.5) as sandbox:
        call = Caller(session, sandbox)
        # One after the other would take twenty.
        async with asyncio.timeout(15):
            await asyncio.gather(*(call("GET", "/v2/registry") for _ in range(40)))
        assert sandbox.request_count == 40


def test_the_host_name_of_this_machine_is_taken():
    assert Sandbox(host="localhost", port=80).url == "http://localhost:80"
    assert Sandbox(host="::1", port=80).url == "http://[::1]:80"


def test_a_client_is_told_which_limits_to_keep():
    assert Sandbox().rate_limit is None
    sandbox = Sandbox(limits=Limits(per_minute=10, per_hour=20, scale=60))
    assert sandbox.rate_limit.windows == ((10, 1.0), (20, 60.0))


def test_nothing_of_the_client_is_imported_but_for_its_rate_limit():
    package = Path(aioregistry.sandbox.__file__).parent
    imported = [
        (path.name, node.module)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module.startswith("aioregistry.")
        and not node.module.startswith("aioregistry.sandbox")
    ]
    assert set(imported) == {
        ("app.py", "aioregistry.ratelimit.limits"),
        ("state.py", "aioregistry.arguments"),
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_kept_out_unless_allowed(host):
    with pytest.raises(ValueError, match="allow_remote"):
        Sandbox(host=host)
    Sandbox(host=host, allow_remote=True)


async def test_a_port_that_is_taken_is_an_error():
    async with Sandbox() as first:
        second = Sandbox(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="in use"):
            await second.start()


async def test_a_sandbox_can_be_stopped_twice_and_started_again(session):
    sandbox = Sandbox()
    await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()
    await sandbox.start()
    assert (await Caller(session, sandbox)("GET", "/v2/registry")).status == 200
    await sandbox.stop()


@pytest.mark.parametrize(
    "sent",
    [
        b"PATCH /v2/example/web/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
        b"PUT /v2/registry HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"GET /v2/example/web/blobs/DIGEST HTTP/1.1\r\nHost: x\r\nAuthorization: TOKEN\r\n\r\n",
    ],
    ids=["upload", "chunk", "download"],
)
async def test_a_client_that_hangs_up_leaves_no_traceback(sandbox, session, caplog, sent):
    digest = f"sha256:{'1' * 64}"
    blobs = [(f"sha256:{'0' * 64}", 2), (digest, 50_000_000)]
    sandbox.state.push("example", "web", ["v1"], blobs=blobs)
    credentials = sandbox.state.issue_credentials("example")
    scopes = ["repository:example/web:pull"]
    token = sandbox.state.keyring.grant(credentials, scopes, sandbox.state.clock(), ())
    data = sent.replace(b"DIGEST", digest.encode()).replace(b"TOKEN", f"Bearer {token}".encode())
    port = int(sandbox.url.rpartition(":")[2])
    for close in (lambda writer: writer.transport.abort(), lambda writer: writer.close()):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        await writer.drain()
        if b"GET" in data:
            assert b"200" in await reader.read(100)
        close(writer)
    async with session.get(f"{sandbox.url}/v2/registry") as answered:
        assert answered.status == 401
    await asyncio.sleep(0.05)
    assert not caplog.records
