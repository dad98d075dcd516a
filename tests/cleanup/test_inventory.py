"""The manifests and tags of a repository: two lists that agree, or what of them is certain."""

from array import array
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from aioregistry import (
    InvalidResponseError,
    Page,
    PartialListingError,
    RegistryClient,
    RegistryHandle,
)
from aioregistry.cleanup.manifests.blobs import keys_of, pack_keys, sizes_of
from aioregistry.cleanup.manifests.listed import ListedManifest
from aioregistry.cleanup.manifests.listing import _Walk, take_inventory
from tests.conftest import push_tags

DIGEST = "sha256:" + "5" * 64


def pages_read(sandbox, of: str) -> int:
    return sum(of in request.raw_path for request in sandbox.requests)


class Lists:
    """A server of one repository's two lists, each round as it was told."""

    def __init__(self) -> None:
        self.manifests: list[tuple[list[dict], int | None]] = []
        self.tags: list[tuple[list[dict], int | None]] = []
        self.asked = {"digests": 0, "tags": 0}

    def add(self, *tagged: tuple[str, list[str]], total: int | None = -1, **more: object) -> None:
        """Answer one more round: digests and tags, and how many manifests it says there are."""
        items = [{"digest": digest_of(name), "tags": tags, **more} for name, tags in tagged]
        self.manifests.append((items, len(items) if total == -1 else total))
        self.add_tags(*((tag, name) for name, tags in tagged for tag in tags))

    def add_tags(
        self, *on: tuple[str, str], total: int | None = -1, at: str = "2024-01-01T00:00:00Z"
    ) -> None:
        """Answer one more round of the list of tags: each tag, and its manifest."""
        items = [
            {"tag": tag, "manifest_digest": digest_of(name) if name else "", "updated_at": at}
            for tag, name in on
        ]
        self.tags.append((items, len(items) if total == -1 else total))

    def retag(self, *on: tuple[str, str], total: int | None = -1, at: str = "2024-01-01T00:00:00Z"):
        """Answer otherwise in the round that was added last."""
        self.tags.pop()
        self.add_tags(*on, total=total, at=at)

    async def answer(self, request: web.Request) -> web.Response:
        which = request.path.rpartition("/")[2]
        rounds = self.manifests if which == "digests" else self.tags
        items, total = rounds[min(self.asked[which], len(rounds) - 1)]
        self.asked[which] += 1
        key = "manifests" if which == "digests" else "tags"
        return web.json_response({key: items, "meta": {} if total is None else {"total": total}})


@pytest.fixture
def listings() -> Lists:
    return Lists()


@pytest.fixture
async def registry(listings) -> AsyncIterator[RegistryHandle]:
    app = web.Application()
    app.router.add_get("/v2/registry/example/repositories/web/{list}", listings.answer)
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
    assert not inventory.uncertain


async def test_a_quiet_repository_costs_one_pass_of_each_list(sandbox, client):
    push_tags(sandbox.state, 25)
    inventory = await take_inventory(client.registry("example"), "repo")
    assert len(inventory.manifests) == 25
    assert (pages_read(sandbox, "/digests"), pages_read(sandbox, "/tags")) == (3, 3)


async def test_the_list_of_tags_is_read_where_it_is_needed(sandbox, client):
    push_tags(sandbox.state, 25)
    inventory = await take_inventory(
        client.registry("example"), "repo", needs_tags=lambda found: len(found.manifests) != 25
    )
    assert (pages_read(sandbox, "/digests"), pages_read(sandbox, "/tags")) == (3, 0)
    assert not inventory.tags_read


async def test_a_tag_has_the_time_at_which_it_was_set(listings, registry):
    listings.add(("a", ["v1"]), updated_at="2023-01-01T00:00:00Z")
    inventory = await take_inventory(registry, "web")
    (manifest,) = inventory.manifests
    assert inventory.set_time("v1", manifest) == datetime(2024, 1, 1, tzinfo=UTC)


async def test_a_tag_is_no_older_than_the_push_of_its_manifest(listings, registry):
    listings.add(("a", ["v1"]), updated_at="2025-01-01T00:00:00Z")
    inventory = await take_inventory(registry, "web")
    (manifest,) = inventory.manifests
    assert inventory.set_time("v1", manifest) == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("missing", ["tag", "manifest"])
