"""What is known to go wrong with pydocket on a server, and does no harm; TRAPS.md has all of it."""

import asyncio
import os
import pickletools
import signal
from contextlib import AsyncExitStack
from types import SimpleNamespace
from unittest.mock import AsyncMock

import msgspec
import pytest
import redis.asyncio
from docket import Docket, Worker
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from aioregistry import RateLimit
from aioregistry.fleet import (
    Addresses,
    FleetEngine,
    FleetServerError,
    FleetServerRefusedError,
    Run,
)
from aioregistry.fleet.intake import Intake, IntakeError
from aioregistry.fleet.server import completed
from aioregistry.fleet.state import VERSION
from aioregistry.sandbox import Limits
from tests.fleet.fleets import (
    addresses_of,
    carried_out_by_a_worker,
    collections,
    engine_of,
    fleet_of,
    sandbox_of,
    wrong_repositories,
)
from tests.readme import ROOT

SCALE = 60.0


def deletes(sandbox) -> list[str]:
    return [one.raw_path for one in sandbox.requests if one.method == "DELETE"]


async def until(condition, seconds: float = 200.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def stage(tmp_path, url):
    """A sandbox whose quota makes a run of 120 DELETEs last for seconds, and its fleet."""
    async with sandbox_of(1, 2, 60, limits=Limits(scale=SCALE)) as sandbox, AsyncExitStack() as at:

        async def engine(**options) -> FleetEngine:
            limit = RateLimit().scaled(SCALE)
            given = {"addresses": addresses_of(sandbox, limit)} | options
            return await at.enter_async_context(
                engine_of(given.pop("fleet", fleet_of(tmp_path, 1)), sandbox, url, **given)
            )

        yield sandbox, engine


async def forget_ticks(server) -> None:
    """Let all workers look again at once, which by themselves they may do soon."""
    for key in await server.keys("fleet:tick:*"):
        await server.delete(key)


def check(sandbox, run: Run) -> None:
    assert (run.result, sum(run.counts.values())) == ("done", 120), run
    assert wrong_repositories(sandbox) == []
    assert collections(sandbox) == {"reg0": 1}
    assert len(deletes(sandbox)) == len({*deletes(sandbox)}) == 120


@pytest.mark.slow(3)
async def test_a_worker_that_is_stopped_hands_its_slice_on_at_once_and_nothing_is_doubled(stage):
    sandbox, engine = stage
    first, second = await engine(), await engine()
    await first.begin(["reg0"])
    working = [asyncio.create_task(each.work(["reg0"])) for each in (first, second)]
    await until(lambda: len(deletes(sandbox)) > 20)
    # Whichever has the slice.
    first.stop()
    await working[0]
    async with asyncio.timeout(200):
        await working[1]
    check(sandbox, (await second.runs())["reg0"])


@pytest.mark.slow(4)
async def test_connections_that_are_cut_double_nothing(stage, server):
    sandbox, engine = stage
    first, second = await engine(), await engine()
    await first.begin(["reg0"])
    working = [asyncio.create_task(each.work(["reg0"])) for each in (first, second)]
    for count in (20, 60):
        await until(lambda count=count: len(deletes(sandbox)) > count)
        await server.client_kill_filter(_type="normal", skipme=True)
        await server.client_kill_filter(_type="pubsub", skipme=True)
    async with asyncio.timeout(200):
        await asyncio.gather(*working)
    check(sandbox, (await second.runs())["reg0"])


@pytest.mark.slow(5)
async def test_a_server_that_stands_still_holds_nothing_up_for_longer(stage, server_port, server):
    sandbox, engine = stage
    worker = await engine()
    await worker.begin(["reg0"])
    working = asyncio.create_task(worker.work(["reg0"]))
    await until(lambda: len(deletes(sandbox)) > 20)
    pid = (await server.info("server"))["process_id"]
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(1.0)
    before = len(deletes(sandbox))
    await asyncio.sleep(0.5)
    # Nothing is deleted that cannot be noted.
    assert len(deletes(sandbox)) == before
    os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(200):
        await working
    check(sandbox, (await worker.runs())["reg0"])


async def test_what_is_queued_is_small_and_plain(stage, server):
    _, engine = stage
    worker = await engine()
    await worker.begin(["reg0"])
    await worker._tick()
    messages = [fields for _, fields in await server.xrange("fleet:stream")]
    assert len(messages) == 1
    for message in messages:
        assert sum(len(value) for value in message.values()) < 1000
        for part in (message[b"args"], message[b"kwargs"]):
            codes = {code.name for code, _, _ in pickletools.genops(part)}
            assert not codes & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST", "OBJ", "NEWOBJ"}
    # Looked at again, and by another worker, it is queued once.
    for each in (worker, await engine()):
        await forget_ticks(server)
        await each._tick()
    assert await server.xlen("fleet:stream") == 1


async def test_a_step_that_was_lost_is_queued_again(stage, server):
    sandbox, engine = stage
    worker = await engine()
    await worker.begin(["reg0"])
    await worker._tick()
    # As by a server that dropped keys.
    await server.delete("fleet:stream", *await server.keys("fleet:runs:*"))
    assert (await carried_out_by_a_worker(worker))["reg0"].result == "done"
    assert wrong_repositories(sandbox) == []


async def test_a_step_that_is_done_is_not_done_again(stage):
    sandbox, engine = stage
    worker = await engine()
    await worker.begin(["reg0"], "20260601T000000Z", plan_only=True)
    async with asyncio.timeout(200):
        await worker.work(["reg0"])
    before = sandbox.request_count
    # As a redelivery after an acknowledgement that was lost.
    await worker._step("reg0", "20260601T000000Z", "0.0")
    assert sandbox.request_count == before


async def test_of_two_workers_with_one_step_one_does_it(stage):
    sandbox, engine = stage
    first, second = await engine(), await engine()
    await first.begin(["reg0"], "20260601T000000Z", plan_only=True)
    before = sandbox.request_count
    await asyncio.gather(
        *(each._step("reg0", "20260601T000000Z", "0.0") for each in (first, second))
    )
    assert (await first.runs())["reg0"].result == "planned"
    lists = [one for one in sandbox.requests if one.raw_path.partition("?")[0].endswith("sV2")]
    assert sandbox.request_count > before
    assert len(lists) == 1


async def test_a_step_of_a_newer_version_is_not_lost(stage, url):
    """An old worker takes it, does not know it, and a newer one carries it out all the same."""
    _, engine = stage
    worker = await engine()

    async def fleet_sweep(registry: str) -> None:
        raise AssertionError(registry)

    async with Docket(name="fleet", url=url) as newer:
        await newer.add(fleet_sweep, key="reg0:sweep")("reg0")
    working = asyncio.create_task(worker.work())
    await asyncio.sleep(0.6)
    assert not working.done()
    worker.stop()
    await working


@pytest.mark.slow(3)
async def test_a_state_of_a_newer_version_is_left_to_newer_workers(stage, server):
    sandbox, engine = stage
    old = await engine()
    await old.begin(["reg0"], "20260601T000000Z")
    key = old.store.keys("reg0").state
    text = await server.get(key)
    newer = msgspec.json.encode(msgspec.json.decode(text) | {"version": VERSION + 1, "more": [1]})
    await server.set(key, newer)
    working = asyncio.create_task(old.work())
    await asyncio.sleep(0.5)
    assert await server.get(key) == newer
    assert sandbox.request_count == 0
    assert await old.begin(["reg0"]) == []
    # The newer worker is there, which is one that reads it.
    await server.set(key, text)
    while (await old.runs())["reg0"].phase != "ended":
        await asyncio.sleep(0.05)
    old.stop()
    await working
    check(sandbox, (await old.runs())["reg0"])


async def test_a_worker_with_a_wrong_password_ends_with_an_error(tmp_path, server, server_port):
    await server.acl_setuser("fleet", enabled=True, passwords=["+right"], keys=["fleet:*"])
    try:
        url = f"redis://fleet:wrong@127.0.0.1:{server_port}/0"
        with pytest.raises(FleetServerRefusedError, match="Check the user name and password"):
            async with (
                asyncio.timeout(200),
                FleetEngine(fleet_of(tmp_path, 1), url, addresses=Addresses()) as engine,
            ):
                await engine.work()
    finally:
        await server.acl_deluser("fleet")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        # As for a fleet that is called otherwise.
        (["~fleet:*", "&other:cancel:*", "+@all"], "the worker takes no steps|ACL failure"),
        (["~fleet:*", "&fleet:state:*", "+@all"], "the worker takes no steps"),
        (
            ["~other:*", "&fleet:cancel:*", "&fleet:state:*", "+@all"],
            "No permissions.*The user's ACL",
        ),
        (["~fleet:*", "&fleet:*", "+@all", "-xreadgroup"], "'xreadgroup' command"),
        (["~fleet:*", "&fleet:*", "+@all", "-xautoclaim"], "'xautoclaim' command"),
    ],
)
async def test_a_worker_whose_user_may_not_do_all_that_is_needed_ends_with_an_error(
    tmp_path, server, server_port, monkeypatch, words, error
):
    monkeypatch.setattr("aioregistry.fleet.intake._START_SECONDS", 1.0)
    await server.execute_command(
        "ACL", "SETUSER", "fleet", "reset", "resetchannels", "on", ">secret", *words
    )
    try:
        url = f"redis://fleet:secret@127.0.0.1:{server_port}/0"
        async with sandbox_of(1, 1) as sandbox:
            with pytest.raises((IntakeError, FleetServerRefusedError), match=error):
                async with (
                    asyncio.timeout(60),
                    engine_of(fleet_of(tmp_path, 1), sandbox, url) as engine,
                ):
                    await engine.work()
    finally:
        await server.acl_deluser("fleet")


