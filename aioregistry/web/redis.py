"""Jobs that all replicas of a service see, on a server of Redis or Valkey.

It needs the extra ``redis``.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from threading import Timer
from typing import Any, TypeVar

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswerError
from redis.retry import Retry

from aioregistry.web.reports import (
    MAX_NOTES,
    JobStoreError,
    LineWriter,
    StoredJob,
    ended,
    is_identifier,
    stored_of,
)

__all__ = ["RedisJobStore"]

T = TypeVar("T")

# Takes a name for a job, unless another one has it that is alive; returns whose it is.
_CLAIM = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('exists', ARGV[2] .. holder) == 1 then
  return holder
end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('set', ARGV[2] .. ARGV[1], '1', 'PX', ARGV[3])
return ARGV[1]
"""
# Ends the life of a job, and gives its name back where it has it.
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  redis.call('del', KEYS[1])
end
redis.call('del', KEYS[2], KEYS[3], KEYS[4])
"""
_MILLISECONDS = 1000
_MAX_LINES = 2 * MAX_NOTES
_AWAY_SECONDS = 1.0


class RedisJobStore(LineWriter):
    """Keeps jobs on a server, so that every replica can show, follow and cancel them.

    The event loop waits for no server. While that does not answer, the last lines of each job wait.
    A job whose replica has not said for `alive_seconds` that it lives has failed.

    Args:
        url: The server: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: What all keys begin with; ``aioregistry:jobs`` by default.
        keep: For how many seconds a job is kept after its last line; a day by default.
        alive_seconds: For how many seconds a job is taken for alive; 10 by default.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "aioregistry:jobs",
        keep: float = 86400.0,
        alive_seconds: float = 10.0,
    ) -> None:
        super().__init__()
        self._prefix = prefix
        self._keep = int(keep * _MILLISECONDS)
        self._alive_seconds = alive_seconds
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=5.0,
            retry=Retry(ExponentialBackoff(cap=0.4, base=0.05), 5),
            retry_on_error=[NotConnectedError, NoAnswerError],
        )
        self._names: dict[str, str] = {}
        # Lines that could not be sent, by job, and whether it has ended with them.
        self._unsent: dict[str, tuple[list[bytes], bool]] = {}
        self._resending: Timer | None = None

    @property
    def alive_seconds(self) -> float:
        """For how many seconds a job is taken for alive after `keep_alive`."""
        return self._alive_seconds

    async def claim(self, name: str, job: str) -> str:
        """Return the job that has a name: this one, unless another one that is alive has it."""
        arguments = (self._key("name", name), job, self._key("alive", ""), self._alive())
        holder = await asyncio.to_thread(
            self._ask, lambda: self._client.eval(_CLAIM, 1, *arguments)
        )
        return bytes(holder).decode()

    async def keep_alive(self, jobs: Mapping[str, str]) -> Collection[str]:
        """Keep jobs of this replica alive, and return those that are to be cancelled."""
        return await asyncio.to_thread(self._ask, lambda: self._keep_alive(dict(jobs)))

    def _keep_alive(self, jobs: dict[str, str]) -> list[str]:
        self._names |= jobs
        with self._client.pipeline(transaction=False) as pipe:
            for job, name in jobs.items():
                pipe.set(self._key("alive", job), "1", px=self._alive())
                pipe.pexpire(self._key("name", name), self._alive())
                pipe.exists(self._key("cancel", job))
            answers = pipe.execute()
        return [job for job, asked in zip(jobs, answers[2::3], strict=True) if asked]

    async def cancel(self, job: str) -> None:
        """Have the replica in which a job runs cancel it."""
        key = self._key("cancel", job)
        await asyncio.to_thread(self._ask, lambda: self._client.set(key, "1", px=self._keep))

    def read(self, job: str) -> StoredJob | None:
        """Return what is kept of a job; it blocks.

        Args:
            job: The job's identifier, which may be any text.

        Raises:
            JobStoreError: The server cannot be reached.
        """
        return self._ask(lambda: self._read(job)) if is_identifier(job) else None

    def _read(self, job: str) -> StoredJob | None:
        with self._client.pipeline() as pipe:
            pipe.mget(*(self._key(kind, job) for kind in ("state", "progress", "alive")))
            pipe.lrange(self._key("notes", job), 0, -1)
            (state, progress, alive), notes = pipe.execute()
        stored = stored_of(line for line in (state, progress, *notes) if line is not None)
        if stored is None or alive is not None:
            return stored
        return ended(stored)

    def append(self, job: str, lines: list[bytes], *, last: bool) -> None:
        """Send lines of a job; it blocks."""
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
        notes = [line for line in lines if line.startswith(b'{"note"')]
        with self._client.pipeline() as pipe:
            if notes:
                pipe.rpush(self._key("notes", job), *notes[-MAX_NOTES:])
                pipe.ltrim(self._key("notes", job), -MAX_NOTES, -1)
                pipe.pexpire(self._key("notes", job), self._keep)
            for kind, begin in (("progress", b'{"progress"'), ("state", b'{"job"')):
                newest = next((line for line in lines[::-1] if line.startswith(begin)), None)
                if newest is not None:
                    pipe.set(self._key(kind, job), newest, px=self._keep)
            if last:
                # The last state has the last progress.
                name = self._key("name", self._names.pop(job, ""))
                keys = (name, *(self._key(kind, job) for kind in ("alive", "cancel", "progress")))
                pipe.eval(_RELEASE, len(keys), *keys, job)
            else:
                # Until it is kept alive.
                pipe.set(self._key("alive", job), "1", px=self._alive())
            pipe.execute()

    def close(self) -> None:
        """Return when every line is sent; it blocks."""
        super().close()
        if self._resending is not None:
            self._resending.cancel()
            self._resend()
        if self._resending is not None:
            self._resending.cancel()
        self._client.close()

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except RedisError as error:
            raise JobStoreError(
                f"the server of the jobs cannot be asked: {type(error).__name__}"
            ) from error

    def _alive(self) -> int:
        return int(self._alive_seconds * _MILLISECONDS)

    def _key(self, kind: str, of: str) -> str:
        return f"{self._prefix}:{kind}:{of}"
