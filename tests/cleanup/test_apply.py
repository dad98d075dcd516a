"""Plans carried out on a sandbox: what moved stays, and dying at any point does no harm."""

import asyncio
import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import (
    ClientClosedError,
    Progress,
    RegistryClient,
)
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError, Caps
from aioregistry.cleanup.manifests.content import MissingContentError, UnreadableContentError
from aioregistry.cleanup.plan.items import Condemned
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, DeleteOlderThan, Keep, KeepNewest
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged
from aioregistry.cleanup.records.journal import JournalError
from aioregistry.cleanup.records.report import ItemOutcome
from aioregistry.sandbox import Fault, Faults, Sandbox, State
from aioregistry.sandbox.state.collection import collect
from tests.cleanup.jobs import Job, names
from tests.cleanup.registries import NOW, digest_of, random_registry
from tests.cleanup.sources import StateContents
from tests.conftest import QUICK, push_tags
from tests.drawing import draws


async def test_a_plan_is_carried_out(job):
    job.builder.image("a", "b")
    job.builder.image("keep", "c")
    untagged = job.builder.image()
    report = await job.apply(await job.plan())
    assert names(report.deleted) == {"a", "c", untagged}
    assert job.tags() == {"keep"}
    assert len(job.deletes()) == 3
    assert report.done
    assert str(report) == "3 deleted"


async def test_an_empty_plan_sends_nothing(job):
    job.builder.image("keep")
    plan = await job.plan()
    before = job.sandbox.request_count
    report = await job.apply(plan)
    assert job.sandbox.request_count == before
    assert str(report) == "nothing to do"


async def test_it_takes_the_requests_that_the_plan_says(job):
    push_tags(job.sandbox.state, 30, "web")
    plan = await job.plan(Policy([KeepNewest(5), Delete()]))
    before = len([one for one in job.sandbox.requests if one.token_ok])
    await job.apply(plan)
    paths = [one for one in job.sandbox.requests if one.token_ok][before:]
    api = [one for one in paths if not one.raw_path.startswith("/v2/example")]
    # The client of the tests reads pages of ten: of 30 manifests and 30 tags.
    assert len(api) == plan.requests + 2 + 2


async def test_what_moved_after_a_delete_without_an_answer_is_unknown_and_not_left_alone(
    job, monkeypatch
):
    job.builder.image("a")
    job.builder.image("keep")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="lost", method="DELETE", times=1))
    looks = [plan.repositories[0].condemned[0].digest, f"sha256:{'f' * 64}"]
    look = job.contents.current_digest

    async def current_digest(repository: str, reference: str) -> str | None:
        here = reference == "a" and looks
        return looks.pop(0) if here else await look(repository, reference)

    monkeypatch.setattr(job.contents, "current_digest", current_digest)
    report = await job.apply(plan)
    assert (str(report), job.tags()) == ("1 unknown", {"keep"})
    assert "moved" in report.unknown[0].reason


async def test_parents_go_before_children(job):
    image = job.builder.image()
    nested = job.builder.index(children=[image])
    index = job.builder.index("x", children=[nested])
    job.builder.image("keep")
    await job.apply(await job.plan())
    order = [path.rpartition("/")[2].replace("%3A", ":") for path in job.deletes()]
    assert order == [index, nested, image]


async def test_what_got_a_tag_since_the_plan_is_left_alone(job):
    digest = job.builder.image("a")
    job.builder.image("b")
    plan = await job.plan()
    tag_again(job, digest, "new")
    report = await job.apply(plan)
    assert names(report.drift) == {"a"}
    assert report.drift[0].reason == "it got the tag new"
    assert job.tags() == {"a", "new"}


def tag_again(job: Job, digest: str, tag: str) -> None:
    """Put a tag on a manifest, and change nothing else."""
    repository = job.sandbox.state.registry("example").repository("web")
    manifest = repository.find(digest)
    repository.point(tag, manifest, manifest.at)


async def test_a_tag_that_moved_since_the_plan_is_left_alone(job):
    job.builder.image("a", "keep")
    plan = await job.plan()
    job.builder.image("a", days=1)
    report = await job.apply(plan)
    assert names(report.drift) == {"a"}
    assert "a" in job.tags()


