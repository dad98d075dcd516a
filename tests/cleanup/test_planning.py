"""Plans made of a whole registry, over real sockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from types import SimpleNamespace

import pytest
from attrs import astuple, evolve

from aioregistry import AuthenticationError, PartialListingError, RegistryError, ServerError
from aioregistry.cleanup.manifests.content import MissingContentError, UnreadableContentError
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan import explain, make, planner
from aioregistry.cleanup.plan.explain import explain_tag
from aioregistry.cleanup.plan.items import Kept, LeftAlone
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.patterns import Glob
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.policy.rules import Delete, DeleteOlderThan, Keep, KeepNewest
from aioregistry.cleanup.policy.untagged_rules import DeleteUntagged, KeepNewestUntagged
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Fault, Faults
from aioregistry.session import session
from tests.cleanup.registries import NOW, Builder, digest_of
from tests.cleanup.sources import StateContents
from tests.conftest import QUICK

POLICY = Policy([KeepNewest(2), DeleteOlderThan(timedelta(days=30)), DeleteUntagged()])


@pytest.fixture
async def contents(sandbox, client) -> AsyncIterator[ContentReader]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield ContentReader(distribution)


@pytest.fixture
def planned(client, contents):
    async def plan(policy: Policy = POLICY, **more) -> Plan:
        return await make_plan(client.registry("example"), policy, contents, **{"now": NOW} | more)

    return plan


def names(plan: Plan) -> list[str]:
    return [item.tags[0] if item.tags else item.digest for _, item in plan.condemned]


@pytest.fixture
def clock(monkeypatch):
    """Put this machine's clock ahead."""

    def ahead(of: timedelta) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + of

        real = time.time
        for module in (make, explain):
            monkeypatch.setattr(module, "datetime", Clock)
        wrong = SimpleNamespace(time=lambda: real() + of.total_seconds())
        monkeypatch.setattr(session, "time", wrong)

    return ahead


async def test_by_a_clock_that_is_ahead_nothing_is_older(sandbox, planned, clock):
    now = datetime.now(UTC)
    builder = Builder(sandbox.state, "web")
    for tag, days in (("old", 31), ("young", 29), ("new", 0)):
        builder.state.push("example", "web", [tag], at=now - timedelta(days=days))
    clock(timedelta(days=40))
    plan = await planned(Policy([DeleteOlderThan(timedelta(days=30))]), now=None)
    assert names(plan) == ["old"]
    assert abs(plan.made_at - now) < timedelta(minutes=5)
    (note,) = plan.notes
    assert note.startswith("this machine's clock is 40 days, 0:0")
    assert note.endswith(" ahead of the API's, by which ages are counted")


async def test_a_tag_is_explained_by_the_same_clock(sandbox, client, contents, clock):
    sandbox.state.push("example", "web", ["young"], at=datetime.now(UTC) - timedelta(days=29))
    clock(timedelta(days=40))
    policy = Policy([DeleteOlderThan(timedelta(days=30))], floor=0)
    registry = client.registry("example")
    assert not (await explain_tag(registry, policy, contents, "web", "young")).deleted


@pytest.mark.parametrize("of", [timedelta(seconds=5), timedelta(days=-2)])
async def test_a_clock_that_is_about_right_or_behind_is_believed(sandbox, planned, clock, of):
    Builder(sandbox.state, "web").image("a")
    clock(of)
    before = datetime.now(UTC)
    plan = await planned(Policy([DeleteOlderThan(timedelta(days=30))]), now=None)
    assert before <= plan.made_at - of <= datetime.now(UTC)
    assert plan.notes == ()


async def test_a_whole_registry_is_planned(sandbox, planned):
    web, api = Builder(sandbox.state, "web"), Builder(sandbox.state, "api")
    for number in range(5):
        web.image(f"w{number}", days=100 - number)
        api.image(f"a{number}", days=10 - number)
    plan = await planned()
    assert sorted(names(plan)) == ["w0", "w1", "w2"]
    assert [repository.name for repository in plan.repositories] == ["api", "web"]
    assert plan.made_at == NOW


async def test_nothing_is_deleted_by_planning(sandbox, planned):
    Builder(sandbox.state).image("a", days=900)
    await planned(Policy([Delete()], floor=0))
    assert {one.method for one in sandbox.requests} <= {"GET", "HEAD"}


