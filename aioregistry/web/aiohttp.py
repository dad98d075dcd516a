"""For services of aiohttp: one client for the application, opened and closed with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from aioregistry.client.client import RegistryClient
from aioregistry.errors import RegistryError
from aioregistry.web.health import Health
from aioregistry.web.jobs import Job, Jobs
from aioregistry.web.problems import Problem

__all__ = ["CLIENT", "JOBS", "health", "problems", "setup", "stream"]

CLIENT: web.AppKey[RegistryClient] = web.AppKey("aioregistry_client", RegistryClient)
JOBS: web.AppKey[Jobs] = web.AppKey("aioregistry_jobs", Jobs)


def setup(
    app: web.Application,
    make_client: Callable[[], RegistryClient] = RegistryClient,
    *,
    reports: Path | None = None,
) -> None:
    """Give an application a client and jobs, and answers for errors of the client.

    The client is opened when the application starts; ``app[CLIENT]`` and ``app[JOBS]`` are there
    from then on. When it shuts down, jobs are cancelled first, so that those who follow them are
    told, and the client is closed last.

    Args:
        app: The application.
        make_client: Returns the client, not open yet.
        reports: Where the jobs' reports are written; None for nowhere.
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        app[JOBS] = Jobs(reports)
        async with make_client() as client:
            app[CLIENT] = client
            yield
            await app[JOBS].close()

    async def close_jobs(app: web.Application) -> None:
        await app[JOBS].close()

    app.cleanup_ctx.append(context)
    app.on_shutdown.append(close_jobs)
    app.middlewares.append(problems)


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer errors of the client as ``application/problem+json``; see `Problem`."""
    try:
        return await handler(request)
    except RegistryError as error:
        problem = Problem.of(error)
        return web.Response(
            status=problem.status, body=problem.body(), headers=dict(problem.headers)
        )


async def health(request: web.Request) -> web.Response:
    """Answer how the client is: 200 when the service can use it, else 503. Costs no request."""
    found = Health.of(request.app[CLIENT])
    return web.json_response(found.document(), status=200 if found.is_well else 503)


async def stream(request: web.Request, job: Job, **headers: Any) -> web.StreamResponse:
    """Answer a job's progress as server-sent events, until it has ended."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            # Proxies of the nginx kind would hold it back.
            "X-Accel-Buffering": "no",
            **headers,
        }
    )
    await response.prepare(request)
    # Who follows may go at any time; the job goes on.
    with suppress(ConnectionResetError):
        async for event in job.events():
            await response.write(event)
        await response.write_eof()
    return response
