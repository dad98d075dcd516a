"""A sandbox on a socket, and a bare HTTP session that carries its token."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from aioregistry.sandbox import Sandbox


@attrs.frozen
class Reply:
    status: int
    headers: Any
    text: str
    json: Any


@attrs.frozen
class Caller:
    """Sends requests as written: no path is normalised, nothing is retried."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def __call__(
        self, method: str, path: str, *, token: str | None = "", json: Any = None, data: Any = None
    ) -> Reply:
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.sandbox.token}"
        url = URL(self.sandbox.url + path, encoded=True)
        async with self.session.request(
            method, url, headers=headers, json=json, data=data, allow_redirects=False
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            body = await response.json() if is_json else None
            return Reply(response.status, response.headers, text, body)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
def call(session, sandbox) -> Caller:
    return Caller(session, sandbox)
