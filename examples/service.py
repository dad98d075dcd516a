"""A service that cleans up, with aiohttp: ``python service.py``."""

import asyncio
import os

from aiohttp import web
from cleanups import CAPS, PLANS, POLICY, in_use, is_from_elsewhere, make_client, make_jobs

from aioregistry.cleanup import Plan
from aioregistry.web.aiohttp import (
    CLIENT,
    FIGURES,
    JOBS,
    alive,
    job_routes,
    metrics,
    page,
    plan_page,
    ready,
    setup,
    usage,
)
from aioregistry.web.work import apply_work, plan_file, plan_work, usage_work

routes = web.RouteTableDef()
routes.get("/")(page)
routes.get("/alive")(alive)
routes.get("/ready")(ready)
routes.get("/metrics")(metrics)
routes.get("/registries/{registry}/usage")(usage)


@routes.get("/registries")
async def registries(request):
    found = await request.config_dict[CLIENT].registries()
    return web.json_response([registry.to_dict() for registry in found])


@routes.get("/registries/{registry}")
async def repositories(request):
    found = registry_of(request).repositories()
    return web.json_response([repository.to_dict() async for repository in found])


@routes.get("/registries/{registry}/repositories/{repository:.+}/tags")
async def tags(request):
    found = registry_of(request).repository(request.match_info["repository"]).tags()
    return web.json_response([tag.to_dict() async for tag in found])


@routes.post("/registries/{registry}/usage")
async def measure(request):
    registry = registry_of(request)
    work = usage_work(registry, figures=request.config_dict[FIGURES])
    return await start(request, f"usage {registry.name}", work)


@routes.post("/registries/{registry}/plans")
async def plan(request):
    registry = registry_of(request)
    work = plan_work(registry, POLICY, PLANS, in_use=in_use(registry))
    return await start(request, f"plan {registry.name}", work)


@routes.get("/plans/{id}")
async def review(request):
    return web.FileResponse(find_plan(request))


@routes.get("/plans/{id}/page")
async def review_page(request):
    return await plan_page(await asyncio.to_thread(Plan.load, find_plan(request)))


@routes.post("/plans/{id}/approval")
async def approve(request):
    path = find_plan(request)
    client, figures = request.config_dict[CLIENT], request.config_dict[FIGURES]
    work = apply_work(client, path, caps=CAPS, in_use=in_use(client), figures=figures)
    return await start(request, f"apply {path.stem}", work)


def registry_of(request):
    return request.config_dict[CLIENT].registry(request.match_info["registry"])


def find_plan(request):
    if (path := plan_file(PLANS, request.match_info["id"])) is None:
        raise web.HTTPNotFound
    return path


async def start(request, name, work):
    # Who asks while a job of this name runs gets that one; later, an apply continues.
    job = await request.config_dict[JOBS].accept(name, work, once=True)
    return web.json_response(job.document(), status=202)


@web.middleware
async def own_pages_only(request, handler):
    if is_from_elsewhere(request, request.path):
        raise web.HTTPForbidden
    return await handler(request)


def make_app():
    app = web.Application(middlewares=[own_pages_only])
    setup(app, make_client, make_jobs=make_jobs)
    app.add_routes([*routes, *job_routes("/jobs")])
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
