"""Pages of lists as bytes, and back."""

from datetime import UTC, datetime

import pytest

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Blob, Manifest, Tag
from aioregistry.cleanup.memory.pages import decode_page, encode_page
from tests.cleanup.registries import digest_of

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
MANIFESTS = RawPage(
    (
        Manifest(
            digest=digest_of("a"),
            tags=("v1", "latest"),
            updated_at=TIME,
            compressed_size_bytes=5,
            blobs=(Blob(digest_of("x"), 1), Blob(digest_of("y"))),
        ),
        Manifest(digest=digest_of("b"), blobs=(Blob(digest_of("x"), 1), Blob(digest_of("x"), 2))),
        Manifest(digest="sha512:" + "0" * 128, updated_at=TIME),
        Manifest(digest=digest_of("c").upper()),
        Manifest(digest="sha256:odd"),
        Manifest(digest="sha256:" + "A" * 64),
        Manifest(),
    ),
    7,
    "http://somewhere/?page=2",
    None,
)
TAGS = RawPage(
    (Tag(tag="v1", manifest_digest=digest_of("a"), updated_at=TIME), Tag(tag="v2"), Tag()),
    None,
    None,
    "http://somewhere/?page=1",
)


@pytest.mark.parametrize(("name", "page"), [("manifests", MANIFESTS), ("tags", TAGS)])
def test_a_page_comes_back_as_it_was(name, page):
    assert decode_page(name, encode_page(name, page)) == page


@pytest.mark.parametrize("name", ["manifests", "tags"])
@pytest.mark.parametrize("data", [None, "text", b"", b"\x00", b"\x93\x01\x02\x03"])
def test_anything_else_is_no_page(name, data):
    assert decode_page(name, data) is None


def test_the_page_of_another_list_is_none():
    assert decode_page("tags", encode_page("manifests", MANIFESTS)) is None
