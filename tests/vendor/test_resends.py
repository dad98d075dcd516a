"""What aiohttp sends again by itself on a lost connection is counted, and reckoned with."""

import aiohttp
import pytest

from aioregistry import (
    NotFoundError,
    RegistryConnectionError,
    RetryPolicy,
)
from tests.vendor import examples
from tests.vendor.raw import answer, close, reset

ONCE = RetryPolicy(attempts=1)
OK = answer(200, {"options": examples.OPTIONS})
GONE = answer(404, examples.NOT_FOUND)
DONE = answer(204)

lost = pytest.mark.parametrize("loss", [close, reset], ids=["closed", "reset"])


def repository(client):
    return client.registry("example").repository("repo-1")


def deletes(server):
    return [line for line in server.lines if line.startswith("DELETE")]


@lost
async def test_a_get_on_a_lost_kept_alive_connection_succeeds(raw, connect, loss):
    server = await raw(OK, loss, OK)
    async with connect(server) as client:
        await client.options()
        await client.options()
    assert len(server.requests) == 3


@lost
async def test_each_sending_is_an_attempt(raw, connect, loss):
    server = await raw(OK, loss, GONE)
    async with connect(server) as client:
        await client.options()
        with pytest.raises(NotFoundError) as caught:
            await client.options()
    assert len(server.requests) == 3
    assert caught.value.attempts == 2


@lost
async def test_a_connection_that_is_always_lost_is_counted_right(raw, connect, loss):
    server = await raw(OK, loss)
    async with connect(server) as client:
        await client.options()
        with pytest.raises(RegistryConnectionError) as caught:
            await client.options()
    assert caught.value.attempts == len(server.requests) - 1


@lost
async def test_no_more_is_sent_than_the_policy_allows(raw, connect, loss):
    server = await raw(OK, loss)
    async with connect(server, retry=RetryPolicy(attempts=3, backoff=0.001, cap=0.01)) as client:
        await client.options()
        with pytest.raises(RegistryConnectionError):
            await client.options()
    assert len(server.requests) - 1 <= 3


@lost
@pytest.mark.parametrize("warm", [True, False], ids=["kept alive", "new connection"])
class TestDelete:
    """A 404 after an answer that was lost means that the first one did it."""

    @pytest.fixture
    async def start(self, raw, connect, warm, loss):
        """A server that loses the first DELETE, after a GET that opened the connection."""

        async def begin(*replies, **changes):
            server = await raw(*([OK] if warm else []), loss, *replies)
            client = connect(server, **changes)
            await client.__aenter__()
            clients.append(client)
            if warm:
                await client.options()
            return server, client

        clients = []
        yield begin
        for client in clients:
            await client.__aexit__(None, None, None)

    async def test_delete_tag_returns(self, start):
        server, client = await start(GONE)
        await repository(client).delete_tag("v1")
        assert len(deletes(server)) == 2

    async def test_delete_manifest_returns(self, start):
        server, client = await start(GONE)
        await repository(client).delete_manifest(examples.DIGEST)
        assert len(deletes(server)) == 2

    async def test_delete_repository_returns(self, start):
        server, client = await start(GONE)
        await client.registry("example").delete_repository("repo-1")
        assert len(deletes(server)) == 2

    async def test_delete_registry_returns(self, start):
        server, client = await start(GONE)
        await client.delete_registry("example")
        assert len(deletes(server)) == 2

    async def test_bulk_says_deleted(self, start):
        server, client = await start(GONE)
        report = await repository(client).delete_tags(["v1"])
        assert len(report.deleted) == 1
        assert (report.absent, report.failed, report.unknown, report.not_attempted) == ((),) * 4
        assert len(deletes(server)) == 2

    async def test_bulk_manifests_say_deleted(self, start):
        _, client = await start(GONE)
        report = await repository(client).delete_manifests([examples.DIGEST])
        assert len(report.deleted) == 1
        assert report.absent == ()

    async def test_never_answered_is_unknown(self, start):
        _, client = await start()
        report = await repository(client).delete_tags(["v1"])
        assert len(report.unknown) == 1
        assert (report.deleted, report.absent, report.failed, report.not_attempted) == ((),) * 4

    async def test_a_second_that_works_is_deleted(self, start):
        server, client = await start(DONE)
        report = await repository(client).delete_tags(["v1"])
        assert len(report.deleted) == 1
        assert len(deletes(server)) == 2


async def test_a_404_at_once_is_absent(raw, connect):
    server = await raw(GONE)
    async with connect(server) as client:
        report = await repository(client).delete_tags(["v1"])
        with pytest.raises(NotFoundError):
            await repository(client).delete_tag("v1")
    assert len(report.absent) == 1
    assert report.deleted == ()


async def test_a_404_after_a_429_is_absent(raw, connect):
    """A request that was turned away did nothing: the tag was gone before."""
    limited = answer(429, examples.TOO_MANY_REQUESTS, "retry-after: 0.01")
    server = await raw(limited, GONE)
    async with connect(server) as client:
        report = await repository(client).delete_tags(["v1"])
    assert len(report.absent) == 1
    assert len(server.requests) == 2


@lost
async def test_a_borrowed_session_hides_no_resend(raw, connect, loss):
    server = await raw(OK, loss, GONE)
    async with (
        aiohttp.ClientSession() as session,
        connect(server, session=session) as client,
    ):
        await client.options()
        report = await repository(client).delete_tags(["v1"])
    assert len(report.deleted) == 1
    assert len(deletes(server)) == 2


@lost
async def test_a_post_is_not_sent_again(raw, connect, loss):
    server = await raw(OK, loss, answer(201, {"registry": examples.REGISTRY}))
    async with connect(server) as client:
        await client.options()
        with pytest.raises(RegistryConnectionError) as caught:
            await client.create_registry("example", subscription_tier="basic")
    assert [line.split()[0] for line in server.lines] == ["GET", "POST"]
    assert caught.value.attempts == 1


@lost
async def test_with_one_attempt_the_second_sending_is_not_ours_to_make(raw, connect, loss):
    server = await raw(OK, loss, OK)
    async with connect(server, retry=ONCE) as client:
        await client.options()
        with pytest.raises(RegistryConnectionError) as caught:
            await client.options()
    assert caught.value.attempts == len(server.requests) - 1 == 1


async def test_connections_that_end_between_requests_cost_nothing(raw, connect):
    async def answer_and_close(exchange):
        await OK(exchange)
        exchange.writer.close()

    server = await raw(answer_and_close)
    async with connect(server) as client:
        for _ in range(5):
            await client.options()
    assert len(server.requests) == 5