async def test_a_tag_of_which_a_time_is_missing_has_none(listings, registry, missing):
    listings.add(
        ("a", ["v1"]), **({} if missing == "manifest" else {"updated_at": "2023-01-01T00:00:00Z"})
    )
    if missing == "tag":
        listings.retag(("v1", "a"), at="0001-01-01T00:00:00Z")
    inventory = await take_inventory(registry, "web")
    (manifest,) = inventory.manifests
    assert inventory.set_time("v1", manifest) is None


async def test_lists_that_differ_are_read_again_once(listings, registry):
    listings.add(("a", ["v1"]))
    listings.retag(("v1", "a"), ("latest", "a"))
    listings.add(("a", ["v1", "latest"]))
    inventory = await take_inventory(registry, "web")
    assert tags_of(inventory) == {digest_of("a"): ("latest", "v1")}
    assert not inventory.uncertain
    assert listings.asked == {"digests": 2, "tags": 2}


async def test_a_manifest_without_the_tag_that_the_other_list_has_on_it_is_uncertain(
    listings, registry
):
    listings.add(("a", []), ("b", ["x"]))
    listings.retag(("v1", "a"), ("x", "b"))
    inventory = await take_inventory(registry, "web")
    assert tags_of(inventory) == {digest_of("a"): ("v1",), digest_of("b"): ("x",)}
    assert list(inventory.uncertain) == [digest_of("a")]


async def test_a_tag_that_only_the_list_of_manifests_has_is_uncertain(listings, registry):
    listings.add(("a", ["v1"]), ("b", ["x"]))
    listings.retag(("x", "b"))
    inventory = await take_inventory(registry, "web")
    assert list(inventory.uncertain) == [digest_of("a")]
    assert tags_of(inventory)[digest_of("a")] == ("v1",)


async def test_both_manifests_of_a_tag_that_moved_are_uncertain(listings, registry):
    listings.add(("a", ["latest"]), ("b", ["x"]), ("c", ["y"]))
    listings.retag(("latest", "b"), ("x", "b"), ("y", "c"))
    inventory = await take_inventory(registry, "web")
    assert set(inventory.uncertain) == {digest_of("a"), digest_of("b")}
    assert tags_of(inventory)[digest_of("a")] == ()
    assert tags_of(inventory)[digest_of("b")] == ("latest", "x")


async def test_a_manifest_that_only_the_list_of_tags_names_is_uncertain(listings, registry):
    listings.add(("a", ["v1"]))
    listings.retag(("v1", "a"), ("new", "b"))
    inventory = await take_inventory(registry, "web")
    assert list(inventory.uncertain) == [digest_of("b")]
    assert tags_of(inventory) == {digest_of("a"): ("v1",), digest_of("b"): ("new",)}


async def test_a_tag_without_a_digest_stays_where_the_other_list_has_it(listings, registry):
    listings.add(("a", ["v1"]))
    listings.retag(("v1", ""))
    inventory = await take_inventory(registry, "web")
    assert tags_of(inventory) == {digest_of("a"): ("v1",)}
    assert list(inventory.uncertain) == [digest_of("a")]


async def test_tags_without_names_stand_for_no_tag_of_another_manifest(listings, registry):
    # As many tags as both manifests have, and all on one of them.
    listings.add(("a", [""]), ("b", ["v1"]))
    listings.retag(("", "a"), ("", "a"))
    inventory = await take_inventory(registry, "web")
    assert set(inventory.uncertain) == {digest_of("a"), digest_of("b")}


async def test_the_order_of_a_list_makes_no_difference(listings, registry):
    listings.add(("a", ["x", "y"]), ("b", []))
    listings.retag(("y", "a"), ("x", "a"))
    assert not (await take_inventory(registry, "web")).uncertain


@pytest.mark.parametrize("total", [2, 0])
async def test_a_list_that_never_has_its_total_is_refused(listings, registry, total):
    listings.add(("a", []), total=total)
    with pytest.raises(PartialListingError, match="when nothing is being pushed"):
        await take_inventory(registry, "web")


@pytest.mark.parametrize("total", [None, 0, 3])
async def test_a_list_of_tags_that_never_has_its_total_is_refused(listings, registry, total):
    listings.add(("a", ["v1"]))
    listings.retag(("v1", "a"), total=total)
    with pytest.raises(PartialListingError):
        await take_inventory(registry, "web")


class Pages:
    """A pager of one walk whose pages are told: items, total."""

    def __init__(self, *pages, complete=False):
        self._pages = iter([Page(number=1, items=items, total=total) for items, total in pages])
        self.total = pages[-1][1]
        self.complete = complete

    def pages(self):
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    def __aiter__(self):
        return self

    async def __anext__(self):
        for page in self._pages:
            return page
        raise StopAsyncIteration