async def test_a_tag_that_moves_between_the_listing_and_the_delete_is_left_alone(job):
    job.builder.image("a", "keep")
    plan = await job.plan()
    contents = Moving(job.contents, lambda: job.builder.image("a", days=1))
    report = await apply_plan(job.registry, plan, contents, force=True)
    assert report.drift[0].reason.startswith("the tag a moved to sha256:")
    assert job.deletes() == []


class Moving:
    """Contents, with something that happens right before the first look at a tag."""

    registry_url = None

    def __init__(self, contents, happens) -> None:
        self._contents = contents
        self._happens = happens

    async def read(self, *given):
        return await self._contents.read(*given)

    async def list_tags(self, repository):
        return await self._contents.list_tags(repository)

    async def current_digest(self, repository: str, tag: str) -> str | None:
        happens, self._happens = self._happens, lambda: None
        happens()
        return await self._contents.current_digest(repository, tag)


async def test_a_tag_that_goes_between_the_listing_and_the_delete_costs_no_request(job):
    job.builder.image("a", "keep")
    plan = await job.plan()
    gone = Moving(job.contents, lambda: job.sandbox.state.delete_tag("example", "web", "a"))
    report = await apply_plan(job.registry, plan, gone, force=True)
    assert names(report.absent) == {"a"}
    assert job.deletes() == []


async def test_what_came_into_use_since_the_plan_is_left_alone(job):
    job.builder.image("a")
    job.builder.image("b")
    report = await job.apply(await job.plan(), in_use=["example/web:a"])
    assert names(report.drift) == {"a"}
    assert job.tags() == {"a"}


async def test_what_came_into_use_since_is_left_alone_by_its_config_as_well(job):
    job.builder.image("a", blobs=[(digest_of("config of a"), 20), (digest_of("layer"), 300)])
    job.builder.image("b")
    report = await job.apply(await job.plan(), in_use=[digest_of("config of a")])
    assert names(report.drift) == {"a"}
    assert job.tags() == {"a"}


async def test_an_index_that_holds_what_runs_by_an_index_that_is_kept_stays(job):
    running = job.builder.image("keep")
    inner = job.builder.index("keep-inner", children=[running])
    job.builder.index("outer", children=[inner])
    job.builder.index("other", children=[job.builder.image("keep-other")])
    report = await job.apply(await job.plan(), in_use=[f"example/web@{running}"])
    assert names(report.drift) == {"outer"}
    assert names(report.deleted) == {"other"}


@pytest.mark.parametrize("error", [UnreadableContentError, MissingContentError])
async def test_what_a_kept_index_that_cannot_be_read_may_hold_stays_while_anything_runs(job, error):
    inner = job.builder.index("keep-inner", children=[job.builder.image("keep")])
    job.builder.index("outer", children=[inner])
    plan = await job.plan()
    read = job.contents.read

    async def all_but_one(repository, digests):
        found = await read(repository, digests)
        return found | {one: error("no") for one in found if one == inner}

    job.contents.read = all_but_one
    report = await job.apply(plan, in_use=["example/web:keep"])
    assert names(report.not_attempted) == {"outer"}


async def test_what_a_new_index_needs_is_left_alone(job):
    child = job.builder.image("a")
    plan = await job.plan()
    job.builder.index("new", children=[child])
    report = await job.apply(plan)
    assert names(report.drift) == {"a"}


async def test_what_is_gone_already_is_told(job):
    digest = job.builder.image("a")
    job.builder.image("b")
    plan = await job.plan()
    job.sandbox.state.delete_manifest("example", "web", digest)
    report = await job.apply(plan)
    assert names(report.absent) == {"a"}
    assert names(report.deleted) == {"b"}


async def test_a_repository_that_is_gone_has_nothing_left_to_delete(job):
    job.builder.image("a")
    plan = await job.plan()
    job.sandbox.state.delete_repository("example", "web")
    report = await job.apply(plan)
    assert names(report.absent) == {"a"}


async def test_an_outage_of_the_registry_deletes_nothing(job):
    job.builder.image("a")
    job.builder.image()
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=503, route="/v2/{registry}/*"))
    report = await job.apply(plan)
    assert len(report.not_attempted) == 2
    assert job.deletes() == []


