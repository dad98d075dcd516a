"""The README's service of aiohttp, as a process of its own, over sockets."""

import asyncio
import json

import pytest

from aioregistry.sandbox import Limits, Sandbox
from tests.web.processes import events, running


@pytest.fixture
async def sandbox():
    async with Sandbox(limits=Limits(scale=60)) as sandbox:
        for number in range(30):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        sandbox.state.push("example", "web", ["main"])
        yield sandbox


@pytest.fixture
async def service(sandbox, tmp_path):
    async with running(
        tmp_path,
        "service.py",
        "service.py",
        API=sandbox.url,
        REGISTRY=sandbox.url,
        DIGITALOCEAN_TOKEN=sandbox.token,
    ) as service:
        yield service


async def start(service, path: str) -> dict:
    async with service.http.post(path) as answer:
        assert answer.status == 202, await answer.text()
        return await answer.json()


async def end_of(service, job: dict) -> dict:
    async with service.http.get(f"/jobs/{job['id']}/events") as answer:
        assert answer.content_type == "text/event-stream"
        told = (await answer.text()).strip().split("\n\n")
    return json.loads(told[-1].partition("data: ")[2])


async def test_a_registry_is_shown(service):
    async with service.http.get("/registries/example") as answer:
        assert await answer.json() == ["web"]


async def test_a_clean_up_is_planned_reviewed_approved_and_followed(service, sandbox):
    planned = await start(service, "/registries/example/plans")
    ended = await end_of(service, planned)
    assert ended["status"] == "done", ended
    async with service.http.get(f"/plans/{planned['id']}") as answer:
        assert (await answer.json(content_type=None))["summary"]["tags_deleted"] == 10
    assert len(sandbox.state.tag_names("example", "web")) == 31
    applied = await start(service, f"/plans/{planned['id']}/approval")
    ended = await end_of(service, applied)
    assert ended["status"] == "done", ended
    assert len(sandbox.state.tag_names("example", "web")) == 21


async def test_errors_are_problems(service, sandbox):
    async with service.http.get("/registries/Bad_Name") as answer:
        assert answer.status == 400
        assert answer.content_type == "application/problem+json"
        assert (await answer.json(content_type=None))["error"] == "InvalidNameError"
    async with service.http.get("/registries/nix") as answer:
        assert answer.status == 404
    await sandbox.stop()
    async with service.http.get("/registries/example") as answer:
        assert answer.status == 502
    async with service.http.get("/jobs/nix/events") as answer:
        assert answer.status == 404


async def test_health_costs_no_request(service, sandbox):
    before = sandbox.request_count
    async with service.http.get("/health") as answer:
        assert answer.status == 200
        assert (await answer.json())["status"] == "ok"
    assert sandbox.request_count == before


async def test_it_stops_at_once_with_nothing_left_running(service, sandbox, tmp_path):
    planned = await start(service, "/registries/example/plans")
    assert (await end_of(service, planned))["status"] == "done"
    sandbox.latency = 0.5
    applied = await start(service, f"/plans/{planned['id']}/approval")
    async with service.http.get(f"/jobs/{applied['id']}/events") as answer:
        kinds = events(answer)
        assert await anext(kinds) == "running"
        async with asyncio.timeout(10):
            code, errors = await service.stop()
        assert [kind async for kind in kinds][-1] == "cancelled"
    assert code == 0
    # Warnings are errors: no task is pending, no session unclosed.
    assert "never" not in errors, errors
    assert "Unclosed" not in errors
    assert "Traceback" not in errors
    report = json.loads((tmp_path / "plans/reports" / f"{applied['id']}.json").read_text())
    assert report["status"] == "cancelled"


async def test_who_follows_may_go_while_the_job_goes_on(service, sandbox):
    planned = await start(service, "/registries/example/plans")
    await end_of(service, planned)
    sandbox.latency = 0.1
    applied = await start(service, f"/plans/{planned['id']}/approval")
    async with service.http.get(f"/jobs/{applied['id']}/events") as answer:
        assert await anext(events(answer)) == "running"
        answer.close()
    assert (await end_of(service, applied))["status"] == "done"
    _, errors = await service.stop()
    # In asyncio's debug mode aiohttp logs each request there, and asyncio what takes long.
    assert asyncio.get_running_loop().get_debug() or errors == ""
    assert "Traceback" not in errors


async def test_people_go_before_jobs(service, sandbox):
    """The quota of 250 a second is spent by a job; who asks meanwhile waits for the next permit."""
    sandbox.state.push("example", "web", [f"more-{number}" for number in range(500)])
    planned = await start(service, "/registries/example/plans")
    await end_of(service, planned)
    answers = await asyncio.gather(*(status_of(service, "/registries/example") for _ in range(100)))
    assert set(answers) == {200}


async def status_of(service, path: str) -> int:
    async with service.http.get(path) as answer:
        await answer.read()
        return answer.status
