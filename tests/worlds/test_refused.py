"""DELETEs whose answers are not what became of them, and what later processes say of that."""

import asyncio
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import web

from aioregistry.cleanup import Delete, DeleteUntagged, Keep, read_archive
from aioregistry.errors import NotFoundError
from tests.worlds.server import _error
from tests.worlds.test_promises import virtual

DAY = timedelta(days=1)
REFUSALS = (400, 409, 412, 422)


def refuse(job, status, *, is_done):
    """Answer each DELETE with a status, whether it is carried out or not."""
    delete = job.world._delete

    def refused(kind: str, name: str) -> web.Response:
        if is_done:
            delete(kind, name)
        return _error(status)

    job.world._delete = refused


@virtual
async def test_what_is_refused_and_deleted_all_the_same_is_deleted_and_archived(job):
    job.push("keep")
    delete = job.world._delete
    for status in REFUSALS:
        job.world._delete = delete
        digest = job.push(f"pr-{status}")
        plan = await job.plan(Keep(tags="keep"), Delete())
        refuse(job, status, is_done=True)
        with TemporaryDirectory() as folder:
            archive, journal = Path(folder, "archive"), Path(folder, "journal")
            report = await job.apply(plan, archive=archive, journal=journal)
            assert str(report) == "1 deleted", status
            assert [(one.digest, one.tags) for one in read_archive(archive)] == [
                (digest, (f"pr-{status}",))
            ]


@virtual
async def test_what_is_refused_and_kept_has_failed_and_is_not_archived(job):
    job.push("keep")
    job.push("pr-1")
    plan = await job.plan(Keep(tags="keep"), Delete())
    refuse(job, 409, is_done=False)
    with TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        report = await job.apply(plan, archive=archive)
        assert str(report) == "1 failed"
        assert report.failed[0].reason.startswith("409")
        assert not list(read_archive(archive))


@virtual
async def test_what_is_refused_and_cannot_be_looked_for_stays_archived(job):
    job.push("keep")
    digest = job.push("pr-1")
    plan = await job.plan(Keep(tags="keep"), Delete())
    refuse(job, 409, is_done=True)
    job.world.registry_outage = lambda: 503 if job.world.deletes else 0
    with TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        report = await job.apply(plan, archive=archive)
        assert [one.item.digest for one in report.failed] == [digest]
        assert "could not be found out" in report.failed[0].reason
        assert [one.digest for one in read_archive(archive)] == [digest]


@virtual
async def test_what_was_sent_is_not_called_unattempted_when_the_lists_fail_after_it(job):
    job.push("keep")
    job.push("pr-1")
    plan = await job.plan(Keep(tags="keep"), Delete())
    sent: list[str] = []

    def denied(kind: str, name: str) -> web.Response:
        sent.append(name)
        return _error(404)

    job.world._delete = denied
    job.world.api_outage = lambda: 500 if sent else 0
    report = await job.apply(plan)
    assert len(sent) == len(report.unknown) == 1


@virtual
async def test_what_was_sent_is_not_called_unattempted_after_the_deadline(job):
    job.push("keep")
    job.push("pr-1")
    plan = await job.plan(Keep(tags="keep"), Delete())
    sent: list[float] = []

    def denied(kind: str, name: str) -> web.Response:
        sent.append(asyncio.get_running_loop().time())
        return _error(404)

    job.world._delete = denied
    now = asyncio.get_running_loop().time
    # The lists that are to decide, after one look, take longer than the time that is left.
    job.world.latency = lambda: 20.0 if sent and now() > sent[0] + 0.025 else 0.01
    report = await job.apply(plan, deadline=10)
    assert len(sent) == 1
    assert [one.reason for one in report.unknown] == ["the deadline has passed"]


