"""The README's service of FastAPI, under uvicorn, over sockets."""

import asyncio
import json

import pytest

from aioregistry.sandbox import Sandbox
from tests.web.processes import events, running

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

# The service of the README asks the real API; the tests' one asks the sandbox.
SITE = """
import os
from aioregistry import RegistryClient
RegistryClient.__init__.__kwdefaults__["base_url"] = os.environ["API"]
"""


@pytest.fixture
async def sandbox():
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", [f"pr-{number}" for number in range(200)])
        yield sandbox


@pytest.fixture
async def service(sandbox, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SITE)
    async with running(
        tmp_path,
        "api.py",
        *("-m", "uvicorn", "api:api", "--port", "PORT", "--timeout-graceful-shutdown", "1"),
        API=sandbox.url,
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
    async with service.http.get("/health") as answer:
        assert (await answer.json())["status"] == "ok"
    assert sandbox.request_count == 0


async def test_a_job_is_followed_to_its_end(service, sandbox):
    names = [f"pr-{number}" for number in range(50)]
    async with service.http.post("/registries/example/web/deletions", json=names) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        told = (await answer.text()).strip().split("\n\n")
    last = json.loads(told[-1].partition("data: ")[2])
    assert last["status"] == "done"
    assert last["progress"]["done"] == 50
    assert len(sandbox.state.tag_names("example", "web")) == 150
    async with service.http.get("/jobs/nix/events") as answer:
        assert answer.status == 404


async def test_it_stops_soon_with_nothing_left_running(service, sandbox):
    sandbox.latency = 0.5
    names = [f"pr-{number}" for number in range(200)]
    async with service.http.post("/registries/example/web/deletions", json=names) as answer:
        job = await answer.json()
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        assert await anext(events(answer)) == "running"
        async with asyncio.timeout(15):
            code, errors = await service.stop()
    assert code in {0, -15}
    assert "Unclosed" not in errors, errors
    assert "never" not in errors
    assert "pending" not in errors