@pytest.mark.parametrize(
    ("ended_by", "error", "words"),
    [
        (OSError(24, "Too many open files"), IntakeError, "the worker has ended: .*open files"),
        (ResponseError("WRONGTYPE"), IntakeError, "the worker has ended: .*WRONGTYPE"),
        (NoPermissionError("NOPERM"), FleetServerRefusedError, "NOPERM"),
        (KeyError("a bug"), KeyError, "a bug"),
    ],
)
async def test_a_worker_whose_intake_has_ended_does_not_wait_for_its_server(
    tmp_path, monkeypatch, ended_by, error, words
):
    monkeypatch.setattr(Worker, "run_forever", AsyncMock(side_effect=ended_by))
    async with (
        asyncio.timeout(10),
        FleetEngine(fleet_of(tmp_path, 1), tick_seconds=0.05) as engine,
    ):
        with pytest.raises(error, match=words):
            await engine.work()


async def test_an_error_of_this_machine_is_none_of_the_server(tmp_path, monkeypatch):
    async with (
        asyncio.timeout(10),
        FleetEngine(fleet_of(tmp_path, 1), tick_seconds=0.05) as engine,
    ):
        full = OSError(28, "No space left on device")
        monkeypatch.setattr(engine, "begin", AsyncMock(side_effect=full))
        monkeypatch.setattr("aioregistry.fleet.engine.may_begin", lambda *_: True)
        monkeypatch.setattr(
            "aioregistry.fleet.file.FleetRegistry.due", lambda *_: "20260601T000000Z"
        )
        with pytest.raises(OSError, match="No space left"):
            await engine.work()