async def test_what_cannot_be_read_may_need_anything(job):
    job.builder.image("a")
    plan = await job.plan()
    job.builder.image("new", days=0)
    job.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/manifests/*"))
    report = await job.apply(plan)
    assert names(report.not_attempted) == {"a"}
    assert "could not be read, and might need" in report.not_attempted[0].reason
    assert job.deletes() == []


async def test_what_could_not_be_deleted_keeps_what_it_needs(job):
    image = job.builder.image()
    index = job.builder.index("x", children=[image])
    job.builder.image("y")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=1))
    report = await job.apply(plan)
    if names(report.failed) == {"x"}:
        assert names(report.not_attempted) == {image}
        assert job.sandbox.state.registry("example").repository("web").find(index)
    assert not report.done
    assert len(report.failed) == 1


async def test_a_token_that_is_refused_ends_it_and_loses_nothing(job):
    push_tags(job.sandbox.state, 5, "web", "w")
    push_tags(job.sandbox.state, 5, "api", "a")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=401, method="DELETE"))
    report = await job.apply(plan)
    assert len(report.failed) + len(report.not_attempted) == 10
    assert len(job.deletes()) <= 16


async def test_a_listing_that_fails_leaves_the_repository_alone(job):
    push_tags(job.sandbox.state, 3, "web")
    push_tags(job.sandbox.state, 3, "api")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/digests", times=1))
    report = await job.apply(plan)
    assert len(report.not_attempted) == 3
    assert len(report.deleted) == 3


async def test_a_closed_client_is_an_error(job):
    job.builder.image("a")
    plan = await job.plan()
    client = RegistryClient("token", base_url=job.sandbox.url)
    with pytest.raises(ClientClosedError):
        await apply_plan(client.registry("example"), plan, job.contents, force=True)


async def test_many_are_listed_again_on_the_way(job):
    push_tags(job.sandbox.state, 250, "web")
    plan = await job.plan()
    report = await job.apply(plan)
    assert len(report.deleted) == 250
    assert job.tags() == set()


async def test_what_is_pushed_on_the_way_is_seen_by_the_next_listing(job):
    push_tags(job.sandbox.state, 200, "web")
    plan = await job.plan()
    last = [item for _, item in plan.condemned][-1]
    settled: list[ItemOutcome] = []

    def tell(one: ItemOutcome) -> None:
        settled.append(one)
        if len(settled) == 50:
            job.builder.index("new", children=[last.digest])

    report = await job.apply(plan, on_outcome=tell)
    assert [one.item for one in report.drift] == [last]
    assert len(report.deleted) == 199


async def test_a_plan_over_its_caps_is_refused_before_anything_is_sent(job):
    push_tags(job.sandbox.state, 4, "web")
    plan = await job.plan(Policy([KeepNewest(1), Delete()]))
    before = job.sandbox.request_count
    with pytest.raises(CapExceededError, match="more than 50% of the tags would be deleted in web"):
        await job.apply(plan, force=False)
    for force in (True, False):
        with pytest.raises(CapExceededError, match="has 3 DELETEs, and 2 are allowed"):
            await job.apply(plan, force=force, caps=Caps(max_deletes=2))
    assert job.sandbox.request_count == before


async def test_half_of_the_tags_may_go(job):
    push_tags(job.sandbox.state, 4, "web")
    plan = await job.plan(Policy([KeepNewest(2), Delete()]))
    assert len((await job.apply(plan, force=False)).deleted) == 2


async def test_a_cap_may_be_set(job):
    push_tags(job.sandbox.state, 4, "web")
    plan = await job.plan(Policy([KeepNewest(1), Delete()]))
    assert (await job.apply(plan, force=False, caps=Caps(max_fraction=0.75))).done


async def test_signatures_do_not_count_in_the_caps(job):
    images = [job.builder.image(f"v{number}", days=number + 1) for number in range(4)]
    for image in images:
        job.builder.signature(image)
    plan = await job.plan(Policy([KeepNewest(2), Delete()]))
    assert len((await job.apply(plan, force=False)).deleted) == 4


@pytest.mark.parametrize(
    "options",
    [{"max_fraction": 2}, {"max_fraction": "all"}, {"max_deletes": -1}, {"max_deletes": 1.5}],
)
def test_caps_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="max_"):
        Caps(**options)


async def test_after_the_deadline_nothing_is_begun(job):
    push_tags(job.sandbox.state, 150, "web")
    plan = await job.plan()
    job.sandbox.latency = 0.02
    report = await job.apply(plan, deadline=0.1)
    assert report.not_attempted
    assert report.not_attempted[0].reason.startswith("the deadline has passed")
    assert len(job.tags()) == len(report.not_attempted)


async def test_a_plan_for_another_registry_is_refused(job, client):
    plan = await job.plan()
    with pytest.raises(ValueError, match="the plan is for 'example'"):
        await apply_plan(client.registry("other"), plan, job.contents)


async def test_to_resume_takes_a_journal(job):
    with pytest.raises(ValueError, match="resume needs the journal"):
        await job.apply(await job.plan(), resume=True)


async def test_progress_is_told_with_the_time_that_is_left(job):
    push_tags(job.sandbox.state, 20, "web")
    told: list[Progress] = []
    await job.apply(await job.plan(), on_progress=told.append)
    assert (told[-1].done, told[-1].total, told[-1].seconds_left) == (20, 20, 0)


async def test_a_resumed_journal_repeats_nothing(job, tmp_path):
    push_tags(job.sandbox.state, 5, "web")
    plan = await job.plan()
    journal = tmp_path / "journal"
    first = await job.apply(plan, journal=journal)
    with pytest.raises(JournalError, match="resume it"):
        await job.apply(plan, journal=journal)
    before = job.sandbox.request_count
    assert await job.apply(plan, journal=journal, resume=True) == first
    assert job.sandbox.request_count == before


async def test_what_failed_is_tried_again_when_resumed(job, tmp_path):
    push_tags(job.sandbox.state, 5, "web")
    plan = await job.plan()
    job.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=2))
    first = await job.apply(plan, journal=tmp_path / "journal")
    assert len(first.failed) == 2
    second = await job.apply(plan, journal=tmp_path / "journal", resume=True)
    assert len(second.deleted) == 5
    assert len(job.deletes()) == 7


async def test_a_journal_that_cannot_be_written_keeps_everything(job, tmp_path, monkeypatch):
    push_tags(job.sandbox.state, 5, "web")
    plan = await job.plan()

    async def full(*_: object) -> None:
        raise JournalError("no space left")

    monkeypatch.setattr("aioregistry.cleanup.records.journal.Journal.begin", full)
    report = await job.apply(plan, journal=tmp_path / "journal")
    assert len(report.not_attempted) == 5
    assert job.deletes() == []


@pytest.mark.slow(2)
async def test_killed_processes_can_be_resumed(job, tmp_path):
    """Real processes, each killed at another point, until one gets to the end."""
    images = [job.builder.image(days=90) for _ in range(8)]
    job.builder.index("x", children=images[:4])
    job.builder.index("keep", children=images[4:])
    push_tags(job.sandbox.state, 30, "web")
    plan = await job.plan()
    plan.save(tmp_path / "plan.json")
    job.sandbox.latency = 0.01
    arguments = [job.sandbox.url, job.sandbox.token, tmp_path / "plan.json", tmp_path / "journal"]
    for kill_after in (0, 1, 2, 7, 15, 10_000):
        target = len(job.deletes()) + kill_after
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.cleanup.applying", *map(str, arguments)
        )
        while process.returncode is None and len(job.deletes()) < target:
            await asyncio.sleep(0.001)
        if kill_after < 10_000:
            process.kill()
        await process.wait()
    assert process.returncode == 0
    assert job.tags() == {"keep"}
    # What was under way when a process died is the only thing that may be sent twice.
    repeated = len(job.deletes()) - len(set(job.deletes()))
    assert repeated <= 4 * 5
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    done = [line["name"] for line in lines if line.get("state") in {"deleted", "absent"}]
    assert len(done) == len(set(done)) == len(list(plan.condemned))


POLICIES = [
    Policy([KeepNewest(2), DeleteOlderThan(timedelta(days=10)), DeleteUntagged()]),
    Policy([Delete(tags="t*"), DeleteUntagged(timedelta(days=30))], floor=0),
    Policy([KeepNewest(1), Delete(including_protected=True), DeleteUntagged(timedelta())], floor=0),
    Policy([Keep(tags="*-1"), Delete()], floor=3),
]


def snapshot(state: State) -> dict[str, dict[str, set[str]]]:
    """What is there: digests with tags, by repository."""
    registry = state.registry("example")
    found: dict[str, dict[str, set[str]]] = {}
    for name, repository in registry.repositories.items():
        found[name] = {}
        for manifest in repository.manifests.values():
            found[name]["sha256:" + manifest.digest.hex()] = set()
        for tag in state.tag_names("example", name):
            found[name]["sha256:" + repository.find(tag).digest.hex()].add(tag)
    return found


async def what_is_needed(state: State, contents: StateContents, kept: dict) -> dict[str, set[str]]:
    """The manifests that kept tags need, by a plain walk over the contents."""
    needed: dict[str, set[str]] = {}
    for name, manifests in snapshot(state).items():
        said = await contents.read(name, manifests)
        waiting = [digest for digest, tags in manifests.items() if tags & kept[name]]
        found: set[str] = set()
        while waiting:
            digest = waiting.pop()
            if digest in found:
                continue
            found.add(digest)
            waiting += [child for child in said[digest].children if child in manifests]
            waiting += [one for one, content in said.items() if content.subject == digest]
            signature = digest.replace(":", "-")
            waiting += [
                one for one, tags in manifests.items() if any(t.startswith(signature) for t in tags)
            ]
        needed[name] = found
    return needed


async def clean_up(seed: int, policy: Policy, kill_at: float | None) -> None:
    state = random_registry(Random(seed))
    contents = StateContents(state)
    async with Sandbox(state) as sandbox:
        async with RegistryClient(
            sandbox.token, base_url=sandbox.url, rate_limit=None, retry=QUICK
        ) as client:
            registry = client.registry("example")
            plan = await make_plan(registry, policy, contents, now=NOW)
            condemned = {name: set() for name in state.registry("example").repositories}
            for name, item in plan.condemned:
                condemned[name] |= {*item.tags}
            before = snapshot(state)
            kept = {
                name: set().union(*manifests.values()) - condemned[name]
                for name, manifests in before.items()
            }
            needed = await what_is_needed(state, contents, kept)
            going = {item.digest for _, item in plan.condemned if item.delete == "manifest"}
            with TemporaryDirectory() as folder:
                journal = Path(folder, "journal")
                if kill_at is not None:
                    journal = await begin_and_die(registry, plan, contents, journal, kill_at)
                report = await apply_plan(
                    registry, plan, contents, journal=journal, resume=True, force=True
                )
        assert report.done
        assert not report.drift
        after = snapshot(state)
        for name, manifests in after.items():
            assert needed[name] <= set(manifests)
            assert set().union(*manifests.values(), set()) == kept[name]
            assert set(manifests) == set(before[name]) - going
        # The estimate is what the garbage collector frees, to the byte.
        _, freed = collect(state.registry("example"), "unreferenced blobs only", state.now())
        assert freed == plan.frees.bytes


async def begin_and_die(registry, plan, contents, journal: Path, kill_at: float) -> Path:
    """Apply a plan up to some look, and leave the journal as a killed process would."""
    looks = sum(len(item.tags) for _, item in plan.condemned)
    left = journal.with_name("left")

    def die() -> None:
        if contents.looks > kill_at * looks and not left.exists():
            if journal.exists():
                shutil.copy(journal, left)
            applying.cancel()

    contents.on_look = die
    applying = asyncio.ensure_future(
        apply_plan(registry, plan, contents, journal=journal, force=True)
    )
    await asyncio.wait([applying])
    contents.on_look = lambda: None
    return left if left.exists() else journal


@pytest.mark.slow(2)
@pytest.mark.parametrize("count", [50, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_random_registries_keep_what_the_policy_keeps_and_what_that_needs(count):
    @draws(count)
    @given(
        st.integers(0, 10**9),
        st.sampled_from(POLICIES),
        st.none() | st.floats(0, 1),
    )
    def check(seed, policy, kill_at):
        asyncio.run(clean_up(seed, policy, kill_at))

    check()


async def test_a_manifest_that_was_added_to_a_plan_by_hand_stays_where_a_kept_index_needs_it(job):
    job.builder.image("old")
    child = job.builder.image()
    job.builder.index("keep", children=[child])
    plan = await job.plan()
    (repository,) = plan.repositories
    added = Condemned(delete="manifest", digest=child)
    edited = evolve(repository, condemned=(*repository.condemned, added))
    report = await job.apply(evolve(plan, repositories=(edited,)))
    assert names(report.deleted) == {"old"}
    assert names(report.drift) == {child}
