"""The registry's own side: the token dance, manifests and blobs."""

import base64
import hashlib
import json
import re

import pytest
from yarl import URL

from aioregistry.sandbox import Phases, Sandbox, State


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def sandbox(clock):
    state = State(clock)
    state.add_registry("example")
    async with Sandbox(state) as running:
        yield running


@pytest.fixture
def credentials(sandbox):
    return sandbox.state.issue_credentials("example")


@pytest.fixture
def get(session, sandbox, credentials):
    """GET with the whole dance that a challenge asks for, answered as a client would."""

    async def fetch(path, *, method="GET", secret=credentials.secret, accept="*/*"):
        url = URL(sandbox.url + path, encoded=True)
        async with session.request(method, url) as challenged:
            assert challenged.status == 401
            header = challenged.headers["WWW-Authenticate"]
        assert header.startswith("Bearer ")
        asked = dict(re.findall(r'(\w+)="([^"]*)"', header))
        realm = asked.pop("realm")
        async with session.get(realm, params=asked, headers=basic(secret)) as granted:
            if granted.status != 200:
                return granted, None
            token = (await granted.json())["token"]
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        async with session.request(method, url, headers=headers) as answered:
            return answered, await answered.read()

    return fetch


def basic(secret):
    auth = base64.b64encode(f"{secret}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {auth}"}


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def test_an_image_is_pulled_from_its_tag_to_its_blobs(get, sandbox):
    digest = sandbox.state.push("example", "my/repo", ["v1"], size=100_000)
    answered, document = await get("/v2/example/my/repo/manifests/v1")
    assert answered.status == 200
    assert answered.headers["Docker-Content-Digest"] == digest == digest_of(document)
    manifest = json.loads(document)
    assert answered.content_type == manifest["mediaType"]
    config = manifest["config"]
    _, content = await get(f"/v2/example/my/repo/blobs/{config['digest']}")
    assert digest_of(content) == config["digest"]
    assert json.loads(content)["architecture"] == "amd64"
    (layer,) = manifest["layers"]
    answered, content = await get(f"/v2/example/my/repo/blobs/{layer['digest']}")
    assert len(content) == layer["size"] == 100_000
    answered, content = await get(f"/v2/example/my/repo/blobs/{layer['digest']}", method="HEAD")
    assert (answered.content_length, content) == (100_000, b"")
    _, content = await get(f"/v2/example/my/repo/blobs/{digest}")
    assert content == document


async def test_an_index_names_its_children(get, sandbox):
    children = [sandbox.state.push("example", "repo"), sandbox.state.push("example", "repo")]
    digest = sandbox.state.push_index("example", "repo", children, ["v1"])
    answered, document = await get(f"/v2/example/repo/manifests/{digest}")
    assert digest_of(document) == digest
    assert answered.content_type == "application/vnd.oci.image.index.v1+json"
    named = json.loads(document)["manifests"]
    assert [child["digest"] for child in named] == children
    assert named[0]["platform"] == {"os": "linux", "architecture": "amd64"}
    _, child = await get(f"/v2/example/repo/manifests/{children[0]}")
    assert len(child) == named[0]["size"]


async def test_a_media_type_that_the_client_does_not_take_is_unknown_to_it(get, sandbox):
    sandbox.state.push("example", "repo", ["v1"])
    answered, body = await get("/v2/example/repo/manifests/v1", accept="application/json")
    assert answered.status == 404
    assert json.loads(body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/example/repo/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/example/repo/manifests/sha256:xyz", 404, "MANIFEST_UNKNOWN"),
        ("/v2/example/other/manifests/v1", 404, "NAME_UNKNOWN"),
        ("/v2/example/repo/blobs/sha256:" + "0" * 64, 404, "BLOB_UNKNOWN"),
        ("/v2/example/repo/blobs/xyz", 400, "DIGEST_INVALID"),
    ],
)
async def test_what_is_not_there_is_told_as_registries_do(get, sandbox, path, status, code):
    sandbox.state.push("example", "repo", ["v1"])
    answered, body = await get(path)
    assert answered.status == status
    assert json.loads(body)["errors"][0]["code"] == code


@pytest.mark.parametrize("name", ["a%22%0D%0Ab", "a%2F..%2Frepo", "%2e%2e", "repo%00"])
async def test_a_name_that_cannot_be_is_neither_granted_nor_repeated(session, sandbox, name):
    path = f"/v2/example/{name}/manifests/v1"
    async with session.get(URL(sandbox.url + path, encoded=True)) as challenged:
        assert challenged.status == 401
        assert "scope" not in challenged.headers["WWW-Authenticate"]


async def test_it_is_read_only(get):
    answered, body = await get("/v2/example/repo/manifests/v1", method="DELETE")
    assert answered.status == 405
    assert json.loads(body)["errors"][0]["code"] == "UNSUPPORTED"


async def test_the_version_check_wants_a_token_too(get):
    answered, body = await get("/v2/")
    assert answered.status == 200
    assert body == b"{}"


async def test_credentials_expire_and_their_tokens_with_them(get, session, sandbox, clock):
    sandbox.state.push("example", "repo", ["v1"])
    short = sandbox.state.issue_credentials("example", expiry_seconds=60)
    answered, _ = await get("/v2/example/repo/manifests/v1", secret=short.secret)
    assert answered.status == 200
    headers = dict(answered.request_info.headers)
    clock.now += 61
    async with session.get(answered.url, headers=headers) as late:
        assert late.status == 401
    answered, _ = await get("/v2/example/repo/manifests/v1", secret=short.secret)
    assert answered.status == 401