@virtual
async def test_an_incomplete_image_is_reported_by_whoever_resumes_until_it_is_whole(job):
    job.push("keep")
    child = job.push()
    manifest = job.world.repository.manifests[child]
    plan = await job.plan(DeleteUntagged(DAY))
    pushed: list[str] = []

    def push() -> None:
        if job.world.deletes and not pushed:
            pushed.append(job.world.push("new", children=(child,)))

    job.world.move = push
    with TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        report = await job.apply(plan, journal=journal)
        assert [one.image for one in report.incomplete] == ["new"]
        # As if it had been killed before it could say so.
        again = await job.apply(plan, journal=journal, resume=True)
        assert again.incomplete == report.incomplete
        job.world.repository.manifests[child] = manifest
        whole = await job.apply(plan, journal=journal, resume=True)
        assert whole.done, whole


@virtual
async def test_a_tag_that_is_lost_is_reported_by_whoever_resumes_until_it_is_set_again(job):
    kept = job.push("keep")
    going = job.push()
    plan = await job.plan(DeleteUntagged(DAY))
    delete = job.world._delete

    def move_before(kind: str, name: str) -> web.Response:
        job.world.tag("keep", going)
        return delete(kind, name)

    job.world._delete = move_before
    with TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        report = await job.apply(plan, journal=journal)
        assert [(one.image, one.missing) for one in report.incomplete] == [("keep", ())]
        again = await job.apply(plan, journal=journal, resume=True)
        assert again.incomplete == report.incomplete
        job.world.tag("keep", kept)
        whole = await job.apply(plan, journal=journal, resume=True)
        assert whole.done, whole


@virtual
async def test_whoever_resumes_without_a_registry_says_that_nothing_more_was_deleted(job):
    job.push("keep")
    job.push("pr-1")
    job.push("pr-2")
    plan = await job.plan(Keep(tags="keep"), Delete())
    job.world.api_outage = lambda: 500 if job.world.deletes else 0
    with TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        report = await job.apply(plan, journal=journal)
        assert report.deleted
        assert not report.done
        job.world.api_outage = lambda: 404
        with pytest.raises(NotFoundError, match="nothing more was deleted"):
            await job.apply(plan, journal=journal, resume=True)


@virtual
async def test_an_untagged_manifest_that_is_deleted_and_answered_with_429_is_deleted(job):
    job.push("keep")
    job.push()
    plan = await job.plan(DeleteUntagged(DAY))
    delete = job.world._delete

    def refuse_once(kind: str, name: str) -> web.Response:
        answer = delete(kind, name)
        return _error(429) if answer.status == 204 else answer

    job.world._delete = refuse_once
    report = await job.apply(plan)
    assert str(report) == "1 deleted"


@virtual
async def test_what_was_answered_with_429_is_not_called_unattempted_when_the_lists_fail(job):
    job.push("keep")
    job.push("pr-1")
    plan = await job.plan(Keep(tags="keep"), Delete())
    delete = job.world._delete

    def refuse_once(kind: str, name: str) -> web.Response:
        delete(kind, name)
        # The next attempt waits for so long that the lists have to be read again.
        return web.json_response({"id": "x"}, status=429, headers={"retry-after": "200"})

    job.world._delete = refuse_once
    job.world.api_outage = lambda: 500 if job.world.deletes else 0
    report = await job.apply(plan)
    assert len(report.unknown) == 1, report


@virtual
async def test_a_tag_that_somebody_deletes_before_its_manifest_is_not_archived(job):
    job.push("keep")
    digest = job.push("pr-1", "pr-2")
    plan = await job.plan(Keep(tags="keep"), Delete())
    with TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        looks: list[str] = []
        current_digest = job.contents.current_digest

        async def untag_before(repository: str, reference: str) -> str | None:
            # After the lists, before the look.
            looks.append(reference)
            job.world.remove_tag("pr-2")
            return await current_digest(repository, reference)

        job.contents.current_digest = untag_before
        report = await job.apply(plan, archive=archive)
        assert str(report) == "1 deleted"
        assert looks
        assert [(one.digest, one.tags) for one in read_archive(archive)] == [(digest, ("pr-1",))]
