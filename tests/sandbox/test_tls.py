"""TLS on request."""

import aiohttp
import pytest

from aioregistry.sandbox import Sandbox

pytest.importorskip("trustme", reason="trustme is not installed")


async def test_a_client_that_trusts_the_authority_is_served():
    async with Sandbox(tls=True) as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.url.startswith("https://127.0.0.1:")
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        url = f"{sandbox.url}/v2/registry/example/repositoriesV2"
        for name in "ab":
            sandbox.state.push("example", name, ["v1"])
        trust = sandbox.certificates.client
        async with session.get(f"{url}?per_page=1", headers=headers, ssl=trust) as response:
            body = await response.json()
        assert body["links"]["pages"]["next"].startswith(f"{url}?")
        assert b"BEGIN CERTIFICATE" in sandbox.certificates.authority


async def test_a_client_that_does_not_is_not():
    async with Sandbox(tls=True) as sandbox, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(sandbox.url)
        assert sandbox.requests == []


def test_without_tls_there_are_no_certificates():
    assert Sandbox().certificates is None
