"""Readers of what the API and the registry answer, and of the names that go to them."""

import asyncio
import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aioregistry.api.decoding import (
    DecodeError,
    ObjectDecoder,
    PageDecoder,
    RawPage,
    _structure,
    decode_error,
    json_object,
)
from aioregistry.api.docker_config import decode_docker_credentials
from aioregistry.api.endpoints import (
    FIRST_FAMILY,
    GARBAGE_COLLECTION,
    GARBAGE_COLLECTIONS,
    MANIFESTS,
    OPTIONS,
    REGISTRIES,
    REGISTRY,
    REPOSITORIES,
    REPOSITORIES_V1,
    SUBSCRIPTION,
    TAGS,
    page_query,
)
from aioregistry.api.models import DockerCredentials, Tag
from aioregistry.api.names import (
    check_digest,
    check_garbage_collection_uuid,
    check_registry,
    check_repository,
    check_tag,
    quote_segment,
)
from aioregistry.errors import (
    AuthenticationError,
    InvalidNameError,
    InvalidResponseError,
)
from aioregistry.oci.challenges import parse_challenges
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.references import Reference
from aioregistry.oci.tokens import parse_token
from aioregistry.paging.links import Link
from aioregistry.paging.number_walk import NumberWalk
from aioregistry.paging.token_walk import TokenWalk
from aioregistry.paging.walks import Walk
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.ratelimit.limiter import WindowLimiter
from aioregistry.ratelimit.limits import RateLimit
from aioregistry.session.answers import Answer, Failure, parse_error_body
from aioregistry.session.retry import RetryPolicy
from tests.fuzzing.readers.reader import Reader, header_of, is_sound, text_of

DIGEST = "sha256:" + "a" * 64
UUID = "eff0feee-49c7-4e8f-ba5c-a320c109c8a8"
_NOW = 1_790_000_000.0
_CHECKS = (
    check_registry,
    check_repository,
    check_tag,
    check_digest,
    check_garbage_collection_uuid,
)
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)(?:[A-Za-z0-9_.:-]|%2F)+")


def read_name(document: bytes) -> None:
    """A name passes its check and makes one segment of a path, or passes none."""
    text = text_of(document)
    with suppress(ValueError, RecursionError):
        _check_value(json.loads(text))
    accepted = [check for check in _CHECKS if _passes(check, text)]
    for _ in accepted:
        segment = quote_segment(text)
        assert _SEGMENT.fullmatch(segment)
        assert unquote(segment) == text
        path = f"/v2/{segment}/tags"
        assert URL(f"https://api.example{path}", encoded=True).raw_path == path
    if not accepted:
        raise InvalidNameError("nothing can be called so")


def _passes(check: Any, value: object) -> bool:
    try:
        assert check(value) is value
    except InvalidNameError as error:
        message = error.message
    else:
        return True
    assert is_sound(message)
    assert len(message) < 400
    return False


def _check_value(value: object) -> None:
    if not isinstance(value, str):
        for check in _CHECKS:
            assert not _passes(check, value)


def read_reference(document: bytes) -> None:
    """A reference is all of its text but for the scheme, and names what it was made of."""
    text = text_of(document)
    reference = Reference.parse(text)
    written = str(reference)
    assert text.endswith(written)
    assert re.fullmatch(r"(?:[a-z][a-z0-9+.-]*://)?", text[: len(text) - len(written)])
    assert Reference.parse(written) == reference
    if reference.path:
        registry, _, repository = reference.path.partition("/")
        assert reference.names("example", reference.path)
        assert not repository or reference.names(registry, repository)
        # Given without a host, as a repository's name may be, it is still that repository's.
        path = f"{reference.host}/{reference.path}" if reference.host else reference.path
        if _passes(check_repository, path):
            assert reference.names("example", path)
    assert not reference.path or not reference.names("example", "another")


