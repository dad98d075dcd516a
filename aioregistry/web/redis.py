"""Jobs that all replicas of a service see, on a server of Redis or Valkey.

It needs the extra ``redis``.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from threading import Lock, Timer
from typing import Any, TypeVar

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import NoPermissionError, RedisError
from redis.retry import Retry

from aioregistry.ratelimit.away import hint, is_refused
from aioregistry.ratelimit.tls import check_tls
from aioregistry.web.reports import (
    MAX_NOTES,
    JobStoreError,
    JobStoreRefusedError,
    LineWriter,
    StoredJob,
    ended,
    is_identifier,
    stored_of,
)

__all__ = ["RedisJobStore"]

T = TypeVar("T")

# Takes a name for a job, unless another one has it that is alive; returns whose it is. Whoever has
# it is taken for dead only by one to whom the server has answered for a while, and did just now.
_CLAIM = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then
  local late = redis.call('time')[1] - ARGV[5] > 1
  if late or redis.call('exists', ARGV[2] .. holder) == 1 then
    return holder
  end
elseif not holder then
  local info = redis.pcall('info', 'server')
  local up = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
  if up and tonumber(up) < tonumber(ARGV[6]) then
    return ''
  end
end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[4])
redis.call('set', ARGV[2] .. ARGV[1], '1', 'PX', ARGV[3])
return ARGV[1]
"""
# Ends the life of a job, and gives its name back where it has it.
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  redis.call('del', KEYS[1])
end
redis.call('del', unpack(KEYS, 2))
"""
# Adds notes of which the first has a number. Those that were sent before, and whose answer was
# lost, are not added again.
_NOTE = """
local first = tonumber(ARGV[1])
local next = tonumber(redis.call('get', KEYS[2]) or first)
for nth = math.max(0, next - first) + 4, #ARGV do
  redis.call('rpush', KEYS[1], ARGV[nth])
