"""A fleet's server that is away, stands still or refuses: an error of ours for each question."""

import asyncio
import pickle
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import ConnectionError as NoConnectionError

from aioregistry.fleet import (
    Addresses,
    FleetEngine,
    FleetServerError,
    FleetServerRefusedError,
    Lease,
    Run,
    RunLostError,
    Window,
)
from aioregistry.web import Problem
from tests.fleet.fleets import fleet_of
from tests.ratelimit.redis_servers import REDIS, VALKEY, Server

pytestmark = pytest.mark.skipif(not (VALKEY or REDIS), reason="needs valkey or redis-server")

RUN = Run(registry="reg0", id="x", begun_at=0.0)
QUESTIONS = {
    "begin": lambda engine: engine.begin(["reg0"], plan_only=True),
    "approve": lambda engine: engine.approve("reg0", "x"),
    "cancel": lambda engine: engine.cancel("reg0", "x"),
    "find": lambda engine: engine.find("reg0", "x"),
    "runs": lambda engine: engine.runs(),
    "progress": lambda engine: engine.progress(),
    "plan": lambda engine: engine.store.plan(RUN),
    "report": lambda engine: engine.store.report(RUN),
    "archive": lambda engine: engine.store.archive(RUN),
    "history": lambda engine: engine.store.history("reg0"),
    "lease": lambda engine: taken(engine.store.lease("reg0")),
}


@asynccontextmanager
async def a_server():
    async with Server(VALKEY or REDIS).running() as server:
        yield server


@pytest.fixture
async def server():
    async with a_server() as server:
        yield server


def engine_at(folder, server, login: str = "") -> FleetEngine:
    url = f"redis://{login}127.0.0.1:{server.port}/0"
    return FleetEngine(fleet_of(folder, 1), url, addresses=Addresses())


async def taken(lease: Lease) -> None:
    async with lease:
        pass


async def errors_of(engine: FleetEngine) -> dict[str, FleetServerError]:
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(ask(engine) for ask in QUESTIONS.values()), return_exceptions=True
        )
    return dict(zip(QUESTIONS, answers, strict=True))


async def test_a_server_that_is_away_is_an_error_of_ours_and_a_503(tmp_path, server):
    async with engine_at(tmp_path, server) as engine:
        await engine.runs()
        await server.stop()
        for name, error in (await errors_of(engine)).items():
            assert type(error) is FleetServerError, name
            assert "is away: ConnectionError: " in str(error)
            assert str(error).endswith("what was begun continues then")
            problem = Problem.of(error)
            assert (problem.status, problem.headers["Retry-After"]) == (503, "1")
        await server.start()
        assert await engine.begin(["reg0"]) == ["reg0"]


async def test_a_server_that_stands_still_is_away(tmp_path, server, monkeypatch):
    for name in ("server._ANSWER_SECONDS", "store._DOCUMENT_SECONDS"):
        monkeypatch.setattr(f"aioregistry.fleet.{name}", 0.3)
    async with engine_at(tmp_path, server) as engine:
        await engine.runs()
        server.freeze()
        try:
            for name, error in (await errors_of(engine)).items():
                assert type(error) is FleetServerError, name
                assert "no answer in time" in str(error)
        finally:
            server.thaw()
        assert await engine.find("reg0", "x") is None


async def test_a_fleet_is_opened_while_its_server_stands_still(tmp_path, server, monkeypatch):
    monkeypatch.setattr("aioregistry.fleet.server._ANSWER_SECONDS", 0.3)
    server.freeze()
    try:
        async with asyncio.timeout(60), engine_at(tmp_path, server) as engine:
            with pytest.raises(FleetServerError, match="no answer in time"):
                await engine.runs()
    finally:
        server.thaw()


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("", "AuthenticationError: .*Check the user name and password"),
        (":wrong@", "AuthenticationError: .*Check the user name and password"),
        ("poor:secret@", "NoPermissionError: .*The user's ACL lacks a command"),
    ],
)
async def test_a_server_that_refuses_is_another_error_and_a_502(tmp_path, server, login, said):
    async with server.client() as client:
        await client.config_set("requirepass", "right")
        await client.acl_setuser("poor", enabled=True, passwords=["+secret"], keys=["other:*"])
    async with engine_at(tmp_path, server, login) as engine:
        for error in (await errors_of(engine)).values():
            with pytest.raises(FleetServerRefusedError, match=said):
                raise error
            problem = Problem.of(error)
            assert problem.status == 502
            assert "Retry-After" not in problem.headers


