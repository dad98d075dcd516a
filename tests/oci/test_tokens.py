"""Credentials and tokens: what is asked for how often, shared, refused, and revoked."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web

from aioregistry import (
    AuthenticationError,
    ClientClosedError,
    PermissionDeniedError,
    RegistryClient,
    RegistryError,
    RetryPolicy,
    ServerError,
)
from aioregistry.oci import credentials
from aioregistry.oci.distribution import Distribution
from aioregistry.sandbox import Fault, Faults, Sandbox
from tests.conftest import QUICK
from tests.ratelimit.strict_server import virtual

BODY = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
REPOSITORIES = [f"web-{number}" for number in range(6)]


class Registry:
    """A registry with a token service that grants what it is asked for, but for what a test says.

    Attributes:
        faults: What the token service does next, before all else: a status, or "lost".
        grant: Returns the repositories that a token is good for, of those asked for; or an answer.
        asked: The repositories of each request to the token service.
        scheme: How it wants to be authenticated to.
        revoked: The tokens that were revoked.
        ready: Whether it answers for manifests now.
    """

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.grant: Callable[[list[str]], list[str] | web.Response] = list
        self.asked: list[list[str]] = []
        self.manifests: list[tuple[str, str | None]] = []
        self.tokens: dict[str, list[str]] = {}
        self.scheme = "bearer"
        self.basic: Callable[[str], bool] = lambda _: True
        self.revoked: list[str] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            return await self.token(request)
        if request.path == "/revoke":
            return await self.revoke(request)
        repository = request.path.removeprefix("/v2/example/").partition("/manifests/")[0]
        given = request.headers.get("Authorization")
        self.manifests.append((repository, given))
        await self.ready.wait()
        if not self.allows(repository, given):
            challenge = f'Bearer realm="{self.url}/token",service="it"'
            if self.scheme == "basic":
                challenge = 'Basic realm="it"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.Response(body=BODY)

    def allows(self, repository: str, given: str | None) -> bool:
        if given is None:
            return False
        if self.scheme == "basic":
            return given.startswith("Basic ") and self.basic(given)
        return repository in self.tokens.get(given.removeprefix("Bearer "), [])

    async def token(self, request: web.Request) -> web.StreamResponse:
        scopes = request.query.getall("scope")
        self.asked.append([scope.split(":")[1].removeprefix("example/") for scope in scopes])
        fault = self.faults.pop(0) if self.faults else None
        if fault == "lost":
            request.transport.abort()
        if isinstance(fault, int):
            return web.json_response({"id": "no", "message": "not now"}, status=fault)
        granted = self.grant(self.asked[-1])
        if isinstance(granted, web.Response):
            return granted
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = granted
        return web.json_response({"token": token, "expires_in": 300})

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        token = (await request.post())["token"]
        assert request.headers["Authorization"] == f"Bearer {token}"
        self.revoked.append(str(token))
        return web.Response()


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry()
    runner = web.ServerRunner(web.Server(registry.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    registry.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield registry
    await runner.cleanup()


@pytest.fixture
async def distribution(client, registry) -> AsyncIterator[Distribution]:
    async with Distribution(
        client.registry("example"), base_url=registry.url, retry=QUICK
    ) as distribution:
        yield distribution


def minted(sandbox: Sandbox) -> int:
    return sum("docker-credentials" in request.raw_path for request in sandbox.requests)


async def read_all(distribution: Distribution, repositories=("web",), times: int = 1) -> list:
    return await asyncio.gather(
        *(distribution.get_manifest(name, DIGEST) for name in repositories for _ in range(times)),
        return_exceptions=True,
    )


@pytest.mark.parametrize("fault", [503, 500, 429, "lost"])
async def test_a_passing_fault_of_the_token_service_is_tried_again(
    registry, distribution, sandbox, fault
):
    registry.faults = [fault, fault]
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY
    assert len(registry.asked) == 3
    assert minted(sandbox) == 1


async def test_a_token_service_that_stays_broken_fails_once_for_all_who_wait(
    registry, distribution
):
    registry.grant = lambda _: web.Response(status=503)
    failed = await read_all(distribution, times=10)
    assert {type(error) for error in failed} == {ServerError}
    assert len({id(error) for error in failed}) == 1
    assert len(registry.asked) == failed[0].attempts == QUICK.attempts
    registry.grant = list
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY


async def test_credentials_that_are_refused_for_good_are_made_twice_in_all(
    registry, distribution, sandbox
):
    registry.grant = lambda _: web.Response(status=401)
    for repository in REPOSITORIES:
        for error in await read_all(distribution, [repository], times=5):
            assert isinstance(error, AuthenticationError)
            assert "docker credentials" in str(error)
    assert minted(sandbox) == 2
    # Nor is the token service asked for each of the 30.
    assert len(registry.asked) <= 3


async def test_what_was_refused_is_asked_for_again_after_a_while(
    registry, distribution, sandbox, monkeypatch
):
    monkeypatch.setattr(credentials, "_REFUSAL_SECONDS", 0.0)
    registry.grant = lambda _: web.Response(status=401)
    with pytest.raises(AuthenticationError):
        await distribution.get_manifest("web", DIGEST)
    registry.grant = list
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY
    # What works again may be replaced once again.
    registry.tokens.clear()
    registry.faults = [401]
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY
    assert minted(sandbox) == 3


async def test_basic_credentials_that_are_refused_for_good_are_made_twice_in_all(
    registry, distribution, sandbox
):
    registry.scheme = "basic"
    registry.basic = lambda _: False
    for _ in range(5):
        with pytest.raises(AuthenticationError, match="docker credentials"):
            await distribution.get_manifest("web", DIGEST)
    assert minted(sandbox) == 2


async def test_basic_credentials_that_are_refused_are_replaced(registry, distribution, sandbox):
    registry.scheme = "basic"
    refused: list[str] = []

    def is_second(given: str) -> bool:
        refused.extend([given] if not refused else [])
        return given not in refused

    registry.basic = is_second
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY
    assert minted(sandbox) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"id": "forbidden", "message": "repositories of the plan are used up"},
        {"errors": [{"code": "DENIED", "message": "repositories of the plan are used up"}]},
    ],
)
async def test_a_403_of_the_token_service_is_of_one_repository_and_costs_no_credentials(
    registry, distribution, sandbox, body
):
    def grant(asked: list[str]) -> list[str] | web.Response:
        return web.json_response(body, status=403) if "web" in asked else asked

    registry.grant = grant
    for error in await read_all(distribution, ["web"], times=5):
        assert isinstance(error, PermissionDeniedError)
        assert "used up" in str(error)
        assert "no access to the repository 'web'" in str(error)
    assert (await distribution.get_manifest("other", DIGEST)).body == BODY
    assert minted(sandbox) == 1


async def test_an_api_that_refuses_credentials_is_asked_once(registry, distribution, sandbox):
    sandbox.faults = Faults(Fault(kind="status", status=403, route="*docker-credentials*"))
    for error in await read_all(distribution, REPOSITORIES, times=5):
        assert isinstance(error, PermissionDeniedError)
        assert "registry:read and registry:update" in str(error)
    assert minted(sandbox) == 1


async def test_an_api_that_fails_for_a_moment_is_asked_again(registry, distribution, sandbox):
    sandbox.faults = Faults(Fault(kind="status", status=503, route="*docker-credentials*"))
    with pytest.raises(ServerError):
        await distribution.get_manifest("web", DIGEST)
    sandbox.faults = Faults()
    assert (await distribution.get_manifest("web", DIGEST)).body == BODY


async def test_one_token_serves_repositories_that_are_read_at_the_same_time(registry, distribution):
    await read_all(distribution, REPOSITORIES)
    assert len(registry.asked) == 1
    assert sorted(registry.asked[0]) == REPOSITORIES


async def test_one_token_serves_repositories_that_were_announced(registry, distribution):
    distribution.expect(REPOSITORIES)
    for repository in REPOSITORIES:
        assert (await distribution.get_manifest(repository, DIGEST)).body == BODY
    assert [sorted(asked) for asked in registry.asked] == [REPOSITORIES]
    # Only the first was asked for without a token.
    assert [given for _, given in registry.manifests].count(None) == 1


async def test_a_token_is_asked_for_no_more_repositories_than_fit_into_a_url(
    registry, distribution
):
    distribution.expect(f"team/some-repository-{number}" for number in range(60))
    await distribution.get_manifest("team/some-repository-0", DIGEST)
    assert len(registry.asked[0]) == 25


async def test_a_service_that_refuses_several_repositories_is_asked_for_one(
    registry, distribution, sandbox
):
    def grant(asked: list[str]) -> list[str] | web.Response:
        return asked if len(asked) == 1 else web.Response(status=400)

    registry.grant = grant
    distribution.expect(REPOSITORIES)
    for answer in await read_all(distribution, REPOSITORIES):
        assert answer.body == BODY
    assert [len(asked) for asked in registry.asked] == [6, 1, 1, 1, 1, 1, 1]
    assert minted(sandbox) == 1


async def test_a_service_that_grants_less_than_it_was_asked_for_is_asked_again(
    registry, distribution, sandbox
):
    registry.grant = lambda asked: asked[:1]
    distribution.expect(REPOSITORIES)
    for repository in REPOSITORIES * 2:
        assert (await distribution.get_manifest(repository, DIGEST)).body == BODY
    assert len(registry.asked) == len(REPOSITORIES)
    assert minted(sandbox) == 1


def revoking(client: RegistryClient, registry: Registry, **options) -> Distribution:
    return Distribution(
        client.registry("example"),
        base_url=registry.url,
        retry=QUICK,
        **{"revoke_url": f"{registry.url}/revoke"} | options,
    )


async def test_credentials_are_revoked_on_closing(registry, client):
    async with revoking(client, registry) as distribution:
        await distribution.get_manifest("web", DIGEST)
        assert registry.revoked == []
    (token,) = registry.revoked
    first = next(given for _, given in registry.manifests if given)
    assert first.startswith("Bearer token-")
    assert len(token) > 20
    await distribution.close()
    assert registry.revoked == [token]


async def test_all_credentials_that_were_made_are_revoked_once(registry, client):
    registry.scheme = "basic"
    given: list[str] = []

    def accepts_the_second(authorization: str) -> bool:
        if authorization not in given:
            given.append(authorization)
        return len(given) == 2

    registry.basic = accepts_the_second
    async with revoking(client, registry) as distribution:
        await distribution.get_manifest("web", DIGEST)
    assert len(set(registry.revoked)) == len(registry.revoked) == 2
    async with distribution:
        pass
    assert len(registry.revoked) == 2


async def test_without_credentials_nothing_is_revoked(registry, client):
    async with revoking(client, registry):
        pass
    assert registry.revoked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/revoke", "{}/nowhere"])
async def test_closing_moves_on_when_revoking_fails(registry, client, url, caplog):
    caplog.set_level("INFO", "aioregistry")
    async with revoking(client, registry, revoke_url=url.format(registry.url)) as distribution:
        await distribution.get_manifest("web", DIGEST)
    assert "unrevoked" in caplog.text


async def test_closing_does_not_wait_for_ever_for_credentials_to_be_revoked(
    registry, client, monkeypatch
):
    monkeypatch.setattr(credentials, "_REVOCATION_SECONDS", 0.05)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    monkeypatch.setattr(registry, "revoke", hang)
    async with asyncio.timeout(60):
        async with revoking(client, registry) as distribution:
            await distribution.get_manifest("web", DIGEST)


@pytest.mark.parametrize(
    ("api_url", "registry_url", "is_refused"),
    [
        ("https://api.digitalocean.com", "https://mirror.test", True),
        ("https://api.digitalocean.com", "http://127.0.0.1:8080", True),
        ("HTTPS://API.DigitalOcean.com:443/", "https://mirror.test", True),
        ("https://api.digitalocean.com", "https://fra1.registry.digitalocean.com", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", False),
    ],
)
async def test_the_environment_sends_the_vendors_credentials_nowhere_else(
    monkeypatch, api_url, registry_url, is_refused
):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", registry_url)
    async with RegistryClient("token", base_url=api_url) as client:
        registry = client.registry("example")
        if is_refused:
            with pytest.raises(ValueError, match="would be sent there"):
                Distribution(registry)
            assert Distribution(registry, base_url=registry_url).base_url == registry_url
        else:
            assert Distribution(registry).base_url == registry_url


async def test_the_sandbox_refuses_what_was_revoked_on_closing(sandbox):
    sandbox.state.push("example", "web", ["v1"])
    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        distribution = Distribution(
            client.registry("example"),
            base_url=sandbox.url,
            revoke_url=f"{sandbox.url}/v1/oauth/revoke",
        )
        async with distribution:
            await distribution.list_tags("web")
            keyring, now = sandbox.state.keyring, sandbox.state.clock()
            secret = (await distribution._credentials.get()).password
            assert keyring.find(secret, now) is not None
        assert keyring.find(secret, now) is None


@pytest.mark.parametrize(
    ("api_url", "options", "revokes_at"),
    [
        ("https://api.digitalocean.com", {}, "https://cloud.digitalocean.com/v1/oauth/revoke"),
        ("https://api.digitalocean.com:443", {}, "https://cloud.digitalocean.com/v1/oauth/revoke"),
        ("https://api.digitalocean.com", {"revoke_url": None}, None),
        ("https://api.other.test", {}, None),
        ("https://api.other.test", {"revoke_url": "https://x.test/r"}, "https://x.test/r"),
    ],
)
async def test_where_credentials_are_revoked(api_url, options, revokes_at):
    async with RegistryClient("token", base_url=api_url) as client:
        distribution = Distribution(client.registry("example"), **options)
    assert distribution._revoke_url == revokes_at


async def test_a_borrowed_session_is_used_and_stays_as_it_is(registry, client):
    owner = "Basic of-the-owner"
    async with aiohttp.ClientSession(
        raise_for_status=True, headers={"Authorization": owner}
    ) as session:
        async with Distribution(
            client.registry("example"), base_url=registry.url, retry=QUICK, session=session
        ) as distribution:
            assert (await distribution.get_manifest("web", DIGEST)).body == BODY
        assert not session.closed
    # The owner's login is for other servers.
    assert owner not in {given for _, given in registry.manifests}
    assert registry.manifests[0][1] is None


async def test_closed_it_sends_nothing_in_a_borrowed_session(registry, client):
    """Its credentials were revoked, and who had others made would leave them behind."""
    async with aiohttp.ClientSession() as session:
        async with Distribution(
            client.registry("example"), base_url=registry.url, retry=QUICK, session=session
        ) as distribution:
            await distribution.get_manifest("web", DIGEST)
        sent = len(registry.manifests)
        with pytest.raises(ClientClosedError):
            await distribution.get_manifest("web", DIGEST)
    assert len(registry.manifests) == sent


async def test_what_is_under_way_when_it_closes_makes_no_credentials_and_sends_no_more(
    registry, client, sandbox
):
    """They were revoked, and those that are made afterwards nobody would revoke."""
    registry.ready.clear()
    async with aiohttp.ClientSession() as session:
        distribution = await Distribution(
            client.registry("example"),
            base_url=registry.url,
            retry=QUICK,
            session=session,
            concurrency=1,
        ).open()
        reading = [asyncio.create_task(distribution.get_manifest("web", DIGEST)) for _ in range(2)]
        while not registry.manifests:
            await asyncio.sleep(0.001)
        await distribution.close()
        registry.ready.set()
        failed = await asyncio.gather(*reading, return_exceptions=True)
    assert [type(error) for error in failed] == [ClientClosedError] * 2
    assert len(registry.manifests) == 1
    assert minted(sandbox) == 0


async def test_a_session_that_is_closed_under_it_is_an_error_of_ours(registry, client):
    session = aiohttp.ClientSession()
    distribution = Distribution(
        client.registry("example"), base_url=registry.url, session=session, retry=QUICK
    )
    await distribution.open()
    await session.close()
    with pytest.raises(RegistryError, match="not open"):
        await distribution.get_manifest("web", DIGEST)
    await distribution.close()


async def test_a_session_has_its_own_setting_for_proxies(client):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="not both"):
            Distribution(client.registry("example"), session=session, trust_env=True)
        with pytest.raises(ValueError, match="not both"):
            RegistryClient("token", session=session, trust_env=True)


@virtual
async def test_waiting_for_a_turn_is_not_waiting_for_the_registry():
    """Ten reads of 10 s one after the other, each of which may take 50 s."""

    async def slowly(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(10.0)
        return web.Response(body=BODY)

    runner = web.ServerRunner(web.Server(slowly))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        Sandbox() as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
        Distribution(
            client.registry("example"),
            base_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
            retry=RetryPolicy(attempts=1),
            timeout=50.0,
            concurrency=1,
        ) as distribution,
    ):
        for answer in await read_all(distribution, times=10):
            assert answer.body == BODY
    await runner.cleanup()