end
redis.call('ltrim', KEYS[1], -tonumber(ARGV[2]), -1)
redis.call('pexpire', KEYS[1], ARGV[3])
redis.call('set', KEYS[2], math.max(next, first + #ARGV - 3), 'PX', ARGV[3])
"""
_MILLISECONDS = 1000
_MAX_LINES = 2 * MAX_NOTES
_AWAY_SECONDS = 1.0
_ASKED_AT_ONCE = 4
# After a pause of the server every life has run out, and within so long each is renewed.
_STEADY_SECONDS = 3.0
_MAX_PAUSE_SECONDS = 1.5
# A server that has just started may have forgotten who has a name; within so long it is told again.
_YOUNG_SECONDS = 3


class _Answers:
    """Since when a server has answered, without a pause or a jump of its clock.

    In either lives may have run out whose jobs are alive.
    """

    def __init__(self, max_pause: float) -> None:
        self._max_pause = max_pause
        self._lock = Lock()
        self._since = self._newest = float("-inf")
        # Of this process's clock, the server's.
        self._ahead = float("nan")

    def came(self, asked_at: float, now: float) -> None:
        """Take in an answer."""
        with self._lock:
            if max(now - asked_at, asked_at - self._newest) > self._max_pause:
                self._since = now
            self._newest = max(now, self._newest)

    def told(self, server_time: float, now: float) -> None:
        """Take in the server's time."""
        ahead = server_time - now
        with self._lock:
            if abs(ahead - self._ahead) > self._max_pause:
                self._since = now
            self._ahead = ahead

    def failed(self) -> None:
        """Take in that there was none."""
        with self._lock:
            self._newest = float("-inf")

    def seconds(self, now: float) -> float:
        """Return for how long it has answered; 0 where it may have been away since."""
        with self._lock:
            is_old = now - self._newest > self._max_pause
            return 0.0 if is_old else now - self._since


class RedisJobStore(LineWriter):
    """Keeps jobs on a server, so that every replica can show, follow and cancel them.

    The event loop waits for no server. While that does not answer, the last lines of each job wait.
    A job whose replica has not said for `alive_seconds` that it lives has failed.

    Args:
        url: The server: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: What all keys begin with; ``aioregistry:jobs`` by default.
        keep: For how many seconds a job is kept after its last line; a day by default.
        alive_seconds: For how many seconds a job is taken for alive; 10 by default.

    Raises:
        ValueError: The address is none, or TLS cannot be made by it.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "aioregistry:jobs",
        keep: float = 86400.0,
        alive_seconds: float = 10.0,
    ) -> None:
        check_tls(url)
        super().__init__()
        self._prefix = prefix
        self._keep = int(keep * _MILLISECONDS)
        self._alive_seconds = alive_seconds
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=5.0,
            # One that does not answer is not asked again at once: others wait for the thread.
            retry=Retry(
                ExponentialBackoff(cap=0.4, base=0.05), 5, supported_errors=(NotConnectedError,)
            ),
        )
        # Not the threads of all: a server that stands still would hold up the whole service.
        self._askers = ThreadPoolExecutor(
            _ASKED_AT_ONCE, thread_name_prefix="aioregistry-job-store"
        )
        self._reached = False
        self._answers = _Answers(min(_MAX_PAUSE_SECONDS, alive_seconds / 2))
        self._names: dict[str, str] = {}
        self._claimed: set[str] = set()
        # One at a time keeps jobs alive or ends one: else an ended one would take its name again.
        self._ending = Lock()
        # How many notes of a job there were.
        self._noted: dict[str, int] = {}
        # Lines that could not be sent, by job, and whether it has ended with them.
        self._unsent: dict[str, tuple[list[bytes], bool]] = {}
        self._resending: Timer | None = None

    @property
    def alive_seconds(self) -> float:
        """For how many seconds a job is taken for alive after `keep_alive`."""
        return self._alive_seconds

    async def claim(self, name: str, job: str) -> str:
        """Return the job that has a name: this one, unless another one that is alive has it.

        Also an empty text: a server that has just started may have forgotten it.
        """
        holder = await self._asked(lambda: self._claim(name, job))
        if holder == job:
            self._claimed.add(job)
        return holder

    def _claim(self, name: str, job: str) -> str:
        now = self._time()
        alive, kept = self._key("alive", ""), self._keep
        steady_at = now if self._is_steady() else 0
        arguments = (job, alive, self._alive(), kept, steady_at, _YOUNG_SECONDS)
        return bytes(self._client.eval(_CLAIM, 1, self._key("name", name), *arguments)).decode()

    async def keep_alive(self, jobs: Mapping[str, str]) -> Collection[str]:
        """Keep jobs of this replica alive, and return those that are to be cancelled."""
        return await self._asked(lambda: self._keep_alive(dict(jobs)))

    def _keep_alive(self, jobs: dict[str, str]) -> list[str]:
        self._names |= jobs
        with self._ending, self._client.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.set(self._key("alive", job), "1", px=self._alive())
                pipe.exists(self._key("cancel", job))
            for job in self._claimed & jobs.keys():
                # The server may have forgotten it.
                pipe.set(self._key("name", jobs[job]), job, px=self._keep, nx=True)
            answers = pipe.execute()
        asked = answers[1 : 2 * len(jobs) : 2]
        return [job for job, cancelled in zip(jobs, asked, strict=True) if cancelled]

    async def cancel(self, job: str) -> None:
        """Have the replica in which a job runs cancel it."""
        key = self._key("cancel", job)
        await self._asked(lambda: self._client.set(key, "1", px=self._keep))

    async def _asked(self, question: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._askers, self._ask, question)

    def read(self, job: str) -> StoredJob | None:
        """Return what is kept of a job; it blocks.

        Args:
            job: The job's identifier, which may be any text.

        Raises:
            JobStoreError: The server cannot be reached.
            JobStoreRefusedError: It refuses, and to try again cannot help.
        """
        if not is_identifier(job):
            return None
        stored, is_alive = self._ask(lambda: self._read(job))
        if stored is None or is_alive or stored.document["status"] != "running":
            return stored
        self._ask(self._time)
        return ended(stored) if self._is_steady() else stored

    def _read(self, job: str) -> tuple[StoredJob | None, bool]:
        with self._client.pipeline() as pipe:
            pipe.mget(*(self._key(kind, job) for kind in ("state", "progress", "alive")))
            pipe.lrange(self._key("notes", job), 0, -1)
            (state, progress, alive), notes = pipe.execute()
        lines = (line for line in (state, progress, *notes) if line is not None)
        return stored_of(lines), alive is not None

    def _time(self) -> int:
        # Whose user may not ask for it has to trust that it goes on evenly.
        with suppress(NoPermissionError):
            seconds, microseconds = self._client.time()
            self._answers.told(seconds + microseconds / 1e6, time.monotonic())
            return int(seconds)
        return 0

    def _is_steady(self) -> bool:
        needed = min(_STEADY_SECONDS, self._alive_seconds)
        return self._answers.seconds(time.monotonic()) >= needed

    def append(self, job: str, lines: list[bytes], *, last: bool) -> None:
        """Send lines of a job; it blocks."""
        self._noted[job] = self._noted.get(job, 0) + len(_notes(lines))
        before, had_ended = self._unsent.pop(job, ([], False))
        lines, last = [*before, *lines][-_MAX_LINES:], last or had_ended
        self._unsent[job] = (lines, last)
        if self._resending is not None:
            # It was away just now: not every job has to wait for it.
            return
        try:
            self._send(job, lines, last=last)
        except RedisError as error:
            self._resend_later()
            raise OSError(f"{type(error).__name__}: {error}") from error
        del self._unsent[job]

    def _resend_later(self) -> None:
        self._resending = Timer(_AWAY_SECONDS, self._submit_resend)
        self._resending.daemon = True
        self._resending.start()

    def _submit_resend(self) -> None:
        # Closed meanwhile.
        with suppress(RuntimeError):
            self._thread.submit(self._resend)

    def _resend(self) -> None:
        self._resending = None
        for job, (lines, last) in tuple(self._unsent.items()):
            try:
                self._send(job, lines, last=last)
            except RedisError:
                self._resend_later()
                return
            del self._unsent[job]

    def _send(self, job: str, lines: list[bytes], *, last: bool) -> None:
        notes = _notes(lines)
        with self._ending if last else nullcontext(), self._client.pipeline() as pipe:
            if notes:
                keys = [self._key("notes", job), self._key("noted", job)]
                first = self._noted.get(job, 0) - len(notes)
                pipe.eval(_NOTE, len(keys), *keys, first, MAX_NOTES, self._keep, *notes)
            for kind, begin in (("progress", b'{"progress"'), ("state", b'{"job"')):
                newest = next((line for line in lines[::-1] if line.startswith(begin)), None)
                if newest is not None:
                    pipe.set(self._key(kind, job), newest, px=self._keep)
            if last:
                # The last state has the last progress.
                name = self._key("name", self._names.get(job, ""))
                kinds = ("alive", "cancel", "progress", "noted")
                keys = [name, *(self._key(kind, job) for kind in kinds)]
                pipe.eval(_RELEASE, len(keys), *keys, job)
            else:
                # Until it is kept alive.
                pipe.set(self._key("alive", job), "1", px=self._alive())
            pipe.execute()
            if last:
                self._names.pop(job, None)
                self._noted.pop(job, None)
                self._claimed.discard(job)

    def close(self) -> None:
        """Return when every line is sent; it blocks."""
        super().close()
        if self._resending is not None:
            self._resending.cancel()
            self._resend()
        if self._resending is not None:
            self._resending.cancel()
        self._askers.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _ask(self, question: Callable[[], T]) -> T:
        asked_at = time.monotonic()
        try:
            found = question()
            if not self._reached:
                self._time()
        except RedisError as error:
            self._answers.failed()
            kind = (
                JobStoreRefusedError if is_refused(error, reached=self._reached) else JobStoreError
            )
            away = kind(f"the server of the jobs cannot be asked: {type(error).__name__}")
            away.hint = hint(error)
            raise away from error
        self._reached = True
        self._answers.came(asked_at, time.monotonic())
        return found

    def _alive(self) -> int:
        return int(self._alive_seconds * _MILLISECONDS)

    def _key(self, kind: str, of: str) -> str:
        return f"{self._prefix}:{kind}:{of}"


def _notes(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.startswith(b'{"note"')]
