"""Deleting many: bounded fan-out, an outcome for each item, and the report."""

import asyncio
from collections import Counter
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sized,
)
from contextvars import copy_context
from typing import Any

from aioregistry.arguments import Ignored, Names, refuse_one
from aioregistry.bulk.outcomes import ReaderGate
from aioregistry.bulk.progress import ProgressReporter
from aioregistry.bulk.report import Outcome, Status
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    InvalidNameError,
    NotFoundError,
    NotRecordedError,
    RegistryError,
    RegistryReadOnlyError,
    SharedQuotaError,
)
from aioregistry.session.abort import AbortScope
from aioregistry.session.exchange import RequestLog, Verdict

__all__ = ["Deletion"]

# The name that a worker is to delete next: none when there are no more.
_NextName = tuple[str] | None
# Errors that every further item would get, too.
_STOPPING = (
    AuthenticationError,
    ClientClosedError,
    NotRecordedError,
    RegistryReadOnlyError,
    SharedQuotaError,
)


class Deletion:
    """Works off names with a bounded number of workers, each one item at a time.

    The source is read only when a worker is free. After an error that every further item would get,
    too, nothing more is sent: the rest of the source is read, but no request of this package that
    it makes is sent. Such errors are `AuthenticationError`, `RegistryReadOnlyError`,
    `ClientClosedError`, `NotRecordedError` and `SharedQuotaError`.

    Args:
        names: What to delete.
        delete: Deletes one item, and fills in its log on the way.
        start: Runs a coroutine as a task of the client's.
        concurrency: How many workers at most.
        record: Called with each outcome as soon as it is known.
        scope: Stops the rest after an error that every further item would get, too.
        gate: Acquired before each item.
        on_outcome: Called with each outcome after `record`, outside the scope; None for no call.
        progress: Counts the items, likewise.

    Raises:
        TypeError: `names` is one string.
    """

    def __init__(
        self,
        names: Names,
        delete: Callable[[str, RequestLog], Awaitable[object]],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        concurrency: int,
        record: Callable[[Outcome], Ignored],
        scope: AbortScope,
        gate: ReaderGate | None = None,
        on_outcome: Callable[[Outcome], Ignored] | None = None,
        progress: ProgressReporter | None = None,
    ) -> None:
        refuse_one("a bulk delete", names)
        if isinstance(names, Sized):
            concurrency = max(1, min(concurrency, len(names)))
        self._feed_from = aiter(names) if isinstance(names, AsyncIterable) else None
        self._names = None if isinstance(names, AsyncIterable) else iter(names)
        self._delete = delete
        self._start = start
        self._concurrency = concurrency
        self._report = record
        self._on_outcome = on_outcome
        self._gate = gate
        self._progress = progress
        self._asked: asyncio.Queue[asyncio.Future[_NextName]] = asyncio.Queue()
        self._next_index = 0
        self._exhausted = False
        self._broken_by: Exception | None = None
        self._scope = scope
        # Where callbacks of others run: what they start is not within the scope.
        self._outside = copy_context()
        self._counts: Counter[Status] = Counter()

    async def run(self) -> None:
        """Work until the source is exhausted.

        When cancelled, the outcome of every item that was begun is reported before this ends.

        Raises:
            ClientClosedError: The client was closed meanwhile.
            Exception: Whatever the source raised, after all that was begun is done; or a callback,
                which cancels what is under way.
        """
        feeder: asyncio.Task[None] | None = None
        # All that a worker calls, the source of names included, stops with the others.
        with self._scope.within():
            workers = [self._start(self._work()) for _ in range(self._concurrency)]
            if self._feed_from is not None:
                feeder = self._start(self._feed(self._feed_from))
        try:
            await asyncio.gather(*workers)
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            raise ClientClosedError("the client was closed while deleting") from None
        finally:
            ending = workers if feeder is None else [*workers, feeder]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        if self._broken_by is not None:
            counts = ", ".join(f"{count} {status}" for status, count in self._counts.items())
            self._broken_by.add_note(f"This ended a bulk delete; until then: {counts or 'nothing'}")
            raise self._broken_by

    async def _work(self) -> None:
        while True:
            if self._gate is not None:
                await self._gate.acquire()
            given = await self._ask() if self._names is None else self._take(self._names)
            if given is None:
                return
            index = self._next_index
            self._next_index += 1
            if self._gate is not None:
                # An async source may have taken its time.
                await self._gate.be_read()
            if self._scope.error is None:
                await self._delete_one(index, given[0])
            else:
                self._record(Outcome(index, given[0], "not_attempted", self._scope.error), 0.0)
                # What is left may be long, and nothing else here lets others run.
                await asyncio.sleep(0)

    def _take(self, names: Iterator[str]) -> _NextName:
        if self._exhausted:
            return None
        try:
            return (next(names),)
        except StopIteration:
            self._exhausted = True
        except Exception as error:  # noqa: BLE001, raised at the end
            self._break(error)
        return None

    async def _ask(self) -> _NextName:
        if self._exhausted:
            return None
        asked: asyncio.Future[_NextName] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(asked)
        return await asked

    async def _feed(self, source: AsyncIterator[str]) -> None:
        """Read an async source, one name for each worker that asks.

        All of it in one task: a source may hold a timeout or a task group open between two names,
        which must be left where they were entered.
        """
        while True:
            asked = await self._asked.get()
            given: _NextName = None
            if not self._exhausted:
                try:
                    given = (await anext(source),)
                except StopAsyncIteration:
                    self._exhausted = True
                except asyncio.CancelledError:
                    me = asyncio.current_task()
                    if me is None or me.cancelling():
                        raise
                    self._break(RegistryError("the source of names was cancelled"))
                except Exception as error:  # noqa: BLE001, raised at the end
                    self._break(error)
            if not asked.done():
                asked.set_result(given)

    def _break(self, error: Exception) -> None:
        self._exhausted = True
        if error is not self._scope.error:
            self._broken_by = error

    async def _delete_one(self, index: int, name: str) -> None:
        log = RequestLog()
        error: RegistryError | None = None
        status: Status = "deleted"
        begun = 0.0 if self._progress is None else _now()
        try:
            await self._delete(name, log)
            if log.verdict is not None:
                status, error = _after_check(log, log.verdict)
        except RegistryError as caught:
            if isinstance(caught, NotFoundError) and caught.is_certain:
                status = "absent"
            else:
                error = caught
                status = _status_of(caught, log)
                if _stops_all(caught):
                    self._scope.abort(caught)
        except Exception as caught:  # noqa: BLE001, raised at the end
            # Not ours: a limiter's, say. It ends the work, but loses nobody's outcome.
            error = RegistryError(f"{type(caught).__name__}: {caught}")
            status = _status_of(error, log)
            self._scope.abort(error)
            self._broken_by = caught
        except asyncio.CancelledError:
            error = RegistryError("cancelled")
            # What was refused before, and would have been sent again, has not failed for good.
            status = "unknown" if log.outcome_unknown else "not_attempted"
            self._record(Outcome(index, name, status, error, log.attempts), 0.0)
            raise
        # What nobody asks for is not measured, either.
        busy = 0.0 if self._progress is None else _now() - begun - log.quota_seconds
        self._record(Outcome(index, name, status, error, log.attempts, log.verdict), busy)

    def _record(self, outcome: Outcome, busy: float) -> None:
        self._counts[outcome.status] += 1
        self._report(outcome)
        if self._on_outcome is not None:
            self._outside.run(self._on_outcome, outcome)
        if self._progress is not None:
            self._outside.run(self._progress.count, busy)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _after_check(log: RequestLog, verdict: Verdict) -> tuple[Status, RegistryError | None]:
    """Return what became of an item without an error, from the verdict of its check."""
    why = RegistryError(verdict.why or verdict.kind)
    if log.outcome_unknown:
        return "unknown", why
    return ("absent", None) if verdict.kind == "gone" else ("not_attempted", why)


def _stops_all(error: RegistryError) -> bool:
    if isinstance(error, _STOPPING):
        return True
    # The API does not document in which words a DELETE is refused during a garbage collection.
    if error.status in {409, 412, 423} and "garbage collection" in error.message.lower():
        error.hint = RegistryReadOnlyError.hint
        return True
    return False


def _status_of(error: RegistryError, log: RequestLog) -> Status:
    if log.outcome_unknown:
        return "unknown"
    if log.attempts == 0 and not isinstance(error, InvalidNameError):
        return "not_attempted"
    return "failed"
