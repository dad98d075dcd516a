"""Pages of lists as bytes, and back."""

from datetime import UTC, datetime

import pytest

from aioregistry.api.decoding import RawPage
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag
from aioregistry.cleanup.memory.pages import decode_page, encode_page
from tests.cleanup.registries import digest_of

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
MANIFESTS = RawPage(
    (
        ListedManifest(digest_of("a"), ("latest", "v1"), TIME, b"0123456701234567", 5),
        ListedManifest("sha512:" + "0" * 128, (), TIME),
        ListedManifest("sha256:odd"),
        ListedManifest(""),
    ),
    7,
    "http://somewhere/?page=2",
    None,
)
TAGS = RawPage(
    (ListedTag("v1", digest_of("a"), TIME), ListedTag("v2"), ListedTag()),
    None,
    None,
    "http://somewhere/?page=1",
)


@pytest.mark.parametrize(("name", "page"), [("manifests", MANIFESTS), ("tags", TAGS)])
def test_a_page_comes_back_as_it_was(name, page):
    assert decode_page(name, encode_page(page)) == page


@pytest.mark.parametrize("name", ["manifests", "tags"])
@pytest.mark.parametrize("data", [None, "text", b"", b"\x00", b"\x93\x01\x02\x03"])
def test_anything_else_is_no_page(name, data):
    assert decode_page(name, data) is None


def test_the_page_of_another_list_is_none():
    assert decode_page("tags", encode_page(MANIFESTS)) is None
