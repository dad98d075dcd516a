"""What a repository holds: whole, or refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from aioregistry import PartialListingError, RegistryClient, RegistryHandle
from aioregistry.cleanup.manifests.inventory import BlobSizes, ListedManifest, take_inventory
from tests.conftest import push_tags

DIGEST = "sha256:" + "5" * 64


def pages_read(sandbox) -> int:
    return sum("digests" in request.raw_path for request in sandbox.requests)


class Listings:
    """A server of one repository's manifests, each pass as it was told."""

    def __init__(self) -> None:
        self.passes: list[tuple[list[dict[str, object]], int | None]] = []
        self.asked = 0

    def add(self, *tagged: tuple[str, list[str]], total: int | None = -1, **more: object) -> None:
        """Answer one more pass: digests and tags, and how many it says there are."""
        items = [{"digest": digest_of(name), "tags": tags, **more} for name, tags in tagged]
        self.passes.append((items, len(items) if total == -1 else total))

    async def answer(self, request: web.Request) -> web.Response:
        items, total = self.passes[min(self.asked, len(self.passes) - 1)]
        self.asked += 1
        meta = {} if total is None else {"total": total}
        return web.json_response({"manifests": items, "meta": meta})


@pytest.fixture
def listings() -> Listings:
    return Listings()


