"""A sandbox on a socket, and a client on it."""

import signal
from collections.abc import AsyncIterator

import pytest

from aioregistry import RegistryClient, RetryPolicy
from aioregistry.sandbox import Sandbox, State

# A shell that runs the tests in the background has Ctrl-C ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

QUICK = RetryPolicy(backoff=0.001, cap=0.01)


def push_tags(state: State, count: int, repository: str = "repo", prefix: str = "v") -> None:
    """Push images, each with one tag."""
    for number in range(count):
        state.push("example", repository, [f"{prefix}{number}"])


@pytest.fixture(autouse=True)
def no_token_from_outside(monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN", raising=False)
    monkeypatch.delenv("DIGITALOCEAN_ACCESS_TOKEN", raising=False)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[RegistryClient]:
    async with RegistryClient(
        sandbox.token, base_url=sandbox.url, rate_limit=None, retry=QUICK, per_page=10
    ) as client:
        yield client
