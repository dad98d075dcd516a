"""Names that would like to be another path, checked by the request line at the socket."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry import (
    InvalidNameError,
    InvalidResponseError,
    RegistryClient,
    RegistryError,
    RetryPolicy,
)
from tests.drawing import draws
from tests.vendor import examples
from tests.vendor.raw import RawServer, answer
from tests.vendor.server import TOKEN, VendorServer

pytestmark = pytest.mark.slow(0.01)

HEX = "cb8a924afdf0229ef7515d9e5b3024e23b3eb03ddbba287f4a19c6ac90b8d221"


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a path that a name fills."""

    line: str
    call: Callable[[RegistryClient, str], Awaitable[Any]]

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def segments(self) -> list[str]:
        return self.line.split(" ")[1].split("/")


def repository(client: RegistryClient, name: str = "repo-1") -> Any:
    return client.registry("example").repository(name)


async def end(pager: Any) -> None:
    await pager.first()


HOLES = {
    "registry: repositories": Hole(
        "GET /v2/registry/{}/repositoriesV2", lambda c, n: end(c.registry(n).repositories())
    ),
    "registry: old repositories": Hole(
        "GET /v2/registry/{}/repositories", lambda c, n: end(c.registry(n).repositories_v1())
    ),
    "registry: tags": Hole(
        "GET /v2/registry/{}/repositories/repo-1/tags",
        lambda c, n: end(c.registry(n).repository("repo-1").tags()),
    ),
    "registry: garbage collection": Hole(
        "GET /v2/registry/{}/garbage-collection", lambda c, n: c.registry(n).garbage_collection()
    ),
    "registry: delete": Hole("DELETE /v2/registries/{}", lambda c, n: c.delete_registry(n)),
    "registry: delete repository": Hole(
        "DELETE /v2/registries/{}/repositories/repo-1",
        lambda c, n: c.registry(n).delete_repository("repo-1"),
    ),
    "repository: tags": Hole(
        "GET /v2/registry/example/repositories/{}/tags", lambda c, n: end(repository(c, n).tags())
    ),
    "repository: manifests": Hole(
        "GET /v2/registry/example/repositories/{}/digests",
        lambda c, n: end(repository(c, n).manifests()),
    ),
    "repository: delete": Hole(
        "DELETE /v2/registries/example/repositories/{}",
        lambda c, n: c.registry("example").delete_repository(n),
    ),
    "repository: delete tag": Hole(
        "DELETE /v2/registry/example/repositories/{}/tags/v1",
        lambda c, n: repository(c, n).delete_tag("v1"),
    ),
    "repository: delete manifest": Hole(
        f"DELETE /v2/registry/example/repositories/{{}}/digests/{examples.DIGEST}",
        lambda c, n: repository(c, n).delete_manifest(examples.DIGEST),
    ),
    "tag: delete": Hole(
        "DELETE /v2/registry/example/repositories/repo-1/tags/{}",
        lambda c, n: repository(c).delete_tag(n),
    ),
    "tag: delete many": Hole(
        "DELETE /v2/registry/example/repositories/repo-1/tags/{}",
        lambda c, n: repository(c).delete_tags([n]),
    ),
    "digest: delete": Hole(
        "DELETE /v2/registry/example/repositories/repo-1/digests/{}",
        lambda c, n: repository(c).delete_manifest(n),
    ),
    "digest: delete many": Hole(
        "DELETE /v2/registry/example/repositories/repo-1/digests/{}",
        lambda c, n: repository(c).delete_manifests([n]),
    ),
    "uuid: cancel": Hole(
        "PUT /v2/registry/example/garbage-collection/{}",
        lambda c, n: c.registry("example").cancel_garbage_collection(n),
    ),
}
SINGLE = [name for name in HOLES if not name.endswith("many")]

IMPOSSIBLE = {
    "empty": "",
    "dot": ".",
    "dot dot": "..",
    "new line": "a\nb",
    "new line at the end": "example\n",
    "header": "a\r\nX-Evil: 1",
    "request": "a HTTP/1.1\r\n\r\nDELETE /v2/registries/example HTTP/1.1\r\nHost: x\r\n\r\n",
    "nul": "a\x00b",
    "escape": "a\x1bb",
    "delete": "a\x7fb",
    "ten KB": "a" * 10_240,
    "half of a pair": "a\ud800b",
}
ODD = {
    "up and down": "a/../b",
    "up": "../x",
    "two up": "../../x",
    "up at the end": "x/..",
    "dot inside": "a/./b",
    "encoded dots": "%2e%2e",
    "encoded dot": "%2E",
    "encoded up": "..%2f..%2fx",
    "twice encoded": "%252e%252e",
    "query": "a?b",
    "query that purges": "a?force=true",
    "fragment": "a#b",
    "slash first": "/a",
    "slash last": "a/",
    "two slashes": "a//b",
    "only a slash": "/",
    "backslash": "..\\..\\x",
    "semicolon": "a;b=c",
    "space": "a b",
    "space around": " a ",
    "percent": "100%",
    "plus": "a+b",
    "colon": "a:b",
    "at": "a@b",
    "another host": "//evil.example/x",
    "a url": "http://evil.example/",
    "braces": "{registry}",
    "format": "{0.__class__}",
    "none": "None",
    "unicode": "ünï",
    "full-width dots": "\uff0e\uff0e",
    "one-character dots": "\u2025",
    "full-width slash": "a\uff0fb",
    "arabic digits": "a\u0661",
    "kelvin": "\u212aelvin",
    "zero width": "a\u200bb",
    "right to left": "a\u202eb",
    "next line": "a\u0085b",
    "line separator": "a\u2028b",
    "emoji": "🐳",
    "bom": "\ufeffa",
}
LEGAL = {
    "registry": ["a", "a1", "a--b", "a" * 63],
    "repository": ["my/repo", "a/b/c/d", "a__b", "a.b-c_d", "0", "a" * 120, "tags", "digests"],
    "tag": ["latest", "_x", "v1..2", "A.B-C_d", "a" * 128, f"sha256-{HEX}.sig", "0", "None"],
    "digest": [f"sha256:{HEX}", f"sha512:{HEX}{HEX}"],
    "uuid": [examples.UUID],
}