async def test_the_bytes_are_those_that_nothing_else_has(sandbox, planned):
    web, api = Builder(sandbox.state, "web"), Builder(sandbox.state, "api")
    shared, own = (digest_of("shared"), 5_000), (digest_of("own"), 300)
    config = (digest_of("config"), 20)
    web.image("old", blobs=[config, shared, own])
    api.image("new", blobs=[(digest_of("other"), 10), shared])
    plan = await planned(Policy([Delete(repositories="web")], floor=0))
    assert 320 < plan.frees.bytes < 5_000
    assert not plan.frees.at_least
    assert not plan.frees.at_most


async def test_what_runs_somewhere_stays(sandbox, planned):
    web = Builder(sandbox.state)
    web.image("a")
    running = web.image("b")
    in_use = ["registry.digitalocean.com/example/web:a", f"example/web@{running}"]
    assert names(await planned(Policy([Delete()], floor=0), in_use=in_use)) == []


async def test_only_the_chosen_repositories_are_touched(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    plan = await planned(Policy([Delete()], floor=0), repositories=["api"])
    assert names(plan) == ["b"]


async def test_tags_are_listed_only_where_something_may_be_deleted(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    await planned(Policy([Delete(repositories="web")], floor=0))
    paths = [one.raw_path.split("?")[0] for one in sandbox.requests]
    assert [path.split("/")[-2:] for path in paths if path.endswith(("/digests", "/tags"))] == [
        ["web", "digests"],
        ["web", "tags"],
        # Layers are shared: what is freed depends on what is kept.
        ["api", "digests"],
    ]


async def test_contents_are_read_only_where_something_may_go(sandbox, planned):
    Builder(sandbox.state, "web").image("a", days=1)
    await planned()
    assert not any("/manifests/" in one.raw_path for one in sandbox.requests)


async def test_a_repository_whose_contents_cannot_be_read_is_left_alone(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "web").image("b")
    sandbox.faults = Faults(Fault(kind="status", status=500, route="*/manifests/*"))
    plan = await planned(Policy([Delete()], floor=0))
    assert names(plan) == []
    assert plan.left_alone[0].repository == "web"
    assert "2 of 2 manifests could not be read" in plan.left_alone[0].reason


async def test_a_repository_is_left_alone_when_that_is_asked_for(sandbox, planned):
    for name in ("web", "api", "sdk"):
        repository = Builder(sandbox.state, name)
        for number in range(3):
            repository.image(f"{name}{number}", days=100 - number)
    policy = Policy(POLICY.rules, exclude=["sdk"])
    plan = await planned(policy, leave={"web": "restored", "sdk": "restored", "gone": "restored"})
    assert names(plan) == ["api0"]
    # What nothing is deleted of anyway need not be told.
    assert plan.left_alone == (LeftAlone("web", "restored"),)
    assert not plan.frees.at_least


async def test_a_repository_that_cannot_be_listed_is_left_alone(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    page = '{"manifests": [], "meta": {"total": 1}}'
    sandbox.faults = Faults(Fault(kind="body", route="*/digests", body=page))
    plan = await planned(Policy([Delete()], floor=0))
    assert {left.repository for left in plan.left_alone} == {"web", "api"}
    assert names(plan) == []
    assert plan.frees.at_most


async def test_a_push_with_every_page_keeps_nothing_else(sandbox, planned):
    old = [Builder(sandbox.state, "web").image(f"v{number}") for number in range(30)]
    sandbox.faults = Faults(Fault(kind="move", route="*/digests", change="push"))
    plan = await planned(Policy([Delete(tags="v*")], floor=0))
    assert not plan.left_alone
    assert {item.digest for _, item in plan.condemned} >= set(old)


async def test_a_repository_with_an_odd_name_is_left_alone(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    page = '{"repositories": [{"name": "web"}, {"name": "Odd//Name"}], "meta": {"total": 2}}'
    sandbox.faults = Faults(Fault(kind="body", route="*/repositoriesV2", body=page))
    plan = await planned(Policy([Delete()], floor=0))
    assert names(plan) == ["a"]
    assert [left.repository for left in plan.left_alone] == ["Odd//Name"]


async def test_a_manifest_that_cannot_be_read_keeps_what_may_be_its_parts(sandbox, client):
    web = Builder(sandbox.state)
    odd = web.image("1.0")
    kept = {odd, web.image("1.0-amd64"), web.image("1.0_arm64"), web.image()}
    deleted = {web.image("1.01"), web.image("x")}
    contents = Unreadable(sandbox.state, odd)
    policy = Policy([Delete(including_protected=True), DeleteUntagged(timedelta())], floor=0)
    plan = await make_plan(client.registry("example"), policy, contents, now=NOW)
    assert {item.digest for _, item in plan.condemned} == deleted
    (repository,) = plan.repositories
    reasons = {kept.reason for kept in repository.kept}
    assert any(f"aioregistry delete-manifests web {odd}" in reason for reason in reasons)
    assert kept


@pytest.mark.parametrize(
    ("error", "deleted"), [(UnreadableContentError, []), (MissingContentError, ["build-1"])]
)
async def test_an_index_that_cannot_be_read_may_need_any_manifest(sandbox, client, error, deleted):
    web = Builder(sandbox.state)
    index = web.index("keep", children=[web.image("build-1")])
    web.image("keep-2")
    contents = Unreadable(sandbox.state, index, error)
    policy = Policy([Keep(tags="keep*"), Delete()])
    plan = await make_plan(client.registry("example"), policy, contents, now=NOW)
    assert names(plan) == deleted


class Unreadable(StateContents):
    """Contents but for one manifest's."""

    def __init__(self, state, digest, error=UnreadableContentError):
        super().__init__(state)
        self._digest = digest
        self._error = error

    async def read(self, repository, digests, on_read=None):
        left = [digest for digest in digests if digest != self._digest]
        found = await super().read(repository, left, on_read)
        return found | {self._digest: self._error("no luck")}


def exists(reference: str) -> str | None:
    return reference


def is_missing(_: str) -> str | None:
    return None


def is_unknown(_: str) -> str | None:
    raise ServerError("busy", status=503)


@pytest.mark.parametrize(
    ("look", "deleted"), [(exists, []), (is_unknown, []), (is_missing, ["old"])]
)
async def test_a_manifest_that_is_named_but_not_listed_means_a_short_list(
    sandbox, client, look, deleted
):
    web = Builder(sandbox.state)
    child = web.image()
    index = web.index("all", children=[child])
    web.image("old")

    class Hiding(StateContents):
        async def read(self, repository, digests, on_read=None):
            found = await super().read(repository, [*digests, index], on_read)
            named = (*found[index].children, digest_of("hidden"))
            if index not in digests:
                return found
            return found | {index: evolve(found[index], children=named)}

        async def current_digest(self, repository, reference):
            if reference == digest_of("hidden"):
                return look(reference)
            return await super().current_digest(repository, reference)

    registry, policy = client.registry("example"), Policy([Delete(tags="old")], floor=0)
    plan = await make_plan(registry, policy, Hiding(sandbox.state), now=NOW)
    assert names(plan) == deleted
    assert [digest_of("hidden") in left.reason for left in plan.left_alone] == [True] * (
        not deleted
    )


async def test_what_is_wrong_everywhere_ends_it(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    sandbox.faults = Faults(Fault(kind="status", status=401, route="*/digests"))
    with pytest.raises(AuthenticationError):
        await planned(Policy([Delete()], floor=0))


async def test_a_repository_that_is_gone_by_now_is_not_missed(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    sandbox.faults = Faults(Fault(kind="status", status=404, route="*/digests", times=1))
    plan = await planned(Policy([Delete()], floor=0))
    assert len(plan.repositories) == 1
    assert plan.left_alone == ()


async def test_an_empty_registry_has_an_empty_plan(planned):
    plan = await planned()
    assert plan.repositories == ()
    assert plan.requests == 0


async def test_progress_is_told(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    told: list[PlanProgress] = []
    await planned(Policy([Delete()], floor=0), on_progress=told.append)
    assert told[0] == PlanProgress(0, 1)
    assert told[-1] == PlanProgress(1, 1, 1, 1)


async def test_now_must_have_a_time_zone(planned):
    with pytest.raises(ValueError, match="time zone"):
        await planned(now=datetime(2026, 6, 1))  # noqa: DTZ001


async def test_a_registry_that_is_not_there_is_an_error(client, contents):
    with pytest.raises(RegistryError):
        await make_plan(client.registry("nothing"), Policy([Keep()]), contents)


async def test_what_is_planned_says_of_what_and_when_and_with_which_floor(sandbox, planned):
    Builder(sandbox.state).image("a")
    plan = await planned(Policy([Delete()], floor=3))
    assert (plan.registry, plan.made_at, plan.floor) == ("example", NOW, 3)


async def test_it_is_planned_for_now_unless_told_otherwise(sandbox, planned):
    before = datetime.now(UTC)
    plan = await planned(now=None)
    assert before <= plan.made_at <= datetime.now(UTC)


async def test_what_is_no_time_of_a_zone_is_told_with_what_is(planned):
    with pytest.raises(ValueError, match="zone") as caught:
        await planned(now=datetime(2026, 6, 1))  # noqa: DTZ001
    assert str(caught.value) == "now must have a time zone, as in datetime.now(UTC)"


async def test_the_time_need_not_be_utc(sandbox, planned):
    now = NOW.astimezone(timezone(timedelta(hours=9)))
    Builder(sandbox.state).image("a", days=31)
    assert names(await planned(Policy([DeleteOlderThan(timedelta(days=30))], floor=0), now=now))


async def test_ages_are_counted_up_to_the_time_of_the_plan(sandbox, planned):
    web = Builder(sandbox.state)
    web.image("a", days=31)
    web.image(days=31)
    policy = Policy([DeleteOlderThan(timedelta(days=30)), DeleteUntagged(timedelta(30))], floor=0)
    assert len(names(await planned(policy))) == 2
    assert names(await planned(policy, now=NOW - timedelta(days=2))) == []


async def test_where_the_policy_deletes_nothing_all_is_kept_and_the_reason_told(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    plan = await planned(Policy([Delete(repositories="web")], floor=0))
    assert [repository.kept for repository in plan.repositories] == [
        (Kept("the policy deletes nothing here", ("b",)),),
        (),
    ]


async def test_what_runs_somewhere_stays_although_it_is_named_by_its_digest_alone(sandbox, planned):
    web = Builder(sandbox.state)
    running = web.image()
    web.image()
    plan = await planned(Policy([DeleteUntagged(timedelta())]), in_use=[f"example/web@{running}"])
    assert len(names(plan)) == 1
    assert running not in names(plan)


async def test_what_runs_stays_where_the_runtime_names_its_config(sandbox, planned):
    web, configs = Builder(sandbox.state), [digest_of("config of a"), digest_of("config of c")]
    web.image("a", blobs=[(configs[0], 20), (digest_of("layer"), 300)])
    web.image("b")
    part = web.image(blobs=[(configs[1], 20), (digest_of("other layer"), 300)])
    web.index("c", children=[part])
    plan = await planned(Policy([Delete(), DeleteUntagged()], floor=0), in_use=configs)
    assert names(plan) == ["b"]
    assert plan.in_use is not None
    assert not plan.in_use.not_found
    assert sorted(plan.in_use.references) == sorted(configs)


async def test_what_runs_of_another_registry_holds_nothing(sandbox, planned):
    Builder(sandbox.state).image("a")
    in_use = ["other/web:a", "example/api:a"]
    assert names(await planned(Policy([Delete()], floor=0), in_use=in_use)) == ["a"]


@pytest.mark.parametrize(
    ("wrong", "told"), [(UnreadableContentError("no luck"), "no luck"), (None, "it was not read")]
)
async def test_how_many_could_not_be_read_is_told_and_why_the_first(sandbox, client, wrong, told):
    web = Builder(sandbox.state)
    digests = {tag: web.image(tag) for tag in ("a", "b")}
    read = web.image("c")

    class Some(StateContents):
        async def read(self, repository, wanted, on_read=None):
            found = await super().read(repository, [read], on_read)
            first = next(digest for digest in wanted if digest != read)
            return found if wrong is None else found | {first: wrong}

    registry, contents = client.registry("example"), Some(sandbox.state)
    plan = await make_plan(registry, Policy([Delete()], floor=0), contents, now=NOW)
    assert plan.repositories == ()
    assert plan.left_alone in {
        (
            LeftAlone(
                "web",
                "2 of 3 manifests could not be read, and might need any other; the first is "
                f"{digest}: {told}",
            ),
        )
        for digest in digests.values()
    }


async def test_what_is_left_alone_frees_nothing_and_holds_what_it_shares(sandbox, planned):
    web, api = Builder(sandbox.state, "web"), Builder(sandbox.state, "api")
    shared = digest_of("shared"), 5_000
    web.image("a", blobs=[(digest_of("web"), 20), shared])
    held = api.image("b", blobs=[(digest_of("api"), 10), shared])
    route = "*/manifests/*"
    sandbox.faults = Faults(Fault(kind="status", status=403, route=route, times=1))
    plan = await planned(Policy([Delete()], floor=0))
    assert [left.repository for left in plan.left_alone] == ["api"]
    assert held not in {item.digest for _, item in plan.condemned}
    assert 20 < plan.frees.bytes < 5_000
    assert not plan.frees.at_most


async def test_what_stays_in_a_repository_holds_what_it_shares(sandbox, planned):
    web = Builder(sandbox.state)
    shared = digest_of("shared"), 5_000
    web.image("a", blobs=[(digest_of("one"), 20), shared])
    web.image("keep", blobs=[(digest_of("other"), 10), shared])
    plan = await planned(Policy([Keep(tags="keep"), Delete()], floor=0))
    assert names(plan) == ["a"]
    assert 20 < plan.frees.bytes < 5_000
    assert not plan.frees.at_least


async def test_a_manifest_that_loses_one_of_its_tags_frees_nothing(sandbox, planned):
    Builder(sandbox.state).image("a", "keep")
    plan = await planned(Policy([Keep(tags="keep"), Delete()], floor=0))
    assert names(plan) == ["a"]
    assert plan.frees.bytes == 0


async def test_why_a_repository_cannot_be_listed_is_told(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    # Each is asked for five times at most.
    sandbox.faults = Faults(Fault(kind="status", status=500, route="*/digests", times=9))
    plan = await planned(Policy([Delete()], floor=0))
    (left,) = plan.left_alone
    assert "500" in left.reason
    assert [repository.name for repository in plan.repositories] == sorted(
        {"web", "api"} - {left.repository}
    )


async def test_what_is_wrong_everywhere_is_raised_as_it_is(sandbox, planned):
    for name in ("a", "b", "c", "d", "e", "f"):
        Builder(sandbox.state, name).image("x")
    sandbox.faults = Faults(Fault(kind="status", status=403, route="*/digests"))
    with pytest.raises(RegistryError, match="403"):
        await planned(Policy([Delete()], floor=0))
    # Who asks that takes an error for a cancellation.
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_two_repositories_are_looked_at_at_a_time(sandbox, client):
    under_way, most = 0, 0
    both = asyncio.Event()

    class Slow(StateContents):
        async def read(self, *given):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if under_way == 2:
                both.set()
            await both.wait()
            await asyncio.sleep(0.01)
            under_way -= 1
            return await super().read(*given)

    for number in range(9):
        Builder(sandbox.state, f"app{number}").image("x")
    policy = Policy([Delete()], floor=0)
    plan = await make_plan(client.registry("example"), policy, Slow(sandbox.state), now=NOW)
    assert len(plan.repositories) == 9
    assert most == 2


async def test_progress_adds_up(sandbox, planned):
    for name in ("web", "api", "db"):
        builder = Builder(sandbox.state, name)
        builder.image("a")
        builder.image("b")
    told: list[PlanProgress] = []
    policy = Policy([Delete()], floor=0)
    await planned(policy, repositories=["web", "api"], on_progress=told.append)
    assert told[0] == PlanProgress(0, 3, 0, 0)
    assert told[-1] == PlanProgress(3, 3, 4, 4)
    # A step counts one thing.
    steps = [
        [after - before for before, after in zip(astuple(one), astuple(other), strict=True)]
        for one, other in pairwise(told)
    ]
    assert all(sum(map(bool, step)) == 1 for step in steps)
    assert sum(step == [1, 0, 0, 0] for step in steps) == 3
    assert sum(step == [0, 0, 2, 0] for step in steps) == 2


async def test_repositories_are_planned_in_the_order_of_their_names(sandbox, planned):
    for name in ("c", "a", "e", "b", "d"):
        Builder(sandbox.state, name).image("x")
    plan = await planned()
    assert [repository.name for repository in plan.repositories] == ["a", "b", "c", "d", "e"]


async def test_repositories_that_are_not_all_listed_are_an_error(sandbox, planned):
    Builder(sandbox.state).image("a")
    few = json.dumps({"repositories": [], "meta": {"total": 1}})
    sandbox.faults = Faults(Fault(kind="body", body=few, route="*/repositoriesV2"))
    with pytest.raises(PartialListingError):
        await planned()


async def test_an_exclude_without_a_repository_is_noted(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    plan = await planned(Policy([Delete()], floor=0, exclude=["wab", "web"]))
    assert names(plan) == []
    assert [note for note in plan.notes if "wab" in note] == [
        "exclude 'wab' matches no repository, and so protects none"
    ]
    assert not [note for note in plan.notes if "exclude 'web'" in note]


async def test_tags_that_are_deleted_and_look_like_versions_are_noted(sandbox, planned):
    web = Builder(sandbox.state, "web")
    for tag in ("main", "v1.0", "v1", "1.2", "2024.09", "v1.2.3"):
        web.image(tag)
    (note,) = (await planned(Policy([Delete()], floor=0))).notes
    assert note == (
        "tags that look like versions are deleted: web:1.2, web:2024.09, web:v1 and 1 more;"
        " releases, which are protected, have three numbers, as v1.2.3: a first rule with"
        " keep = true keeps others"
    )


@pytest.mark.parametrize(
    "rules",
    [
        [KeepNewest(6)],
        [Keep(tags=Glob("v*")), Delete()],
        [Delete(tags=Glob("v1.0")), Keep()],
        [Delete(including_protected=True)],
    ],
    ids=["none deleted", "kept", "by name", "with the releases"],
)
async def test_nothing_is_noted_of_versions_otherwise(sandbox, planned, rules):
    web = Builder(sandbox.state, "web")
    for tag in ("main", "v1.0", "v1", "v1.2.3"):
        web.image(tag)
    notes = (await planned(Policy(rules, floor=0))).notes
    assert not [note for note in notes if "versions" in note]


async def test_a_plan_knows_what_it_keeps_by_the_beginning_of_its_digest(sandbox, planned):
    web = Builder(sandbox.state)
    kept = web.image("keep")
    web.image("old")
    (plan,) = (await planned(Policy([Keep(tags="keep"), Delete()], floor=0))).repositories
    assert [*plan.known] == [kept.removeprefix("sha256:")[:16]]
    (nothing,) = (await planned(Policy([Keep(), Delete()], floor=0))).repositories
    assert [*nothing.known] == []


async def test_what_an_image_needs_stays_whatever_untagged_manifest_is_in_use(sandbox, planned):
    builder = Builder(sandbox.state)
    part = builder.image(days=50)
    builder.index("keep", children=[part], days=50)
    running = builder.image(days=20)
    policy = Policy([KeepNewestUntagged(1), DeleteUntagged()])
    plan = await planned(policy, in_use=[f"example/web@{running}"])
    assert names(plan) == []
    assert plan.left_alone == ()
    old = builder.image(days=40)
    assert names(await planned(policy, in_use=[f"example/web@{running}"])) == [old]


async def test_nothing_is_deleted_of_what_was_not_read(sandbox, planned, monkeypatch):
    builder = Builder(sandbox.state)
    builder.index("keep", children=[builder.image()])
    assert names(await planned()) == []
    monkeypatch.setattr(planner, "may_condemn", lambda *_: False)
    plan = await planned()
    assert names(plan) == []
    assert [left.repository for left in plan.left_alone] == ["web"]


async def test_kept_images_that_lack_a_part_are_noted(sandbox, planned):
    web = Builder(sandbox.state, "web")
    parts = [web.image(platform=f"linux/{name}") for name in ("amd64", "arm64")]
    web.index("kept", "main", children=parts)
    web.index("whole", children=[web.image(platform="linux/s390x")])
    web.image("old")
    sandbox.state.delete_manifest("example", "web", parts[1])
    plan = await planned(Policy([Delete(tags="old")], floor=0))
    assert names(plan) == ["old"]
    (note,) = plan.notes
    assert note == (
        "images lack a part that does not exist, and cannot be pulled for each platform:"
        " web:kept, web:main"
    )


async def test_a_page_of_a_proxy_in_place_of_a_list_leaves_a_repository_alone(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    sandbox.faults = Faults(Fault(kind="html", status=404, route="*/digests"))
    plan = await planned(Policy([Delete()], floor=0))
    assert [left.repository for left in plan.left_alone] == ["web"]
