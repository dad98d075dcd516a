"""The work of jobs: plans, applies, and what outsiders are told when the API fails meanwhile."""

import json

import pytest

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.cleanup import Caps, Delete, InUse, Policy
from aioregistry.sandbox import Fault, Faults, Sandbox
from aioregistry.web import Jobs
from aioregistry.web.figures import Figures
from aioregistry.web.work import apply_work, plan_file, plan_work

POLICY = Policy([Delete(tags="pr-*")], floor=0)
CAPS = Caps(max_fraction=1.0)


@pytest.fixture
async def sandbox(monkeypatch):
    async with Sandbox() as sandbox:
        sandbox.state.push("example", "web", ["main"])
        for number in range(8):
            sandbox.state.push("example", "web", [f"pr-{number}"])
        monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", sandbox.url)
        yield sandbox


async def ended(jobs, name, work):
    job = jobs.start(name, work)
    await job.wait()
    return job


class Vault:
    """A token callable that fails from the moment that it is told to."""

    def __init__(self, token):
        self.token, self.is_away = token, False

    async def __call__(self):
        if self.is_away:
            raise OSError("https://vault.internal:8200 said: hvs.SECRET has expired")
        return self.token


@pytest.mark.parametrize(
    ("trouble", "status", "reason"),
    [
        (Fault(kind="status", status=500, method="DELETE"), "unknown", "a request failed (500, "),
        (Fault(kind="reset-before", method="DELETE"), "unknown", "a request failed"),
        (Fault(kind="status", status=403, method="DELETE"), "failed", "a request failed (403, "),
        ("vault", "not_attempted", "the token's callable raised OSError"),
        ("stopped", "not_attempted", "a request failed"),
    ],
    ids=["500", "reset", "403", "vault", "stopped"],
)
async def test_an_apply_that_could_not_delete_has_failed_and_says_nothing_of_the_inside(
    sandbox, tmp_path, trouble, status, reason
):
    vault, jobs = Vault(sandbox.token), Jobs(tmp_path / "reports")
    once = RetryPolicy(attempts=1)
    async with RegistryClient(vault, base_url=sandbox.url, retry=once, timeout=60) as client:
        registry = client.registry("example")
        plan = await ended(jobs, "plan", plan_work(registry, POLICY, tmp_path))
        if trouble == "vault":
            vault.is_away = True
        elif trouble == "stopped":
            await sandbox.stop()
        else:
            sandbox.faults = Faults(trouble)
        work = apply_work(client, plan_file(tmp_path, plan.id), caps=CAPS)
        job = await ended(jobs, "apply", work)
    assert (job.status, job.error) == ("failed", "BulkDeleteError: some items were not deleted")
    assert job.progress["report"] == f"8 {status.replace('_', ' ')}"
    assert {note["status"] for note in job.noted} == {status}
    assert all(note["reason"].startswith(reason) for note in job.noted), job.noted
    await jobs.close()
    told = json.dumps([job.document(), job.noted])
    told += (tmp_path / "reports" / f"{job.id}.jsonl").read_text()
    for inside in ("127.0.0.1", "Errno", "vault", "hvs.", "Traceback", str(tmp_path)):
        assert inside not in told


async def test_the_same_request_deletes_what_could_not_be_deleted(sandbox, tmp_path):
    jobs, figures = Jobs(), Figures()
    once = RetryPolicy(attempts=1)
    async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=once) as client:
        registry = client.registry("example")
        plan = await ended(jobs, "plan", plan_work(registry, POLICY, tmp_path))
        work = apply_work(client, plan_file(tmp_path, plan.id), caps=CAPS, figures=figures)
        sandbox.faults = Faults(Fault(kind="status", status=500, method="DELETE", skip=5))
        assert (await ended(jobs, "apply", work)).status == "failed"
        sandbox.faults = Faults()
        for _ in range(2):
            job = await ended(jobs, "apply", work)
            assert (job.status, job.progress["report"]) == ("done", "8 deleted")
    assert sandbox.state.tag_names("example", "web") == ["main"]
    # What the first one had deleted counts once.
    text, _ = figures.metrics()
    assert b'aioregistry_deletes_total{registry="example",result="deleted"} 8.0' in text
    assert b'aioregistry_deletes_total{registry="example",result="unknown"} 3.0' in text


async def test_what_runs_is_asked_as_the_work_begins(sandbox, tmp_path):
    running = ["registry.digitalocean.com/example/web:pr-1"]
    asked = []

    async def now():
        asked.append(len(running))
        return InUse(running)

    jobs = Jobs()
    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        work = plan_work(client.registry("example"), POLICY, tmp_path, in_use=now)
        plan = await ended(jobs, "plan", work)
        work = apply_work(client, plan_file(tmp_path, plan.id), caps=CAPS, in_use=now)
        # The job gets its turn hours after it was asked for.
        running.append("registry.digitalocean.com/example/web:pr-2")
        await ended(jobs, "apply", work)
    assert asked == [1, 2]
    assert sorted(sandbox.state.tag_names("example", "web")) == ["main", "pr-1", "pr-2"]


async def test_a_source_is_asked_by_each_plan_and_apply(sandbox, tmp_path):
    asked = []

    class Source:
        async def __aiter__(self):
            asked.append(self)
            yield "registry.digitalocean.com/example/web:pr-1"

    jobs, source = Jobs(), Source()
    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        work = plan_work(client.registry("example"), POLICY, tmp_path, in_use=source)
        plan = await ended(jobs, "plan", work)
        path = plan_file(tmp_path, plan.id)
        await ended(jobs, "apply", apply_work(client, path, caps=CAPS, in_use=source))
    assert len(asked) == 2
    assert sorted(sandbox.state.tag_names("example", "web")) == ["main", "pr-1"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\0b", "a\n", "é", "x" * 101])
def test_no_name_leads_out_of_the_folder_of_plans(tmp_path, name):
    (tmp_path / "plans").mkdir()
    (tmp_path / "x.json").touch()
    assert plan_file(tmp_path / "plans", name) is None
