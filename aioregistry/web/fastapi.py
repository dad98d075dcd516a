"""For services of FastAPI and Starlette: one client for the application, opened and closed with it.

It needs the extra ``fastapi``.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

from fastapi import Depends, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse

from aioregistry.client.client import RegistryClient
from aioregistry.errors import RegistryError
from aioregistry.web.health import Health
from aioregistry.web.jobs import Job, Jobs
from aioregistry.web.problems import Problem

__all__ = [
    "PROBLEMS",
    "Client",
    "JobsOf",
    "State",
    "answer_problem",
    "get_client",
    "get_jobs",
    "health",
    "lifespan",
    "stream",
]


class State(TypedDict):
    """What each request finds in its ``state``."""

    registry_client: RegistryClient
    registry_jobs: Jobs


def lifespan(
    make_client: Callable[[], RegistryClient] = RegistryClient, *, reports: Path | None = None
) -> Callable[[Any], AbstractAsyncContextManager[State]]:
    """Return a lifespan: ``FastAPI(lifespan=lifespan(), exception_handlers=PROBLEMS)``.

    The client is open while the application runs; jobs are cancelled before it is closed. Servers
    wait for open answers first, those of `stream` too: tell uvicorn how long, as in
    ``--timeout-graceful-shutdown 1``.

    Args:
        make_client: Returns the client, not open yet.
        reports: Where the jobs' reports are written; None for nowhere.
    """

    @asynccontextmanager
    async def context(_: Starlette) -> AsyncIterator[State]:
        jobs = Jobs(reports)
        async with make_client() as client:
            try:
                yield State(registry_client=client, registry_jobs=jobs)
            finally:
                await jobs.close()

    return context


async def answer_problem(_: Request, error: Exception) -> Response:
    """Answer an error of the client as ``application/problem+json``; see `Problem`."""
    problem = Problem.of(cast("RegistryError", error))
    return Response(problem.body(), problem.status, dict(problem.headers))


PROBLEMS: dict[Any, Any] = {RegistryError: answer_problem}


def get_client(request: Request) -> RegistryClient:
    """Return the application's client: a dependency."""
    return cast("RegistryClient", request.state.registry_client)


def get_jobs(request: Request) -> Jobs:
    """Return the application's jobs: a dependency."""
    return cast("Jobs", request.state.registry_jobs)


Client = Annotated[RegistryClient, Depends(get_client)]
JobsOf = Annotated[Jobs, Depends(get_jobs)]


async def health(client: Client) -> JSONResponse:
    """Answer how the client is: 200 when the service can use it, else 503. Costs no request."""
    found = Health.of(client)
    return JSONResponse(found.document(), 200 if found.is_well else 503)


def stream(job: Job) -> StreamingResponse:
    """Answer a job's progress as server-sent events, until it has ended."""
    return StreamingResponse(
        job.events(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
