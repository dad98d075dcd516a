"""Writing to the registry itself: tags, mounts, and what a registry refuses."""

import json
from hashlib import sha256

import attrs
import pytest
from aiohttp import web

from aioregistry import (
    AuthenticationError,
    InvalidNameError,
    InvalidRequestError,
    InvalidResponseError,
    MountRefusedError,
    NotFoundError,
    ServerError,
    TagExistsError,
)
from aioregistry.oci.documents import redirected, upload_path
from aioregistry.oci.writer import DistributionWriter
from aioregistry.sandbox import Fault, Faults, Phases
from aioregistry.sandbox.state.model import Registry
from tests.conftest import QUICK
from tests.oci.serving import serving


@pytest.fixture
async def writer(sandbox, client):
    registry = client.registry("example")
    async with DistributionWriter(registry, base_url=sandbox.url, retry=QUICK) as writer:
        yield writer


def sent(sandbox, method: str, part: str = "/v2/example/") -> list[str]:
    return [
        one.raw_path for one in sandbox.requests if one.method == method and part in one.raw_path
    ]


def tags(sandbox, repository="web") -> dict[str, str]:
    held = sandbox.state.registry("example").repository(repository)
    return {name: "sha256:" + tag.manifest.digest.hex() for name, tag in held.tags.items()}


async def test_tags_are_set_on_the_manifest_of_another_and_no_blob_is_touched(sandbox, writer):
    digest = sandbox.state.push("example", "web", ["v1"])
    outcomes = await writer.tag("web", "v1", "stable", "latest")
    assert [(one.tag, one.digest, one.status) for one in outcomes] == [
        ("stable", digest, "set"),
        ("latest", digest, "set"),
    ]
    assert tags(sandbox) == {"v1": digest, "stable": digest, "latest": digest}
    assert not sent(sandbox, "POST")
    assert not sent(sandbox, "GET", "/blobs/")


async def test_a_tag_is_set_by_digest(sandbox, writer):
    digest = sandbox.state.push("example", "web", ["v1"])
    await writer.tag("web", digest, "stable")
    assert tags(sandbox)["stable"] == digest


async def test_a_tag_that_is_there_already_is_not_sent_again(sandbox, writer):
    digest = sandbox.state.push("example", "web", ["v1", "stable"])
    (outcome,) = await writer.tag("web", "v1", "stable")
    assert (outcome.status, outcome.previous) == ("present", digest)
    assert not sent(sandbox, "PUT")


async def test_a_tag_on_another_manifest_is_refused_and_none_is_set(sandbox, writer):
    sandbox.state.push("example", "web", ["v1"])
    other = sandbox.state.push("example", "web", ["stable"])
    with pytest.raises(TagExistsError, match="'stable' is on sha256:") as refused:
        await writer.tag("web", "v1", "new", "stable")
    assert refused.value.tags == {"stable": other}
    assert set(tags(sandbox)) == {"v1", "stable"}
    assert not sent(sandbox, "PUT")


async def test_force_moves_a_tag_and_says_from_where(sandbox, writer):
    digest = sandbox.state.push("example", "web", ["v1"])
    other = sandbox.state.push("example", "web", ["stable"])
    (outcome,) = await writer.tag("web", "v1", "stable", force=True)
    assert (outcome.status, outcome.previous) == ("moved", other)
    assert tags(sandbox)["stable"] == digest


class Meddling(DistributionWriter):
    """A writer beside somebody who sets a tag right before one of its looks at it."""

    meddle = staticmethod(lambda: None)
    at_look = 2
    looks = 0

    async def find_manifest(self, repository, reference):
        self.looks += 1
        if self.looks == self.at_look:
            self.meddle()
        return await super().find_manifest(repository, reference)


@pytest.fixture
async def meddling(sandbox, client):
    registry = client.registry("example")
    async with Meddling(registry, base_url=sandbox.url, retry=QUICK) as writer:
        yield writer


PUT = Fault(kind="lost", method="PUT", route="/v2/*/manifests/*", times=1)


@pytest.mark.parametrize("kind", ["lost", "reset-before"])
@pytest.mark.parametrize("force", [False, True])
async def test_after_a_put_without_an_answer_nothing_newer_is_overwritten(
    sandbox, meddling, kind, force
):
    sandbox.state.push("example", "web", ["v1"])
    newer = []
    meddling.meddle = lambda: newer.append(sandbox.state.push("example", "web", ["stable"]))
    sandbox.faults = Faults(attrs.evolve(PUT, kind=kind))
    with pytest.raises(TagExistsError, match="meanwhile") as refused:
        await meddling.tag("web", "v1", "stable", force=force)
    assert refused.value.tags == {"stable": newer[0]}
    assert tags(sandbox)["stable"] == newer[0]
    assert len(sent(sandbox, "PUT")) == 1


