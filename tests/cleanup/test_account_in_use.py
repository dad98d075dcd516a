"""An account that is asked what it runs: every cluster and every app, or one error."""

from collections import deque

import pytest

from aioregistry import RegistryClient
from aioregistry.cleanup.in_use.account import AccountInUse
from aioregistry.cleanup.in_use.references import InUseError, collect_in_use
from aioregistry.sandbox import Fault, Faults, Sandbox, State

pytest.importorskip("kubernetes_asyncio")

WEB = "registry.digitalocean.com/example/web"


async def no_wait(_: float) -> None:
    pass


def app_of(name, tag, **more):
    image = {"registry_type": "DOCR", "repository": "web", "tag": tag}
    return {"name": name, "services": [{"name": "s", "image": image | more}]}


@pytest.fixture
async def sandbox():
    async with Sandbox(State()) as running:
        yield running


@pytest.fixture
async def client(sandbox):
    async with RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client:
        yield client


@pytest.fixture
def state(sandbox):
    """An account with two clusters and an app."""
    sandbox.state.add_cluster("blue").run(f"{WEB}:blue")
    sandbox.state.add_cluster("green").run(f"{WEB}:green")
    sandbox.state.apps.append({"id": "1", "spec": app_of("shop", "new")})
    return sandbox.state


@pytest.fixture
def source(client, state):
    return AccountInUse(client, sleep=no_wait)


async def refusal(source) -> str:
    with pytest.raises(InUseError, match="cannot know what runs in") as caught:
        await source.ask()
    assert source.asked == ()
    return caught.value.message


async def test_every_cluster_and_every_app_is_asked(source):
    in_use = await collect_in_use(source)
    assert dict(in_use.tags_of("example", "web")) == {
        "blue": "deployment default/web of digitalocean cluster blue",
        "green": "deployment default/web of digitalocean cluster green",
        "new": "app shop of digitalocean",
    }
    account, *clusters = in_use.asked
    assert account.counts == {"clusters": 2, "apps": 1, "deployments": 0}
    assert [one.source[-5:] for one in clusters] == [" blue", "green"]
    assert {one.counts["pods"] for one in clusters} == {1}


async def test_an_apps_image_is_kept_in_each_registry(source):
    in_use = await collect_in_use(source)
    assert "new" in in_use.tags_of("other", "web")


async def test_deployments_of_now_and_those_a_rollback_may_start_are_read(source, state):
    (app,) = state.apps
    for key in ("active", "in_progress", "pending", "pinned"):
        app[f"{key}_deployment"] = {"spec": app_of("shop", key)}
    app["deployments"] = [{"id": str(n), "spec": app_of("shop", f"v{n}")} for n in range(450)]
    in_use = await collect_in_use(source)
    tags = in_use.tags_of("example", "web")
    assert {"active", "in_progress", "pending", "pinned", "v0", "v449"} < tags.keys()
    assert source.asked[0].counts["deployments"] == 450


async def test_an_app_by_digest_and_one_without_an_image_are_read(source, state):
    digest = f"sha256:{'a' * 64}"
    state.apps.append({"id": "2", "spec": app_of("pinned", "", digest=digest)})
    state.apps.append({"id": "3", "spec": {"name": "site", "static_sites": [{"name": "s"}]}})
    in_use = await collect_in_use(source)
    assert digest in in_use.digests_of("example", "web")


async def test_all_pages_of_clusters_and_apps_are_read(source, state, sandbox):
    sandbox._max_per_page = 2
    for number in range(5):
        state.add_cluster(f"c{number}").run(f"{WEB}:c{number}")
        state.apps.append({"id": f"x{number}", "spec": app_of(f"app{number}", f"a{number}")})
    tags = (await collect_in_use(source)).tags_of("example", "web")
    assert len(tags) == 3 + 10


async def test_credentials_are_short_lived(source, sandbox):
    await source.ask()
    sent = [one.raw_path for one in sandbox.requests if "/credentials" in one.raw_path]
    assert len(sent) == 2
    assert all(path.endswith("expiry_seconds=600") for path in sent)


@pytest.mark.parametrize("state_of_cluster", ["provisioning", "upgrading", "error", ""])
async def test_a_cluster_that_does_not_run_is_an_error_unless_ignored(
    source, state, client, state_of_cluster
):
    state.clusters["green"].state = state_of_cluster
    assert "its cluster green is" in await refusal(source)
    told = AccountInUse(client, ignore=["cluster/green"], sleep=no_wait)
    assert "green" not in (await collect_in_use(told)).tags_of("example", "web")
    assert told.notes == ["cluster/green was not asked, by option"]


async def test_one_cluster_that_cannot_be_asked_is_an_error_for_all(source, state):
    state.clusters["green"].answers["/api/v1/pods"] = deque([(500, "")] * 4)
    assert "digitalocean cluster green" in await refusal(source)


async def test_an_app_that_is_ignored_is_not_asked(client, state):
    told = AccountInUse(client, ignore=["app/shop"], sleep=no_wait)
    assert "new" not in (await collect_in_use(told)).tags_of("example", "web")


@pytest.mark.parametrize(
    "route",
    [
        "/v2/kubernetes/clusters",
        "/v2/kubernetes/clusters/{cluster}/credentials",
        "/v2/apps",
        "/v2/apps/{app}/deployments",
    ],
)
async def test_a_scope_that_is_missing_is_an_error(source, sandbox, route):
    sandbox.faults = Faults(Fault(kind="status", status=403, route=route))
    message = await refusal(source)
    assert "403" in message or "orbidden" in message


async def test_an_account_without_clusters_and_apps_is_an_error(client):
    assert "no cluster and no app" in await refusal(AccountInUse(client))


async def test_a_name_that_no_app_can_pull_is_noted(source, state):
    state.apps.append({"id": "2", "spec": app_of("odd", "no tag!")})
    await source.ask()
    assert any("app odd" in note for note in source.notes)


async def test_no_token_of_a_cluster_is_in_an_error(source, state, sandbox):
    cluster = state.clusters["green"]
    given, cluster.token = cluster.token, "other"
    cluster.answers["/api/v1/pods"] = deque([(401, ""), (401, "")])
    message = await refusal(source)
    assert given not in message
    assert "other" not in message


@pytest.mark.parametrize("place", ["active_deployment", "deployments"])
async def test_the_digest_that_an_app_was_deployed_from_is_in_use(source, state, place):
    digest = f"sha256:{'a' * 64}"
    spec = app_of("shop", "latest")
    deployment = {"spec": spec, "services": [{"name": "s", "source_image_digest": digest}]}
    state.apps.append(
        {"id": "2", "spec": spec, place: [deployment] if place == "deployments" else deployment}
    )
    assert digest in {str(use.reference) for use in await source.ask()}


@pytest.mark.parametrize("app", [{"spec": None}, {"spec": [], "active_deployment": {}}])
async def test_an_app_without_a_specification_is_no_app_that_runs_nothing(source, state, app):
    state.apps.append({"id": "2"} | app)
    assert "its app 2 has no specification" in await refusal(source)


async def test_a_deployment_without_a_specification_cannot_be_known(source, state):
    state.apps.append({"id": "2", "spec": app_of("api", "1"), "active_deployment": {"id": "x"}})
    assert "--in-use-ignore app/api" in await refusal(source)