def read_link(document: bytes) -> None:
    """A link gives a page, a token and a page size, and nothing of where it points to."""
    text = text_of(document)
    link = Link.parse(text)
    # A parameter that says nothing keeps the link from being read the short way.
    assert link == Link.parse(f"{text.partition('#')[0]}&x=1") or "?" not in text
    for number in (link.page, link.per_page):
        assert number is None or 0 < number < 10**10
    request = FIRST_FAMILY.list_repositories("example")
    if link.token is not None and is_sound(link.token):
        target = request.with_query(page_query(200, 1, link.token)).target
        assert target.startswith(f"{request.target}?per_page=200&page_token=")
        assert parse_qs(urlsplit(target).query) == {
            "per_page": ["200"],
            "page_token": [link.token],
        }


def read_walk(document: bytes) -> None:
    """A walk over whatever pages, one a line, comes to its end."""
    pages = []
    for line in document.splitlines():
        with suppress(DecodeError):
            pages.append(TAGS.decode(line))
    for walk in (NumberWalk(_tags_of, 2), TokenWalk(_tags_of)):
        _walk(walk, pages or [RawPage((), 0, None, None)])


def _tags_of(items: Sequence[Tag]) -> list[str]:
    return [item.tag for item in items]


def _walk(walk: Walk[Tag], pages: list[RawPage[Tag]]) -> None:
    asked = 0
    with suppress(InvalidResponseError):
        while (ref := walk.plan()) is not None:
            walk.receive(ref, pages[min(asked, len(pages) - 1)])
            asked += 1
            assert asked < 2000 + 10 * len(pages)
            assert ref.number > 0
    assert walk.complete in {True, False}


_LIMIT = RateLimit()
_LONGEST = _LIMIT.windows[-1][1]


def read_headers(document: bytes) -> None:
    """Headers never make anyone wait for ever, or for less than no time."""
    headers: CIMultiDict[str] = CIMultiDict()
    for line in header_of(document).split("\n"):
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip("\r"))
    for status in (200, 429, 503):
        word = RateLimitHeaders.parse(status, CIMultiDictProxy(headers), _NOW, 0.1)
        for said in (word.limit, word.remaining, word.reset_at, word.retry_after, word.reset_after):
            assert said is None or 0 <= said < math.inf
        failure = Failure(status, retry_after=word.retry_after)
        wait = RetryPolicy().decide(failure, 1, repeatable=True)
        assert wait is None or 0 <= wait <= 300
        asyncio.run(_obey(word))


async def _obey(word: RateLimitHeaders) -> None:
    limiter = WindowLimiter(_LIMIT)
    assert limiter.acquire_at_once()
    limiter.release(word)
    status = limiter.status
    assert 0 <= status.next_free <= _LONGEST
    assert 0 <= limiter.seconds_for(10) < math.inf
    for window in status.windows:
        assert 0 <= window.free <= window.limit
        assert 0 <= window.used <= 2 * window.limit


class _Registry:
    name = "example"

    def __init__(self, host: str) -> None:
        self._host = host

    async def docker_credentials(self, **_: object) -> DockerCredentials:
        return DockerCredentials(self._host, "user", "secret", {})


class _Distribution(Distribution):
    """One that sends nothing, and looks at where it would have sent credentials."""

    def __init__(self, host: str, answer: bytes) -> None:
        super().__init__(_Registry(host))
        self._body = answer

    async def _attempt_json(self, method: str, url: str, authorization: object) -> Answer:
        assert authorization is not None
        asked = URL(url, encoded=True)
        base = URL(await self._base())
        vendors = [
            host is not None and host.endswith(".digitalocean.com")
            for host in (asked.host, base.host)
        ]
        assert asked.origin() == base.origin() or (all(vendors) and asked.scheme == "https")
        assert asked.user is None
        return Answer(200, {}, self._body)


def read_challenge(document: bytes) -> None:
    """What a 401 says leads to a token from the registry or the vendor, or is refused.

    The document's first lines are the host that the credentials are for, the header, and the
    token service's answer.
    """
    host, header, answer = [*document.split(b"\n", 2), b"", b""][:3]
    for challenge in parse_challenges(header_of(header)):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)
    assert all(said is None or is_sound(said) for said in parse_error_body(answer))
    headers = CIMultiDict({"WWW-Authenticate": header_of(header)})
    asyncio.run(_authorize(text_of(host), headers, answer))