async def test_a_server_that_is_a_cluster_is_refused_as_it_is_opened(tmp_path):
    async with Server(VALKEY or REDIS, "--cluster-enabled", "yes").running() as server:
        with pytest.raises(FleetServerRefusedError, match="is a cluster: name a Redis or Valkey"):
            async with engine_at(tmp_path, server):
                pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"replicaof": "127.0.0.1 1"}, "It is a replica: name its primary"),
        ({"maxmemory": "1"}, "Its memory is full: give it more, or raise its maxmemory"),
    ],
    ids=["replica", "full"],
)
async def test_a_server_that_cannot_write_for_now_says_why(tmp_path, server, options, said):
    async with engine_at(tmp_path, server) as engine, server.client() as client:
        if place := options.get("replicaof"):
            await client.replicaof(*place.split())
        else:
            await client.config_set("maxmemory", options["maxmemory"])
        with pytest.raises(FleetServerError, match=said) as caught:
            await engine.begin(["reg0"])
        assert type(caught.value) is FleetServerError
        assert str(caught.value).endswith("; what was begun continues then")


async def test_who_waits_for_a_run_that_the_server_has_lost_is_told(tmp_path, server):
    now = datetime.now(UTC)
    closed = Window.parse(f"{now + timedelta(hours=3):%H}:00-{now + timedelta(hours=4):%H}:00")
    looked = asyncio.Event()
    url = f"redis://127.0.0.1:{server.port}/0"
    fleet = fleet_of(tmp_path, 2, window=closed)
    async with FleetEngine(fleet, url, addresses=Addresses(), tick_seconds=0.05) as engine:
        assert await engine.begin(["reg0"])
        usual = engine.store.cancelled

        async def cancelled(runs):
            looked.set()
            return await usual(runs)

        engine.store.cancelled = cancelled
        # Of the other one there never was a run.
        waiting = asyncio.create_task(engine.work(["reg0", "reg1"]))
        await looked.wait()
        async with server.client() as client:
            await client.flushall()
        async with asyncio.timeout(60):
            with pytest.raises(RunLostError, match="has lost the run of reg0, and with it"):
                await waiting


async def test_a_look_asks_once_for_all_registries_whether_a_run_is_to_end(tmp_path, server):
    url = f"redis://127.0.0.1:{server.port}/0"
    async with FleetEngine(fleet_of(tmp_path, 20), url, addresses=Addresses()) as engine:
        await engine.begin(f"reg{nth}" for nth in range(20))
        asked, usual = [], engine.store._values
        engine.store._values = lambda keys: asked.append(len(keys)) or usual(keys)
        await engine._tick()
        # Their states, and whether somebody ends them.
        assert asked == [20, 20]
        async with server.client() as client:
            assert await client.xlen("fleet:stream") == 20


async def test_a_step_that_cannot_be_queued_keeps_none_of_the_others_from_it(
    tmp_path, server, monkeypatch
):
    url = f"redis://127.0.0.1:{server.port}/0"
    async with FleetEngine(fleet_of(tmp_path, 3), url, addresses=Addresses()) as engine:
        await engine.begin(["reg0", "reg1", "reg2"])
        usual = engine._docket.add

        async def away(*_) -> None:
            raise NoConnectionError("away")

        def add(task, when, key):
            return away if key.startswith("reg1:") else usual(task, when=when, key=key)

        monkeypatch.setattr(engine._docket, "add", add)
        with pytest.raises(FleetServerError, match="away"):
            await engine._tick()
        async with server.client() as client:
            assert await client.xlen("fleet:stream") == 2


async def test_a_name_that_never_led_to_a_server_is_wrong(tmp_path):
    async with FleetEngine(fleet_of(tmp_path, 1), "redis://nowhere.invalid:6379/0") as engine:
        with pytest.raises(FleetServerRefusedError, match="Check the host name of Redis"):
            await engine.runs()


@pytest.mark.parametrize("scheme", ["rediss", "rediss+sentinel"])
def test_an_engine_whose_tls_cannot_be_made_is_refused_before_anything_is_sent(tmp_path, scheme):
    url = f"{scheme}://127.0.0.1:1/fleet/0?ssl_ca_certs=missing.pem"
    with pytest.raises(ValueError, match=r"ca_certs missing\.pem: No such file or directory"):
        FleetEngine(fleet_of(tmp_path, 1), url)


def test_the_errors_go_through_pickle():
    error = FleetServerRefusedError("the fleet's server refuses")
    error.hint = "Check"
    assert str(pickle.loads(pickle.dumps(error))) == "the fleet's server refuses. Check"