@pytest.mark.parametrize(("kind", "puts"), [("lost", 1), ("reset-before", 2)])
@pytest.mark.parametrize("force", [False, True])
async def test_a_put_without_an_answer_is_sent_again_only_if_it_was_not_carried_out(
    sandbox, writer, kind, puts, force
):
    digest = sandbox.state.push("example", "web", ["v1"])
    if force:
        sandbox.state.push("example", "web", ["stable"])
    sandbox.faults = Faults(attrs.evolve(PUT, kind=kind))
    (outcome,) = await writer.tag("web", "v1", "stable", force=force)
    assert outcome.status == ("moved" if force else "set")
    assert tags(sandbox)["stable"] == digest
    assert len(sent(sandbox, "PUT")) == puts


async def test_a_tag_that_is_deleted_after_a_put_without_an_answer_stays_away(sandbox, meddling):
    sandbox.state.push("example", "web", ["v1"])
    sandbox.state.push("example", "web", ["stable"])
    meddling.meddle = lambda: sandbox.state.registry("example").repository("web").tags.pop("stable")
    sandbox.faults = Faults(PUT)
    with pytest.raises(TagExistsError, match="deleted meanwhile"):
        await meddling.tag("web", "v1", "stable", force=True)
    assert set(tags(sandbox)) == {"v1"}


async def test_a_tag_that_is_set_while_others_are_looked_up_is_left(sandbox, meddling):
    sandbox.state.push("example", "web", ["v1"])
    newer = []
    meddling.meddle = lambda: newer.append(sandbox.state.push("example", "web", ["b"]))
    meddling.at_look = 3
    with pytest.raises(TagExistsError, match=r"'b' was set to sha256:.* meanwhile"):
        await meddling.tag("web", "v1", "a", "b")
    assert tags(sandbox)["b"] == newer[0]


async def test_a_dry_run_sets_nothing(sandbox, writer):
    sandbox.state.push("example", "web", ["v1"])
    (outcome,) = await writer.tag("web", "v1", "stable", dry_run=True)
    assert outcome.status == "set"
    assert set(tags(sandbox)) == {"v1"}


@pytest.mark.parametrize("names", [("-x",), ("a/b",), ("ok", "sha256:x")])
async def test_a_bad_tag_is_refused_before_anything_is_sent(sandbox, writer, names):
    with pytest.raises(InvalidNameError):
        await writer.tag("web", "v1", *names)
    with pytest.raises(ValueError, match="no tag"):
        await writer.tag("web", "v1")
    assert sandbox.request_count == 0


async def test_a_missing_manifest_is_not_found(sandbox, writer):
    sandbox.state.push("example", "web", ["v1"])
    with pytest.raises(NotFoundError):
        await writer.tag("web", "v2", "stable")


async def test_a_garbage_collection_may_be_why_nobody_may_push(sandbox, writer):
    sandbox.state.push("example", "web", ["v1"])
    sandbox.state.phases = Phases(requested=600.0)
    sandbox.state.start_collection("example")
    with pytest.raises(AuthenticationError, match="garbage collection is under way"):
        await writer.tag("web", "v1", "stable")
    assert set(tags(sandbox)) == {"v1"}