async def _authorize(host: str, headers: CIMultiDict[str], answer: bytes) -> None:
    distribution = _Distribution(host, answer)
    base = await distribution._base()
    assert URL(base).path == "/"
    authorizer = distribution._authorizer
    authorizer.on_unauthorized("web", Answer(401, headers, b""), None)
    authorization = await authorizer.authorize("web", base)
    assert authorization is not None
    assert authorization.isascii()
    assert authorization.isprintable()
    token = authorizer._good_token("web")
    assert token is None or math.isfinite(token.good_until)


def read_token(document: bytes) -> None:
    """A token that the token service answers can be sent, and ends some day."""
    token = parse_token(document, 5.0)
    assert re.fullmatch(r"Bearer [ -~]+", token.authorization)
    assert 5.0 <= token.good_until < math.inf


_LISTINGS = (
    TAGS,
    MANIFESTS,
    REPOSITORIES,
    REPOSITORIES_V1,
    REGISTRIES,
    GARBAGE_COLLECTIONS,
)
_ITEMS = (REGISTRY, OPTIONS, SUBSCRIPTION, GARBAGE_COLLECTION)


def read_answer(document: bytes) -> None:
    """Each decoder understands a body or refuses it, the fast way and the slow way alike."""
    said = list(filter(None, decode_error(document)))
    assert all(map(is_sound, said))
    understood = bool(said)
    for codec in (*_LISTINGS, *_ITEMS):
        with suppress(DecodeError):
            decoded = codec.decode(document)
            understood = True
            # Escaped, a zero time and a misspelled key look like others; nobody escapes them.
            assert rb"\u" in document or decoded == _slowly(codec, document)
    with suppress(DecodeError):
        credentials = decode_docker_credentials(document)
        understood = True
        assert is_sound(credentials.host + credentials.username + credentials.password)
        assert ":" not in credentials.username
    if not understood:
        raise DecodeError("nobody understands it")


def _slowly(codec: "PageDecoder[Any] | ObjectDecoder[Any]", document: bytes) -> object:
    raw = json_object(document)
    if isinstance(codec, ObjectDecoder):
        return _structure(raw[codec._key], codec._model)
    value = raw.get(codec._key)
    items = () if value is None else _structure(value, codec._items)
    decoded = codec.decode(document)
    return RawPage(items, decoded.total, decoded.next_link, decoded.last_link)


TAG = {
    "registry_name": "example",
    "repository": "web",
    "tag": "v1",
    "manifest_digest": DIGEST,
    "compressed_size_bytes": 5,
    "size_bytes": 9,
    "updated_at": "2026-01-01T10:00:00Z",
}
MANIFEST = {
    "registry_name": "example",
    "repository": "web",
    "digest": DIGEST,
    "compressed_size_bytes": 5,
    "size_bytes": 9,
    "updated_at": "2026-01-01T10:00:00.530562231Z",
    "tags": ["v1", "latest"],
    "blobs": [{"digest": DIGEST, "compressed_size_bytes": 5}],
}
_LINK = "https://api.digitalocean.com/v2/registry/example/repositories/web/tags?page={}&per_page=2"
_TIER = {"name": "Basic", "slug": "basic", "eligible": True, "eligibility_reasons": ["Over"]}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _page(key: str, *items: object, page: int = 1, last: int = 2) -> bytes:
    pages = {"last": _LINK.format(last)} | ({"next": _LINK.format(page + 1)} if page < last else {})
    return _json({key: items, "meta": {"total": 2 * last}, "links": {"pages": pages}})


_LOGIN = b"""registry.digitalocean.com
Bearer realm="https://api.digitalocean.com/v2/registry/auth",service="registry",scope="pull"
{"token": "abc", "expires_in": 300}"""

