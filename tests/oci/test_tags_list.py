"""The registry's own list of tags, and signed manifests."""

import base64
import hashlib
import json

import pytest
from aiohttp import web

from aioregistry import InvalidResponseError, NotFoundError
from aioregistry.oci.schema1 import signed_payload
from tests.oci.serving import serving

SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


async def test_tags_are_listed_page_by_page_and_the_link_is_not_followed(client):
    tags = [f"v{number}" for number in range(5)]

    def answer(request):
        assert request.path == "/v2/example/my/web/tags/list"
        last = request.query.get("last")
        some = tags[tags.index(last) + 1 if last else 0 :][:2]
        more = {"Link": '<http://elsewhere.invalid/v2/?last=x>; rel="next"'}
        return web.json_response(
            {"name": "example/my/web", "tags": some}, headers=more if some[-1] != "v4" else None
        )

    async with serving(client, answer) as distribution:
        assert await distribution.list_tags("my/web") == tags


async def test_an_empty_list_of_tags_may_be_null(client):
    async with serving(client, lambda _: web.json_response({"tags": None})) as distribution:
        assert await distribution.list_tags("web") == []


@pytest.mark.parametrize("body", ["{}", '{"tags": "v1"}', '{"tags": [1]}', "<html>", "[]"])
async def test_an_answer_without_a_list_is_an_error(client, body):
    async with serving(client, lambda _: web.Response(text=body)) as distribution:
        with pytest.raises(InvalidResponseError, match="no list of tags"):
            await distribution.list_tags("web")


async def test_pages_without_end_are_an_error(client):
    more = {"Link": '</v2/example/web/tags/list?last=a>; rel="next"'}
    always = web.json_response
    async with serving(client, lambda _: always({"tags": ["a"]}, headers=more)) as distribution:
        with pytest.raises(InvalidResponseError, match="never end"):
            await distribution.list_tags("web")


async def test_a_full_page_without_a_link_is_not_taken_for_the_end(client):
    tags = [f"v{number:04}" for number in range(1_500)]
    asked = []

    def answer(request):
        last = request.query.get("last")
        asked.append(last)
        return web.json_response({"tags": tags[tags.index(last) + 1 if last else 0 :][:1_000]})

    async with serving(client, answer) as distribution:
        assert await distribution.list_tags("web") == tags
    assert asked == [None, "v0999"]


async def test_a_registry_that_lists_all_at_once_may_do_so_again(client):
    tags = [f"v{number:04}" for number in range(1_500)]
    async with serving(client, lambda _: web.json_response({"tags": tags})) as distribution:
        assert await distribution.list_tags("web") == tags


async def test_a_link_that_cannot_be_read_is_an_error(client):
    odd = {"Link": "/v2/example/web/tags/list?last=a; rel=next"}
    async with serving(client, lambda _: web.json_response({"tags": ["a"]}, headers=odd)) as it:
        with pytest.raises(InvalidResponseError, match="cannot be read"):
            await it.list_tags("web")


async def test_a_registry_that_does_not_serve_the_list(client):
    async with serving(client, lambda _: web.json_response({}, status=404)) as distribution:
        with pytest.raises(NotFoundError):
            await distribution.list_tags("web")


def signed(payload: bytes) -> bytes:
    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    head = {"formatLength": len(payload) - 2, "formatTail": encoded(payload[-2:])}
    protected = encoded(json.dumps(head).encode())
    signature = json.dumps([{"signature": "x", "protected": protected}])
    return payload[:-2] + b',\n   "signatures": ' + signature.encode() + b"\n}"


async def test_a_signed_manifest_has_the_digest_of_its_payload(client):
    payload = json.dumps({"schemaVersion": 1, "fsLayers": []}, indent=3).encode()
    digest = "sha256:" + hashlib.sha256(payload).hexdigest()

    def answer(_):
        return web.Response(body=signed(payload), headers={"Content-Type": SCHEMA_1})

    async with serving(client, answer) as distribution:
        fetched = await distribution.get_manifest("web", digest)
        assert fetched.body == payload
        with pytest.raises(InvalidResponseError, match="does not have the digest"):
            await distribution.get_manifest("web", "sha256:" + "a" * 64)


@pytest.mark.parametrize("body", [b"{}", b"x", b'{"signatures": [{"protected": "e30"}]}', b"[1]"])
def test_a_document_without_signatures_has_no_payload(body):
    assert signed_payload(body) is None


def refuse(*_: object) -> None:
    raise AssertionError("it was called")


async def test_a_body_with_its_digest_is_not_searched_for_signatures(client, monkeypatch):
    monkeypatch.setattr("aioregistry.oci.documents.signed_payload", refuse)
    digest = "sha256:" + hashlib.sha256(b"{}").hexdigest()
    async with serving(client, lambda _: web.json_response({})) as distribution:
        assert (await distribution.get_manifest("web", digest)).body == b"{}"


async def test_only_a_media_type_that_was_not_asked_for_is_searched_for_secrets(
    client, monkeypatch
):
    media_types = iter([SCHEMA_1, f"{SCHEMA_1}; x=Bearer {'a' * 40}"])

    def answer(_):
        return web.Response(body=b"{}", headers={"Content-Type": next(media_types)})

    async with serving(client, answer) as distribution:
        with monkeypatch.context() as patched:
            patched.setattr("aioregistry.oci.requests.redact", refuse)
            assert (await distribution.get_manifest("web", "v1")).media_type == SCHEMA_1
        redacted = (await distribution.get_manifest("web", "v1")).media_type
        assert redacted == f"{SCHEMA_1}; x=Bearer <redacted>"
