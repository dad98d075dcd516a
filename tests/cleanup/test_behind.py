"""Lists that are behind DELETEs show what is gone: only of what was deleted is that believed."""

from aioregistry.cleanup.apply.absence import without_deleted
from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.manifests.inventory import RepositoryInventory
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.records.journal import Journal
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.jobs import names
from tests.cleanup.registries import ago, digest_of
from tests.cleanup.test_absence import Registry


def says_not_found(job, monkeypatch, *digests: str) -> None:
    """Have the registry answer a look for some manifests with a 404 that passes."""
    look = job.contents.current_digest

    async def current_digest(repository: str, reference: str) -> str | None:
        return None if reference in digests else await look(repository, reference)

    monkeypatch.setattr(job.contents, "current_digest", current_digest)


async def test_what_an_earlier_process_kept_holds_its_parts(job, tmp_path, monkeypatch):
    child = job.builder.image()
    index = job.builder.index(children=[child])
    job.builder.image("keep")
    plan = await job.plan()
    items = {item.digest: item for _, item in plan.condemned}
    assert items.keys() == {child, index}
    path = tmp_path / "journal"
    async with Journal(path, plan, resume=False) as journal:
        # As if it had been killed before it wrote down the rest.
        journal.record("web", items[index], "drift", "in use: elsewhere")
    says_not_found(job, monkeypatch, index)
    running = InUse([f"registry.digitalocean.com/example/web@{index}"])
    report = await job.apply(plan, journal=path, resume=True, in_use=running)
    assert report.deleted == ()
    assert names(report.drift) == {child, index}


async def test_what_may_have_been_deleted_holds_its_parts(job, monkeypatch):
    child = job.builder.image()
    index = job.builder.index(children=[child])
    job.builder.image("keep")
    plan = await job.plan()
    fault = Fault(kind="status", status=500, method="DELETE", route="*/digests/*", times=5)
    job.sandbox.faults = Faults(fault)

    def note(outcome) -> None:
        says_not_found(job, monkeypatch, outcome.item.digest)

    report = await job.apply(plan, on_outcome=note)
    assert names(report.unknown) == {index}
    assert names(report.not_attempted) == {child}


async def test_what_was_pushed_again_is_listed():
    listed = [
        ListedManifest(digest_of("same"), (), ago(3)),
        ListedManifest(digest_of("new"), (), ago(1)),
        ListedManifest(digest_of("undated"), (), None),
        ListedManifest(digest_of("other"), (), ago(3)),
    ]
    inventory = RepositoryInventory("web", tuple(listed), uncertain={digest_of("same"): "why"})
    deleted = dict.fromkeys(map(digest_of, ("same", "new", "undated", "else")), ago(3))
    left = await without_deleted(Registry([None, None]), inventory, deleted)
    assert [one.digest for one in left.manifests] == [digest_of("new"), digest_of("other")]
    assert left.uncertain == {}