@pytest.fixture
async def registry(listings) -> AsyncIterator[RegistryHandle]:
    app = web.Application()
    app.router.add_get("/v2/registry/example/repositories/web/digests", listings.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with RegistryClient("token", base_url=f"http://127.0.0.1:{port}") as client:
        yield client.registry("example")
    await runner.cleanup()


def digest_of(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def tags_of(inventory) -> dict[str, tuple[str, ...]]:
    return {manifest.digest: manifest.tags for manifest in inventory.manifests}


async def test_every_manifest_comes_with_its_tags(sandbox, client):
    sandbox.state.push("example", "web", ["v2", "v1"])
    sandbox.state.push("example", "web", [])
    inventory = await take_inventory(client.registry("example"), "web")
    assert sorted(manifest.tags for manifest in inventory.manifests) == [(), ("v1", "v2")]


async def test_a_quiet_repository_is_read_twice(sandbox, client):
    push_tags(sandbox.state, 25)
    inventory = await take_inventory(client.registry("example"), "repo")
    assert len(inventory.manifests) == 25
    assert pages_read(sandbox) == 6


async def test_one_pass_is_enough_where_it_is_asked_for(sandbox, client):
    push_tags(sandbox.state, 25)
    await take_inventory(client.registry("example"), "repo", passes=1)
    assert pages_read(sandbox) == 3


async def test_passes_that_differ_are_read_again_until_two_agree(listings, registry):
    listings.add(("a", ["v1"]))
    listings.add(("a", ["v1", "latest"]))
    inventory = await take_inventory(registry, "web")
    assert tags_of(inventory) == {digest_of("a"): ("latest", "v1")}
    assert listings.asked == 3


async def test_a_tag_that_moves_between_passes_is_a_difference(listings, registry):
    listings.add(("a", ["latest"]), ("b", []))
    listings.add(("a", []), ("b", ["latest"]))
    await take_inventory(registry, "web")
    assert listings.asked == 3


async def test_another_push_time_is_a_difference(listings, registry):
    listings.add(("a", []), updated_at="2024-01-01T00:00:00Z")
    listings.add(("a", []), updated_at="2024-01-02T00:00:00Z")
    await take_inventory(registry, "web")
    assert listings.asked == 3


async def test_the_order_of_a_listing_makes_no_difference(listings, registry):
    listings.add(("a", ["x", "y"]), ("b", []))
    listings.add(("b", []), ("a", ["y", "x"]))
    await take_inventory(registry, "web")
    assert listings.asked == 2


async def test_a_listing_that_never_comes_to_rest_is_refused(listings, registry):
    for number in range(9):
        listings.add((f"m{number}", []))
    with pytest.raises(PartialListingError, match="when nothing is being pushed"):
        await take_inventory(registry, "web")


@pytest.mark.parametrize("total", [2, 0])
async def test_passes_that_agree_but_not_with_the_total_are_refused(listings, registry, total):
    listings.add(("a", []), total=total)
    with pytest.raises(PartialListingError):
        await take_inventory(registry, "web")


async def test_a_listing_that_does_not_count_itself_is_refused(listings, registry):
    listings.add(("a", []), total=None)
    with pytest.raises(PartialListingError, match="does not say how many"):
        await take_inventory(registry, "web")


async def test_an_empty_repository_is_whole(listings, registry):
    listings.add()
    assert (await take_inventory(registry, "web")).manifests == ()
    assert listings.asked == 2


async def test_sizes_are_taken_in_with_the_digests(listings, registry):
    blobs = [{"digest": digest_of("layer"), "compressed_size_bytes": 7}]
    listings.add(("a", []), blobs=blobs)
    sizes = BlobSizes()
    (manifest,) = (await take_inventory(registry, "web", sizes)).manifests
    layer, own = manifest.blobs
    assert (sizes.size_of(layer), sizes.size_of(own)) == (7, None)
    assert sizes.number_of(digest_of("a")) == own


def test_a_blob_keeps_its_number():
    sizes = BlobSizes()
    assert sizes.number_of(DIGEST, 5) == sizes.number_of(DIGEST, 5)
    assert sizes.number_of(DIGEST.replace("5", "6"), 7) != sizes.number_of(DIGEST)


def test_a_size_that_is_told_later_is_taken_in():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST)
    assert sizes.size_of(number) is None
    sizes.number_of(DIGEST, 12)
    assert sizes.size_of(number) == 12


def test_a_size_of_zero_is_not_known():
    sizes = BlobSizes()
    assert sizes.size_of(sizes.number_of(DIGEST, 0)) is None


@pytest.mark.parametrize("digest", ["", "sha256:zz", "sha512:" + "0" * 128, "what"])
def test_whatever_a_server_calls_a_blob_has_a_number(digest):
    sizes = BlobSizes()
    assert sizes.size_of(sizes.number_of(digest, 3)) == 3


async def test_what_was_agreed_on_before_a_pass_that_failed_is_forgotten(listings, registry):
    listings.add(("a", []))
    listings.add(("a", []), total=0)
    listings.add(("a", []))
    inventory = await take_inventory(registry, "web")
    assert tags_of(inventory) == {digest_of("a"): ()}
    assert listings.asked == 4


async def test_a_manifest_that_went_between_passes_is_a_difference(listings, registry):
    listings.add(("a", []), ("b", []))
    listings.add(("a", []))
    assert tags_of(await take_inventory(registry, "web")) == {digest_of("a"): ()}
    assert listings.asked == 3


async def test_a_manifest_instead_of_another_is_a_difference(listings, registry):
    listings.add(("a", []), ("b", []))
    listings.add(("a", []), ("c", []))
    assert set(tags_of(await take_inventory(registry, "web"))) == {digest_of("a"), digest_of("c")}
    assert listings.asked == 3


@pytest.mark.parametrize(("passes", "most"), [(1, 3), (2, 4), (3, 5)])
async def test_how_often_it_is_read_at_most(listings, registry, passes, most):
    listings.add(("a", []), total=0)
    with pytest.raises(PartialListingError):
        await take_inventory(registry, "web", passes=passes)
    assert listings.asked == most


@pytest.mark.parametrize(
    ("total", "problem"),
    [
        (None, "the API does not say how many manifests there are"),
        (2, "what is listed changes from one pass to the next, or is not all there is"),
    ],
)
async def test_a_refusal_says_which_and_why(listings, registry, total, problem):
    listings.add(("a", []), total=total)
    with pytest.raises(PartialListingError) as caught:
        await take_inventory(registry, "web")
    assert caught.value.message == (
        f"the manifests of 'web' could not be listed for certain: {problem}; "
        "try again when nothing is being pushed"
    )
    assert caught.value.total == total


async def test_a_refusal_says_how_many_were_found(listings, registry):
    for number in range(4):
        listings.add((f"m{number}", []), (f"n{number}", []))
    with pytest.raises(PartialListingError) as caught:
        await take_inventory(registry, "web")
    assert (caught.value.found, caught.value.total) == (2, 2)


async def test_manifests_that_nothing_tells_apart_are_refused(listings, registry):
    listings.add(("a", ["x"]), ("b", ["y"]), total=1, digest="")
    with pytest.raises(PartialListingError):
        await take_inventory(registry, "web")


async def test_what_the_listing_says_of_a_manifest_is_kept(listings, registry):
    listings.add(("a", ["y", "x"]), updated_at="2024-01-01T00:00:00Z", compressed_size_bytes=70)
    inventory = await take_inventory(registry, "web")
    (manifest,) = inventory.manifests
    assert inventory.repository == "web"
    assert manifest.tags == ("x", "y")
    assert manifest.pushed_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert manifest.size_bytes == 70


async def test_a_manifest_among_its_own_blobs_is_there_once(listings, registry):
    blobs = [{"digest": digest_of(name), "compressed_size_bytes": 7} for name in ("a", "layer")]
    listings.add(("a", []), blobs=blobs)
    sizes = BlobSizes()
    (manifest,) = (await take_inventory(registry, "web", sizes)).manifests
    assert manifest.blobs == (sizes.number_of(digest_of("a")), sizes.number_of(digest_of("layer")))


def test_the_first_size_that_was_told_stays():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST, 12)
    sizes.number_of(DIGEST, 13)
    assert sizes.size_of(number) == 12


def test_a_size_of_zero_that_is_told_later_is_not_known():
    sizes = BlobSizes()
    number = sizes.number_of(DIGEST)
    sizes.number_of(DIGEST, 0)
    assert sizes.size_of(number) is None


@pytest.mark.parametrize(
    ("tags", "of_images"),
    [
        ((), ()),
        (("v1", "v2"), ("v1", "v2")),
        ((f"sha256-{'5' * 64}.sig", "v1"), ("v1",)),
        (("sha256-mine", f"sha256-{'5' * 64}", "v1"), ("sha256-mine", "v1")),
    ],
)
def test_the_tags_of_signatures_are_no_images(tags, of_images):
    assert ListedManifest(DIGEST, tags).image_tags == of_images