@pytest.mark.parametrize(
    ("totals", "found", "is_whole"),
    [
        # Two were added while it was read, and may be on pages that were read already.
        ((5, 6, 7), 5, True),
        ((5, 6, 7), 4, False),
        # One came and one went: what went may have moved another out of sight.
        ((5, 4, 5), 5, False),
        ((5, 6, 5), 5, False),
        ((5, 5, 5), 5, True),
        ((5, 5, 5), 6, False),
        ((5, 3, 3), 5, False),
        ((None, 5, 5), 5, True),
        ((None, None), 0, False),
    ],
)
async def test_a_list_that_changed_is_whole_if_items_were_only_added(totals, found, is_whole):
    walk = _Walk(Pages(*(([], total) for total in totals)))
    assert [item async for page in walk.pages() for item in page] == []
    assert walk.is_whole(found) is is_whole


async def test_a_complete_list_may_have_lost_items_while_it_was_read():
    walk = _Walk(Pages(([1, 2], 5), ([3], 3), complete=True))
    assert [item async for page in walk.pages() for item in page] == [1, 2, 3]
    assert walk.found == 3
    assert walk.is_whole(3)
    assert walk.is_whole(5)
    assert not walk.is_whole(2)
    assert not walk.is_whole(6)


async def test_a_list_that_does_not_count_itself_is_refused(listings, registry):
    listings.add(("a", []), total=None)
    with pytest.raises(PartialListingError, match="does not say how many") as caught:
        await take_inventory(registry, "web")
    assert caught.value.message == (
        "the manifests of 'web' could not be listed for certain: the API does not say how many "
        "manifests there are; try again when nothing is being pushed"
    )


async def test_a_refusal_says_how_many_were_found(listings, registry):
    listings.add(("a", []), ("b", []), total=3)
    with pytest.raises(PartialListingError) as caught:
        await take_inventory(registry, "web")
    assert (caught.value.found, caught.value.total) == (2, 3)


async def test_an_empty_repository_is_whole(listings, registry):
    listings.add()
    assert (await take_inventory(registry, "web")).manifests == ()


@pytest.mark.parametrize("pushes", [1, 3])
async def test_a_repository_that_is_pushed_to_all_the_time_is_listed(
    sandbox, client, monkeypatch, pushes
):
    old = [f"v{number}" for number in range(45)]
    for tag in old:
        sandbox.state.push("example", "web", [tag])
    new: list[str] = []

    def push(_: object) -> None:
        # After every fourth page.
        if len(sandbox.requests) % 4 == 0:
            for _ in range(pushes):
                new.append(f"new{len(new)}")
                sandbox.state.push("example", "web", new[-1:])

    monkeypatch.setattr(client._session, "_on_request", push)
    inventory = await take_inventory(client.registry("example"), "web")
    certain = [m.tags for m in inventory.manifests if m.digest not in inventory.uncertain]
    assert new
    assert {(tag,) for tag in old} <= set(certain)


async def test_manifests_that_nothing_tells_apart_are_refused(listings, registry):
    listings.add(("a", ["x"]), ("b", ["y"]), total=1, digest="")
    with pytest.raises((InvalidResponseError, PartialListingError)):
        await take_inventory(registry, "web")


async def test_what_the_listing_says_of_a_manifest_is_kept(listings, registry):
    listings.add(("a", ["y", "x"]), updated_at="2024-01-01T00:00:00Z", compressed_size_bytes=70)
    inventory = await take_inventory(registry, "web")
    (manifest,) = inventory.manifests
    assert inventory.repository == "web"
    assert manifest.tags == ("x", "y")
    assert manifest.pushed_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert manifest.size_bytes == 70


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


@pytest.mark.parametrize(("names", "sizes"), [(["layer"], [7, 0]), (["layer", "a"], [7, 7])])
async def test_blobs_are_taken_in_with_the_manifest_itself(listings, registry, names, sizes):
    blobs = [{"digest": digest_of(name), "compressed_size_bytes": 7} for name in names]
    listings.add(("a", []), blobs=blobs)
    (manifest,) = (await take_inventory(registry, "web")).manifests
    expected = array("Q", pack_keys([digest_of("layer"), digest_of("a")]))
    assert keys_of([manifest.blobs]) == expected
    assert list(sizes_of([manifest.blobs])) == sizes
