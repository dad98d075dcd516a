"""What the process that resumes makes of what the one before it wrote down."""

import json

import pytest

from aioregistry.cleanup.records.journal import Journal
from aioregistry.cleanup.records.report import Incomplete
from aioregistry.sandbox import Fault, Faults, State
from tests.cleanup.jobs import Job, names
from tests.cleanup.sources import StateContents
from tests.conftest import push_tags


@pytest.fixture
def job(sandbox, client) -> Job:
    return Job(sandbox, client, StateContents(sandbox.state))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def remove(job: Job, plan, what: str) -> None:
    """Take away what a plan condemns: the manifest, or its whole repository."""
    if what == "repository":
        job.sandbox.state.delete_repository("example", "web")
    else:
        ((_, item),) = plan.condemned
        job.sandbox.state.delete_manifest("example", "web", item.digest)


@pytest.mark.parametrize("what", ["manifest", "repository"])
@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([], "absent"),
        (["begun"], "deleted"),
        (["begun", "unknown"], "deleted"),
        (["begun", "failed"], "absent"),
        (["not_attempted"], "absent"),
    ],
)
async def test_what_was_begun_and_is_gone_was_deleted(job, path, what, before, now):
    job.builder.image("a")
    plan = await job.plan()
    ((_, item),) = plan.condemned
    async with Journal(path, plan, resume=False) as journal:
        for state in before:
            if state == "begun":
                await journal.begin("web", item)
            else:
                journal.record("web", item, state, "")
    remove(job, plan, what)
    report = await job.apply(plan, journal=path, resume=True)
    assert names(getattr(report, now)) == {"a"}


@pytest.mark.parametrize("deadline", [0.0, None])
async def test_what_was_begun_stays_unknown_while_nobody_can_look(job, path, deadline):
    job.builder.image("a")
    job.builder.image("b")
    plan = await job.plan()
    begun = next(item for _, item in plan.condemned if item.tags == ("a",))
    async with Journal(path, plan, resume=False) as journal:
        await journal.begin("web", begun)
    job.sandbox.state.delete_manifest("example", "web", begun.digest)
    if deadline is None:
        job.sandbox.faults = Faults([Fault(kind="status", status=403, route="*/digests")])
    report = await job.apply(plan, journal=path, resume=True, deadline=deadline)
    assert (names(report.unknown), names(report.not_attempted)) == ({"a"}, {"b"})
    job.sandbox.faults = Faults()
    report = await job.apply(plan, journal=path, resume=True)
    assert (names(report.deleted), report.absent) == ({"a", "b"}, ())


@pytest.mark.parametrize("deadline", [0.0, None])
async def test_what_was_sent_and_did_not_exist_is_unknown_while_nobody_can_look(
    job, path, deadline
):
    job.builder.image("a")
    plan = await job.plan()
    ((_, item),) = plan.condemned
    async with Journal(path, plan, resume=False) as journal:
        await journal.begin("web", item)
        journal.record("web", item, "absent", "")
    job.sandbox.state.delete_manifest("example", "web", item.digest)
    if deadline is None:
        job.sandbox.faults = Faults([Fault(kind="status", status=403, route="*/digests")])
    report = await job.apply(plan, journal=path, resume=True, deadline=deadline)
    assert (names(report.unknown), report.not_attempted) == ({"a"}, ())


async def test_what_was_begun_in_another_repository_is_something_else(job, path):
    job.builder.image("a")
    plan = await job.plan()
    ((_, item),) = plan.condemned
    async with Journal(path, plan, resume=False) as journal:
        await journal.begin("api", item)
    remove(job, plan, "manifest")
    assert names((await job.apply(plan, journal=path, resume=True)).absent) == {"a"}


