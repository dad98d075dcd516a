"""What is pushed or tagged between the last look at an item and its DELETE is reported."""

import pytest

from aioregistry.cleanup.records.report import Incomplete
from aioregistry.client.repository import RepositoryHandle
from aioregistry.sandbox.state.names import digest_bytes
from tests.cleanup.jobs import names


@pytest.fixture
def unseen(monkeypatch):
    """Let something happen right before the DELETEs, when nothing is looked at any more."""

    def happens(what) -> None:
        send = RepositoryHandle.delete_manifests

        async def delete_manifests(handle, *arguments, **options):
            what()
            return await send(handle, *arguments, **{**options, "check": None})

        monkeypatch.setattr(RepositoryHandle, "delete_manifests", delete_manifests)

    return happens


async def test_an_image_that_lacks_a_part_is_named(job, unseen):
    child = job.builder.image()
    job.builder.image("keep")
    unseen(lambda: job.builder.index("keep", children=[child], days=0))
    report = await job.apply(await job.plan())
    assert report.incomplete == (Incomplete("web", "keep", (child,)),)
    assert str(report.incomplete[0]) == f"web:keep: lacks {child}"


async def test_an_image_whose_part_was_pushed_again_is_whole(job):
    child = job.builder.image()
    job.builder.image("keep")
    held = job.sandbox.state.registry("example").repository("web")
    manifest = held.manifests[digest_bytes(child)]

    def push(outcome) -> None:
        assert outcome.item.digest == child
        held.add(manifest)
        job.builder.index("new", children=[child], days=0)

    report = await job.apply(await job.plan(), on_outcome=push)
    assert len(report.deleted) == 1
    assert report.done, report


async def test_a_part_of_a_new_image_that_was_kept_is_not_missed_after_a_resume(job, tmp_path):
    child = job.builder.image()
    for tag in ("keep", "old", "older"):
        job.builder.image(tag)
    plan = await job.plan()
    job.builder.index("keep-new", children=[child], days=0)
    journal = tmp_path / "journal"
    first = await job.apply(plan, journal=journal)
    assert names(first.drift) == {child}
    # As if it had been killed before its last DELETE.
    left = [line for line in journal.read_text().splitlines(keepends=True) if child in line]
    head, *_ = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([head, *left]))
    report = await job.apply(plan, journal=journal, resume=True)
    assert names(report.drift) == {child}
    assert report.done, report


async def test_a_tag_that_went_with_a_manifest_is_named(job, unseen):
    job.builder.image("old")
    job.builder.image("keep")
    repository = job.sandbox.state.registry("example").repository("web")
    old = repository.tags["old"]
    unseen(lambda: repository.point("keep", old.manifest, old.at))
    report = await job.apply(await job.plan())
    assert job.tags() == set()
    assert not report.done
    assert report.incomplete == (Incomplete("web", "keep", ()),)
    assert "the tag no longer exists" in str(report.incomplete[0])


async def test_a_tag_that_went_with_a_manifest_of_somebody_else_is_not(job, unseen):
    job.builder.image("old")
    kept = job.builder.image("keep")
    job.builder.image("keep-other")
    unseen(lambda: job.sandbox.state.delete_manifest("example", "web", kept))
    report = await job.apply(await job.plan())
    assert report.done
