"""The services of examples/, as processes of their own, over sockets."""

import asyncio
import json

import pytest
from yarl import URL

from aioregistry.sandbox import Limits, Sandbox
from tests.web.processes import COMMANDS, check_strangers, end_of, events, get, run, start

pytestmark = pytest.mark.slow(0.7)


# Where the frameworks hardly differ, one of them is enough for the usual run.
ONE_IS_ENOUGH = pytest.mark.parametrize(
    "framework",
    ["aiohttp", pytest.param("fastapi", marks=pytest.mark.exhaustive)],
    indirect=True,
)


@pytest.fixture(params=COMMANDS)
def framework(request):
    if request.param == "fastapi":
        pytest.importorskip("fastapi")
        pytest.importorskip("uvicorn")
    return request.param


@pytest.fixture
async def sandbox():
    async with Sandbox(limits=Limits(scale=60)) as sandbox:
        for number in range(30):
            sandbox.state.push("example", "team/web", [f"pr-{number}"])
        sandbox.state.push("example", "team/web", ["main"])
        yield sandbox


@pytest.fixture
async def service(framework, sandbox, tmp_path):
    async with run(framework, sandbox, tmp_path, HOSTS="cleanups.test") as service:
        yield service


async def planned(service) -> str:
    """Make a plan, and return where it is."""
    job = await start(service, "/registries/example/plans")
    ended = await end_of(service, job)
    assert ended["status"] == "done", ended
    return f"/plans/{job['id']}"


async def test_a_clean_up_is_planned_reviewed_approved_and_followed(service, sandbox):
    assert [one["name"] for one in await get(service, "/registries")] == ["example"]
    (repository,) = await get(service, "/registries/example")
    assert (repository["name"], repository["tag_count"]) == ("team/web", 31)
    plan = await planned(service)
    assert (await get(service, plan))["summary"]["tags_deleted"] == 10
    assert len(sandbox.state.tag_names("example", "team/web")) == 31
    applied = await start(service, f"{plan}/approval")
    ended = await end_of(service, applied)
    assert (ended["status"], ended["progress"]["report"]) == ("done", "10 deleted")
    notes = await get(service, f"/jobs/{applied['id']}/notes")
    assert {note["status"] for note in notes} == {"deleted"}
    assert min(note["name"] for note in notes) == "team/web:pr-0"
    tags = await get(service, "/registries/example/repositories/team/web/tags")
    assert len(tags) == 21
    # It is asked for once more, and there is nothing left to do.
    again = await end_of(service, await start(service, f"{plan}/approval"))
    assert again["status"] == "done"
    assert len(sandbox.state.tag_names("example", "team/web")) == 21


async def test_errors_are_problems_and_what_is_not_there_is_not_found(service, sandbox):
    answers = {
        "/registries/Bad_Name": (400, "InvalidNameError"),
        "/registries/nix": (404, "NotFoundError"),
        "/jobs/nix": (404, "NoSuchJob"),
        "/jobs/nix/notes": (404, "NoSuchJob"),
        "/jobs/nix/events": (404, "NoSuchJob"),
    }
    for path, expected in answers.items():
        async with service.http.get(path) as answer:
            assert answer.content_type == "application/problem+json"
            assert (answer.status, (await answer.json(content_type=None))["error"]) == expected
    async with service.http.delete("/jobs/nix") as answer:
        assert answer.status == 404
    for name in ("..%2Fservice", "%2e%2e%2fservice", "..", "none", "a%00b", "%0a", "x" * 5000):
        url = URL(f"{base_of(service)}/plans/{name}", encoded=True)
        async with service.http.get(url) as answer:
            assert answer.status in {400, 404}, name
    before = sandbox.request_count
    assert (await get(service, "/ready"))["status"] == "ok"
    assert sandbox.request_count == before
    await sandbox.stop()
    async with service.http.get("/registries/example") as answer:
        assert answer.status == 502


def base_of(service) -> str:
    return str(service.http._base_url).rstrip("/")


async def test_it_stops_at_once_and_its_streams_get_the_last_event(service, sandbox, tmp_path):
    plan = await planned(service)
    sandbox.latency = 0.5
    applied = await start(service, f"{plan}/approval")
    async with service.http.get(f"/jobs/{applied['id']}/events") as answer:
        kinds = events(answer)
        assert await anext(kinds) == "running"
        async with asyncio.timeout(60):
            code, errors = await service.stop()
        assert [kind async for kind in kinds][-1] == "cancelled"
    assert code in {0, -15}
    # Warnings are errors: no task is pending, no session unclosed.
    for sign in ("never", "Unclosed", "pending", "Traceback"):
        assert sign not in errors, errors
    report = (tmp_path / "plans/reports" / f"{applied['id']}.jsonl").read_text().splitlines()
    assert json.loads(report[0])["job"]["status"] == "running"
    assert json.loads(report[-1])["job"]["status"] == "cancelled"


