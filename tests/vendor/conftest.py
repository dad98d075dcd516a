"""One server and one client for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from aioregistry import RegistryClient, RetryPolicy
from tests.vendor.raw import RawServer, Reply
from tests.vendor.server import TOKEN, VendorServer

QUICK = RetryPolicy(attempts=3, backoff=0.001, cap=0.01)

Connect = Callable[..., Any]


@pytest.fixture
async def server() -> AsyncIterator[VendorServer]:
    """The server of the description."""
    async with VendorServer() as running:
        yield running


@pytest.fixture
def connect() -> Connect:
    """Make a client (not yet entered) for a server, with short backoffs."""

    def make(server: VendorServer | RawServer, **changes: Any) -> RegistryClient:
        return RegistryClient(
            **{"token": TOKEN, "base_url": server.url, "retry": QUICK} | changes,
        )

    return make


@pytest.fixture
async def client(server: VendorServer, connect: Connect) -> AsyncIterator[RegistryClient]:
    """A client of the description's server, first family."""
    async with connect(server) as running:
        yield running


@pytest.fixture
async def raw() -> AsyncIterator[Callable[..., Any]]:
    """Start raw servers with the given replies; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(*replies: Reply) -> RawServer:
            return await stack.enter_async_context(RawServer(*replies))

        yield start
