"""A registry or a repository that is not there is an error, and nothing gone already."""

import pytest

from aioregistry import NotFoundError, RegistryConnectionError, RegistryTimeoutError
from aioregistry.cleanup.apply.checks import Checks
from aioregistry.cleanup.apply.job import Job
from aioregistry.cleanup.manifests.content import MissingContentError, UnreadableContentError
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.jobs import DELETE_ALL, names
from tests.cleanup.registries import NOW, Builder, digest_of
from tests.conftest import QUICK

NOWHERE = "http://127.0.0.1:9"


def lists(sandbox) -> int:
    return sum("repositoriesV2" in one.raw_path for one in sandbox.requests)


async def test_a_plan_for_a_registry_that_is_not_there_is_refused(job, tmp_path):
    job.builder.image("a")
    plan = await job.plan()
    held = job.sandbox.state.registries.pop("example")
    journal = tmp_path / "plan.journal"
    with pytest.raises(NotFoundError, match=r"no registry 'example'.*nothing was deleted"):
        await job.apply(plan, journal=journal)
    # Another account's, say: it is carried out when the right one is asked.
    job.sandbox.state.registries["example"] = held
    report = await job.apply(plan, journal=journal)
    assert names(report.deleted) == {"a"}


async def test_a_resumed_plan_settles_nothing_in_a_registry_that_is_not_there(job, tmp_path):
    job.builder.image("a")
    Builder(job.sandbox.state, "zzz").image("z")
    plan = await job.plan()
    journal = tmp_path / "plan.journal"
    await job.apply(plan, journal=journal, deadline=0.0)
    held = job.sandbox.state.registries.pop("example")
    with pytest.raises(NotFoundError, match="no registry 'example'"):
        await job.apply(plan, journal=journal, resume=True)
    job.sandbox.state.registries["example"] = held
    report = await job.apply(plan, journal=journal, resume=True)
    assert names(report.deleted) == {"a", "z"}


async def test_a_repository_that_is_not_found_is_looked_for_in_their_list(job):
    for name in ("api", "web", "zzz"):
        Builder(job.sandbox.state, name).image(name)
    plan = await job.plan()
    before = lists(job.sandbox)
    for name in ("api", "web"):
        job.sandbox.state.delete_repository("example", name)
    report = await job.apply(plan)
    assert names(report.absent) == {"api", "web"}
    assert names(report.deleted) == {"zzz"}
    # Once for each of the three: the last tag of the third took its repository along.
    assert lists(job.sandbox) == before + 3


async def test_what_was_found_may_go_with_its_registry(job):
    job.builder.image("a")
    Builder(job.sandbox.state, "zzz").image("z")
    plan = await job.plan()
    before = lists(job.sandbox)

    def vanish(settled):
        job.sandbox.state.registries.pop("example", None)

    report = await job.apply(plan, on_outcome=vanish)
    # Which comes first is left to chance: two processes of one plan begin at different places.
    assert len(report.deleted) == len(report.absent) == 1
    # For what was deleted, no list proves that no image came meanwhile.
    assert len(report.unchecked) == 1
    assert lists(job.sandbox) == before + 2


async def test_where_that_cannot_be_found_out_nothing_is_taken_for_gone(job):
    job.builder.image("a")
    plan = await job.plan()
    job.sandbox.state.delete_repository("example", "web")
    job.sandbox.faults = Faults([Fault(kind="status", status=503, route="*/repositoriesV2")])
    report = await job.apply(plan)
    assert names(report.not_attempted) == {"a"}


async def test_a_repository_that_is_named_must_be_there(job):
    job.builder.image("a")
    with pytest.raises(NotFoundError, match="no repository of 'example': nix, wbe"):
        await make_plan(
            job.registry, DELETE_ALL, job.contents, repositories=["wbe", "web", "nix"], now=NOW
        )


@pytest.fixture
async def elsewhere(client):
    registry = client.registry("example")
    async with Distribution(registry, base_url=NOWHERE, retry=QUICK) as distribution:
        yield distribution


async def test_a_registry_that_was_never_reached_ends_the_plan_and_tells_what_to_do(job, elsewhere):
    for name in ("api", "web", "zzz"):
        Builder(job.sandbox.state, name).image("a")
    with pytest.raises(RegistryConnectionError, match="--registry-url") as refused:
        await make_plan(job.registry, DELETE_ALL, ContentReader(elsewhere), now=NOW)
    assert NOWHERE in str(refused.value)
    assert "ssl" not in str(refused.value)