async def test_a_worker_that_waits_for_its_server_for_long_begins_all_the_same(
    tmp_path, url, server, server_port, monkeypatch
):
    monkeypatch.setattr("aioregistry.fleet.intake._START_SECONDS", 0.5)
    async with FleetEngine(fleet_of(tmp_path, 1), url, addresses=Addresses()) as engine:
        intake = Intake(engine._docket, "a worker", 1, 2.0)
        usual, away = intake._has_shown_life, NoConnectionError("away")
        monkeypatch.setattr(intake, "_has_shown_life", AsyncMock(side_effect=away))
        for _ in range(6):
            with pytest.raises(FleetServerError, match="away"):
                await intake.check()
            await asyncio.sleep(0.2)
        # It is back, and the worker is not quite.
        monkeypatch.setattr(intake, "_has_shown_life", usual)
        await intake.check()
        monkeypatch.setattr("aioregistry.fleet.intake._START_SECONDS", 30.0)
        async with intake, asyncio.timeout(60):
            while not intake._has_begun:
                await intake.check()
                await asyncio.sleep(0.1)


async def test_a_sign_of_life_is_not_enough_of_a_worker_that_may_not_read_the_queue(
    tmp_path, server, server_port
):
    words = ("resetchannels", "on", ">secret", "~fleet:*", "&fleet:*", "+@all", "-xreadgroup")
    await server.execute_command("ACL", "SETUSER", "fleet", "reset", *words)
    try:
        url = f"redis://fleet:secret@127.0.0.1:{server_port}/0"
        async with FleetEngine(fleet_of(tmp_path, 1), url) as engine:
            # As of one that was faster than the first refusal.
            await server.sadd(engine._docket.worker_tasks_set("a worker"), "fleet_plan")
            with pytest.raises(FleetServerRefusedError, match="'xreadgroup'"):
                await Intake(engine._docket, "a worker", 1, 2.0).check()
    finally:
        await server.acl_deluser("fleet")


