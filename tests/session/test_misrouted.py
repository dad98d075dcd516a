"""A 404 about the way of a request, and not about what it names: no sign that anything is gone."""

import asyncio
import json
import pickle

import pytest
from aiohttp import web
from multidict import CIMultiDict

from aioregistry import NotFoundError, RegistryClient
from aioregistry.cleanup import Distribution
from aioregistry.sandbox import Fault, Faults
from aioregistry.session.answers import Answer, is_misrouted, is_success
from aioregistry.web.problems import Problem
from tests.session.serving import serving

UNROUTED = {"id": "not_found", "message": "Your request could not be routed."}
PAGE = {"Content-Type": "text/html; charset=utf-8"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
DIGEST = "sha256:" + "0" * 64


def answer(body: bytes, **headers: str) -> Answer:
    return Answer(404, CIMultiDict(headers), body)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(b"<html>", **PAGE), True),
        (answer(b"<HTML>", **{"Content-Type": "Text/HTML"}), True),
        (answer(b"not found", **{"Content-Type": "TEXT/plain"}), True),
        (answer(b"404 page not found\n", **TEXT), True),
        (answer(b"", **TEXT), False),
        (answer(json.dumps(UNROUTED).encode()), True),
        (answer(b'{"id": "not_found", "message": "tag does not exist"}', **TEXT), False),
        (answer(b'{"id": "not_found", "message": "tag does not exist"}'), False),
        (answer(b""), False),
        (Answer(404, CIMultiDict(), b"", too_large=True), True),
        (Answer(404, CIMultiDict(), b"", lost=True), True),
    ],
)
def test_it_is_known_by_a_page_or_by_its_message(given, expected):
    assert is_misrouted(given) is expected
    assert is_success(given, is_delete=True, may_have_taken_effect=True) is not expected


@pytest.fixture
def misled(sandbox):
    """A sandbox where a proxy answers some requests with a page."""
    sandbox.state.push("example", "web", ["v1", "v2"])

    def mislead(**where: str) -> None:
        sandbox.faults = Faults(Fault(kind="html", status=404, **where))

    return mislead


async def test_deletes_fail_by_it_and_call_nothing_absent(misled, client):
    misled(method="DELETE")
    report = await client.registry("example").repository("web").delete_tags(["v1", "v2"])
    assert (len(report.failed), report.absent) == (2, ())
    assert all(isinstance(one.error, NotFoundError) for one in report.failed)


async def test_deletes_fail_by_the_text_of_a_proxy_that_knows_no_such_route():
    async def text(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=404, text="404 page not found\n")

    async with serving(text) as url, RegistryClient("token", base_url=url) as client:
        registry = client.registry("example")
        report = await registry.repository("web").delete_tags(["v1", "v2"])
        assert (len(report.failed), report.absent) == (2, ())
        with pytest.raises(NotFoundError):
            await registry.garbage_collection()


@pytest.mark.parametrize("body", [b"404 page", b"x" * 70_000], ids=["lost", "too large"])
async def test_what_its_body_says_is_not_guessed_where_it_was_not_read(body):
    """It may have said that the request could not be routed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 70000\r\n\r\n" + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, RegistryClient("token", base_url=url) as client:
        registry = client.registry("example")
        for _ in range(2):
            with pytest.raises(NotFoundError) as caught:
                await registry.repository("web").tags().collect()
            assert not caught.value.is_certain
        report = await registry.repository("web").delete_tags(["v1"])
    assert (len(report.failed), report.absent) == (1, ())


async def test_a_delete_that_was_lost_before_stays_unknown(sandbox, client):
    sandbox.state.push("example", "web", ["v1"])
    lost = Fault(kind="lost", method="DELETE", times=1)
    sandbox.faults = Faults(lost, Fault(kind="html", status=404, method="DELETE", skip=1))
    report = await client.registry("example").repository("web").delete_tags(["v1"])
    assert [one.name for one in report.unknown] == ["v1"]


async def test_a_walk_of_all_repositories_ends_by_it(misled, client):
    misled(route="*/tags")
    with pytest.raises(NotFoundError):
        await client.registry("example").tags().collect()


async def test_a_garbage_collection_may_still_be_under_way(misled, client):
    registry = client.registry("example")
    assert await registry.garbage_collection() is None
    misled(route="*/garbage-collection")
    with pytest.raises(NotFoundError) as caught:
        await registry.garbage_collection()
    assert not caught.value.is_certain
    assert not pickle.loads(pickle.dumps(caught.value)).is_certain


async def test_the_registry_lacks_nothing_by_it(sandbox, client):
    async def page(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=404, text="<html>", content_type="text/html")

    async with (
        serving(page) as url,
        Distribution(client.registry("example"), base_url=url, revoke_url=None) as distribution,
    ):
        for look in (distribution.find_manifest, distribution.has_blob):
            with pytest.raises(NotFoundError, match="Another server answers"):
                await look("web", DIGEST)


async def test_a_name_that_the_api_could_not_route_is_not_said_to_be_missing():
    async def unrouted(_request: web.BaseRequest) -> web.Response:
        return web.json_response(UNROUTED, status=404)

    async with serving(unrouted) as url, RegistryClient("token", base_url=url) as client:
        repo = client.registry("example").repository("my/web")
        with pytest.raises(NotFoundError) as caught:
            await repo.tags().collect()
        assert "There is no" not in str(caught.value)
        assert "This says nothing of what exists" in str(caught.value)
        assert Problem.of(caught.value).status == 502
        report = await repo.delete_tags(["v1"])
        assert [one.status for one in report.failed] == ["failed"]
