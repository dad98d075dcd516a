"""Plans made of a whole registry, over real sockets."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from aioregistry import AuthenticationError, RegistryError
from aioregistry.cleanup.contents import ContentReader
from aioregistry.cleanup.plan import Plan
from aioregistry.cleanup.planning import PlanProgress, make_plan
from aioregistry.cleanup.policy import (
    Delete,
    DeleteOlderThan,
    DeleteUntagged,
    Keep,
    KeepNewest,
    Policy,
)
from aioregistry.oci import Distribution
from aioregistry.sandbox import Fault, Faults
from tests.cleanup.registries import NOW, Builder, digest_of
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


async def test_a_repository_that_may_lose_something_is_listed_twice_the_others_once(
    sandbox, planned
):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    await planned(Policy([Delete(repositories="web")], floor=0))
    listed = [
        one.raw_path for one in sandbox.requests if one.raw_path.split("?")[0].endswith("digests")
    ]
    assert sum("/web/" in path for path in listed) == 2
    assert sum("/api/" in path for path in listed) == 1


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


async def test_a_repository_that_cannot_be_listed_is_left_alone(sandbox, planned):
    Builder(sandbox.state, "web").image("a")
    Builder(sandbox.state, "api").image("b")
    # Eight pages, and every one of them moves what comes after it.
    sandbox.faults = Faults(Fault(kind="move", route="*/digests", change="push"))
    plan = await planned(Policy([Delete()], floor=0))
    assert {left.repository for left in plan.left_alone} == {"web", "api"}
    assert names(plan) == []
    assert plan.frees.at_most


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
