"""A service that cleans up, with FastAPI: ``uvicorn api:api``."""

import asyncio

from cleanups import CAPS, PLANS, POLICY, in_use, is_from_elsewhere, make_client, make_jobs
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse

from aioregistry import Registry, Repository, Tag
from aioregistry.cleanup import Plan
from aioregistry.web.fastapi import (
    PROBLEMS,
    Client,
    FiguresOf,
    JobsOf,
    alive,
    job_router,
    lifespan,
    metrics,
    page,
    plan_page,
    ready,
    usage,
)
from aioregistry.web.work import apply_work, plan_file, plan_work, usage_work


def own_pages_only(request: Request):
    if is_from_elsewhere(request, request.scope["path"]):
        raise HTTPException(403)


api = FastAPI(
    lifespan=lifespan(make_client, make_jobs=make_jobs),
    exception_handlers=PROBLEMS,
    dependencies=[Depends(own_pages_only)],
)
api.get("/", include_in_schema=False)(page)
api.get("/alive")(alive)
api.get("/ready")(ready)
api.get("/metrics", include_in_schema=False)(metrics)
api.get("/registries/{registry}/usage")(usage)
api.include_router(job_router("/jobs"))


@api.get("/registries")
async def registries(client: Client) -> list[Registry]:
    return list(await client.registries())


@api.get("/registries/{registry}")
async def repositories(registry: str, client: Client) -> list[Repository]:
    return await client.registry(registry).repositories().collect()


@api.get("/registries/{registry}/repositories/{repository:path}/tags")
async def tags(registry: str, repository: str, client: Client) -> list[Tag]:
    return await client.registry(registry).repository(repository).tags().collect()


@api.post("/registries/{registry}/usage", status_code=202)
async def measure(registry: str, client: Client, jobs: JobsOf, figures: FiguresOf) -> dict:
    work = usage_work(client.registry(registry), figures=figures)
    return (await jobs.accept(f"usage {registry}", work, once=True)).document()


@api.post("/registries/{registry}/plans", status_code=202)
async def plan(registry: str, client: Client, jobs: JobsOf) -> dict:
    work = plan_work(client.registry(registry), POLICY, PLANS, in_use=in_use(client))
    return (await jobs.accept(f"plan {registry}", work, once=True)).document()


@api.get("/plans/{identifier}", response_class=FileResponse)
def review(identifier: str) -> FileResponse:
    return FileResponse(find_plan(identifier))


@api.get("/plans/{identifier}/page")
async def review_page(identifier: str) -> Response:
    return await plan_page(await asyncio.to_thread(Plan.load, find_plan(identifier)))


@api.post("/plans/{identifier}/approval", status_code=202)
async def approve(identifier: str, client: Client, jobs: JobsOf, figures: FiguresOf) -> dict:
    path = find_plan(identifier)
    work = apply_work(client, path, caps=CAPS, in_use=in_use(client), figures=figures)
    return (await jobs.accept(f"apply {identifier}", work, once=True)).document()


def find_plan(identifier):
    if (path := plan_file(PLANS, identifier)) is None:
        raise HTTPException(404)
    return path
