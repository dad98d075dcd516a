"""Plans that remember the lists of an earlier run."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from attrs import evolve, frozen

from aioregistry.api.decoding import RawPage
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.listed import ListedTag
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, DeleteOlderThan, KeepNewest
from aioregistry.cleanup.policy.untagged_rules import DeleteOrphaned
from aioregistry.cleanup.records.journal import Journal
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import NOW, Builder
from tests.conftest import QUICK

POLICY = Policy([KeepNewest(2), DeleteOlderThan(timedelta(days=30))])


@pytest.fixture
def memory(tmp_path) -> Iterator[ListMemory]:
    with ListMemory(tmp_path / "lists") as opened:
        yield opened


@pytest.fixture
async def contents(sandbox, client) -> AsyncIterator[ContentReader]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield ContentReader(distribution)


@pytest.fixture
def planned(client, contents, memory):
    async def plan(policy: Policy = POLICY, **more) -> Plan:
        options = {"now": NOW, "memory": memory} | more
        return await make_plan(client.registry("example"), policy, contents, **options)

    return plan


@pytest.fixture
def applied(client, contents, memory):
    async def apply(plan: Plan, **more):
        registry = client.registry("example")
        return await apply_plan(registry, plan, contents, force=True, memory=memory, **more)

    return apply


def fill(sandbox, *repositories: str, images: int = 5) -> None:
    for name in repositories:
        for number in range(images):
            Builder(sandbox.state, name).image(f"{name}{number}", days=100 - number)


def names(plan: Plan) -> list[str]:
    return sorted(tag for _, item in plan.condemned for tag in item.tags)


@pytest.fixture
def listed(sandbox):
    """Returns the repositories that were listed since it was called last, once for each page."""
    seen = 0

    def listed() -> list[str]:
        nonlocal seen
        paths = [one.raw_path.split("?")[0].split("/") for one in sandbox.requests[seen:]]
        seen = len(sandbox.requests)
        return sorted(path[-2] for path in paths if path[-1] in {"digests", "tags"})

    return listed


def point(sandbox, tag: str, at_tag: str) -> None:
    """Set a tag on the manifest of another one, or again on its own."""
    manifest = sandbox.state.registry("example").repository("web").tags[at_tag].manifest
    digest = "sha256:" + manifest.digest.hex()
    sandbox.state.push("example", "web", [tag], digest=digest, at=NOW)


async def test_a_second_plan_lists_nothing_and_is_the_same(sandbox, listed, planned):
    fill(sandbox, "web", "api")
    first = await planned()
    assert listed() == ["api", "api", "web", "web"]
    second = await planned()
    assert listed() == []
    assert [one.recalled is None for one in first.repositories] == [True, True]
    assert [one.recalled is None for one in second.repositories] == [False, False]
    forgotten = tuple(evolve(one, recalled=None) for one in second.repositories)
    assert evolve(second, repositories=forgotten) == first


async def test_only_a_repository_that_has_changed_is_listed(sandbox, listed, planned):
    fill(sandbox, "web", "api")
    await planned()
    listed()
    Builder(sandbox.state, "api").image("new", days=0)
    plan = await planned()
    # The times of the older tags are known, and the new one is too young for any rule.
    assert listed() == ["api"]
    assert names(plan) == ["api0", "api1", "api2", "api3", "web0", "web1", "web2"]


async def test_the_times_of_new_tags_are_read_where_they_are_old_enough_to_matter(
    sandbox, listed, planned
):
    fill(sandbox, "web")
    await planned()
    listed()
    Builder(sandbox.state, "web").image("new", days=31)
    plan = await planned()
    assert listed() == ["web", "web"]
    assert all(repository.recalled is None for repository in plan.repositories)


async def test_a_tag_set_again_is_not_deleted_by_the_time_that_is_remembered(
    sandbox, planned, applied
):
    fill(sandbox, "web")
    await planned()
    Builder(sandbox.state, "web").image("new", days=0)
    point(sandbox, "web0", "web0")
    plan = await planned()
    assert "web0" in names(plan)
    report = await applied(plan)
    assert not report.deleted
    assert not (await applied(await planned())).drift


async def test_a_moved_tag_is_noticed_though_the_counts_are_the_same(sandbox, listed, planned):
    fill(sandbox, "web")
    await planned()
    listed()
    point(sandbox, "web0", "web1")
    plan = await planned()
    assert set(listed()) == {"web"}
    assert all(repository.recalled is None for repository in plan.repositories)


async def test_a_registry_that_cannot_be_asked_proves_nothing(sandbox, listed, planned):
    fill(sandbox, "web")
    await planned()
    listed()
    sandbox.faults = Faults(Fault(kind="status", status=500, method="HEAD"))
    await planned()
    assert set(listed()) == {"web"}


async def test_more_tags_than_it_is_worth_to_look_at_are_listed_afresh(
    sandbox, listed, planned, monkeypatch
):
    monkeypatch.setattr("aioregistry.cleanup.plan.lists._MAX_LOOKS", 5)
    fill(sandbox, "few")
    fill(sandbox, "many", images=6)
    await planned()
    listed()
    before = len(sandbox.requests)
    await planned()
    looks = [one.raw_path for one in sandbox.requests[before:] if one.method == "HEAD"]
    assert len(looks) == 5
    assert all("/few/" in path for path in looks)
    assert listed() == ["many", "many"]


async def test_a_full_look_lists_everything(sandbox, listed, planned):
    fill(sandbox, "web")
    await planned()
    listed()
    await planned(full=True)
    assert listed() == ["web", "web"]


async def test_one_run_in_seven_is_a_full_look(sandbox, listed, planned):
    fill(sandbox, "web")
    looks = []
    for _ in range(8):
        await planned()
        looks.append(bool(listed()))
    assert looks == [True, *[False] * 6, True]


async def test_another_registry_of_the_same_name_is_listed(sandbox, listed, planned):
    fill(sandbox, "web")
    await planned()
    listed()
    registry = sandbox.state.registry("example")
    registry.created_at += 1_000_000
    await planned()
    assert listed() == ["web", "web"]


async def test_a_plan_that_was_interrupted_goes_on(sandbox, listed, planned):
    fill(sandbox, *(f"r{number:02}" for number in range(20)))
    job = asyncio.ensure_future(
        planned(on_progress=lambda at: at.repositories >= 10 and job.cancel())
    )
    await asyncio.gather(job, return_exceptions=True)
    before = listed()
    await planned()
    assert len(set(before)) >= 10
    # Those that were under way are begun again.
    assert len(set(before) & set(listed())) <= 4


async def test_a_long_list_goes_on_at_the_page_where_it_was_interrupted(
    sandbox, listed, planned, client
):
    fill(sandbox, "web", images=45)
    fault = Fault(kind="status", status=500, route="*/digests", skip=2)
    sandbox.faults = Faults(fault)
    plan = await planned()
    assert [left.repository for left in plan.left_alone] == ["web"]
    sandbox.faults = Faults()
    listed()
    await planned()
    assert listed() == ["web"] * 8


async def test_what_is_recalled_is_deleted_when_fresh_lists_show_the_same(
    sandbox, planned, applied
):
    fill(sandbox, "web")
    await planned()
    plan = await planned()
    report = await applied(plan)
    assert len(report.deleted) == 3
    assert report.done


async def test_what_an_apply_has_left_is_not_listed_by_the_next_plan(
    sandbox, listed, planned, applied
):
    # Of what it leaves, more could go by its counts.
    policy = Policy([KeepNewest(1), DeleteOlderThan(timedelta(days=98.5))])
    fill(sandbox, "web")
    await applied(await planned(policy))
    listed()
    plan = await planned(policy)
    assert listed() == []
    assert names(plan) == []
    Builder(sandbox.state, "web").image("new", days=0)
    later = await planned(policy, now=NOW + timedelta(days=1))
    assert listed() == ["web"]
    assert names(later) == ["web2"]
    assert len((await applied(later)).deleted) == 1


async def test_nothing_is_deleted_when_a_kept_tag_was_set_again(sandbox, listed, planned, applied):
    fill(sandbox, "web")
    await planned()
    plan = await planned()
    point(sandbox, "web4", "web4")
    report = await applied(plan)
    assert len(report.drift) == 3
    assert "has changed since the lists were read" in report.drift[0].reason
    # The next plan does not go by it again.
    listed()
    plan = await planned()
    assert set(listed()) == {"web"}
    assert len((await applied(plan)).deleted) == 3


@pytest.mark.parametrize(("state", "deleted"), [("drift", 0), ("begun", 2), ("deleted", 2)])
async def test_a_resumed_process_compares_unless_deletes_were_begun(
    sandbox, planned, applied, tmp_path, state, deleted
):
    fill(sandbox, "web")
    await planned()
    plan = await planned()
    (web,) = plan.repositories
    path = tmp_path / "journal"
    async with Journal(path, plan, resume=False) as journal:
        if state != "drift":
            await journal.begin("web", web.condemned[0])
        if state != "begun":
            journal.record("web", web.condemned[0], state, "")
    if state != "drift":
        sandbox.state.delete_manifest("example", "web", web.condemned[0].digest)
    point(sandbox, "web4", "web4")
    report = await applied(plan, journal=path, resume=True)
    assert len([one for one in report.deleted if one.item != web.condemned[0]]) == deleted


async def test_lines_taken_out_of_a_recalled_plan_are_kept_and_the_rest_is_deleted(
    sandbox, planned, applied
):
    fill(sandbox, "web")
    await planned()
    plan = await planned()
    (web,) = plan.repositories
    plan = evolve(plan, repositories=(evolve(web, condemned=tuple(web.condemned)[1:]),))
    plan = Plan.from_json(plan.to_json())
    assert len((await applied(plan)).deleted) == 2


async def test_orphans_are_deleted_only_by_a_plan_that_has_read_everything(sandbox, planned):
    web = Builder(sandbox.state, "web")
    web.image("a")
    subject = Builder(sandbox.state, "other").image("b")
    sandbox.state.delete_manifest("example", "other", subject)
    web.signature(subject)
    policy = Policy([DeleteOrphaned()], floor=0)
    assert len(names(await planned(policy))) == 1
    assert names(await planned(policy)) == []
    assert len(names(await planned(policy, full=True))) == 1


@frozen
class Mine(Delete):
    """A rule of somebody else's."""


