"""Metrics, and the pages of usage and of plans, in both frameworks."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from aioregistry import NotFoundError, RegistryClient
from aioregistry.cleanup import CleanupReport
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.records.report import ItemOutcome
from aioregistry.sandbox import Sandbox
from aioregistry.web import aiohttp as in_aiohttp
from tests.cleanup.registries import digest_of
from tests.report.registries import planned, usual
from tests.web.test_accounts import served

pytest.importorskip("jinja2")
parser = pytest.importorskip("prometheus_client.parser")
openmetrics_parser = pytest.importorskip("prometheus_client.openmetrics.parser")

PLAN = planned(usual(20))
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@asynccontextmanager
async def aiohttp_service(sandbox):
    app = web.Application()
    in_aiohttp.setup(app, lambda: RegistryClient(sandbox.token, base_url=sandbox.url))
    app.router.add_get("/metrics", in_aiohttp.metrics)
    app.router.add_get("/registries/{registry}/usage", in_aiohttp.usage)

    async def plan(_):
        return await in_aiohttp.plan_page(PLAN)

    app.router.add_get("/plan", plan)
    async with served(app) as http:
        yield http, app[in_aiohttp.FIGURES], app[in_aiohttp.CLIENT]


@asynccontextmanager
async def fastapi_service(sandbox):
    fastapi, uvicorn = pytest.importorskip("fastapi"), pytest.importorskip("uvicorn")
    in_fastapi = pytest.importorskip("aioregistry.web.fastapi")
    app = fastapi.FastAPI(
        lifespan=in_fastapi.lifespan(lambda: RegistryClient(sandbox.token, base_url=sandbox.url)),
        exception_handlers=in_fastapi.PROBLEMS,
    )
    app.get("/metrics")(in_fastapi.metrics)
    app.get("/registries/{registry}/usage")(in_fastapi.usage)
    seen = {}

    @app.get("/plan")
    async def plan():
        return await in_fastapi.plan_page(PLAN)

    @app.get("/look")
    async def look(client: in_fastapi.Client, figures: in_fastapi.FiguresOf):
        seen.update(client=client, figures=figures)

    config = uvicorn.Config(app, port=0, log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        async with http.get("/look"):
            pass
        yield http, seen["figures"], seen["client"]
    server.should_exit = True
    await serving


@pytest.fixture(params=[aiohttp_service, fastapi_service], ids=["aiohttp", "fastapi"])
async def service(request):
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", ["v1", "v2"])
        async with request.param(sandbox) as (http, figures, client):
            yield http, figures, client.registry("example"), sandbox


async def read(http, path: str, **headers: str) -> tuple[int, str, str]:
    async with http.get(path, headers=headers) as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


def samples(families) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("aioregistry_"), *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics_have_bytes_quota_deletes_and_durations(service):
    http, figures, registry, _ = service
    await figures.count(registry)
    item = ItemOutcome(
        "web", Condemned(delete="tag", digest=digest_of("v1"), tags=("v1",)), "drift"
    )
    figures.add_cleanup("example", CleanupReport(drift=(item,)), seconds=7.2)
    figures.add_cleanup("example", CleanupReport(deleted=(item, item), failed=(item,)), seconds=9)
    status, kind, text = await read(http, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = samples(parser.text_string_to_metric_families(text))
    assert found["bytes", "all", "example"] > 0
    assert found["tags", "example"] == 2
    assert 0 < found["quota_remaining_requests", "3600"] < 5_000
    assert found["deletes_total", "deleted", "example"] == 2
    assert found["deletes_total", "drift", "example"] == 1
    assert found["deletes_total", "example", "failed"] == 1
    assert found["duration_seconds", "cleanup", "example"] == 9
    assert found["last_success_timestamp_seconds", "cleanup", "example"] > 1e9
    assert not [key for key in found if "web" in key]


async def test_counters_begin_with_zero_and_end_with_the_registry(service):
    http, figures, registry, sandbox = service

    async def deletes() -> dict:
        _, _, text = await read(http, "/metrics")
        found = samples(parser.text_string_to_metric_families(text))
        return {key: value for key, value in found.items() if key[0] == "deletes_total"}

    assert await deletes() == {}
    figures.begin_cleanup("example")
    begun = await deletes()
    assert len(begun) == 6
    assert set(begun.values()) == {0}
    figures.add_cleanup("example", CleanupReport(), seconds=1)
    assert await deletes() == begun
    await figures.count(registry)
    sandbox.state.delete_registry("example")
    with pytest.raises(NotFoundError):
        await figures.count(registry)
    assert await deletes() == {}
    assert (await read(http, "/registries/example/usage"))[0] == 404


async def test_metrics_are_openmetrics_for_scrapers_that_ask_for_it(service):
    http, *_ = service
    _, kind, text = await read(
        http, "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    )
    assert kind.startswith("application/openmetrics-text")
    assert samples(openmetrics_parser.text_string_to_metric_families(text))


async def test_usage_is_a_page_for_browsers_and_json_for_programs(service):
    http, figures, registry, sandbox = service
    assert (await read(http, "/registries/example/usage"))[0] == 404
    await figures.count(registry)
    sent = sandbox.request_count
    status, kind, text = await read(http, "/registries/example/usage", **BROWSER)
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "<h1><bdi>example</bdi></h1>" in text
    async with http.get("/registries/example/usage") as answer:
        found = await answer.json()
    assert found["tags"] == 2
    assert [row["name"] for row in found["repositories"]] == ["web"]
    assert sandbox.request_count == sent


async def test_a_plan_is_a_page_that_no_other_site_may_frame(service):
    http, *_ = service
    async with http.get("/plan") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Clean-up plan" in await answer.text()


async def test_figures_of_a_registry_are_replaced_when_it_is_counted_again(service):
    http, figures, registry, sandbox = service
    await figures.count(registry)
    sandbox.state.push("example", "web", ["v3"])
    await figures.count(registry)
    found = samples(parser.text_string_to_metric_families((await read(http, "/metrics"))[2]))
    assert found["tags", "example"] == 3
