"""The README's service of FastAPI, under uvicorn, over sockets."""

import asyncio
import json

import pytest

from aioregistry.sandbox import Sandbox
from tests.web.processes import events, running

pytestmark = pytest.mark.slow(0.5)

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", [f"pr-{number}" for number in range(200)])
        yield sandbox


@pytest.fixture
async def service(sandbox, tmp_path):
    async with running(
        tmp_path,
        "api.py",
        *("-m", "uvicorn", "api:api", "--port", "PORT"),
        AIOREGISTRY_API_URL=sandbox.url,
        DIGITALOCEAN_TOKEN=sandbox.token,
    ) as service:
        yield service


async def test_a_registry_is_shown(service):
    async with service.http.get("/registries/example") as answer:
        assert await answer.json() == ["web"]


async def test_errors_are_problems(service):
    async with service.http.get("/registries/nix") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_health_costs_no_request(service, sandbox):
    async with service.http.get("/ready") as answer:
        assert (await answer.json())["status"] == "ok"
    assert sandbox.request_count == 0


async def test_a_job_is_followed_to_its_end(service, sandbox):
    names = [f"pr-{number}" for number in range(50)]
    async with service.http.post(
        "/registries/example/repositories/web/deletions", json=names
    ) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        told = (await answer.text()).strip().split("\n\n")
    last = json.loads(told[-1].partition("data: ")[2])
    assert last["status"] == "done"
    assert last["progress"]["done"] == 50
    assert len(sandbox.state.tag_names("example", "web")) == 150
    async with service.http.get("/jobs/nix/events") as answer:
        assert answer.status == 404


async def test_it_stops_soon_and_its_streams_get_the_last_event(service, sandbox):
    sandbox.latency = 0.5
    names = [f"pr-{number}" for number in range(200)]
    path = "/registries/example/repositories/web/deletions"
    async with service.http.post(path, json=names) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        kinds = events(answer)
        assert await anext(kinds) == "running"
        async with asyncio.timeout(15):
            code, errors = await service.stop()
        assert [kind async for kind in kinds][-1] == "cancelled"
    assert code in {0, -15}
    assert "Unclosed" not in errors, errors
    assert "never" not in errors
    assert "pending" not in errors
    assert "Traceback" not in errors


async def test_a_repository_with_a_slash_has_a_path(service, sandbox):
    sandbox.state.push("example", "team/api", ["v1"])
    path = "/registries/example/repositories/team/api/deletions"
    async with service.http.post(path, json=["v1"]) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        await answer.read()
    assert sandbox.state.tag_names("example", "team/api") == []


async def test_a_browser_that_has_seen_the_end_is_told_to_stop(service):
    path = "/registries/example/repositories/web/deletions"
    async with service.http.post(path, json=["pr-1"]) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        last = (await answer.text()).strip().split("\n\n")[-1]
    headers = {"Last-Event-ID": last.partition("id: ")[2].partition("\n")[0]}
    async with service.http.get(f"/jobs/{job['id']}/events", headers=headers) as answer:
        assert answer.status == 204
