"""Answers that lead elsewhere, never end, unpack to no end, or are no HTTP at all."""

import resource
import zlib

import pytest

from aioregistry import (
    InvalidResponseError,
    NotFoundError,
    RegistryConnectionError,
    RegistryError,
    ResponseError,
    RetryPolicy,
    ServerError,
)
from tests.vendor import examples
from tests.vendor.raw import JSON, answer, endless, head, verbatim
from tests.vendor.server import TOKEN

MIB = 1 << 20
PLENTY = 256 * MIB
ONCE = RetryPolicy(attempts=1)

OPTIONS = "/v2/registry/options"
TAGS = "/v2/registry/example/repositories/repo-1/tags"
REDIRECTS = (301, 302, 303, 307, 308)
CALLS = {
    "get": lambda c: c.options(),
    "post": lambda c: c.create_registry("example", subscription_tier="basic"),
    "put": lambda c: c.registry("example").cancel_garbage_collection(examples.UUID),
    "delete": lambda c: c.registry("example").repository("repo-1").delete_tag("v1"),
    "list": lambda c: c.registry("example").repository("repo-1").tags().collect(),
}


class TestRedirects:
    """A redirect is never followed, and no token goes to another origin."""

    @pytest.mark.parametrize("status", REDIRECTS)
    @pytest.mark.parametrize("call", CALLS)
    async def test_to_another_origin(self, raw, connect, status, call):
        thief = await raw(answer(200, {"options": examples.OPTIONS}))
        server = await raw(answer(status, b"", f"Location: {thief.url}/v2/registry/options"))
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError) as caught:
                await CALLS[call](client)
        assert thief.connections == 0
        assert len(server.requests) == 1
        assert caught.value.status == status
        assert TOKEN not in str(caught.value)

    @pytest.mark.parametrize(
        "location",
        ["/v2/registry/options", "//thief.invalid/", "file:///etc/passwd", "", "http://[", "\xff"],
    )
    async def test_to_anywhere(self, raw, connect, location):
        server = await raw(
            answer(302, b"", f"Location: {location}"),
            answer(200, {"options": examples.OPTIONS}),
        )
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError):
                await client.options()
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [300, 304, 305, 399])
    async def test_other_answers_of_that_hundred(self, raw, connect, status):
        server = await raw(answer(status, b"", "Location: /v2/registry/options"))
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError):
                await client.options()
        assert len(server.requests) == 1


def peak() -> int:
    """The most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bomb(coding: str) -> tuple[bytes, bytes]:
    """The beginning of a compressed body, and a part that gives another MiB each time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    blank = b" " * MIB

    def part() -> bytes:
        return packer.compress(blank) + packer.flush(zlib.Z_FULL_FLUSH)

    return part(), part()


class TestTooMuch:
    """A gigabyte is an error, not a memory problem; it isn't read to its end."""

    @pytest.mark.parametrize(
        "framing",
        [(), (f"Content-Length: {1 << 30}",)],
        ids=["until the connection closes", "with its length said"],
    )
    @pytest.mark.parametrize("filler", [b" ", b"["], ids=["blanks", "brackets"])
    async def test_an_endless_answer(self, raw, connect, framing, filler):
        server = await raw(endless(200, filler * MIB, *framing))
        before = peak()
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError):
                await client.options()
        assert server.bytes_sent < PLENTY
        assert peak() - before < PLENTY

    async def test_an_endless_chunked_answer(self, raw, connect):
        chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
        server = await raw(endless(200, chunk, "Transfer-Encoding: chunked"))
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError):
                await client.options()
        assert server.bytes_sent < PLENTY

    @pytest.mark.parametrize(("status", "error"), [(500, ServerError), (404, NotFoundError)])
    async def test_an_endless_error_keeps_its_class(self, raw, connect, status, error):
        server = await raw(endless(status, b" " * MIB))
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(error):
                await client.options()
        assert server.bytes_sent < PLENTY

    @pytest.mark.parametrize("call", ["get", "list"])
    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    async def test_a_compressed_bomb(self, raw, connect, coding, call):
        first, more = bomb(coding)

        async def reply(exchange):
            length = len(first) + 1023 * len(more)
            await exchange.send(
                head(
                    200,
                    f"Content-Type: {JSON}",
                    f"Content-Encoding: {coding}",
                    f"Content-Length: {length}",
                )
            )
            await exchange.send(first)
            for _ in range(1023):
                await exchange.send(more)

        server = await raw(reply)
        before = peak()
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(InvalidResponseError):
                await CALLS[call](client)
        # aiohttp before 3.13 unpacks all that one read of the socket brought.
        assert peak() - before < 2 * PLENTY

    async def test_a_bomb_in_an_error(self, raw, connect):
        first, more = bomb("gzip")
        body = first + more * 1023
        server = await raw(answer(404, body, "Content-Encoding: gzip"))
        before = peak()
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(NotFoundError):
                await client.options()
        assert peak() - before < PLENTY

    async def test_headers_without_end(self, raw, connect):
        server = await raw(verbatim(b"HTTP/1.1 200 OK\r\nX: " + b"x" * MIB))
        async with connect(server, retry=ONCE) as client:
            with pytest.raises(RegistryError):
                await client.options()