async def attempt(hole: Hole, client: RegistryClient, name: Any) -> RegistryError | None:
    """Fill the hole; return the error, if there is one."""
    try:
        await hole.call(client, name)
    except RegistryError as error:
        return error
    return None


def assert_in_its_hole(hole: Hole, name: str, server: RawServer) -> None:
    """Nothing was sent, or just what was meant, with the name as one segment."""
    if not server.requests:
        return
    [request] = server.requests
    path, _, query = request.target.partition("?")
    segments = path.split("/")
    place = hole.segments.index("{}")
    assert request.line.count(" ") == 2
    assert request.method == hole.method
    assert segments[:place] == hole.segments[:place]
    assert segments[place + 1 :] == hole.segments[place + 1 :]
    assert unquote(segments[place], errors="strict") == name
    assert segments[place] not in ("", ".", "..")
    assert query == "" if hole.method != "GET" else {"force"}.isdisjoint(query.split("="))
    assert request.target.isascii()
    assert "#" not in request.target


@pytest.fixture
async def server(raw):
    return await raw(answer(404, examples.NOT_FOUND))


@pytest.fixture
async def client(server, connect):
    async with connect(server, retry=RetryPolicy(attempts=1), rate_limit=None) as running:
        yield running


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize("hole", SINGLE)
async def test_an_impossible_name_is_refused_unsent(server, client, hole, name):
    error = await attempt(HOLES[hole], client, IMPOSSIBLE[name])
    assert server.requests == []
    assert isinstance(error, InvalidNameError)
    assert isinstance(error, ValueError)
    assert len(str(error)) < 1000
    assert str(error).isprintable()


@pytest.mark.parametrize("hole", HOLES)
async def test_an_odd_name_stays_in_its_place(server, client, hole):
    for name in [*IMPOSSIBLE.values(), *ODD.values()]:
        server.requests.clear()
        error = await attempt(HOLES[hole], client, name)
        assert_in_its_hole(HOLES[hole], name, server)
        assert server.requests or hole.endswith("many") or isinstance(error, InvalidNameError)


@pytest.mark.parametrize(
    ("hole", "name"),
    [(hole, name) for hole in HOLES for name in LEGAL[hole.partition(":")[0]]],
)
async def test_a_legal_name_is_sent_as_one_segment(server, client, hole, name):
    error = await attempt(HOLES[hole], client, name)
    assert not isinstance(error, InvalidNameError)
    assert len(server.requests) == 1
    assert_in_its_hole(HOLES[hole], name, server)


@pytest.mark.parametrize("name", ["EXAMPLE", "-a", "a-", "1a", "a_b", "a.b", "a" * 64, "exämple"])
@pytest.mark.parametrize("hole", [hole for hole in HOLES if hole.startswith("registry")])
async def test_a_registry_has_a_narrow_grammar(server, client, hole, name):
    assert isinstance(await attempt(HOLES[hole], client, name), InvalidNameError)
    assert server.requests == []


@pytest.mark.parametrize("name", [None, 5, b"v1", ["v1"], object()], ids=type)
@pytest.mark.parametrize("hole", SINGLE)
async def test_what_is_no_string_is_refused_unsent(server, client, hole, name):
    with pytest.raises((InvalidNameError, TypeError)):
        await HOLES[hole].call(client, name)
    assert server.requests == []


@pytest.mark.parametrize("name", ["options", "subscription"])
async def test_a_registry_called_like_a_route_is_never_made_of_that_routes_answer(connect, name):
    """`GET /v2/registries/options` is the options, and no registry of that name."""
    async with VendorServer() as server, connect(server, api="registries") as client:
        with pytest.raises((InvalidNameError, InvalidResponseError)):
            await client.get_registry(name)


@pytest.mark.parametrize("many", ["delete_tags", "delete_manifests"])
async def test_bad_names_among_many_stop_nothing(raw, connect, many):
    server = await raw(answer(204))
    good = {"delete_tags": "v1", "delete_manifests": examples.DIGEST}[many]
    async with connect(server) as client:
        bad = ["", ".", "..", "a\nb"]
        report = await getattr(repository(client), many)([*bad[:2], good, *bad[2:]])
    assert len(report.deleted) == 1
    assert len(report.failed) == len(bad)
    assert (report.absent, report.unknown, report.not_attempted) == ((), (), ())
    assert [request.path.rpartition("/")[2] for request in server.requests] == [good]


HOSTILE = st.text(st.sampled_from("./%?#\\:;&=@ ab2eEfF\r\n\t\x00ü\ud800"), max_size=12)


@draws(40)
@given(st.lists(HOSTILE | st.text(max_size=200), min_size=1, max_size=10))
def test_no_name_reaches_another_route(names: list[str]) -> None:
    async def fill_all() -> None:
        async with (
            RawServer(answer(404, examples.NOT_FOUND)) as server,
            RegistryClient(
                token=TOKEN,
                base_url=server.url,
                retry=RetryPolicy(attempts=1),
                rate_limit=None,
            ) as client,
        ):
            for hole in HOLES.values():
                for name in names:
                    server.requests.clear()
                    await attempt(hole, client, name)
                    assert_in_its_hole(hole, name, server)

    asyncio.run(fill_all())
