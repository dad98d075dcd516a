"""Every status and every way to fail: its class, its attributes, its pickle."""

import copy
import pickle

import pytest

import aioregistry
from aioregistry import (
    AuthenticationError,
    BulkDeleteError,
    ConflictError,
    InvalidNameError,
    InvalidRequestError,
    MountRefusedError,
    NotFoundError,
    NotRecordedError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryError,
    RegistryReadOnlyError,
    RegistryTimeoutError,
    ResponseError,
    RetryPolicy,
    ServerError,
    SharedQuotaError,
    TagExistsError,
)
from tests.vendor import examples
from tests.vendor.raw import RawServer, answer, close, endless, reset, stall, verbatim
from tests.vendor.server import Answer

ATTRIBUTES = ("status", "error_id", "message", "request_id", "method", "url", "attempts")
ONCE = RetryPolicy(attempts=1)
OPTIONS = "/v2/registry/options"
TAG = "/v2/registry/example/repositories/repo-1/tags/v1"

CLASSES = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: ResponseError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: ResponseError,
    412: PreconditionFailedError,
    418: ResponseError,
    422: InvalidRequestError,
    429: RateLimitedError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
    599: ServerError,
}
REPEATED = (500, 502, 503, 504)


@pytest.mark.parametrize("status", CLASSES)
async def test_a_status_has_its_class_and_attributes(server, connect, status):
    body = {**examples.UNEXPECTED, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9"}
    server.on("GET", OPTIONS, Answer(status, body, {"retry-after": "0"}))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises(ResponseError) as caught:
            await client.options()
    error = caught.value
    assert type(error) is CLASSES[status]
    assert {name: getattr(error, name) for name in ATTRIBUTES} == {
        "status": status,
        "error_id": "example_error",
        "message": "some error message",
        "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9",
        "method": "GET",
        "url": f"{server.url}{OPTIONS}",
        "attempts": 1,
    }
    assert "some error message" in str(error)
    assert str(status) in str(error)


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
        (b"", "application/json"),
        (b"", "text/plain"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"not found"', "application/json"),
        (b'{"id":5,"message":["x"],"request_id":{}}', "application/json"),
        (b'{"id":null,"message":null}', "application/json"),
        (b'{"errors":[]}', "application/json"),
        (b'{"id":"cut', "application/json"),
        (b"\xff\xfe\x00not utf-8", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"id":' * 10_000, "application/json"),
    ],
    ids=lambda value: repr(value[:12]),
)
async def test_a_status_counts_whatever_the_body_is(server, connect, status, body, content_type):
    headers = {"Content-Type": content_type, "retry-after": "0"}
    server.on("GET", OPTIONS, Answer(status, body, headers))
    async with connect(server, retry=ONCE) as client:
        with pytest.raises(ResponseError) as caught:
            await client.options()
    assert type(caught.value) is CLASSES[status]
    assert caught.value.status == status
    assert caught.value.error_id is None
    assert caught.value.request_id is None
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("status", REPEATED)
async def test_a_repeatable_call_is_repeated_and_counted(server, client, status):
    server.on("GET", OPTIONS, Answer(status, examples.SERVER_ERROR))
    with pytest.raises(ServerError) as caught:
        await client.options()
    assert caught.value.attempts == len(server.requests) == 3


@pytest.mark.parametrize("status", [*REPEATED, 429])
async def test_a_passing_fault_is_not_seen(server, client, status):
    server.on(
        "GET",
        OPTIONS,
        Answer(status, examples.UNEXPECTED, {"retry-after": "0.01"}),
        Answer(200, {"options": examples.OPTIONS}),
    )
    assert (await client.options()).available_regions[0] == "nyc3"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422])
async def test_a_final_answer_is_not_asked_for_again(server, client, status):
    server.on("GET", OPTIONS, Answer(status, examples.UNEXPECTED))
    with pytest.raises(ResponseError) as caught:
        await client.options()
    assert caught.value.attempts == len(server.requests) == 1


UNSAFE = {
    "create": ("/v2/registries", lambda c: c.create_registry("example", subscription_tier="basic")),
    "start garbage collection": (
        "/v2/registry/example/garbage-collection",
        lambda c: c.registry("example").start_garbage_collection("unreferenced blobs only"),
    ),
    "subscription": ("/v2/registry/subscription", lambda c: c.update_subscription("basic")),
}


