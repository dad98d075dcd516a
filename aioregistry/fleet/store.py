"""What a fleet keeps on its server: runs, plans, journals, archives and reports."""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from attrs import frozen

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.fleet.lease import Lease, Write, run_script
from aioregistry.fleet.server import Connect, FleetServer
from aioregistry.fleet.state import Run, StateError, after_approval, read_run

__all__ = ["FleetStore", "Progress", "RegistryKeys"]

_RUNS_KEPT = 50
_PROGRESS_SECONDS = 60
# For those of thousands of DELETEs.
_DOCUMENT_SECONDS = 60.0
# A run is begun only over the state that was read.
_BEGIN = """
local known = redis.call('get', KEYS[1])
if (known or '') ~= ARGV[1] then
  return 0
end
redis.call('set', KEYS[1], ARGV[2])
redis.call('ltrim', KEYS[2], -tonumber(ARGV[3]), -1)
if KEYS[3] then
  redis.call('del', KEYS[3])
end
return 1
"""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the slice is that is being carried out.

    Attributes:
        worker: Who carries it out.
        done: How many items are settled.
        total: How many items there are.
    """

    worker: str
    done: int = 0
    total: int = 0


@frozen
class RegistryKeys:
    """The keys of one registry; the braces keep them together.

    Attributes:
        base: What all of them begin with.
    """

    base: str

    @property
    def lock(self) -> str:
        """The lease under which all others are written."""
        return f"{self.base}:lock"

    @property
    def state(self) -> str:
        """Where the newest run is."""
        return f"{self.base}:state"

    @property
    def progress(self) -> str:
        """How far a slice is."""
        return f"{self.base}:progress"

    @property
    def cancelled(self) -> str:
        """The run that somebody wants to end."""
        return f"{self.base}:cancelled"

    @property
    def history(self) -> str:
        """The runs that have ended."""
        return f"{self.base}:runs"

    @property
    def held(self) -> str:
        """The repositories that runs leave alone."""
        return f"{self.base}:held"

    def of_run(self, run: str, what: str) -> str:
        """The plan, journal, archive or report of a run."""
        return f"{self.base}:{run}:{what}"


class FleetStore:
    """What a fleet keeps on its server.

    While that is away every method raises `FleetServerError`, and where it refuses,
    `FleetServerRefusedError`.

    Args:
        connect: Opens a client of the server.
        name: The fleet's name, with which all keys begin.
        lease_seconds: For how long a lease lasts without being renewed.
        keep_seconds: For how long plans, journals, archives and reports are kept.

    Attributes:
        server: The server, for further questions.
    """

    def __init__(
        self, connect: Connect, name: str, *, lease_seconds: float, keep_seconds: int
    ) -> None:
        self._connect = connect
        self.server: FleetServer = FleetServer(connect)
        self._name = name
        self._lease_seconds = lease_seconds
        self.keep_seconds = keep_seconds

    def keys(self, registry: str) -> RegistryKeys:
        """Return the keys of a registry."""
        return RegistryKeys(f"{self._name}:{{{registry}}}")

    def lease(self, registry: str) -> Lease:
        """Return the lease of a registry, which is not taken yet."""
        return Lease(self._connect, self.keys(registry).lock, self._lease_seconds)

    async def runs(self, registries: Iterable[str]) -> dict[str, Run | StateError | None]:
        """Return the newest run of each registry; None where there was none.

        A `StateError` is returned in its place where this version cannot read it.
        """
        names = list(registries)
        return dict(zip(names, map(_run, await self._states(names)), strict=True))

    async def progress(self, registries: Iterable[str]) -> Mapping[str, Progress]:
        """Return how far the slices are that are being carried out."""
        names = list(registries)
        found = await self._values([self.keys(name).progress for name in names])
        return {
            name: msgspec.json.decode(text, type=Progress)
            for name, text in zip(names, found, strict=True)
            if text is not None
        }

    async def begin(self, run: Run) -> bool:
        """Begin a run, unless the registry's newest has not ended, or is as new.

        One that was to end with its plan gives way. One that has not ended, and is continued, is so
        at any time if the new one was to be, and was to be carried out.

        Returns:
            Whether it was begun.
        """
        keys = self.keys(run.registry)
        (before,) = await self._states([run.registry])
        known = _run(before)
        if isinstance(known, StateError):
            return False
        goes_on = known is not None and known.phase != "ended" and not known.plan_only
        if known is not None and (goes_on or known.id >= run.id):
            if not goes_on or run.plan_only or not run.at_any_time or known.at_any_time:
                return False
            run = msgspec.structs.replace(known, at_any_time=True)
        arguments: list[bytes | str] = [before or b"", run.to_json(), str(_RUNS_KEPT)]
        async with self.server.asked() as server:
            done = await run_script(server, _BEGIN, [keys.state, keys.history], arguments)
        return bool(done) and not goes_on

    async def approve(self, registry: str, run: str, *, at_any_time: bool = False) -> bool:
        """Have the plan of a run carried out that has ended with it.

        Args:
            registry: The registry's name.
            run: The run's `Run.id`.
            at_any_time: Whether it is carried out outside the registry's window, too. False by
                default.

        Returns:
            Whether it was; it was not when somebody has approved it before, or a newer run has
            begun.
        """
        keys = self.keys(registry)
        (before,) = await self._states([registry])
        known = _run(before)
        if not isinstance(known, Run) or known.id != run:
            return False
        after = after_approval(known, at_any_time=at_any_time)
        if after is None:
            return False
        arguments: list[bytes | str] = [before or b"", after.to_json(), str(_RUNS_KEPT)]
        # Who wanted to end the run before it was planned did not mean this.
        changed = [keys.state, keys.history, keys.cancelled]
        async with self.server.asked() as server:
            done = await run_script(server, _BEGIN, changed, arguments)
        return bool(done)

    async def cancel(self, registry: str, run: str) -> None:
        """Ask whoever carries out a run to end it, if it is the newest and has not ended."""
        newest = (await self.runs([registry]))[registry]
        if isinstance(newest, StateError) or (
            newest is not None and newest.id == run and newest.phase != "ended"
        ):
            async with self.server.asked() as server:
                await server.set(self.keys(registry).cancelled, run, ex=self.keep_seconds)

    async def is_cancelled(self, run: Run) -> bool:
        """Return whether somebody has asked to end a run."""
        return bool(await self.cancelled([run]))

    async def cancelled(self, runs: Sequence[Run]) -> list[Run]:
        """Return those of some runs that somebody has asked to end."""
        found = await self._values([self.keys(run.registry).cancelled for run in runs])
        return [run for run, ended in zip(runs, found, strict=True) if ended == run.id.encode()]

    async def find(self, registry: str, run: str) -> Run | None:
        """Return a run, also one that has ended; None where it is not known, or not any more."""
        newest = (await self.runs([registry]))[registry]
        if isinstance(newest, Run) and newest.id == run:
            return newest
        past = await self.history(registry)
        return next((one for one in reversed(past) if one.id == run), None)

    async def load(self, lease: Lease, registry: str) -> Run | None:
        """Return the newest run of a registry; the lease writes only while it stays the same.

        Raises:
            StateError: This version cannot read it.
        """
        found = _run(await lease.watch(self.keys(registry).state))
        if isinstance(found, StateError):
            raise found
        return found

    def writes_of(self, run: Run) -> tuple[Write, ...]:
        """Return the writes that save a run."""
        keys = self.keys(run.registry)
        text = run.to_json()
        ended = (Write(keys.history, text, append=True),) if run.phase == "ended" else ()
        return (Write(keys.state, text), *ended)

    async def show_progress(self, registry: str, progress: Progress) -> None:
        """Let others see how far a slice is."""
        async with self.server.asked() as server:
            text = msgspec.json.encode(progress)
            await server.set(self.keys(registry).progress, text, ex=_PROGRESS_SECONDS)

    async def history(self, registry: str) -> list[Run]:
        """Return the runs of a registry that have ended, the oldest first."""
        async with self.server.asked() as server:
            texts = await server.lrange(self.keys(registry).history, 0, -1)
        found = map(_run, texts)
        return [run for run in found if isinstance(run, Run)]

    async def plan(self, run: Run) -> Plan | None:
        """Return the plan of a run; None where there is none, or none any more."""
        text = await self._document(run, "plan")
        return None if text is None else await asyncio.to_thread(Plan.from_json, text)

    async def report(self, run: Run) -> CleanupReport | None:
        """Return what became of every item of a run; None before its first slice has ended."""
        text = await self._document(run, "report")
        return None if text is None else await asyncio.to_thread(CleanupReport.from_json, text)

    async def archive(self, run: Run) -> list[bytes]:
        """Return the parts of a run's archive: one after the other they are an archive's file."""
        async with self.server.asked(_DOCUMENT_SECONDS) as server:
            key = self.keys(run.registry).of_run(run.id, "archive")
            parts: list[bytes] = await server.lrange(key, 0, -1)
        return parts

    async def hold(self, registry: str, repositories: Iterable[str], now: float) -> None:
        """Have runs leave repositories alone until `release`, as those of which images come back.

        While this is written no step is carried out, so that each either ended before or knows of
        it. A plan that was made before, and would delete there, is refused.

        Args:
            registry: The registry's name.
            repositories: The repositories, which need not exist.
            now: Seconds since 1970, from which they are held.

        Raises:
            LeaseTakenError: A step of a run is carried out, for some minutes at most.
            LeaseLostError: One may have begun meanwhile: they are to be held once more.
        """
        if held := {name: str(now) for name in repositories}:
            async with self.lease(registry) as lease:
                async with self.server.asked() as server:
                    await server.hset(self.keys(registry).held, mapping=held)
                await lease.write()

    async def release(self, registry: str, repositories: Iterable[str]) -> None:
        """Have runs clean repositories up again that were held."""
        if names := list(repositories):
            async with self.server.asked() as server:
                await server.hdel(self.keys(registry).held, *names)

    async def held(self, registry: str) -> dict[str, datetime]:
        """Return the repositories that runs leave alone, each with since when."""
        async with self.server.asked() as server:
            found = await server.hgetall(self.keys(registry).held)
        return {
            name.decode(): datetime.fromtimestamp(float(since), UTC)
            for name, since in sorted(found.items())
        }

    async def take_turn(self, group: str, seconds: float) -> bool:
        """Return whether no other worker of a group has had this turn for some seconds."""
        async with self.server.asked() as server:
            key = f"{self._name}:tick:{group}"
            if await server.set(key, b"1", nx=True, px=max(1, round(1000 * seconds))):
                return True
            # Of a time before the server's clock stepped back: nobody would look for as long.
            if await server.ttl(key) > seconds + 1:
                await server.expire(key, math.ceil(seconds))
            return False

    async def _document(self, run: Run, what: str) -> bytes | None:
        async with self.server.asked(_DOCUMENT_SECONDS) as server:
            found: bytes | None = await server.get(self.keys(run.registry).of_run(run.id, what))
        return found

    async def _states(self, registries: list[str]) -> list[bytes | None]:
        return await self._values([self.keys(name).state for name in registries])

    async def _values(self, keys: list[str]) -> list[Any]:
        if not keys:
            return []
        async with self.server.asked() as server:
            found: list[Any] = await server.mget(*keys)
        return found


def _run(text: bytes | None) -> Run | StateError | None:
    try:
        return None if text is None else read_run(text)
    except StateError as error:
        return error
