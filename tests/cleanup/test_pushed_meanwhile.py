"""What is pushed or tagged between the last look at an item and its DELETE is reported."""

import pytest

from aioregistry.cleanup.apply.report import Incomplete
from aioregistry.client.repository import RepositoryHandle


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
