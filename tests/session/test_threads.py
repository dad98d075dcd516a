"""What other threads may ask a client."""

import asyncio
import threading

import pytest

from aioregistry import ClientClosedError, RegistryClient
from aioregistry.session import threads
from aioregistry.web import Health


async def test_the_quota_and_health_are_known_in_every_thread(sandbox):
    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        await client.options()
        status = await asyncio.to_thread(lambda: client.rate_limit_status)
        assert status.windows[0].used == 1
        assert await asyncio.to_thread(client.registry("example").seconds_for, 10) == 0.0
        health = await asyncio.to_thread(Health.of, client)
        assert health.status == "ok"
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(client.in_loop, lambda: 1 / 0)


async def test_an_error_of_the_function_is_none_of_the_event_loop(client):
    def late() -> None:
        raise TimeoutError("of the function's own")

    with pytest.raises(TimeoutError, match="of the function's own"):
        await asyncio.to_thread(client.in_loop, late)


async def test_what_was_not_called_in_time_is_not_called_later(client, monkeypatch):
    """Who asked has an error, and may ask again."""
    monkeypatch.setattr(threads, "_MAX_SECONDS", 0.01)
    called, errors = [], []

    def ask() -> None:
        try:
            client.in_loop(lambda: called.append(1))
        except ClientClosedError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    # The event loop does nothing else meanwhile.
    asking.join()
    await asyncio.sleep(0.01)
    assert (called, len(errors)) == ([], 1)


async def test_another_event_loop_may_ask(sandbox):
    async def ask():
        return client.rate_limit_status

    async with RegistryClient(sandbox.token, base_url=sandbox.url) as client:
        assert (await asyncio.to_thread(lambda: asyncio.run(ask()))).waiting == 0


def test_without_a_running_event_loop_the_question_is_refused():
    client = RegistryClient("token")
    with pytest.raises(ClientClosedError, match="does not run"):
        client.rate_limit_status  # noqa: B018

    async def use():
        async with client:
            assert client.rate_limit_status.waiting == 0

    asyncio.run(use())
    with pytest.raises(ClientClosedError, match="does not run"):
        client.rate_limit_status  # noqa: B018