async def test_a_repository_tags_by_itself(sandbox, client, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", sandbox.url)
    digest = sandbox.state.push("example", "team/web", ["v1"])
    await client.registry("example").repository("team/web").tag("v1", "stable")
    assert tags(sandbox, "team/web")["stable"] == digest


async def test_a_repository_tags_with_a_writer_of_its_registry_alone(sandbox, client, writer):
    sandbox.state.push("example", "web", ["v1"])
    repo = client.registry("example").repository("web")
    (outcome,) = await repo.tag("v1", "stable", writer=writer)
    assert outcome.status == "set"
    other = client.registry("other").repository("web")
    with pytest.raises(ValueError, match="writer is of the registry 'example'"):
        await other.tag("v1", "stable", writer=writer)


def layer_of(sandbox, digest: str) -> str:
    held = sandbox.state.registry("example").repository("web").find(digest)
    return "sha256:" + held.blobs[-1].hex()


async def test_a_blob_is_mounted_with_a_token_for_both_repositories(sandbox, writer):
    layer = layer_of(sandbox, sandbox.state.push("example", "web", ["v1"]))
    await writer.mount_blob("api", layer, "web")
    assert await writer.has_blob("api", layer)
    assert not sent(sandbox, "PUT")
    assert not sent(sandbox, "PATCH")
    asked = [one for one in sent(sandbox, "GET", "/v2/registry/auth") if "example/web:pull" in one]
    assert asked
    assert all("example/web:pull,push" not in one for one in asked)


async def test_a_mount_that_opens_an_upload_cancels_it_and_says_so(sandbox, writer, monkeypatch):
    layer = layer_of(sandbox, sandbox.state.push("example", "web", ["v1"]))
    monkeypatch.setattr(Registry, "has_blob", lambda *_: False)
    with pytest.raises(MountRefusedError, match="nothing was uploaded") as refused:
        await writer.mount_blob("api", layer, "web")
    assert "could not be cancelled" not in str(refused.value)
    assert len(sent(sandbox, "DELETE", "/blobs/uploads/")) == 1
    assert not sandbox.state.uploads._received
    assert not sent(sandbox, "PUT")


async def test_a_blob_that_the_source_lacks_is_not_found_and_the_upload_ends(sandbox, writer):
    sandbox.state.push("example", "web", ["v1"])
    with pytest.raises(NotFoundError, match="'web' has no blob"):
        await writer.mount_blob("api", "sha256:" + "0" * 64, "web")
    assert not sandbox.state.uploads._received


async def test_an_upload_that_cannot_be_cancelled_is_told(client):
    def answer(request):
        if request.method == "POST":
            where = {"Location": "https://elsewhere.test/v2/example/api/blobs/uploads/1?x=%2F"}
            return web.Response(status=202, headers=where)
        seen.append((request.method, request.path_qs))
        return web.Response(status=405 if request.method == "DELETE" else 200)

    seen: list[tuple[str, str]] = []
    async with serving(client, answer, DistributionWriter) as writer:
        with pytest.raises(MountRefusedError, match="could not be cancelled"):
            await writer.mount_blob("api", "sha256:" + "0" * 64, "web")
    assert seen[0] == ("DELETE", "/v2/example/api/blobs/uploads/1?x=%2F")


async def test_a_registry_that_stores_another_digest_is_found_out(client):
    other = {"Docker-Content-Digest": "sha256:" + "0" * 64}

    async with serving(
        client, lambda _: web.Response(status=201, headers=other), DistributionWriter
    ) as writer:
        with pytest.raises(InvalidResponseError, match="under another digest"):
            await writer.put_manifest("web", "v1", b"{}", "application/json")


BLOB = b"a config"
DIGEST = f"sha256:{sha256(BLOB).hexdigest()}"


async def test_a_blob_is_read_from_where_the_registry_redirects_without_credentials(client):
    def answer(request):
        seen.append((request.path_qs, "Authorization" in request.headers))
        if request.path.startswith("/storage"):
            return web.Response(body=BLOB)
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
        return web.Response(status=307, headers={"Location": "/storage/1?signature=%2Fx"})

    seen: list[tuple[str, bool]] = []
    async with serving(client, answer) as distribution:
        assert await distribution.get_blob("web", DIGEST) == BLOB
    path = f"/v2/example/web/blobs/{DIGEST}"
    assert seen == [(path, False), (path, True), ("/storage/1?signature=%2Fx", False)]


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://elsewhere.test/x",
        "ftp://elsewhere.test/",
        "https://a:b@c.test/",
        "http://[",
        "/",
    ],
)
async def test_a_blob_is_not_looked_for_where_a_redirect_may_not_lead(client, location):
    def answer(_):
        return web.Response(status=307, headers={"Location": location})

    async with serving(client, answer) as distribution:
        with pytest.raises(InvalidResponseError, match="redirects"):
            await distribution.get_blob("web", DIGEST)


async def test_a_storage_that_fails_is_the_error_after_all_attempts(client):
    def answer(request):
        if request.path == "/storage":
            return web.Response(status=503)
        return web.Response(status=307, headers={"Location": "/storage"})

    async with serving(client, answer) as distribution:
        with pytest.raises(ServerError) as caught:
            await distribution.get_blob("web", DIGEST)
    assert caught.value.attempts == QUICK.attempts


