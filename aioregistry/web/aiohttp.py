"""For services of aiohttp: one client for the application, opened and closed with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from aioregistry.client.client import RegistryClient
from aioregistry.errors import RegistryError
from aioregistry.web.events import HEADERS, last_event_id
from aioregistry.web.figures import PAGE_HEADERS, Figures, page_of_plan
from aioregistry.web.health import Health
from aioregistry.web.jobs import Job, Jobs
from aioregistry.web.page import read_page
from aioregistry.web.problems import CONTENT_TYPE, Problem

if TYPE_CHECKING:
    from aioregistry.cleanup.plan.plan import Plan

__all__ = [
    "CLIENT",
    "FIGURES",
    "JOBS",
    "alive",
    "health",
    "job_routes",
    "metrics",
    "page",
    "plan_page",
    "problems",
    "ready",
    "setup",
    "stream",
    "usage",
]

FIGURES: web.AppKey[Figures] = web.AppKey("aioregistry_figures", Figures)
CLIENT: web.AppKey[RegistryClient] = web.AppKey("aioregistry_client", RegistryClient)
JOBS: web.AppKey[Jobs] = web.AppKey("aioregistry_jobs", Jobs)
_KEYS: web.AppKey[list[web.AppKey[RegistryClient]]] = web.AppKey("aioregistry_keys", list)


def setup(
    app: web.Application,
    make_client: Callable[[], RegistryClient] = RegistryClient,
    *,
    key: web.AppKey[RegistryClient] = CLIENT,
    reports: Path | None = None,
    make_jobs: Callable[[], Jobs] | None = None,
) -> None:
    """Give an application a client and jobs, and responses for errors of the client.

    The client is opened when the application starts; from then on it is ``app[CLIENT]``, the jobs
    are ``app[JOBS]``, what was counted is ``app[FIGURES]``, and handlers, those of sub-applications
    too, find them in ``request.config_dict``. When the application shuts down, jobs are cancelled
    first, so that those who follow them get the last event, and the client is closed last.

    A second account is a second call with a key of its own; the jobs are those of the first.

    Args:
        app: The application: the outermost one, where there are several.
        make_client: Returns the client, not open yet; by default `RegistryClient()`.
        key: The key of the client in the application; `CLIENT` by default.
        reports: The folder for the jobs' reports; None (the default) for no reports.
        make_jobs: Returns the jobs, in the event loop; None (the default) for `Jobs(reports)`.

    Raises:
        ValueError: The application has a client with this key, or jobs, already.
    """
    keys = app.setdefault(_KEYS, [])
    if key in keys:
        raise ValueError("the application has a client already: call setup once for each key")
    if keys and (reports is not None or make_jobs is not None):
        raise ValueError("the application has jobs already: give reports and make_jobs once")
    is_first = not keys
    keys.append(key)

    async def context(app: web.Application) -> AsyncIterator[None]:
        if is_first:
            app[JOBS] = Jobs(reports) if make_jobs is None else make_jobs()
            app[FIGURES] = Figures()
        async with make_client() as client:
            app[key] = client
            yield
            await app[JOBS].close()

    async def close_jobs(app: web.Application) -> None:
        await app[JOBS].close()

    app.cleanup_ctx.append(context)
    if is_first:
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


async def ready(request: web.Request) -> web.Response:
    """Answer a readiness probe: 200 while the service can use the API, else 503. No request."""
    found = _worst(request)
    return web.json_response(found.document(), status=200 if found.is_ready else 503)


async def alive(request: web.Request) -> web.Response:
    """Answer a liveness probe: 503 when only a new process helps, else 200. No request."""
    found = _worst(request)
    return web.json_response(found.document(), status=200 if found.is_alive else 503)


health = ready


async def metrics(request: web.Request) -> web.Response:
    """Answer Prometheus: what was counted, what clean-ups did, the quota. No request.

    It needs the extra ``metrics``. No label takes more values than there are registries.
    """
    keys = request.config_dict.get(_KEYS, [CLIENT])
    quotas = [request.config_dict[key].rate_limit_status for key in keys]
    text, kind = request.config_dict[FIGURES].metrics(request.headers.get("Accept", ""), quotas)
    return web.Response(body=text, headers={"Content-Type": kind})


async def usage(request: web.Request) -> web.Response:
    """Answer with the usage of ``{registry}`` as it was counted last: a page, or JSON.

    Browsers get the page. It is 404 until `Figures.count` has counted the registry. No request.
    """
    name, figures = request.match_info["registry"], request.config_dict[FIGURES]
    found = figures.page(name)
    if found is None:
        raise web.HTTPNotFound
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(body=found, headers=PAGE_HEADERS)
    return web.json_response(figures.document(name))


async def plan_page(plan: "Plan") -> web.Response:
    """Return the page of a plan for those who review it. It needs the extra ``report``.

    Args:
        plan: The plan.
    """
    return web.Response(body=await page_of_plan(plan), headers=PAGE_HEADERS)


def _worst(request: web.Request) -> Health:
    """The health of the client that is worst off, where there are several."""
    # An application that was not set up here may have put its client there itself.
    keys = request.config_dict.get(_KEYS, [CLIENT])
    return Health.worst(Health.of(request.config_dict[key]) for key in keys)


async def page(_: web.Request) -> web.Response:
    """Answer with the page of the service that the README shows; it asks the routes beside it."""
    text, headers = read_page()
    return web.Response(text=text, headers=headers)


def job_routes(prefix: str = "/jobs") -> list[web.RouteDef]:
    """Return routes to the jobs: ``app.add_routes(job_routes())``.

    ``GET /jobs`` has the states of all, ``GET /jobs/{id}`` of one, also of an earlier process, and
    ``GET /jobs/{id}/notes`` its notes, `Job.noted`. ``GET /jobs/{id}/events`` is its `stream`, and
    ``DELETE /jobs/{id}`` cancels it.

    Args:
        prefix: What the paths begin with; ``/jobs`` by default.
    """

    async def find(request: web.Request) -> Job:
        job = await request.config_dict[JOBS].recall(request.match_info["id"])
        if job is None:
            problem = Problem.no_such_job()
            raise web.HTTPNotFound(text=problem.body().decode(), content_type=CONTENT_TYPE)
        return job

    async def states(request: web.Request) -> web.Response:
        return web.json_response([job.document() for job in request.config_dict[JOBS]])

    async def state(request: web.Request) -> web.Response:
        return web.json_response((await find(request)).document())

    async def notes(request: web.Request) -> web.Response:
        return web.json_response((await find(request)).noted)

    async def events(request: web.Request) -> web.StreamResponse:
        return await stream(request, await find(request))

    async def cancel(request: web.Request) -> web.Response:
        job = await find(request)
        await request.config_dict[JOBS].cancel(job)
        return web.json_response(job.document(), status=202)

    return [
        web.get(prefix, states),
        web.get(prefix + "/{id}", state),
        web.get(prefix + "/{id}/notes", notes),
        web.get(prefix + "/{id}/events", events),
        web.delete(prefix + "/{id}", cancel),
    ]


async def stream(request: web.Request, job: Job, **headers: Any) -> web.StreamResponse:
    """Answer a job's states as server-sent events, until the job has ended.

    A browser that comes back gets what it has not seen, by ``Last-Event-ID``; once it has seen the
    last event, it gets a 204, and stops. A reader that does not read for 30 seconds is dropped, and
    after a second when the service stops.

    Args:
        request: The request.
        job: The job.
        headers: More headers of the response.
    """
    after = last_event_id(request.headers)
    if job.has_ended_for(after):
        return web.Response(status=204)
    response = web.StreamResponse(headers={**HEADERS, **headers})
    try:
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            # Routes of aiohttp answer these, too, and nothing may follow the headers.
            return response
        async for event in job.events(after=after):
            async with job.writing():
                await response.write(event)
        async with job.writing():
            await response.write_eof()
    except (ConnectionError, TimeoutError):
        # Who follows may go at any time; the job goes on.
        if request.transport is not None:
            request.transport.abort()
    return response
