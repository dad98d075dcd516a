"""The README's service of aiohttp, as a process of its own, over sockets."""

import asyncio
import json
import socket

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from aioregistry import RegistryClient
from aioregistry.sandbox import Limits, Sandbox
from aioregistry.web.aiohttp import CLIENT, JOBS, alive, ready, setup, stream
from tests.web.processes import events, running

pytestmark = pytest.mark.slow(0.5)


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
        AIOREGISTRY_API_URL=sandbox.url,
        AIOREGISTRY_REGISTRY_URL=sandbox.url,
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
    async with service.http.get("/ready") as answer:
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
    report = (tmp_path / "plans/reports" / f"{applied['id']}.jsonl").read_text().splitlines()
    assert json.loads(report[0])["job"]["status"] == "running"
    assert json.loads(report[-1])["job"]["status"] == "cancelled"


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


async def test_an_apply_that_was_cancelled_is_resumed_by_the_same_request(service, sandbox):
    planned = await start(service, "/registries/example/plans")
    await end_of(service, planned)
    sandbox.latency = 0.2
    applied = await start(service, f"/plans/{planned['id']}/approval")
    again = await start(service, f"/plans/{planned['id']}/approval")
    assert again["id"] == applied["id"]
    await asyncio.sleep(0.5)
    async with service.http.delete(f"/jobs/{applied['id']}") as answer:
        assert answer.status == 202
    assert (await end_of(service, applied))["status"] == "cancelled"
    sandbox.latency = 0.0
    resumed = await start(service, f"/plans/{planned['id']}/approval")
    assert resumed["id"] != applied["id"]
    assert (await end_of(service, resumed))["status"] == "done"
    assert len(sandbox.state.tag_names("example", "web")) == 21


async def test_a_browser_that_has_seen_the_end_is_told_to_stop(service):
    planned = await start(service, "/registries/example/plans")
    ended = await end_of(service, planned)
    events_of = f"/jobs/{ended['id']}/events"
    async with service.http.get(events_of) as answer:
        last = (await answer.text()).strip().split("\n\n")[-1]
    number = last.partition("id: ")[2].partition("\n")[0]
    async with service.http.get(events_of, headers={"Last-Event-ID": number}) as answer:
        assert answer.status == 204
    async with service.http.get(events_of, headers={"Last-Event-ID": "nonsense"}) as answer:
        assert answer.status == 200


async def test_no_path_leads_out_of_the_folder_of_plans(service):
    for name in ("..%2Fservice", "%2e%2e%2fservice", "..", "none"):
        url = URL(f"{service.http._base_url}/plans/{name}", encoded=True)
        async with service.http.get(url) as answer:
            assert answer.status == 404


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


@pytest.mark.slow(3)
async def test_readers_that_do_not_read_do_not_hold_the_end(tmp_path):
    """A hundred of them, and a job that says much: all is over within seconds."""
    app = web.Application()
    setup(app, lambda: RegistryClient("a-token"), reports=tmp_path)

    async def follow(request):
        return await stream(request, request.config_dict[JOBS].get(request.match_info["id"]))

    app.router.add_get("/{id}", follow)
    runner = web.AppRunner(app, shutdown_timeout=60)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()

    async def work(job):
        while True:
            job.tell(pad="x" * 100_000)
            await asyncio.sleep(0.001)

    job = app[JOBS].start("talk", work)
    port = site._server.sockets[0].getsockname()[1]
    readers = []
    for _ in range(100):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", port))
        reader.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % job.id.encode())
        readers.append(reader)
    async with asyncio.timeout(60):
        while len(app[JOBS]._deadlines) < 100:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
    async with asyncio.timeout(20):
        await runner.cleanup()
    assert job.status == "cancelled"
    for reader in readers:
        reader.close()


async def test_a_sub_application_finds_the_client(sandbox):
    app, inner = web.Application(), web.Application()
    setup(app, lambda: RegistryClient(sandbox.token, base_url=sandbox.url))
    with pytest.raises(ValueError, match="already"):
        setup(app)

    async def show(request):
        await request.config_dict[CLIENT].registry("none").repositories().collect()

    inner.router.add_get("/show", show)
    inner.router.add_get("/ready", ready)
    inner.router.add_get("/alive", alive)
    app.add_subapp("/api", inner)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    async with aiohttp.ClientSession(base) as http:
        statuses = {}
        for path in ("/api/show", "/api/ready", "/api/alive"):
            async with http.get(path) as answer:
                statuses[path] = answer.status
    await runner.cleanup()
    assert statuses == {"/api/show": 404, "/api/ready": 200, "/api/alive": 200}
