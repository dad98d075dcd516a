"""The API's calls over sockets, with a bare HTTP client."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from aioregistry.sandbox import Sandbox, State
from tests.sandbox.conftest import Caller

START = datetime(2025, 1, 1, tzinfo=UTC)
FAMILIES = ("/v2/registry", "/v2/registries")
both_families = pytest.mark.parametrize("family", FAMILIES)


def fill(sandbox, count=5, repository="my/repo"):
    for number in range(count):
        moment = START + timedelta(hours=number)
        sandbox.state.push("example", repository, [f"v{number}"], at=moment)


@both_families
async def test_tags_come_in_pages_with_absolute_links(call, sandbox, family):
    fill(sandbox)
    path = f"{family}/example/repositories/my%2Frepo/tags"
    reply = await call("GET", f"{path}?per_page=2&page=2")
    assert reply.status == 200
    assert [tag["tag"] for tag in reply.json["tags"]] == ["v2", "v1"]
    assert reply.json["meta"] == {"total": 5}
    url = sandbox.url + path
    assert reply.json["links"]["pages"] == {
        "first": f"{url}?page=1&per_page=2",
        "prev": f"{url}?page=1&per_page=2",
        "next": f"{url}?page=3&per_page=2",
        "last": f"{url}?page=3&per_page=2",
    }


async def test_a_tag_has_the_fields_of_the_description(call, sandbox):
    digest = sandbox.state.push("example", "repo", ["v1"], size=5000, at=START)
    reply = await call("GET", "/v2/registry/example/repositories/repo/tags")
    (tag,) = reply.json["tags"]
    assert tag["registry_name"] == "example"
    assert tag["repository"] == "repo"
    assert tag["tag"] == "v1"
    assert tag["manifest_digest"] == digest
    assert tag["compressed_size_bytes"] > 5000
    assert tag["size_bytes"] > tag["compressed_size_bytes"]
    assert tag["updated_at"] == "2025-01-01T00:00:00Z"
    assert reply.json["links"] == {}


async def test_the_first_page_links_forward_only_and_the_last_backward_only(call, sandbox):
    fill(sandbox)
    path = "/v2/registry/example/repositories/my%2Frepo/tags?per_page=3&page="
    first, last, beyond = [await call("GET", f"{path}{page}") for page in (1, 2, 9)]
    assert set(first.json["links"]["pages"]) == {"next", "last"}
    assert set(last.json["links"]["pages"]) == {"first", "prev"}
    assert beyond.json["tags"] == []
    assert beyond.json["links"]["pages"]["prev"].endswith("?page=2&per_page=3")


async def test_a_page_has_20_items_unless_asked_otherwise_and_never_more_than_the_maximum(session):
    async with Sandbox(max_per_page=30) as sandbox:
        fill(sandbox, 50, "repo")
        call = Caller(session, sandbox)
        path = "/v2/registry/example/repositories/repo/tags"
        assert len((await call("GET", path)).json["tags"]) == 20
        assert len((await call("GET", f"{path}?per_page=200")).json["tags"]) == 30


@both_families
async def test_manifests_name_their_tags_and_blobs(call, sandbox, family):
    blobs = [("sha256:" + "1" * 64, 100), ("sha256:" + "2" * 64, 4000)]
    digest = sandbox.state.push("example", "repo", ["v1", "v2"], blobs=blobs, at=START)
    reply = await call("GET", f"{family}/example/repositories/repo/digests")
    (manifest,) = reply.json["manifests"]
    assert manifest["digest"] == digest
    assert manifest["tags"] == ["v1", "v2"]
    found = [(blob["digest"], blob["compressed_size_bytes"]) for blob in manifest["blobs"]]
    assert found[:2] == blobs
    assert found[2][0] == digest
    assert manifest["compressed_size_bytes"] == sum(size for _, size in found)


@both_families
async def test_a_list_that_was_told_before_tells_what_has_changed(
    call, sandbox, family, monkeypatch
):
    monkeypatch.setattr("aioregistry.sandbox.calls.rendering._KEPT", 2)
    state, path = sandbox.state, f"{family}/example/repositories/repo"
    old = state.push("example", "repo", ["a", "b"])

    async def told():
        tags = (await call("GET", f"{path}/tags")).json["tags"]
        manifests = (await call("GET", f"{path}/digests")).json["manifests"]
        return (
            {tag["tag"]: tag["manifest_digest"] for tag in tags},
            {manifest["digest"]: manifest["tags"] for manifest in manifests},
        )

    assert await told() == await told() == ({"a": old, "b": old}, {old: ["a", "b"]})
    new = state.push("example", "repo", ["b"])
    assert await told() == ({"a": old, "b": new}, {old: ["a"], new: ["b"]})
    state.delete_manifest("example", "repo", old)
    assert await told() == await told() == ({"b": new}, {new: ["b"]})
    assert len(state.registry("example").texts) <= 2 + 2


@both_families
async def test_repositories_are_walked_with_page_tokens(call, sandbox, family):
    for number in range(5):
        fill(sandbox, 1, f"repo-{number}")
    path, names = f"{family}/example/repositoriesV2?per_page=2", []
    while path:
        reply = await call("GET", path)
        names += [repository["name"] for repository in reply.json["repositories"]]
        following = urlsplit(reply.json["links"].get("pages", {}).get("next", ""))
        assert not following.query or set(parse_qs(following.query)) == {
            "page",
            "page_token",
            "per_page",
        }
        path = following.query and f"{following.path}?{following.query}"
    assert names == [f"repo-{number}" for number in range(5)]


async def test_a_page_token_survives_a_list_that_moves(call, sandbox):
    for name in ("b", "c", "d", "e"):
        fill(sandbox, 1, name)
    first = await call("GET", "/v2/registry/example/repositoriesV2?per_page=2")
    fill(sandbox, 1, "a")
    sandbox.state.delete_repository("example", "c")
    following = urlsplit(first.json["links"]["pages"]["next"])
    second = await call("GET", f"{following.path}?{following.query}")
    assert [repository["name"] for repository in second.json["repositories"]] == ["d", "e"]


@pytest.mark.parametrize("token", ["nonsense", "e30=", "W10=", "%F0%9F%92%A9", "bnVsbA=="])
async def test_a_page_token_that_was_never_given_is_refused(call, token):
    reply = await call("GET", f"/v2/registry/example/repositoriesV2?page_token={token}")
    assert reply.status == 400
    assert reply.json["id"] == "bad_request"


async def test_a_repository_names_its_latest_manifest_or_tag(call, sandbox):
    fill(sandbox, 3, "repo")
    new = await call("GET", "/v2/registry/example/repositoriesV2")
    old = await call("GET", "/v2/registry/example/repositories")
    (repository,) = new.json["repositories"]
    assert repository["latest_manifest"]["tags"] == ["v2"]
    assert (repository["tag_count"], repository["manifest_count"]) == (3, 3)
    (repository,) = old.json["repositories"]
    assert repository["latest_tag"]["tag"] == "v2"
    assert repository["tag_count"] == 3


async def test_a_repository_without_tags_has_no_latest_tag(call, sandbox):
    sandbox.state.push("example", "repo")
    reply = await call("GET", "/v2/registry/example/repositories")
    assert "latest_tag" not in reply.json["repositories"][0]


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=0", "per_page=-1", "page="])
async def test_a_page_that_cannot_be_is_refused(call, sandbox, query):
    fill(sandbox, 1, "repo")
    reply = await call("GET", f"/v2/registry/example/repositories/repo/tags?{query}")
    assert reply.status == 400


@both_families
async def test_a_tag_is_deleted_once(call, sandbox, family):
    fill(sandbox)
    path = f"{family}/example/repositories/my%2Frepo/tags/v1"
    assert [(await call("DELETE", path)).status for _ in range(2)] == [204, 404]
    assert sandbox.state.tag_names("example", "my/repo") == ["v4", "v3", "v2", "v0"]


@both_families
async def test_a_manifest_is_deleted_once_and_its_tags_with_it(call, sandbox, family):
    fill(sandbox)
    digest = sandbox.state.push("example", "my/repo", ["x", "y"])
    path = f"{family}/example/repositories/my%2Frepo/digests/{digest}"
    assert [(await call("DELETE", path)).status for _ in range(2)] == [204, 404]
    assert "x" not in sandbox.state.tag_names("example", "my/repo")


async def test_a_digest_that_is_none_is_not_found(call, sandbox):
    fill(sandbox, 1, "repo")
    reply = await call("DELETE", "/v2/registry/example/repositories/repo/digests/v0")
    assert reply.status == 404


async def test_a_repository_is_deleted_by_the_second_family(call, sandbox):
    fill(sandbox)
    path = "/v2/registries/example/repositories/my%2Frepo"
    assert [(await call("DELETE", path)).status for _ in range(2)] == [204, 404]
    assert (await call("DELETE", path.replace("registries", "registry"))).status == 404


async def test_a_registry_is_made_read_and_deleted_by_the_first_family(call, sandbox):
    assert (await call("DELETE", "/v2/registry")).status == 204
    assert (await call("GET", "/v2/registry")).status == 404
    body = {"name": "fresh", "subscription_tier_slug": "starter", "region": "ams3"}
    made = await call("POST", "/v2/registry", json=body)
    assert made.status == 201
    assert made.json["subscription"]["tier"]["slug"] == "starter"
    read = await call("GET", "/v2/registry")
    assert read.json["registry"].items() >= made.json["registry"].items()
    assert read.json["registry"]["region"] == "ams3"
    assert read.json["registry"]["subscription"]["tier"]["slug"] == "starter"
    assert (await call("POST", "/v2/registry", json=body)).status == 409


async def test_registries_are_made_listed_and_deleted_by_the_second_family(call, sandbox):
    sandbox.state.subscribe("professional")
    assert (await call("POST", "/v2/registries", json={"name": "second"})).status == 201
    listed = await call("GET", "/v2/registries")
    assert [registry["name"] for registry in listed.json["registries"]] == ["example", "second"]
    assert (await call("GET", "/v2/registries/second")).json["registry"]["name"] == "second"
    assert (await call("DELETE", "/v2/registries/second")).status == 204
    assert (await call("GET", "/v2/registries/second")).status == 404


@pytest.mark.parametrize("family", ["registry", "registries"])
async def test_where_a_plan_has_one_registry_a_second_is_refused(call, family):
    body = {"name": "second", "subscription_tier_slug": "basic"}
    reply = await call("POST", f"/v2/{family}", json=body)
    assert reply.status == 422
    assert reply.json["message"] == "user already has a registry"


@pytest.mark.parametrize("family", ["registry", "registries"])
async def test_either_family_makes_a_further_registry_where_the_plan_allows_it(call, family):
    body = {"name": "second", "subscription_tier_slug": "professional"}
    assert (await call("POST", f"/v2/{family}", json=body)).status == 201
    listed = (await call("GET", "/v2/registries")).json["registries"]
    assert [registry["name"] for registry in listed] == ["example", "second"]


async def test_a_plan_allows_only_so_many_registries(call, sandbox):
    sandbox.state.subscribe("professional")
    for number in range(9):
        sandbox.state.add_registry(f"more-{number}")
    reply = await call("POST", "/v2/registries", json={"name": "eleventh"})
    assert reply.status == 412
    assert reply.json["message"] == (
        "registry is not eligible for tier because: [OverRegistryLimit]"
    )


async def test_the_storage_of_all_registries_is_added_up(call, sandbox):
    sandbox.state.add_registry("second")
    for name in ("example", "second"):
        sandbox.state.push(name, "repo", ["v1"])
    reply = (await call("GET", "/v2/registries")).json
    parts = [registry["storage_usage_bytes"] for registry in reply["registries"]]
    assert reply["total_storage_usage_bytes"] == sum(parts) > max(parts)


async def test_a_registry_is_read_only_while_a_collection_runs(call, sandbox):
    assert (await call("GET", "/v2/registry")).json["registry"]["read_only"] is False
    started = await call("POST", "/v2/registry/example/garbage-collection")
    assert started.json["garbage_collection"]["type"] == "unreferenced blobs only"
    assert (await call("GET", "/v2/registry")).json["registry"]["read_only"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "X", "subscription_tier_slug": "basic"},
        {"name": 3, "subscription_tier_slug": "basic"},
        {"name": "x", "subscription_tier_slug": "gold"},
        {"name": "x", "subscription_tier_slug": "basic", "region": "mars"},
    ],
)
async def test_a_registry_that_cannot_be_is_refused(call, body):
    assert (await call("POST", "/v2/registry", json=body)).status == 422


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(call, data):
    reply = await call("POST", "/v2/registry/validate-name", data=data)
    assert reply.status == 400
    assert reply.json["message"] == "error parsing request body"


@both_families
async def test_a_name_is_free_taken_or_impossible(call, family):
    path = f"{family}/validate-name"
    names = ("free", "example", "-")
    replies = [await call("POST", path, json={"name": name}) for name in names]
    assert [reply.status for reply in replies] == [204, 409, 422]


@pytest.mark.parametrize(
    "path", ["/v2/registry/docker-credentials", "/v2/registries/example/docker-credentials"]
)
async def test_docker_credentials_open_the_registry(call, sandbox, path):
    reply = await call("GET", f"{path}?read_write=true&expiry_seconds=60")
    auth = reply.json["auths"]["registry.digitalocean.com"]["auth"]
    user, _, password = base64.b64decode(auth).decode().partition(":")
    assert user == password
    found = sandbox.state.keyring.find(password, sandbox.state.clock())
    assert found.registry == "example"
    assert found.read_write
    assert found.expires_at is not None


@pytest.mark.parametrize("query", ["expiry_seconds=-1", "expiry_seconds=x", "read_write=maybe"])
async def test_credentials_that_cannot_be_are_refused(call, query):
    assert (await call("GET", f"/v2/registry/docker-credentials?{query}")).status == 400


@both_families
async def test_the_options_tell_which_tiers_the_account_may_have(call, sandbox, family):
    for number in range(2):
        fill(sandbox, 1, f"repo-{number}")
    options = (await call("GET", f"{family}/options")).json["options"]
    assert "fra1" in options["available_regions"]
    tiers = {tier["slug"]: tier for tier in options["subscription_tiers"]}
    assert tiers["starter"]["eligibility_reasons"] == ["OverRepositoryLimit"]
    assert [tiers[slug]["eligible"] for slug in tiers] == [False, True, True]


@both_families
async def test_the_subscription_moves_to_another_tier(call, family):
    path = f"{family}/subscription"
    moved = await call("POST", path, json={"tier_slug": "professional"})
    assert moved.json["subscription"]["tier"]["slug"] == "professional"
    assert (await call("GET", path)).json == moved.json
    assert (await call("POST", path, json={"tier_slug": "gold"})).status == 422


async def test_a_tier_that_holds_less_than_there_is_is_refused(call, sandbox):
    for number in range(2):
        fill(sandbox, 1, f"repo-{number}")
    reply = await call("POST", "/v2/registry/subscription", json={"tier_slug": "starter"})
    assert reply.status == 412
    assert "[OverRepositoryLimit]" in reply.json["message"]


async def test_calls_without_a_name_fail_when_there_are_several_registries(call, sandbox):
    fill(sandbox, 1, "repo")
    sandbox.state.add_registry("second")
    for path in ("", "/docker-credentials"):
        reply = await call("GET", f"/v2/registry{path}")
        assert reply.status == 412
        assert reply.json["id"] == "precondition_failed"
        assert "/v2/registries/{registry_name}" in reply.json["message"]
    for family in ("registry", "registries"):
        assert (await call("GET", f"/v2/{family}/example/repositoriesV2")).status == 200
    assert (await call("GET", "/v2/registry/options")).status == 200


async def test_another_name_than_the_only_registrys_is_not_found(call):
    assert (await call("GET", "/v2/registry/other/repositoriesV2")).status == 404


@pytest.mark.parametrize("token", [None, "wrong", "sandbox-tokeN", "sandbox-token2", "ü"])
async def test_without_the_token_nothing_is_told(call, sandbox, token):
    for path in ("/v2/registry", "/nowhere"):
        reply = await call("GET", path, token=token)
        assert reply.status == 401
        assert reply.json["id"] == "unauthorized"
        assert reply.json["message"] == "Unable to authenticate you."
    assert not sandbox.requests[-1].token_ok


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/registry/", 404),
        ("GET", "/v2/registries//repositoriesV2", 404),
        ("GET", "/v2/registry/example", 404),
        ("PUT", "/v2/registry", 405),
        ("POST", "/v2/registry/options", 405),
        ("PATCH", "/v2/registries/example/garbage-collection", 405),
    ],
)
async def test_what_the_api_does_not_have_is_an_error_in_json(call, method, path, status):
    reply = await call(method, path)
    assert reply.status == status
    assert set(reply.json) == {"id", "message", "request_id"}


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "a%2F..%2Fb",
        "..%2F..%2Fsubscription",
        "a%3Fb",
        "a%23b",
        "%00",
        "%F0%9F",
        "x" * 5000,
    ],
)
async def test_a_hostile_name_is_only_ever_a_name(call, sandbox, name):
    fill(sandbox, 1, "repo")
    path = f"/v2/registries/example/repositories/{name}/tags/v0"
    reply = await call("DELETE", path)
    assert reply.status == 404
    received = sandbox.requests[-1]
    assert received.raw_path == path
    assert received.route == "/v2/registries/{registry}/repositories/{repository}/tags/{tag}"
    assert sandbox.state.tag_names("example", "repo") == ["v0"]


async def test_a_state_of_ones_own_is_served(session):
    state = State()
    async with Sandbox(state) as sandbox:
        reply = await Caller(session, sandbox)("GET", "/v2/registry")
    assert reply.status == 404
    assert reply.json["message"] == "The resource you requested could not be found."
