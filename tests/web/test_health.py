"""How a client is, known without a request."""

import pytest

from aioregistry import AuthenticationError, RateLimit, RegistryClient
from aioregistry.sandbox import Sandbox
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


async def test_a_token_that_is_refused_is_told():
    async with (
        Sandbox() as sandbox,
        RegistryClient("wrong", base_url=sandbox.url) as client,
    ):
        with pytest.raises(AuthenticationError):
            await client.get_registry()
        found = Health.of(client)
        assert found.status == "refused"
        assert not found.is_well


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