async def test_credentials_open_no_other_registry(get, sandbox):
    sandbox.state.add_registry("second")
    sandbox.state.push("second", "repo", ["v1"])
    answered, _ = await get("/v2/second/repo/manifests/v1")
    assert answered.status == 401


@pytest.mark.parametrize("header", [None, "Basic !", "Basic eDp5", "Bearer x"])
async def test_the_token_service_wants_credentials_that_the_api_gave(session, sandbox, header):
    headers = {} if header is None else {"Authorization": header}
    async with session.get(f"{sandbox.url}/v2/registry/auth", headers=headers) as refused:
        assert refused.status == 401


@pytest.mark.parametrize(
    ("read_write", "collecting", "allowed"),
    [(False, False, {"pull"}), (True, False, {"pull", "push"}), (True, True, {"pull"})],
)
async def test_pushing_is_granted_by_scope_unless_the_registry_is_read_only(
    session, sandbox, read_write, collecting, allowed
):
    state = sandbox.state
    secret = state.issue_credentials("example", read_write=read_write).secret
    if collecting:
        state.phases = Phases(requested=600.0)
        state.start_collection("example")
    url = f"{sandbox.url}/v2/registry/auth?scope=repository:example/repo:pull,push"
    async with session.get(url, headers=basic(secret)) as granted:
        token = (await granted.json())["token"]
    grants = state.keyring.token(f"Bearer {token}", state.clock()).grants
    assert grants == {("example/repo", action) for action in allowed}


async def test_the_free_tier_has_no_room_for_a_second_repository(session, sandbox):
    state = sandbox.state
    state.push("example", "repo", ["v1"])
    said = {}

    async def ask(name, action="pull,push", *, read_write=True):
        secret = state.issue_credentials("example", read_write=read_write).secret
        scope = f"repository:example/{name}:{action}"
        url = f"{sandbox.url}/v2/registry/auth"
        async with session.get(url, params={"scope": scope}, headers=basic(secret)) as answer:
            said.update(await answer.json())
            return answer.status

    assert await ask("other") == 200
    state.subscribe("starter")
    assert await ask("other") == 403
    assert said["errors"][0]["code"] == "DENIED"
    assert "includes 1 repositories" in said["errors"][0]["message"]
    assert await ask("other", "pull") == 200
    assert await ask("other", read_write=False) == 200
    assert await ask("repo") == 200


async def test_credentials_that_revoke_themselves_are_refused(session, sandbox, credentials):
    url, secret = f"{sandbox.url}/v1/oauth/revoke", credentials.secret
    bearer = {"Authorization": f"Bearer {secret}"}
    async with session.post(url, headers=bearer) as without_token:
        assert without_token.status == 400
    async with session.get(url, headers=bearer) as by_get:
        assert by_get.status == 405
    async with session.get(f"{sandbox.url}/v2/registry/auth", headers=basic(secret)) as granted:
        assert granted.status == 200
    async with session.post(url, data={"token": secret}, headers=bearer) as revoked:
        assert revoked.status == 200
    async with session.post(url, data={"token": secret}, headers=bearer) as again:
        assert again.status == 401
    async with session.get(f"{sandbox.url}/v2/registry/auth", headers=basic(secret)) as refused:
        assert refused.status == 401


@pytest.mark.parametrize("scheme", [None, "Basic", "Bearer"])
async def test_an_api_token_revokes_nothing(session, sandbox, credentials, scheme):
    headers = {} if scheme is None else {"Authorization": f"{scheme} {sandbox.token}"}
    form = {"token": credentials.secret}
    async with session.post(
        f"{sandbox.url}/v1/oauth/revoke", data=form, headers=headers
    ) as refused:
        assert refused.status == 401
    assert sandbox.state.keyring.find(credentials.secret, sandbox.state.clock()) is credentials


async def test_credentials_go_with_their_registry(sandbox, credentials, clock):
    sandbox.state.add_registry("second")
    other = sandbox.state.issue_credentials("second")
    sandbox.state.delete_registry("example")
    assert sandbox.state.keyring.find(credentials.secret, clock()) is None
    assert sandbox.state.keyring.find(other.secret, clock()) is other
    assert credentials.secret not in repr(credentials)


async def test_pulls_cost_no_quota_of_the_api_and_are_recorded(get, sandbox):
    answered, _ = await get("/v2/example/my/repo/manifests/v1")
    assert "ratelimit-limit" not in answered.headers
    assert [request.route for request in sandbox.requests] == [
        "/v2/{registry}/{repository}/manifests/{reference}",
        "/v2/registry/auth",
        "/v2/{registry}/{repository}/manifests/{reference}",
    ]


async def test_a_registry_may_bear_a_family_s_name(get, sandbox):
    sandbox.state.add_registry("registries")
    sandbox.state.push("registries", "repo", ["v1"])
    secret = sandbox.state.issue_credentials("registries").secret
    answered, _ = await get("/v2/registries/repo/manifests/v1", secret=secret)
    assert answered.status == 200