async def test_looks_in_vain_count_from_when_the_server_is_back(tmp_path, monkeypatch):
    now = 0.0
    loop = SimpleNamespace(time=lambda: now)
    async with FleetEngine(fleet_of(tmp_path, 1)) as engine:
        monkeypatch.setattr(
            "aioregistry.fleet.intake.asyncio", SimpleNamespace(get_running_loop=lambda: loop)
        )
        intake, away = Intake(engine._docket, "a worker", 1, 2.0), NoConnectionError("away")
        answers = [False, away, *(False for _ in range(10))]
        monkeypatch.setattr(intake, "_has_shown_life", AsyncMock(side_effect=answers))
        await intake.check()
        now = 100.0
        with pytest.raises(FleetServerError, match="away"):
            await intake.check()
        for _ in range(5):
            await intake.check()
        now = 129.0
        await intake.check()
        now = 131.0
        with pytest.raises(IntakeError, match="after 30 s"):
            await intake.check()


@pytest.mark.slow(2)
async def test_the_user_of_the_guide_may_do_all_that_is_needed(tmp_path, server, server_port):
    text = (ROOT / "aioregistry/fleet/README.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("user fleet ")]
    words = line.replace(">PASSWORD", ">secret").split()[2:]
    # As of Redis 6.2, by whose default a user has every channel.
    await server.config_set("acl-pubsub-default", "allchannels")
    await server.execute_command("ACL", "SETUSER", "fleet", *words)
    try:
        url = f"redis://fleet:secret@127.0.0.1:{server_port}/0"
        async with sandbox_of(1, 1) as sandbox:
            fleet = fleet_of(tmp_path, 1)
            addresses = addresses_of(sandbox, RateLimit().scaled(SCALE))
            async with engine_of(fleet, sandbox, url, addresses=addresses) as engine:
                await engine.begin(["reg0"])
                assert (await carried_out_by_a_worker(engine))["reg0"].result == "done"
        async with redis.asyncio.Redis.from_url(url) as client:
            for forbidden in (("SET", "other", "1"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
                with pytest.raises(NoPermissionError):
                    await client.execute_command(*forbidden)
            with pytest.raises(NoPermissionError):
                await client.publish("other", "1")
    finally:
        await server.acl_deluser("fleet")
        await server.config_set("acl-pubsub-default", "resetchannels")


async def test_a_server_that_drops_keys_is_warned_of(tmp_path, url, server, caplog):
    await server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        async with FleetEngine(fleet_of(tmp_path, 1), url, addresses=Addresses()):
            pass
    finally:
        await server.config_set("maxmemory-policy", "noeviction")
    assert "maxmemory-policy noeviction" in caplog.text


async def test_connections_that_the_server_closes_as_idle_are_no_error(tmp_path, url, server):
    async with sandbox_of(1) as sandbox:
        fleet = fleet_of(tmp_path, 1)
        async with engine_of(fleet, sandbox, url) as engine:
            await engine.begin(fleet.registries, plan_only=True)
            for ask in (engine.runs, engine.progress, lambda: engine.begin(["reg0"])):
                await server.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await asyncio.sleep(0.05)
                assert await ask() is not None


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("redis://:pass@host:6379/0", "redis://:pass@host:6379/0?protocol=2&{many}"),
        ("redis://host/0?", "redis://host/0?&protocol=2&{many}"),
        ("rediss://host?ssl_cert_reqs=none", "rediss://host?ssl_cert_reqs=none&protocol=2&{many}"),
        ("unix:///run/a/redis.sock", "unix:///run/a/redis.sock?protocol=2&{many}"),
        ("redis+sentinel://one,two/name", "redis+sentinel://one,two/name?protocol=2&{many}"),
        ("redis://host?protocol=3", "redis://host?protocol=2&{many}"),
        ("redis://host?max_connections=9", "redis://host?max_connections=9&protocol=2"),
        (
            "redis://host?max_connections=9&protocol=3&db=1",
            "redis://host?max_connections=9&protocol=2&db=1",
        ),
        ("memory://", "memory://"),
    ],
)
def test_an_address_is_used_by_the_protocol_in_which_closed_connections_are_seen(url, used):
    assert completed(url) == used.format(many="max_connections=10000")


async def test_a_worker_of_many_registries_has_a_connection_for_each_question(tmp_path, url):
    async with FleetEngine(fleet_of(tmp_path, 1), url, addresses=Addresses()) as engine:
        leases = [engine.store.lease(f"reg{nth}") for nth in range(150)]
        # More than the hundred at once that a client of Redis allows by itself.
        await asyncio.gather(*(lease.__aenter__() for lease in leases))
        await asyncio.gather(*(lease.__aexit__(None, None, None) for lease in leases))