async def test_a_blob_is_followed_through_few_redirects(client):
    async with serving(
        client, lambda _: web.Response(status=307, headers={"Location": "/storage"})
    ) as distribution:
        with pytest.raises(InvalidResponseError, match="again and again"):
            await distribution.get_blob("web", DIGEST)


@pytest.mark.parametrize("body", [b"other", b"x" * 100])
async def test_a_blob_with_other_bytes_or_too_many_is_refused(client, body):
    async with serving(client, lambda _: web.Response(body=body)) as distribution:
        with pytest.raises(InvalidResponseError):
            await distribution.get_blob("web", DIGEST, max_bytes=50)


async def test_referrers_are_listed_page_by_page(client):
    first = {"manifests": [{"digest": DIGEST}]}
    second = {"manifests": [{"digest": "sha256:" + "1" * 64}]}

    def answer(request):
        if request.query_string == "n=1&last=x":
            return web.json_response(second)
        link = '<https://elsewhere.test/v2/x?n=1&last=x>; rel="next"'
        return web.json_response(first, headers={"Link": link})

    async with serving(client, answer) as distribution:
        assert await distribution.list_referrers("web", DIGEST) == [DIGEST, "sha256:" + "1" * 64]


async def test_a_registry_without_the_call_is_asked_once(client):
    seen = []

    def answer(request):
        seen.append(request.path)
        return web.Response(status=404, text="404 page not found")

    async with serving(client, answer) as distribution:
        assert await distribution.list_referrers("web", DIGEST) is None
        assert await distribution.list_referrers("web", DIGEST) is None
    assert len(seen) == 1


async def test_a_repository_that_is_gone_hides_no_referrers_of_others(client):
    def answer(request):
        if "/web/" in request.path:
            return web.json_response({"manifests": [{"digest": DIGEST}]})
        return web.Response(status=404, text="404 page not found")

    async with serving(client, answer) as distribution:
        assert await distribution.list_referrers("web", DIGEST) == [DIGEST]
        with pytest.raises(NotFoundError):
            await distribution.list_referrers("gone", DIGEST)
        assert await distribution.list_referrers("web", DIGEST) == [DIGEST]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"manifests": [{}]}', b'{"manifests": [1]}'])
async def test_a_list_of_referrers_that_is_none_is_refused(client, body):
    async with serving(client, lambda _: web.Response(body=body)) as distribution:
        with pytest.raises((InvalidResponseError, InvalidNameError)):
            await distribution.list_referrers("web", DIGEST)


async def test_pages_of_referrers_that_never_end_are_refused(client):
    def answer(_):
        body = json.dumps({"manifests": [{"digest": DIGEST}]})
        return web.Response(text=body, headers={"Link": '</x?again>; rel="next"'})

    async with serving(client, answer) as distribution:
        with pytest.raises(InvalidResponseError, match="never end"):
            await distribution.list_referrers("web", DIGEST)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/v2/x/y/blobs/uploads/1?a=b", "/v2/x/y/blobs/uploads/1?a=b"),
        ("https://h/v2/x/y/blobs/uploads/1", "/v2/x/y/blobs/uploads/1"),
        ("/v2/x/y/manifests/v1", None),
        ("", None),
        ("http://[", None),
    ],
)
def test_the_path_of_an_upload(location, path):
    assert upload_path(location) == path


def test_a_redirect_leads_to_https_or_to_the_same_origin():
    assert redirected("http://a.test/x", "/y?z") == "http://a.test/y?z"
    assert redirected("http://a.test/x", "https://b.test/y#f") == "https://b.test/y"
    with pytest.raises(InvalidResponseError):
        redirected("https://a.test/x", "http://a.test/y")


@pytest.mark.parametrize(("is_right", "sent_times"), [(True, 2), (False, 1)])
async def test_a_digest_that_is_refused_although_it_is_right_is_sent_again(
    client, is_right, sent_times
):
    document = b"{}"
    digest = "sha256:" + sha256(document if is_right else b"other").hexdigest()
    refused = {"errors": [{"code": "DIGEST_INVALID", "message": "provided digest"}]}
    asked = []

    def answer(request):
        asked.append(request.path)
        if len(asked) == 1:
            return web.json_response(refused, status=400)
        return web.Response(status=201)

    async with serving(client, answer, DistributionWriter) as writer:
        if is_right:
            await writer.put_manifest("web", digest, document, "a/b")
        else:
            with pytest.raises(InvalidRequestError):
                await writer.put_manifest("web", digest, document, "a/b")
    assert len(asked) == sent_times