@pytest.mark.parametrize("state", ["deleted", "drift"])
async def test_what_was_settled_for_good_is_told_again_with_its_reason(job, path, state):
    push_tags(job.sandbox.state, 2, "web")
    plan = await job.plan()
    (_, item), (_, other) = plan.condemned
    async with Journal(path, plan, resume=False) as journal:
        journal.record("web", item, state, "the reason")
        journal.record("web", other, state, "")
        journal.record_checked("web")
    before = job.sandbox.request_count
    told: list[object] = []
    report = await job.apply(plan, journal=path, resume=True, on_outcome=told.append)
    assert [(one.item, one.reason) for one in getattr(report, state)] == [
        (item, "the reason"),
        (other, ""),
    ]
    assert tuple(told) == getattr(report, state)
    assert job.sandbox.request_count == before


@pytest.mark.parametrize("state", ["failed", "unknown", "not_attempted", "absent"])
async def test_what_is_left_is_tried_again(job, path, state):
    job.builder.image("a")
    plan = await job.plan()
    ((_, item),) = plan.condemned
    async with Journal(path, plan, resume=False) as journal:
        journal.record("web", item, state, "the reason")
    report = await job.apply(plan, journal=path, resume=True)
    assert [(one.item, one.reason) for one in report.deleted] == [(item, "")]


async def test_all_is_written_down_before_and_after(job, path):
    job.builder.image("a", "keep")
    gone = job.builder.image("b")
    job.builder.image("c")
    plan = await job.plan()
    job.sandbox.state.delete_manifest("example", "web", gone)
    job.sandbox.faults = Faults(
        Fault(kind="status", status=403, method="DELETE", route="*/tags/*"),
    )
    report = await job.apply(plan, journal=path)
    lines = [json.loads(line) for line in path.read_text().splitlines()][1:]
    assert {line["repository"] for line in lines} == {"web"}
    states: dict[str, list[str]] = {}
    for line in lines:
        states.setdefault(line["name"], []).append(line["state"])
    (deleted,) = report.deleted
    assert states == {
        "a": ["begun", "failed"],
        gone: ["absent"],
        deleted.item.digest: ["begun", "deleted"],
        "": ["checked"],
    }
    (reason,) = [line["reason"] for line in lines if line["state"] == "failed"]
    assert reason == report.failed[0].reason


async def test_it_is_begun_before_it_is_deleted(job, path, monkeypatch):
    job.builder.image("a")
    plan = await job.plan()
    seen: list[str] = []
    delete = State.delete_manifest

    def note(*given: object) -> object:
        seen.append(path.read_text().splitlines()[-1])
        return delete(*given)

    monkeypatch.setattr(State, "delete_manifest", note)
    await job.apply(plan, journal=path)
    assert [json.loads(line)["state"] for line in seen] == ["begun"]


async def test_what_it_takes_to_resume_is_told(job):
    with pytest.raises(ValueError, match="resume") as caught:
        await job.apply(await job.plan(), resume=True)
    assert str(caught.value) == ("resume needs the journal of the process that was interrupted")


async def test_a_process_that_was_killed_before_its_last_look_has_it_done_by_the_next(job, path):
    child = job.builder.image("old")
    job.builder.image("keep")
    plan = await job.plan()
    async with Journal(path, plan, resume=False) as journal:
        ((_, item),) = plan.condemned
        await journal.begin("web", item)
        journal.record("web", item, "deleted", "")
    job.builder.index("keep", children=[child], days=0)
    remove(job, plan, "manifest")
    report = await job.apply(plan, journal=path, resume=True)
    assert [one.item for one in report.deleted] == [item]
    assert report.incomplete == (Incomplete("web", "keep", (child,)),)
    # It is, until it is whole.
    assert (await job.apply(plan, journal=path, resume=True)).incomplete == report.incomplete
    lines = [json.loads(line)["state"] for line in path.read_text().splitlines()[1:]]
    assert lines == ["begun", "deleted"]


async def test_a_report_of_two_processes_says_what_the_first_one_found(job, path):
    job.builder.image("old")
    plan = await job.plan()
    first = await job.apply(plan, journal=path)
    before = job.sandbox.request_count
    assert await job.apply(plan, journal=path, resume=True) == first
    assert job.sandbox.request_count == before