READERS = (
    Reader(
        "names",
        read_name,
        (InvalidNameError,),
        (b"example", b"my-org/web.api_2", b"v1.2.3-rc.1", DIGEST.encode(), UUID.encode()),
    ),
    Reader(
        "references",
        read_reference,
        (InvalidNameError,),
        (
            b"registry.digitalocean.com/example/my-org/web:v1@" + DIGEST.encode(),
            b"docker://localhost:5000/web:latest",
            b"docker-pullable://[::1]:5000/example/web@" + DIGEST.encode(),
            DIGEST.encode(),
            b"example/web",
            b"my.org/web:v1",
        ),
    ),
    Reader(
        "links",
        read_link,
        (InvalidResponseError,),
        (
            _LINK.format(2).encode(),
            b"https://api.digitalocean.com/v2/registry/r/repositoriesV2?page=2&page_token=eyJU%3D",
            b"/v2/registry/r/repositoriesV2?page_token=eyJ&per_page=20#there",
        ),
    ),
    Reader(
        "walks",
        read_walk,
        (),
        (
            _page("tags", TAG, TAG | {"tag": "v2"})
            + b"\n"
            + _page("tags", TAG | {"tag": "v3"}, TAG | {"tag": "v4"}, page=2),
            b'{"tags": [], "meta": {"total": 0}}',
            b"""{"tags": [{"tag": "a"}], "links": {"pages": {"next": "?page_token=x&page=2"}}}
{"tags": [{"tag": "b"}], "links": {"pages": {"next": "?page=3"}}}
{"tags": [], "links": {"pages": {"next": "?page=4", "last": "?page=9"}}}
{"tags": [{"tag": ""}], "meta": {"total": 100000000000}}""",
        ),
    ),
    Reader(
        "headers",
        read_headers,
        (),
        (
            b"ratelimit-limit: 5000\nratelimit-remaining: 4999\nratelimit-reset: 1790000100",
            b"retry-after: 30\nratelimit-remaining: 0",
            b"Retry-After: Mon, 21 Sep 2026 14:14:30 GMT\nDate: Mon, 21 Sep 2026 14:13:20 GMT",
        ),
    ),
    Reader(
        "challenges",
        read_challenge,
        (AuthenticationError, InvalidResponseError),
        (
            _LOGIN,
            _LOGIN.replace(b"api.", b"registry."),
            b'registry.digitalocean.com:443\nBasic realm="it", Digest a=b',
            b'localhost:5000\nBearer realm="https://localhost:5000/auth?x=1"\n{"access_token":"a"}',
        ),
    ),
    Reader(
        "tokens",
        read_token,
        (InvalidResponseError,),
        (
            b'{"token": "abc", "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}',
            b'{"access_token": "abc", "expires_in": 1.5}',
            b'{"token": "", "access_token": "a.b-c"}',
        ),
    ),
    Reader(
        "answers",
        read_answer,
        (DecodeError,),
        (
            _page("tags", TAG),
            _page("manifests", MANIFEST, MANIFEST | {"tags": None}),
            _page(
                "repositories",
                {"name": "web", "latest_manifest": MANIFEST, "tag_count": 1, "manifest_count": 1},
                {"name": "api", "latest_tag": TAG, "tag_count": 1},
            ),
            _page(
                "garbage_collections",
                {"uuid": UUID, "status": "succeeded", "blobs_deleted": 1, "freed_bytes": 5},
            ),
            _json({"registry": {"name": "example", "created_at": "2026-01-01T00:00:00Z"}}),
            _json({"options": {"available_regions": ["fra1"], "subscription_tiers": [_TIER]}}),
            _json({"subscription": {"tier": _TIER, "created_at": "2026-01-01T00:00:00Z"}}),
            _json({"garbage_collection": {"uuid": UUID, "status": "requested"}}),
            _json({"auths": {"registry.digitalocean.com": {"auth": "dXNlcjpzZWNyZXQ="}}}),
            _json({"id": "not_found", "message": "no such tag", "request_id": UUID}),
        ),
    ),
)
