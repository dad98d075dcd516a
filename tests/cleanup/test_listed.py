"""The lean items of lists: as strict as the public models, and as tolerant."""

import json

import attrs
import msgspec
import pytest

from aioregistry.api.decoding import DecodeError
from aioregistry.api.models import OTHER_SPELLINGS, Blob, Manifest, Tag
from aioregistry.cleanup.manifests import listed
from aioregistry.cleanup.manifests.blobs import count_of, sizes_of
from aioregistry.cleanup.manifests.listed import decode_manifests, decode_tags

DIGEST = "sha256:" + "a" * 64
TIME = "2024-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("lean", "model"), [(listed._Blob, Blob), (listed._Manifest, Manifest), (listed._Tag, Tag)]
)
def test_a_lean_item_has_the_fields_of_its_model(lean, model):
    fields = {one.name for one in msgspec.structs.fields(lean)}
    assert (
        fields == {one.name for one in attrs.fields(model)} | OTHER_SPELLINGS.get(model, {}).keys()
    )


@pytest.mark.parametrize("size", [5, 0, None])
def test_another_spelling_of_a_size_is_understood(size):
    manifest = {"digest": DIGEST, "blobs": [{"digest": DIGEST, "compressed_size_byte": size}]}
    (one,) = decode_manifests(page("manifests", manifest)).items
    assert list(sizes_of([one.blobs])) == [size or 0]


def test_another_spelling_of_a_size_has_a_size():
    manifest = {"digest": DIGEST, "blobs": [{"digest": DIGEST, "compressed_size_byte": "5"}]}
    with pytest.raises(DecodeError):
        decode_manifests(page("manifests", manifest))


def page(key: str, item: dict) -> bytes:
    return json.dumps({key: [item], "meta": {"total": 1}}).encode()


@pytest.mark.parametrize("field", ["size_bytes", "registry_name", "compressed_size_bytes"])
@pytest.mark.parametrize(
    ("key", "decode"), [("manifests", decode_manifests), ("tags", decode_tags)]
)
def test_a_wrong_type_is_an_error_in_a_field_that_nobody_reads(key, decode, field):
    with pytest.raises(DecodeError):
        decode(page(key, {field: ["no"]}))


@pytest.mark.parametrize(
    "absent", [{}, {"tags": None, "blobs": None, "compressed_size_bytes": None}]
)
def test_what_is_absent_or_null_is_taken_as_by_the_models(absent):
    (one,) = decode_manifests(page("manifests", {"digest": DIGEST, **absent})).items
    assert (one.digest, one.tags, one.pushed_at, one.size_bytes) == (DIGEST, (), None, None)
    # Its own document, of an unknown size.
    assert (count_of(one.blobs), list(sizes_of([one.blobs]))) == (1, [0])


def test_a_tag_of_go_s_zero_time_has_none():
    item = {"tag": "v1", "manifest_digest": DIGEST, "updated_at": "0001-01-01T00:00:00Z"}
    (zero,) = decode_tags(page("tags", item)).items
    (dated,) = decode_tags(page("tags", {**item, "updated_at": TIME})).items
    assert (zero.tag, zero.manifest_digest, zero.updated_at) == ("v1", DIGEST, None)
    assert dated.updated_at is not None


def test_a_manifest_of_go_s_zero_time_has_none():
    (zero,) = decode_manifests(
        page("manifests", {"digest": DIGEST, "updated_at": "0001-01-01T00:00:00Z"})
    ).items
    assert zero.pushed_at is None
