"""The registry itself: the token dance, digests that are checked, and what goes wrong."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from aioregistry import (
    AuthenticationError,
    ClientClosedError,
    InvalidNameError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RegistryConnectionError,
    RegistryTimeoutError,
    RetryPolicy,
    ServerError,
)
from aioregistry.oci.distribution import Distribution
from tests.conftest import QUICK

BODY = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
async def distribution(sandbox, client) -> AsyncIterator[Distribution]:
    registry = client.registry("example")
    async with Distribution(registry, base_url=sandbox.url, retry=QUICK) as distribution:
        yield distribution


def sent(sandbox, method: str, what: str) -> int:
    return sum(one.method == method and what in one.raw_path for one in sandbox.requests)


async def test_a_manifest_is_read_by_tag_and_by_digest(sandbox, distribution):
    digest = sandbox.state.push("example", "my/web", ["v1"])
    by_tag = await distribution.get_manifest("my/web", "v1")
    by_digest = await distribution.get_manifest("my/web", digest)
    assert by_tag == by_digest
    assert by_tag.digest == digest == "sha256:" + hashlib.sha256(by_tag.body).hexdigest()
    assert by_tag.media_type == json.loads(by_tag.body)["mediaType"]


async def test_one_set_of_credentials_and_one_token_for_each_repository(sandbox, distribution):
    for number in range(5):
        sandbox.state.push("example", "web", [f"v{number}"])
        await distribution.get_manifest("web", f"v{number}")
    assert sent(sandbox, "GET", "docker-credentials") == 1
    assert sent(sandbox, "GET", "/v2/registry/auth") <= 1
    # Every manifest once, and the first a second time, with a token.
    assert sent(sandbox, "GET", "/manifests/") == 6


async def test_a_manifest_is_found_without_reading_it(sandbox, distribution):
    digest = sandbox.state.push("example", "web", ["v1"])
    assert await distribution.find_manifest("web", "v1") == digest
    assert sent(sandbox, "GET", "/manifests/") == 0


async def test_what_is_not_there_is_found_to_be_absent(sandbox, distribution):
    sandbox.state.push("example", "web", ["v1"])
    assert await distribution.find_manifest("web", "v2") is None
    with pytest.raises(NotFoundError):
        await distribution.get_manifest("web", "v2")
    with pytest.raises(NotFoundError):
        await distribution.get_manifest("nothing", "v2")


@pytest.mark.parametrize(
    ("repository", "reference"), [("Web", "v1"), ("web", "../x"), ("web", "a:b")]
)
async def test_a_bad_name_is_refused_before_anything_is_sent(
    sandbox, distribution, repository, reference
):
    with pytest.raises(InvalidNameError):
        await distribution.get_manifest(repository, reference)
    assert sandbox.request_count == 0


async def test_it_must_be_open(client, sandbox):
    distribution = Distribution(client.registry("example"), base_url=sandbox.url)
    with pytest.raises(ClientClosedError, match="async with Distribution"):
        await distribution.get_manifest("web", "v1")
    assert "example" in repr(distribution)
    await distribution.close()


@pytest.mark.parametrize("how", ["never opened", "closed"])
async def test_what_is_not_open_makes_no_credentials(client, sandbox, how):
    distribution = Distribution(client.registry("example"))
    if how == "closed":
        async with distribution:
            pass
    with pytest.raises(ClientClosedError):
        await distribution.get_manifest("web", "v1")
    assert sandbox.request_count == 0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"concurrency": 0}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"timeout": float("inf")}, ValueError),
        ({"timeout": None}, TypeError),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(client, wrong, error):
    (argument,) = wrong
    with pytest.raises(error, match=argument):
        Distribution(client.registry("example"), **wrong)


class Hostile:
    """A registry on a socket of its own; each test says what it answers."""

    def __init__(self) -> None:
        self.answers: list[web.StreamResponse] = []
        self.tokens: list[web.Response] = []
        self.challenge: str | None = None
        self.seen: list[tuple[str, str, str | None]] = []
        self.url = ""

    def will_answer(self, *answers: web.StreamResponse) -> None:
        self.answers.extend(answers)

    async def manifest(self, request: web.Request) -> web.StreamResponse:
        authorization = request.headers.get("Authorization")
        self.seen.append((request.method, request.path, authorization))
        if self.challenge is not None and authorization is None:
            return self.unauthorized()
        return self.answers.pop(0) if len(self.answers) > 1 else again(self.answers[0])

    def unauthorized(self) -> web.Response:
        headers = {} if self.challenge is None else {"WWW-Authenticate": self.challenge}
        return web.Response(status=401, headers=headers)

    async def token(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path_qs, request.headers.get("Authorization")))
        return self.tokens.pop(0) if len(self.tokens) > 1 else again(self.tokens[0])


def again(answer: web.StreamResponse) -> web.Response:
    """The same answer once more: aiohttp sends each only once."""
    assert isinstance(answer, web.Response)
    return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))


def good(**headers: str) -> web.Response:
    return web.Response(body=BODY, headers={"Content-Type": MEDIA_TYPE, **headers})


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    hostile = Hostile()
    app = web.Application()
    app.router.add_route("*", "/v2/example/web/manifests/{reference}", hostile.manifest)
    app.router.add_get("/token", hostile.token)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hostile.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hostile
    await runner.cleanup()


@pytest.fixture
async def reading(client, hostile) -> AsyncIterator[Distribution]:
    """What reads from the hostile registry, with credentials from the sandbox."""
    registry = client.registry("example")
    async with Distribution(
        registry, base_url=hostile.url + "/", retry=QUICK, timeout=2
    ) as distribution:
        yield distribution


async def test_a_body_that_is_not_what_its_digest_says_is_refused(hostile, reading):
    hostile.will_answer(web.Response(body=b"{}"))
    with pytest.raises(InvalidResponseError, match="does not have the digest"):
        await reading.get_manifest("web", DIGEST)


async def test_a_tag_whose_digest_header_lies_is_refused(hostile, reading):
    hostile.will_answer(good(**{"Docker-Content-Digest": "sha256:" + "0" * 64}))
    with pytest.raises(InvalidResponseError, match="does not have the digest"):
        await reading.get_manifest("web", "v1")


async def test_an_unknown_algorithm_cannot_be_checked_and_is_refused(hostile, reading):
    hostile.will_answer(good(**{"Docker-Content-Digest": "md5:0"}))
    with pytest.raises(InvalidResponseError, match="does not have the digest"):
        await reading.get_manifest("web", "v1")


async def test_a_tag_without_a_digest_header_has_the_digest_of_its_body(hostile, reading):
    hostile.will_answer(good())
    assert (await reading.get_manifest("web", "v1")).digest == DIGEST


async def test_sha512_is_checked_too(hostile, reading):
    hostile.will_answer(good())
    digest = "sha512:" + hashlib.sha512(BODY).hexdigest()
    assert (await reading.get_manifest("web", digest)).digest == digest


async def test_a_head_without_a_digest_is_followed_by_a_get(hostile, reading):
    hostile.will_answer(good())
    assert await reading.find_manifest("web", "v1") == DIGEST
    assert [method for method, _, _ in hostile.seen] == ["HEAD", "GET"]


async def test_a_huge_body_is_not_read_to_its_end(hostile, reading):
    hostile.will_answer(web.Response(body=b"x" * (17 * 2**20)))
    with pytest.raises(InvalidResponseError, match="too large a body"):
        await reading.get_manifest("web", "v1")


async def test_a_redirect_is_not_followed(hostile, reading):
    hostile.will_answer(web.Response(status=302, headers={"Location": "/token"}))
    with pytest.raises(InvalidResponseError, match="redirect"):
        await reading.get_manifest("web", "v1")
    assert len(hostile.seen) == 1


async def test_a_server_error_is_tried_again(hostile, reading):
    hostile.will_answer(web.Response(status=503), web.Response(status=500), good())
    assert (await reading.get_manifest("web", "v1")).digest == DIGEST
    assert len(hostile.seen) == 3


async def test_what_stays_broken_is_an_error_that_counts_its_attempts(hostile, reading):
    hostile.will_answer(web.Response(status=500))
    with pytest.raises(ServerError) as caught:
        await reading.get_manifest("web", "v1")
    assert caught.value.attempts == len(hostile.seen) > 1
    assert caught.value.method == "GET"


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"errors": []}', b'{"errors": [{"code": 1}]}', b"[" * 100_000]
)
async def test_any_error_body_is_an_error_of_ours(hostile, reading, body):
    hostile.will_answer(web.Response(status=403, body=body))
    with pytest.raises(PermissionDeniedError, match="status 403"):
        await reading.get_manifest("web", "v1")


async def test_what_the_registry_says_is_passed_on(hostile, reading):
    errors = {"errors": [{"code": "DENIED", "message": "not yours"}]}
    hostile.will_answer(web.json_response(errors, status=403))
    with pytest.raises(PermissionDeniedError, match="not yours") as caught:
        await reading.get_manifest("web", "v1")
    assert caught.value.error_id == "DENIED"


async def test_a_registry_that_cannot_be_reached_is_an_error(client):
    registry = client.registry("example")
    # Nothing listens on the discard port.
    async with Distribution(registry, base_url="http://127.0.0.1:9", retry=QUICK) as distribution:
        with pytest.raises(RegistryConnectionError):
            await distribution.get_manifest("web", "v1")


async def test_a_registry_that_does_not_answer_is_an_error(client, hostile):
    class Silent(web.Response):
        async def prepare(self, request):
            await asyncio.sleep(3600)

    hostile.will_answer(Silent(), Silent())
    registry = client.registry("example")
    once = RetryPolicy(attempts=1)
    async with Distribution(registry, base_url=hostile.url, retry=once, timeout=0.1) as reading:
        with pytest.raises(RegistryTimeoutError):
            await reading.get_manifest("web", "v1")


async def test_basic_authentication_is_known(hostile, reading):
    hostile.challenge = 'Basic realm="it"'
    hostile.will_answer(good())
    await reading.get_manifest("web", "v1")
    await reading.get_manifest("web", "v1")
    assert [bool(authorization) for _, _, authorization in hostile.seen] == [False, True, True]
    assert hostile.seen[-1][2].startswith("Basic ")


async def test_a_challenge_that_is_not_known_is_an_error(hostile, reading):
    hostile.challenge = "Negotiate"
    hostile.will_answer(good())
    with pytest.raises(AuthenticationError, match="no authentication that is known"):
        await reading.get_manifest("web", "v1")


async def test_credentials_are_not_sent_to_a_realm_of_another_host(hostile, reading):
    hostile.challenge = 'Bearer realm="http://evil.test/token"'
    hostile.will_answer(good())
    with pytest.raises(AuthenticationError, match=r"evil\.test.*nothing was sent"):
        await reading.get_manifest("web", "v1")


async def test_a_token_lives_no_longer_than_its_service_says(hostile, reading):
    hostile.challenge = f'Bearer realm="{hostile.url}/token",service="it"'
    hostile.tokens = [
        web.json_response({"token": "first", "expires_in": 1e-6}),
        web.json_response({"access_token": "second", "expires_in": 300}),
    ]
    hostile.will_answer(good())
    await reading.get_manifest("web", "v1")
    await reading.get_manifest("web", "v1")
    assert hostile.seen[-1][2] == "Bearer second"
    scope = next(path for _, path, _ in hostile.seen if "token" in path)
    assert "scope=repository:example/web:pull" in scope


async def test_a_token_that_is_refused_is_renewed(hostile, reading):
    hostile.challenge = f'Bearer realm="{hostile.url}/token"'
    hostile.tokens = [web.json_response({"token": name}) for name in ("first", "second")]
    hostile.will_answer(hostile.unauthorized(), good())
    await reading.get_manifest("web", "v1")
    assert hostile.seen[-1][2] == "Bearer second"


async def test_a_registry_that_refuses_for_ever_is_an_error(hostile, reading):
    hostile.challenge = f'Bearer realm="{hostile.url}/token"'
    hostile.tokens = [web.json_response({"token": "good"})]
    hostile.will_answer(hostile.unauthorized())
    with pytest.raises(AuthenticationError):
        await reading.get_manifest("web", "v1")


async def test_refused_credentials_are_asked_for_again_once(sandbox, hostile, reading):
    hostile.challenge = f'Bearer realm="{hostile.url}/token"'
    hostile.tokens = [web.Response(status=401)]
    hostile.will_answer(good())
    with pytest.raises(AuthenticationError):
        await reading.get_manifest("web", "v1")
    assert sent(sandbox, "GET", "docker-credentials") == 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"token": ""}', b'{"token": 5}', b'{"token": "a\\nb"}']
)
async def test_a_token_service_without_a_token_is_an_error(hostile, reading, body):
    hostile.challenge = f'Bearer realm="{hostile.url}/token"'
    hostile.tokens = [web.Response(body=body)]
    hostile.will_answer(good())
    with pytest.raises(InvalidResponseError, match="without a token"):
        await reading.get_manifest("web", "v1")


class NoHost:
    """A registry whose credentials are for whatever the test says."""

    name = "example"

    def __init__(self, host: str) -> None:
        self.host = host

    async def docker_credentials(self, *, read_write: bool, expiry_seconds: int) -> "NoHost":
        return self


@pytest.mark.parametrize("host", ["evil/path", "user@evil", "evil?x", ""])
async def test_credentials_for_what_is_no_host_are_refused(host):
    async with Distribution(NoHost(host)) as distribution:
        with pytest.raises(InvalidResponseError, match="no host"):
            await distribution.get_manifest("web", "v1")
