"""How a client is, known without a request."""

import aiohttp
import pytest

from aioregistry import (
    AuthenticationError,
    InvalidTokenError,
    PermissionDeniedError,
    RateLimit,
    RegistryClient,
    RegistryError,
    RetryPolicy,
    ServerError,
)
from aioregistry.sandbox import Fault, Faults, Sandbox
from aioregistry.web import Health


async def test_a_client_is_well_while_it_is_open():
    async with Sandbox() as sandbox:
        client = RegistryClient(sandbox.token, base_url=sandbox.url)
        assert Health.of(client).status == "closed"
        async with client:
            found = Health.of(client)
            assert found.document() == {
                "status": "ok",
                "waiting": 0,
                "next_free": 0.0,
                "remaining": 5000,
            }
            assert found.is_well
        assert not Health.of(client).is_well
        assert sandbox.request_count == 0


@pytest.mark.parametrize("rate_limit", [RateLimit(), None])
async def test_a_token_that_is_refused_makes_it_not_ready(rate_limit):
    async with (
        Sandbox() as sandbox,
        RegistryClient("wrong", base_url=sandbox.url, rate_limit=rate_limit) as client,
    ):
        with pytest.raises(AuthenticationError):
            await client.get_registry()
        found = Health.of(client)
        assert found.status == "refused"
        assert not found.is_ready
        assert found.is_alive


async def no_token():
    raise OSError("the vault is away")


async def test_a_token_that_cannot_be_got_makes_it_not_ready():
    async with RegistryClient(no_token, base_url="http://127.0.0.1:9", timeout=0.1) as client:
        with pytest.raises(InvalidTokenError):
            await client.get_registry()
        assert Health.of(client).status == "refused"


async def test_a_missing_scope_concerns_one_call_only(sandbox, client):
    sandbox.faults = Faults(Fault(kind="status", status=403))
    with pytest.raises(PermissionDeniedError):
        await client.get_registry()
    assert Health.of(client).is_ready


ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize("fault", [Fault(kind="status", status=500), Fault(kind="reset-before")])
async def test_an_api_that_fails_makes_it_not_ready_until_it_answers(sandbox, fault):
    async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=ONCE) as client:
        sandbox.faults = Faults(fault)
        with pytest.raises(RegistryError):
            await client.get_registry()
        assert Health.of(client).status == "failing"
        sandbox.faults = Faults()
        await client.get_registry()
        assert Health.of(client).is_ready


async def test_one_failure_among_answers_is_passed_over_and_three_are_not(sandbox):
    async with RegistryClient(sandbox.token, base_url=sandbox.url, retry=ONCE) as client:
        await client.get_registry()
        sandbox.faults = Faults(Fault(kind="status", status=503))
        seen = []
        for _ in range(3):
            with pytest.raises(ServerError):
                await client.get_registry()
            seen.append(Health.of(client).status)
        assert seen == ["ok", "ok", "failing"]


async def test_it_is_ready_again_by_itself_after_a_while(sandbox):
    async with RegistryClient("wrong", base_url=sandbox.url) as client:
        with pytest.raises(AuthenticationError):
            await client.get_registry()
        assert not Health.of(client).is_ready
        assert Health.of(client, memory=0.0).is_ready


async def test_a_closed_session_of_the_caller_needs_a_new_process(sandbox):
    session = aiohttp.ClientSession()
    async with RegistryClient(sandbox.token, base_url=sandbox.url, session=session) as client:
        assert Health.of(client).is_alive
        await session.close()
        assert not Health.of(client).is_alive


async def test_without_a_limiter_there_is_no_quota_to_tell():
    async with (
        Sandbox() as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=None) as client,
    ):
        assert Health.of(client).remaining is None


async def test_a_wait_that_depends_on_answers_is_no_number():
    quota = RateLimit(windows=((1, 60.0),))
    async with (
        Sandbox() as sandbox,
        RegistryClient(sandbox.token, base_url=sandbox.url, rate_limit=quota) as client,
    ):
        await client._limiter.acquire()
        assert Health.of(client).document()["next_free"] is None
        client._limiter.release(sent=False)
