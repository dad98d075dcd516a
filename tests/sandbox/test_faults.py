"""Faults: which requests they strike, and what a client then sees at its socket."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import aiohttp
import pytest

from aioregistry.sandbox import Fault, Faults, Limits, Sandbox
from aioregistry.sandbox.faults import KINDS
from tests.sandbox.conftest import Caller

TAGS = "/v2/registry/example/repositories/repo/tags"


@pytest.fixture
def call(call, sandbox):
    for number in range(5):
        sandbox.state.push("example", "repo", [f"v{number}"])
    return call


def struck(faults, method="GET", route="/x", times=6):
    return [bool(faults.strike(method, route)) for _ in range(times)]


def test_a_fault_may_skip_and_may_end():
    assert struck(Faults(Fault(kind="status", skip=1, times=2))) == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_fault_may_be_for_one_method_and_some_routes():
    faults = Faults(Fault(kind="status", method="DELETE", route="*/tags/*"))
    assert faults.strike("DELETE", "/v2/registry/{registry}/tags/{tag}")
    assert not faults.strike("GET", "/v2/registry/{registry}/tags/{tag}")
    assert not faults.strike("DELETE", "/v2/registry/{registry}/digests/{digest}")


def test_chance_is_the_same_for_the_same_seed():
    def draw(seed):
        return struck(Faults(Fault(kind="status", chance=0.5), seed=seed), times=200)

    assert draw(1) == draw(1) != draw(2)
    assert 60 < sum(draw(1)) < 140


@pytest.mark.parametrize("spread", ["fixed", "uniform", "exponential", "lognormal"])
def test_durations_vary_around_what_was_asked_for(spread):
    fault = Fault(kind="delay", seconds=2.0, spread=spread)
    random = Faults(seed=3).random
    durations = sorted(fault.duration(random) for _ in range(2001))
    assert durations[0] >= 0
    assert 1 < durations[1000] < 3
    assert (durations[0] == durations[-1]) is (spread == "fixed")


def test_no_seconds_are_no_seconds():
    fault = Fault(kind="delay", spread="exponential")
    assert fault.duration(Faults().random) == 0


def test_a_script_is_read_from_a_file_and_told_again(tmp_path):
    script = {"seed": 7, "faults": [{"kind": "status", "status": 502, "chance": 0.25}]}
    (tmp_path / "faults.json").write_text(json.dumps(script))
    faults = Faults.load(tmp_path / "faults.json")
    assert faults.seed == 7
    assert faults.faults == (Fault(kind="status", status=502, chance=0.25),)
    assert Faults.from_json(faults.as_json()).faults == faults.faults


@pytest.mark.parametrize(
    "script",
    [
        [],
        {"fault": []},
        {"faults": [{}]},
        {"faults": ["status"]},
        {"faults": [{"kind": "unheard-of"}]},
        {"faults": [{"kind": "status", "code": 500}]},
        {"faults": [{"kind": "status", "status": 200}]},
        {"faults": [{"kind": "delay", "seconds": -1}]},
        {"faults": [{"kind": "delay", "chance": 2}]},
        {"faults": [{"kind": "delay", "spread": "wide"}]},
        {"faults": [{"kind": "move", "change": "shuffle"}]},
    ],
)
def test_what_is_no_script_is_refused(script):
    with pytest.raises(ValueError):
        Faults.from_json(script)


async def test_an_error_of_the_server_changes_nothing(call, sandbox):
    sandbox.faults = Faults(Fault(kind="status", status=502, retry_after=2, times=1))
    reply = await call("DELETE", f"{TAGS}/v1")
    assert reply.status == 502
    assert reply.json["id"] == "server_error"
    assert reply.headers["Retry-After"] == "2"
    assert "ratelimit-remaining" in reply.headers
    assert (await call("DELETE", f"{TAGS}/v1")).status == 204


async def test_a_proxy_answers_in_html(call, sandbox):
    sandbox.faults = Faults(Fault(kind="html", status=504))
    reply = await call("GET", TAGS)
    assert reply.status == 504
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.text.startswith("<html>")


async def test_a_body_may_be_cut_or_replaced(call, sandbox):
    whole = await call("GET", TAGS)
    sandbox.faults = Faults(
        Fault(kind="truncate", times=1), Fault(kind="body", body="[1]", skip=1, times=1)
    )
    async with call.session.get(
        sandbox.url + TAGS, headers={"Authorization": f"Bearer {sandbox.token}"}
    ) as cut:
        assert await cut.text() == whole.text[: len(whole.text) // 2]
    replaced = await call("GET", TAGS)
    assert (replaced.status, replaced.json) == (200, [1])


@pytest.mark.parametrize(
    ("kind", "is_done"), [("reset-before", False), ("lost", True), ("reset-within", True)]
)
async def test_a_connection_is_reset_before_or_after_the_work(session, kind, is_done):
    faults = Faults(Fault(kind=kind))
    async with Sandbox(faults=faults) as sandbox:
        for number in range(2):
            sandbox.state.push("example", "repo", [f"v{number}"])
        call = Caller(session, sandbox)
        path = f"{TAGS}/v1" if kind != "reset-within" else TAGS
        with pytest.raises(aiohttp.ClientError):
            await call("DELETE" if kind != "reset-within" else "GET", path)
        if kind != "reset-within":
            assert ("v1" not in sandbox.state.tag_names("example", "repo")) is is_done
        # aiohttp repeats a request whose connection dies before an answer: each time is recorded.
        assert {request.status is not None for request in sandbox.requests} == {is_done}


async def test_an_answer_stops_half_way(call, sandbox):
    whole = await call("GET", TAGS)
    sandbox.faults = Faults(Fault(kind="reset-within"))
    reader, writer = await connect(sandbox)
    head = await reader.readuntil(b"\r\n\r\n")
    assert f"content-length: {len(whole.text)}".encode() in head.lower()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(len(whole.text))
    await close(writer)


async def test_a_connection_is_reset_after_a_whole_answer(call, sandbox):
    whole = await call("GET", TAGS)
    sandbox.faults = Faults(Fault(kind="reset-after"))
    reader, writer = await connect(sandbox)
    await reader.readuntil(b"\r\n\r\n")
    assert (await reader.readexactly(len(whole.text))).decode() == whole.text
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await close(writer)


async def connect(sandbox):
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET {TAGS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sandbox.token}\r\n\r\n"
    writer.write(head.encode())
    return reader, writer


async def close(writer):
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_an_answer_drips(call, sandbox):
    whole = await call("GET", TAGS)
    sandbox.faults = Faults(Fault(kind="drip", seconds=0.1))
    began = time.monotonic()
    slow = await call("GET", TAGS)
    assert time.monotonic() - began >= 0.1
    assert slow.text == whole.text
    assert (await call("DELETE", f"{TAGS}/v1")).status == 204


async def test_an_answer_is_delayed(call, sandbox):
    sandbox.faults = Faults(Fault(kind="delay", seconds=0.05))
    began = time.monotonic()
    assert (await call("GET", TAGS)).status == 200
    assert time.monotonic() - began >= 0.05


async def test_a_request_delivered_twice_finds_its_work_done(call, sandbox):
    sandbox.faults = Faults(Fault(kind="duplicate"))
    assert (await call("DELETE", f"{TAGS}/v1")).status == 404
    assert [request.status for request in sandbox.requests] == [204, 404]


@pytest.mark.parametrize(
    ("path", "change", "total"),
    [
        (TAGS, "push", 7),
        (TAGS, "delete", 3),
        (TAGS.replace("tags", "digests"), "push", 7),
        (TAGS.replace("tags", "digests"), "delete", 3),
        ("/v2/registries/example/repositoriesV2", "push", 3),
        ("/v2/registries/example/repositoriesV2", "delete", 0),
        ("/v2/registries", "push", None),
        (TAGS.replace("repo/", "none/"), "delete", None),
    ],
)
async def test_a_list_moves_before_it_is_read(call, sandbox, path, change, total):
    sandbox.faults = Faults(Fault(kind="move", change=change, count=2, skip=1, times=1))
    before = await call("GET", path)
    after = await call("GET", path)
    if total is None:
        assert after.status == before.status
    else:
        assert after.json["meta"]["total"] == total


async def test_other_clients_use_the_quota(session):
    faults = Faults(Fault(kind="quota", count=3, times=1))
    async with Sandbox(limits=Limits(per_minute=4), faults=faults) as sandbox:
        call = Caller(session, sandbox)
        assert [(await call("GET", TAGS)).status for _ in range(2)] == [404, 429]


async def test_of_two_faults_that_spoil_an_answer_the_first_does(call, sandbox):
    sandbox.faults = Faults(Fault(kind="html", status=502), Fault(kind="status", status=500))
    assert (await call("GET", TAGS)).status == 502


async def test_a_request_without_the_token_is_refused_all_the_same(call, sandbox):
    sandbox.faults = Faults(Fault(kind="status"))
    assert (await call("GET", TAGS, token="wrong")).status == 401


async def test_the_registrys_own_side_has_faults_too(call, sandbox):
    sandbox.faults = Faults(Fault(kind="status", route="*/manifests/*", status=500))
    assert (await call("GET", "/v2/example/repo/manifests/v1")).status == 500


async def test_faults_are_set_told_and_ended_at_run_time(call, sandbox):
    path = "/_sandbox/faults"
    script = {"seed": 1, "faults": [{"kind": "status", "status": 500}]}
    put = await call("PUT", path, json=script, token=None)
    assert put.json == (await call("GET", path, token=None)).json == sandbox.faults.as_json()
    assert (await call("GET", TAGS)).status == 500
    assert (await call("DELETE", path, token=None)).status == 204
    assert (await call("GET", TAGS)).status == 200
    assert (await call("PUT", path, json={"faults": [{}]}, token=None)).status == 422
    assert (await call("PUT", path, data=b"{", token=None)).status == 422
    assert (await call("POST", path, token=None)).status == 405
    assert sandbox.request_count == 2


async def test_the_control_route_is_for_this_machine_only(call, sandbox, monkeypatch):
    monkeypatch.setattr("aiohttp.web.BaseRequest.remote", "192.0.2.7")
    reply = await call("DELETE", "/_sandbox/faults")
    assert reply.status == 403


def test_every_kind_of_fault_is_tested_here():
    text = Path(__file__).read_text("utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