@pytest.mark.parametrize("error", [RegistryConnectionError, RegistryTimeoutError])
async def test_a_registry_that_was_reached_once_may_fail_for_a_manifest(error):
    class Flaky:
        concurrency = 1

        async def get_manifest(self, repository, digest):
            raise answers.pop(0)

    answers = [NotFoundError("none"), error("lost")]
    reader = ContentReader(Flaky())
    digests = [digest_of("a"), digest_of("b")]
    found = await reader.read("web", digests)
    assert [type(found[digest]) for digest in digests] == [
        MissingContentError,
        UnreadableContentError,
    ]
    answers = [error("lost")]
    with pytest.raises(error):
        await ContentReader(Flaky()).read("web", digests)


def passing(method: str, route: str, times: int = 1, skip: int = 0) -> Fault:
    """Return a 404 that passes."""
    return Fault(kind="status", status=404, method=method, route=route, times=times, skip=skip)


async def test_an_index_whose_delete_meets_a_passing_404_goes_before_what_is_in_it(job):
    child = job.builder.image()
    index = job.builder.index("x", children=[child])
    plan = await job.plan()
    job.sandbox.faults = Faults(passing("DELETE", "*/digests/*"))
    report = await job.apply(plan)
    assert report.done
    assert len(report.deleted) == 2
    sent = [path.rpartition("/")[2].replace("%3A", ":") for path in job.deletes()]
    assert sent == [index, index, child]


async def test_what_is_not_found_by_its_deletes_and_exists_keeps_what_is_in_it(job):
    child = job.builder.image()
    job.builder.index("x", children=[child])
    plan = await job.plan()
    job.sandbox.faults = Faults(passing("DELETE", "*/digests/*", times=2))
    report = await job.apply(plan)
    assert [one.reason for one in report.failed] == [
        "the API answered that it does not exist, and the registry has it"
    ]
    assert [one.item.digest for one in report.not_attempted] == [child]
    assert report.absent == ()


async def test_a_delete_sent_again_that_meets_a_passing_404_is_not_taken_for_done(job):
    child = job.builder.image()
    job.builder.index("x", children=[child])
    plan = await job.plan()
    refused = Fault(kind="status", status=503, method="DELETE", times=1)
    job.sandbox.faults = Faults(refused, passing("DELETE", "*/digests/*", skip=1))
    report = await job.apply(plan)
    assert names(report.unknown) == {"x"}
    assert [one.item.digest for one in report.not_attempted] == [child]


async def test_what_others_delete_right_before_its_delete_is_absent(job, monkeypatch):
    digest = job.builder.image("a")
    job.builder.image("keep")
    plan = await job.plan()
    check = Checks.check

    async def others_delete_it(self, item, batch):
        verdict = await check(self, item, batch)
        job.sandbox.state.delete_manifest("example", "web", digest)
        return verdict

    monkeypatch.setattr(Checks, "check", others_delete_it)
    report = await job.apply(plan)
    assert names(report.absent) == {"a"}
    assert len(job.deletes()) == 1


async def test_a_registry_not_found_after_the_last_delete_leaves_its_repositories_unchecked(job):
    job.builder.image("a")
    job.builder.image("keep")
    plan = await job.plan()

    def outage(_) -> None:
        job.sandbox.faults = Faults(passing("GET", "*", times=9))

    report = await job.apply(plan, on_outcome=outage)
    assert report.unchecked == ("web",)
    assert not report.done


@pytest.mark.parametrize("name", ["a", None])
async def test_a_repository_of_which_the_registry_has_a_part_is_not_gone(job, name, monkeypatch):
    job.builder.image(*[name] if name else [])
    plan = await job.plan()

    async def not_served(repository):
        raise NotFoundError("no list of tags")

    monkeypatch.setattr(job.contents, "list_tags", not_served)

    async def unlisted(*_):
        return False

    monkeypatch.setattr(Job, "repository_exists", unlisted)
    job.sandbox.faults = Faults(passing("GET", "*/digests", times=9))
    report = await job.apply(plan)
    assert report.absent == ()
    assert len(report.not_attempted) == 1


async def test_what_an_index_needs_stays_while_the_registry_does_not_find_the_index(job):
    child = job.builder.image("part")
    index = job.builder.index("x", children=[child])
    job.builder.image("other")
    plan = await job.plan()
    read = job.contents.read

    async def passing_404(repository, digests):
        found = await read(repository, digests)
        return found | {index: MissingContentError("404")} if index in digests else found

    job.contents.read = passing_404
    report = await job.apply(plan)
    assert {index, child} <= {one.item.digest for one in report.not_attempted}
    assert "part" in job.tags()
    assert report.incomplete == ()