async def test_the_rules_of_others_are_given_fresh_lists(sandbox, listed, planned):
    fill(sandbox, "web")
    policy = Policy([Mine()])
    await planned(policy)
    listed()
    await planned(policy)
    assert listed() == ["web", "web"]


async def test_a_cache_brings_its_memory_with_it(sandbox, listed, client, tmp_path):
    fill(sandbox, "web")
    registry = client.registry("example")
    with ContentCache(tmp_path / "manifests.sqlite") as cache:
        async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
            contents = ContentReader(distribution, cache)
            for _ in range(2):
                await make_plan(registry, POLICY, contents, now=NOW)
            assert listed() == ["web", "web"]
            await make_plan(registry, POLICY, contents, now=NOW, memory=False)
            assert listed() == ["web", "web"]
    assert (tmp_path / "lists-example.sqlite").exists()


async def test_repositories_that_are_gone_are_forgotten(sandbox, planned, memory):
    fill(sandbox, "web", "api")
    await planned()
    sandbox.state.delete_repository("example", "api")
    await planned()
    rows = memory._kept.select("SELECT DISTINCT repository FROM pages")
    assert rows == [("web",)]


async def test_of_a_list_that_is_read_in_a_new_state_no_older_page_is_left(memory):
    page = RawPage((ListedTag("v1", "sha256:" + "a" * 64),), 1, None, None)
    for name, state, count in (("web", "old", 3), ("api", "old", 1), ("web", "new", 2)):
        for number in range(1, count + 1):
            await memory.keep(name, "tags", number, 200, state, page)
        await memory.flush()
    rows = memory._kept.select("SELECT repository, number, state FROM pages ORDER BY 1, 2")
    assert rows == [("api", 1, "old"), ("web", 1, "new"), ("web", 2, "new")]