DEEP = 100_000
NOT_JSON = {
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep arrays, cut": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in an unknown field": b'{"new":' + b"[" * DEEP + b"]" * DEEP + b',"options":{}}',
    "deep in the options": b'{"options":{"new":' + b"[" * DEEP + b"]" * DEEP + b"}}",
    "no utf-8": b'{"options":{"available_regions":["\xff\xfe"]}}',
    "utf-16": '{"options":{}}'.encode("utf-16"),
    "empty": b"",
    "html": b"<!DOCTYPE html><html></html>",
    "cut": b'{"options":{"available_regions":["nyc3"',
    "two documents": b'{"options":{}}{"options":{}}',
    "trailing text": b'{"options":{}} x',
    "single quotes": b"{'options':{}}",
    "huge number": b'{"options":{"subscription_tiers":[{"included_repositories":1e999}]}}',
    "not a number": b'{"options":{"subscription_tiers":[{"included_repositories":NaN}]}}',
}


@pytest.mark.parametrize(("call", "path"), [("get", OPTIONS), ("list", TAGS)])
@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_not_json_is_an_invalid_response(raw, connect, call, path, name):
    server = await raw(answer(200, NOT_JSON[name]))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises(InvalidResponseError) as caught:
            await CALLS[call](client)
    error = caught.value
    assert (error.status, error.method, error.attempts) == (200, "GET", 1)
    assert error.url.startswith(f"{server.url}{path}")
    assert len(str(error)) < 2000


async def test_no_content_where_content_was_promised(raw, connect):
    server = await raw(answer(204))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises(InvalidResponseError):
            await client.options()


GARBAGE = {
    "no http": b"\x16\x03\x01\x02\x00garbage",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "a chunk that is no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_what_is_not_http_is_an_error_of_ours(raw, connect, name):
    server = await raw(verbatim(GARBAGE[name]))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises((InvalidResponseError, RegistryConnectionError)) as caught:
            await client.options()
    assert not isinstance(caught.value, ResponseError)
    assert caught.value.attempts == len(server.requests)


def cut(status: int) -> bytes:
    return head(status, f"Content-Type: {JSON}", "Content-Length: 99") + b'{"id":'


@pytest.mark.parametrize(("status", "error"), [(500, ServerError), (404, NotFoundError)])
async def test_an_error_cut_short_keeps_its_class(raw, connect, status, error):
    server = await raw(verbatim(cut(status)))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises(error):
            await client.options()


async def test_a_delete_is_done_by_its_status_however_the_body_ends(raw, connect):
    server = await raw(verbatim(cut(200)))
    async with connect(server, retry=ONCE) as client:
        await CALLS["delete"](client)
    assert len(server.requests) == 1


async def test_an_answer_in_any_case_of_headers(raw, connect):
    server = await raw(
        answer(
            200,
            {"options": examples.OPTIONS},
            "RATELIMIT-LIMIT: 5000",
            "RateLimit-Remaining: 4816",
            "ratelimit-Reset: 1444931833",
        )
    )
    async with connect(server) as client:
        assert (await client.options()).available_regions[0] == "nyc3"