@ONE_IS_ENOUGH
async def test_who_follows_may_go_while_the_job_goes_on(service, sandbox):
    plan = await planned(service)
    sandbox.latency = 0.1
    applied = await start(service, f"{plan}/approval")
    async with service.http.get(f"/jobs/{applied['id']}/events") as answer:
        assert await anext(events(answer)) == "running"
        answer.close()
    assert (await end_of(service, applied))["status"] == "done"
    _, errors = await service.stop()
    assert "Traceback" not in errors


async def test_an_apply_that_was_cancelled_is_resumed_by_the_same_request(service, sandbox):
    plan = await planned(service)
    sandbox.latency = 0.2
    applied, again = await asyncio.gather(
        start(service, f"{plan}/approval"), start(service, f"{plan}/approval")
    )
    assert again["id"] == applied["id"]
    async with asyncio.timeout(60):
        while len(sandbox.state.tag_names("example", "team/web")) == 31:
            await asyncio.sleep(0.01)
    async with service.http.delete(f"/jobs/{applied['id']}") as answer:
        assert answer.status == 202
    assert (await end_of(service, applied))["status"] == "cancelled"
    sandbox.latency = 0.0
    resumed = await start(service, f"{plan}/approval")
    assert resumed["id"] != applied["id"]
    assert (await end_of(service, resumed))["status"] == "done"
    assert len(sandbox.state.tag_names("example", "team/web")) == 21


@ONE_IS_ENOUGH
async def test_an_apply_that_was_killed_is_resumed_by_the_next_process(
    framework, sandbox, tmp_path
):
    async with run(framework, sandbox, tmp_path, HOSTS="cleanups.test") as service:
        plan = await planned(service)
        sandbox.latency = 0.2
        applied = await start(service, f"{plan}/approval")
        async with asyncio.timeout(60):
            while len(sandbox.state.tag_names("example", "team/web")) == 31:
                await asyncio.sleep(0.01)
        service.process.kill()
        await service.process.wait()
    sandbox.latency = 0.0
    async with run(framework, sandbox, tmp_path, HOSTS="cleanups.test") as service:
        killed = await end_of(service, applied)
        assert (killed["status"], killed["error"]) == (
            "failed",
            "the service ended before the job did",
        )
        resumed = await end_of(service, await start(service, f"{plan}/approval"))
        assert resumed["status"] == "done", resumed
        assert resumed["progress"]["total"] == 10
    assert len(sandbox.state.tag_names("example", "team/web")) == 21
    deletes = [
        one.raw_path for one in sandbox.requests if one.method == "DELETE" and one.status == 204
    ]
    assert len(deletes) == len(set(deletes)) == 10


async def test_sizes_are_counted_and_who_has_seen_the_end_is_told_to_stop(service):
    job = await start(service, "/registries/example/usage")
    ended = await end_of(service, job)
    (row,) = ended["progress"]["rows"]
    assert row["name"] == "team/web"
    assert row["bytes"] == ended["progress"]["bytes"] > 0
    path = f"/jobs/{job['id']}/events"
    async with service.http.get(path) as answer:
        last = (await answer.text()).strip().split("\n\n")[-1]
    number = last.partition("id: ")[2].partition("\n")[0]
    async with service.http.get(path, headers={"Last-Event-ID": number}) as answer:
        assert answer.status == 204
    async with service.http.get(path, headers={"Last-Event-ID": "nonsense"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("framework", COMMANDS, indirect=True)
async def test_what_runs_is_kept_by_a_plan_and_what_runs_by_then_by_its_apply(
    framework, sandbox, tmp_path
):
    running = tmp_path / "running"
    running.write_text("registry.digitalocean.com/example/team/web:pr-1\n")
    async with run(framework, sandbox, tmp_path, IN_USE=str(running)) as service:
        plan = await planned(service)
        condemned = (await get(service, plan))["summary"]["tags_deleted"]
        with running.open("a") as file:
            file.write("registry.digitalocean.com/example/team/web:pr-2\n")
        await end_of(service, await start(service, f"{plan}/approval"))
    assert condemned == 10 - 1
    left = set(sandbox.state.tag_names("example", "team/web"))
    assert {"pr-1", "pr-2"} <= left
    assert len(left) == 31 - condemned + 1


@pytest.mark.parametrize("framework", COMMANDS, indirect=True)
async def test_what_pages_of_other_sites_send_is_refused(service):
    await check_strangers(service, change="/registries/example/usage", look="/registries")


@pytest.mark.parametrize("framework", ["aiohttp"], indirect=True)
async def test_people_go_before_jobs(service, sandbox):
    """The quota of 250 a second is spent by a job; who asks meanwhile waits for the next permit."""
    sandbox.state.push("example", "team/web", [f"more-{number}" for number in range(500)])
    await planned(service)
    answers = await asyncio.gather(*(status_of(service, "/registries/example") for _ in range(100)))
    assert set(answers) == {200}


async def status_of(service, path: str) -> int:
    async with service.http.get(path) as answer:
        await answer.read()
        return answer.status