async def test_a_broken_page_is_read_anew(sandbox, listed, planned, memory):
    fill(sandbox, "web")
    first = await planned()
    memory._kept.write(("UPDATE pages SET page = ?", [(b"nonsense",)]))
    listed()
    assert names(await planned()) == names(first)
    assert listed() == ["web", "web"]


async def test_pages_are_on_disk_while_the_plan_is_still_made(sandbox, planned, memory):
    # What another connection sees has been written, and outlives a process that is killed.
    fill(sandbox, *(f"r{number}" for number in range(8)))
    sandbox.faults = Faults(Fault(kind="delay", seconds=60, skip=4, route="*/tags"))
    seen: set[str] = set()
    job = asyncio.ensure_future(planned())
    with ListMemory(memory.path) as other:
        while len(seen) < 4:
            await asyncio.sleep(0.01)
            rows = other._kept.select("SELECT repository FROM pages WHERE list = 'tags'")
            seen = {name for (name,) in rows}
            assert not job.done()
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


async def test_two_plans_at_once_share_one_memory(sandbox, listed, planned, memory):
    fill(sandbox, "web", "api", "db")
    with ListMemory(memory.path) as other:
        first, second = await asyncio.gather(planned(), planned(memory=other))
        assert names(first) == names(second)
        listed()
        await planned(memory=other)
        assert listed() == []


async def test_a_full_look_that_was_interrupted_continues(sandbox, listed, planned):
    fill(sandbox, *(f"r{number:02}" for number in range(12)))
    for _ in range(7):
        await planned()
    job = asyncio.ensure_future(
        planned(on_progress=lambda at: at.repositories >= 6 and job.cancel())
    )
    listed()
    await asyncio.gather(job, return_exceptions=True)
    assert len(set(listed())) >= 6
    await planned()
    assert len(set(listed())) <= 6
    await planned()
    assert listed() == []


async def test_one_token_serves_all_repositories_of_a_plan(sandbox, planned):
    fill(sandbox, *(f"r{number:02}" for number in range(12)))
    await planned()
    paths = [one.raw_path for one in sandbox.requests]
    assert len([path for path in paths if "/registry/auth" in path]) == 1
