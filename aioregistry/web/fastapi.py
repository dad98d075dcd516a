"""For services of FastAPI: one client for the application, opened and closed with it.

It needs the extra ``fastapi``.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from aioregistry.client.client import RegistryClient
from aioregistry.errors import RegistryError
from aioregistry.web.events import HEADERS, last_event_id
from aioregistry.web.figures import PAGE_HEADERS, Figures, page_of_plan
from aioregistry.web.health import Health
from aioregistry.web.jobs import Job, Jobs
from aioregistry.web.page import read_page
from aioregistry.web.problems import Problem

if TYPE_CHECKING:
    from aioregistry.cleanup.plan.plan import Plan

__all__ = [
    "PROBLEMS",
    "Client",
    "FiguresOf",
    "JobsOf",
    "State",
    "alive",
    "answer_problem",
    "client_named",
    "get_client",
    "get_figures",
    "get_health",
    "get_jobs",
    "health",
    "job_router",
    "lifespan",
    "metrics",
    "page",
    "plan_page",
    "ready",
    "stream",
    "usage",
]


class State(TypedDict):
    """The state of each request, beside what a joined lifespan gives it."""

    registry_client: RegistryClient
    registry_clients: Mapping[str, RegistryClient]
    registry_jobs: Jobs
    registry_figures: Figures


def lifespan(
    make_client: Callable[[], RegistryClient] = RegistryClient,
    *,
    reports: Path | None = None,
    make_jobs: Callable[[], Jobs] | None = None,
    others: Mapping[str, Callable[[], RegistryClient]] | None = None,
    join: Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]] | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[State]]:
    """Return a lifespan: ``FastAPI(lifespan=lifespan(), exception_handlers=PROBLEMS)``.

    The client is open while the application runs; jobs are cancelled before it is closed. Servers
    wait for open responses before they end the lifespan, those of `stream` too. So jobs are also
    cancelled when SIGTERM or SIGINT comes, and streams end with the last event.

    Args:
        make_client: Returns the client, not open yet; by default `RegistryClient()`.
        reports: The folder for the jobs' reports; None (the default) for no reports.
        make_jobs: Returns the jobs, in the event loop; None (the default) for `Jobs(reports)`.
        others: More clients, of other accounts, by name: see `client_named`. None (the default)
            for none.
        join: A lifespan of the application's own, which begins before the client is opened and ends
            after it is closed; its state is joined to this one's. None (the default) for none.
    """

    @asynccontextmanager
    async def context(app: Starlette) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            joined = None if join is None else await stack.enter_async_context(join(app))
            client = await stack.enter_async_context(make_client())
            clients = {
                name: await stack.enter_async_context(make())
                for name, make in (others or {}).items()
            }
            jobs = Jobs(reports) if make_jobs is None else make_jobs()
            closing: list[asyncio.Task[None]] = []
            state = State(
                registry_client=client,
                registry_clients=clients,
                registry_jobs=jobs,
                registry_figures=Figures(),
            )
            try:
                with _close_at_signal(jobs, closing):
                    yield cast("State", {**(joined or {}), **state})
            finally:
                await jobs.close()
                await asyncio.gather(*closing)

    return context


@contextmanager
def _close_at_signal(jobs: Jobs, closing: "list[asyncio.Task[None]]") -> Iterator[None]:
    """Close jobs as soon as the process has to stop; the server's own handlers run, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    replaced: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: closing.append(loop.create_task(jobs.close())))
        replaced[signal.Signals(number)](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        # Where the server has none, the signal ends the process anyhow.
        if callable(handler) and handler is not signal.default_int_handler:
            replaced[number] = handler
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


async def answer_problem(_: Request, error: Exception) -> Response:
    """Answer an error of the client as ``application/problem+json``; see `Problem`."""
    problem = Problem.of(cast("RegistryError", error))
    return Response(problem.body(), problem.status, dict(problem.headers))


PROBLEMS: dict[Any, Any] = {RegistryError: answer_problem}


def get_client(connection: HTTPConnection) -> RegistryClient:
    """Return the application's client: a dependency of requests and of WebSockets."""
    return cast("RegistryClient", connection.state.registry_client)


def client_named(name: str) -> Callable[[HTTPConnection], RegistryClient]:
    """Return a dependency on one of the `others` of `lifespan`.

    Example:
        ```python
        from typing import Annotated

        from aioregistry import RegistryClient
        from aioregistry.web.fastapi import client_named
        from fastapi import Depends

        Staging = Annotated[RegistryClient, Depends(client_named("staging"))]
        ```

    Args:
        name: Its name there.
    """

    def get(connection: HTTPConnection) -> RegistryClient:
        return cast("RegistryClient", connection.state.registry_clients[name])

    return get


def get_jobs(connection: HTTPConnection) -> Jobs:
    """Return the application's jobs: a dependency of requests and of WebSockets."""
    return cast("Jobs", connection.state.registry_jobs)


def get_figures(connection: HTTPConnection) -> Figures:
    """Return what was counted: a dependency of requests and of WebSockets."""
    return cast("Figures", connection.state.registry_figures)


async def get_health(connection: HTTPConnection) -> Health:
    """Return the health of the client that is worst off: a dependency."""
    state = connection.state
    clients = (state.registry_client, *state.registry_clients.values())
    return Health.worst(map(Health.of, clients))


Client = Annotated[RegistryClient, Depends(get_client)]
JobsOf = Annotated[Jobs, Depends(get_jobs)]
FiguresOf = Annotated[Figures, Depends(get_figures)]
_Health = Annotated[Health, Depends(get_health)]


async def ready(found: _Health) -> JSONResponse:
    """Answer a readiness probe: 200 while the service can use the API, else 503. No request."""
    return JSONResponse(found.document(), 200 if found.is_ready else 503)


async def alive(found: _Health) -> JSONResponse:
    """Answer a liveness probe: 503 when only a new process helps, else 200. No request."""
    return JSONResponse(found.document(), 200 if found.is_alive else 503)


health = ready


async def page() -> Response:
    """Answer with the page of the service that the README shows; it asks the routes beside it."""
    text, headers = read_page()
    return Response(text, headers=headers)


def job_router(prefix: str = "/jobs") -> APIRouter:
    """Return routes to the jobs: ``api.include_router(job_router())``.

    ``GET /jobs`` has the states of all, ``GET /jobs/{id}`` of one, also of an earlier process, and
    ``GET /jobs/{id}/notes`` its notes, `Job.noted`. ``GET /jobs/{id}/events`` is its `stream`, and
    ``DELETE /jobs/{id}`` cancels it.

    Args:
        prefix: What the paths begin with; ``/jobs`` by default.
    """
    router = APIRouter(prefix=prefix, tags=["jobs"])

    @router.get("")
    async def states(jobs: JobsOf) -> list[dict[str, Any]]:
        return [job.document() for job in jobs]

    @router.get("/{identifier}")
    async def state(identifier: str, jobs: JobsOf) -> Any:
        job = await jobs.recall(identifier)
        return _no_such_job() if job is None else job.document()

    @router.get("/{identifier}/notes")
    async def notes(identifier: str, jobs: JobsOf) -> Any:
        job = await jobs.recall(identifier)
        return _no_such_job() if job is None else job.noted

    @router.get("/{identifier}/events", response_class=StreamingResponse)
    async def events(identifier: str, jobs: JobsOf, request: Request) -> Response:
        job = await jobs.recall(identifier)
        return _no_such_job() if job is None else stream(job, request)

    @router.delete("/{identifier}", status_code=202)
    async def cancel(identifier: str, jobs: JobsOf) -> Any:
        job = await jobs.recall(identifier)
        if job is None:
            return _no_such_job()
        await jobs.cancel(job)
        return job.document()

    return router


def _no_such_job() -> Response:
    problem = Problem.no_such_job()
    return Response(problem.body(), problem.status, dict(problem.headers))


async def metrics(request: Request, figures: FiguresOf) -> Response:
    """Answer Prometheus: what was counted, what clean-ups did, the quota. No request.

    It needs the extra ``metrics``. No label takes more values than there are registries.
    """
    state = request.state
    clients = (state.registry_client, *state.registry_clients.values())
    quotas = [client.rate_limit_status for client in clients]
    text, kind = figures.metrics(request.headers.get("Accept", ""), quotas)
    return Response(text, headers={"Content-Type": kind})


async def usage(registry: str, request: Request, figures: FiguresOf) -> Response:
    """Answer with the usage of ``{registry}`` as it was counted last: a page, or JSON.

    Browsers get the page. It is 404 until `Figures.count` has counted the registry. No request.
    """
    found = figures.page(registry)
    if found is None:
        raise HTTPException(404)
    if "text/html" in request.headers.get("Accept", ""):
        return Response(found, headers=dict(PAGE_HEADERS))
    return JSONResponse(figures.document(registry))


async def plan_page(plan: "Plan") -> Response:
    """Return the page of a plan for those who review it. It needs the extra ``report``.

    Args:
        plan: The plan.
    """
    return Response(await page_of_plan(plan), headers=dict(PAGE_HEADERS))


def stream(job: Job, request: Request | None = None) -> Response:
    """Answer a job's states as server-sent events, until the job has ended.

    A browser that comes back gets what it has not seen, by ``Last-Event-ID``; once it has seen the
    last event, it gets a 204, and stops. A reader that does not read for 30 seconds is dropped, and
    after a second when the service stops.

    Args:
        job: The job.
        request: The request; None (the default) takes every reader for a new one.
    """
    after = None if request is None else last_event_id(request.headers)
    return Response(status_code=204) if job.has_ended_for(after) else _EventStream(job, after)


class _EventStream(StreamingResponse):
    """A stream whose readers have to read."""

    def __init__(self, job: Job, after: int | None) -> None:
        super().__init__(job.events(after=after), headers=dict(HEADERS))
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_dropped = False

        async def send_in_time(message: Message) -> None:
            nonlocal is_dropped
            try:
                async with self._job.writing():
                    await send(message)
            except TimeoutError:
                is_dropped = True
                _abort(receive)
                raise

        try:
            await super().__call__(scope, receive, send_in_time)
        except Exception:
            # By the version of Starlette, it comes as it is, in a group, or as another error.
            if not is_dropped:
                raise


def _abort(receive: Receive) -> None:
    """End a connection whose reader does not read.

    ASGI has no message for it, and the server would keep the connection until everything is read,
    also when it stops. uvicorn's is reached by its own method.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    # uvloop's transports are none of asyncio's classes.
    if callable(abort := getattr(transport, "abort", None)):
        abort()
