"""Clean-ups that outlive their service, on FastAPI: ``uvicorn lasting:api``.

A clean-up is a run of a fleet: whichever replica is running carries it out, and any of them shows
how far it is. It needs the extras ``fastapi`` and ``fleet``, a Redis or Valkey at
``AIOREGISTRY_FLEET_SERVER``, and the fleet's file at ``FLEET``.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from cleanups import is_from_elsewhere
from fastapi import Depends, FastAPI, HTTPException, Request

from aioregistry.fleet import FleetEngine, load_fleet
from aioregistry.web import Jobs
from aioregistry.web.fastapi import PROBLEMS, JobsOf, alive, job_router, lifespan, ready
from aioregistry.web.redis import RedisJobStore
from aioregistry.web.runs import run_work, working

__all__ = ["api"]

SERVER = os.environ.get("AIOREGISTRY_FLEET_SERVER", "redis://localhost")
FLEET = Path(os.environ.get("FLEET", "fleet.toml"))


@asynccontextmanager
async def open_engine(_: object) -> AsyncIterator[dict[str, Any]]:
    """Work on the fleet for as long as the service runs."""
    # It ends the service when it cannot work; or leave the work to 'aioregistry fleet worker'.
    async with FleetEngine(load_fleet(FLEET), SERVER) as engine, working(engine):
        yield {"engine": engine}


def own_pages_only(request: Request) -> None:
    """Refuse what pages of other sites send."""
    if is_from_elsewhere(request, request.scope["path"]):
        raise HTTPException(403)


def get_engine(request: Request) -> FleetEngine:
    """Return the engine of the service."""
    engine: FleetEngine = request.state.engine
    return engine


def shared_jobs() -> Jobs:
    """Return jobs that all replicas see."""
    return Jobs(store=RedisJobStore(SERVER))


EngineOf = Annotated[FleetEngine, Depends(get_engine)]

api = FastAPI(
    lifespan=lifespan(make_jobs=shared_jobs, join=open_engine),
    exception_handlers=PROBLEMS,
    dependencies=[Depends(own_pages_only)],
)
api.get("/alive")(alive)
api.get("/ready")(ready)
api.include_router(job_router("/jobs"))


@api.post("/registries/{registry}/plans", status_code=202)
async def plan(registry: str, engine: EngineOf, jobs: JobsOf) -> dict[str, Any]:
    """Begin a plan; 404 where the fleet has no such registry."""
    if not await engine.begin([registry], plan_only=True):
        raise HTTPException(409, "a run of this registry has not ended")
    run = (await engine.runs())[registry].id
    return await follow(registry, run, engine, jobs)


@api.post("/registries/{registry}/plans/{run}/approval", status_code=202)
async def approve(registry: str, run: str, engine: EngineOf, jobs: JobsOf) -> dict[str, Any]:
    """Have a plan carried out, and follow that; twice is once."""
    await engine.approve(registry, run)
    return await follow(registry, run, engine, jobs)


async def follow(registry: str, run: str, engine: FleetEngine, jobs: Jobs) -> dict[str, Any]:
    """Start a job that follows a run, unless one does so already, and return it."""
    work = run_work(engine, registry, run)
    return (await jobs.accept(f"{registry} {run}", work, once=True)).document()