@pytest.mark.parametrize("name", UNSAFE)
async def test_an_unsafe_post_is_sent_once(server, client, name):
    path, call = UNSAFE[name]
    server.on("POST", path, Answer(503, examples.SERVER_ERROR))
    with pytest.raises(ServerError) as caught:
        await call(client)
    assert caught.value.attempts == len(server.requests) == 1


@pytest.mark.parametrize("lost", [close, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("name", UNSAFE)
async def test_an_unsafe_post_without_an_answer_is_sent_once(raw, connect, name, lost):
    server = await raw(lost)
    async with connect(server) as client:
        with pytest.raises(RegistryConnectionError) as caught:
            await UNSAFE[name][1](client)
    assert caught.value.attempts == len(server.requests) == 1


async def test_validate_name_is_a_post_that_may_be_repeated(server, client):
    path = "/v2/registry/validate-name"
    server.on("POST", path, Answer(503, examples.SERVER_ERROR), Answer(204))
    await client.validate_name("example")
    assert len(server.requests) == 2


async def test_a_delete_that_failed_and_then_finds_nothing_is_done(server, client):
    server.on("DELETE", TAG, Answer(502, examples.SERVER_ERROR), Answer(404, examples.NOT_FOUND))
    await client.registry("example").repository("repo-1").delete_tag("v1")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "retry_after",
    ["Wed, 21 Oct 2015 07:28:00 GMT", "", "soon", "-5", "0.001", "nan", "inf", "1e400"],
)
async def test_any_retry_after_is_survived(server, connect, retry_after):
    headers = {"retry-after": retry_after, "Retry-After-Ms": "x"}
    server.on(
        "GET",
        OPTIONS,
        Answer(503, examples.SERVER_ERROR, headers),
        Answer(200, {"options": examples.OPTIONS}),
    )
    async with connect(server) as client:
        await client.options()


@pytest.mark.parametrize("value", ["", "abc", "-1", "1e999", "nan", "9" * 400, "4816, 4816"])
@pytest.mark.parametrize("header", examples.RATE_LIMIT_HEADERS)
async def test_any_rate_limit_header_is_survived(server, client, header, value):
    server.on("GET", OPTIONS, Answer(200, {"options": examples.OPTIONS}, {header: value}))
    await client.options()
    await client.options()


async def test_a_gate_closed_too_long_is_an_error_without_a_request(server, connect):
    limited = Answer(429, examples.TOO_MANY_REQUESTS, {"retry-after": "3600"})
    server.on("GET", OPTIONS, limited)
    async with connect(server, rate_limit=aioregistry.RateLimit(max_wait=0.05)) as client:
        with pytest.raises(RateLimitedError):
            await client.options()
        with pytest.raises(RateLimitedError):
            await client.subscription()
    assert len(server.requests) == 1


# Of an archive, the registry itself and a shared quota, where they are raised in tests.
FROM_ELSEWHERE = (
    NotRecordedError("no space left"),
    MountRefusedError("not mounted"),
    TagExistsError("'v1' is on another", tags={"v1": f"sha256:{'a' * 64}"}),
    SharedQuotaError("no permission"),
)


async def every_error(raw, connect):
    """Each class of error of the API, from a call that really failed that way."""

    async def fail(call, *replies, **changes):
        server = await raw(*replies)
        try:
            async with connect(server, **{"retry": ONCE, "timeout": 60, **changes}) as client:
                await call(client)
        except RegistryError as error:
            return error
        return None

    def repository(client):
        return client.registry("example").repository("repo-1")

    async def options(client):
        await client.options()

    async def listing(client):
        await repository(client).tags().collect(require_complete=True)

    async def name(client):
        await repository(client).delete_tag("..")

    async def bulk(client):
        (await repository(client).delete_tags(["a", "b"])).raise_for_failures()

    async def closed(client):
        await client.__aexit__(None, None, None)
        await client.options()

    read_only = {"id": "precondition_failed", "message": "registry is read-only"}
    yield await fail(options, answer(412, read_only))
    for status in CLASSES:
        yield await fail(options, answer(status, examples.UNEXPECTED, "retry-after: 0"))
    yield await fail(options, close)
    yield await fail(options, reset)
    yield await fail(options, verbatim(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"))
    yield await fail(options, stall, timeout=0.05)
    yield await fail(options, answer(302, b"", "Location: /"))
    yield await fail(options, answer(200, b"<html>"))
    yield await fail(options, endless(200, b" " * (1 << 20)))
    yield await fail(listing, answer(200, {"tags": [examples.TAG], "meta": {"total": 7}}))
    yield await fail(name, close)
    yield await fail(bulk, answer(403, examples.UNEXPECTED))
    yield await fail(closed, close)
    yield await fail(options, close, token="two\nlines")


class TestEveryError:
    """What holds for each exception there is."""

    @pytest.fixture
    async def errors(self, raw, connect):
        return [*[error async for error in every_error(raw, connect)], *FROM_ELSEWHERE]

    async def test_all_classes_are_raised(self, errors):
        public = {
            thing
            for thing in (getattr(aioregistry, name) for name in aioregistry.__all__)
            if isinstance(thing, type) and issubclass(thing, RegistryError)
        }
        assert {type(error) for error in errors} == public - {RegistryError}

    async def test_all_have_every_attribute(self, errors):
        for error in errors:
            for name in ATTRIBUTES:
                assert hasattr(error, name), (type(error), name)

    async def test_all_pickle_and_copy(self, errors):
        for error in errors:
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                again = pickle.loads(pickle.dumps(error, protocol))
                assert type(again) is type(error)
                assert str(again) == str(error)
                assert getattr(again, "tags", None) == getattr(error, "tags", None)
                assert {n: getattr(again, n) for n in ATTRIBUTES} == {
                    n: getattr(error, n) for n in ATTRIBUTES
                }
            assert str(copy.copy(error)) == str(error)
            assert str(copy.deepcopy(error)) == str(error)

    async def test_bulk_errors_keep_their_parts_in_a_pickle(self, errors):
        [error] = [e for e in errors if isinstance(e, BulkDeleteError)]
        assert isinstance(error, ExceptionGroup)
        again = pickle.loads(pickle.dumps(error))
        assert [type(e) for e in again.exceptions] == [PermissionDeniedError] * 2
        assert [str(e) for e in again.exceptions] == [str(e) for e in error.exceptions]

    async def test_what_else_they_are(self, errors):
        for error in errors:
            assert isinstance(error, TimeoutError) == isinstance(error, RegistryTimeoutError)
            assert isinstance(error, ValueError) or not isinstance(error, InvalidNameError)
            answered = type(error) in {*CLASSES.values(), RegistryReadOnlyError}
            assert isinstance(error, ResponseError) == answered


async def test_a_name_error_knows_nothing_of_a_request(client):
    with pytest.raises(InvalidNameError) as caught:
        await client.registry("example").repository("repo-1").delete_tag("..")
    for name in ("status", "error_id", "request_id", "method", "url"):
        assert getattr(caught.value, name) is None


class TestNoAnswer:
    """The connection is lost, or nothing comes."""

    @pytest.mark.parametrize("lost", [close, reset], ids=["closed", "reset"])
    async def test_a_lost_connection(self, raw, connect, lost):
        server = await raw(lost)
        async with connect(server) as client:
            with pytest.raises(RegistryConnectionError) as caught:
                await client.options()
        error = caught.value
        assert (error.status, error.error_id, error.request_id) == (None, None, None)
        assert (error.method, error.url) == ("GET", f"{server.url}{OPTIONS}")

    async def test_nobody_listens(self, connect):
        async with RawServer(close) as server:
            pass
        async with connect(server) as client:
            with pytest.raises(RegistryConnectionError) as caught:
                await client.options()
        assert caught.value.attempts == 3

    async def test_a_host_that_has_no_address(self, server, connect):
        async with connect(server, base_url="http://nowhere.invalid") as client:
            with pytest.raises(RegistryConnectionError):
                await client.options()

    async def test_a_timeout_is_a_timeout_error_for_each_attempt(self, raw, connect):
        server = await raw(stall)
        async with connect(server, timeout=0.05) as client:
            with pytest.raises(RegistryTimeoutError) as caught:
                await client.options()
        # On a busy machine the time of one may be over before it has come.
        assert caught.value.attempts == 3 >= len(server.requests)
        assert caught.value.status is None

    async def test_the_body_counts_for_the_timeout_too(self, raw, connect):
        async def half(exchange):
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await stall(exchange)

        server = await raw(half)
        async with connect(server, timeout=0.05, retry=ONCE) as client:
            with pytest.raises(RegistryTimeoutError):
                await client.options()
