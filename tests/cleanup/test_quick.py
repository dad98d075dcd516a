"""Manifests that are read quickly: as the slow way reads them, or not at all."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.manifests import content
from aioregistry.cleanup.manifests.content import UnreadableContentError, parse_content
from aioregistry.cleanup.manifests.quick import read_quickly

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"


def descriptor(digest: str, **more: object) -> dict[str, object]:
    return {"mediaType": "application/x", "size": 1, "digest": digest, **more}


LAYERS = [descriptor(B), descriptor(C)]
USUAL = {
    "image": {"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(A), "layers": LAYERS},
    "referrer": {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": "application/spdx+json",
        "config": descriptor(A),
        "layers": [descriptor(B, annotations={"a": "b", "c": "d"})],
        "subject": descriptor(C),
        "annotations": {"created": "now"},
    },
    "index": {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            descriptor(A, platform={"architecture": "arm64", "os": "linux", "variant": "v8"}),
            {"size": 1, "digest": B},
        ],
    },
    "index without a media type": {"schemaVersion": 2, "manifests": [descriptor(A)]},
}


def outcome(body: bytes, media_type: str | None) -> object:
    try:
        return parse_content(body, media_type)
    except UnreadableContentError as error:
        return str(error)


def slowly(body: bytes, media_type: str | None) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "read_quickly", lambda _: None)
        return outcome(body, media_type)


@pytest.mark.parametrize("document", USUAL.values(), ids=list(USUAL))
@pytest.mark.parametrize("indent", [None, 3])
def test_what_is_usual_is_read_quickly_and_right(document, indent):
    body = json.dumps(document, indent=indent).encode()
    assert read_quickly(body) is not None
    for media_type in (IMAGE, INDEX, f"{INDEX}; charset=utf-8", "text/plain", "", None):
        assert outcome(body, media_type) == slowly(body, media_type)


@pytest.mark.parametrize("document", USUAL.values(), ids=list(USUAL))
def test_a_key_that_comes_twice_anywhere_is_not_read_quickly(document):
    text = json.dumps(document)
    for key in re.finditer(r'"(\w+)": ', text):
        before, after = text[: key.start()], text[key.start() :]
        for value in ('"x"', "1", "[]", "{}", "null", f'"{A}"', json.dumps(descriptor(A))):
            twice = f"{before}{key[0]}{value}, {after}".encode()
            assert read_quickly(twice) is None
            hidden = f'{before}"\\u{ord(key[1][0]):04x}{key[1][1:]}": {value}, {after}'.encode()
            assert read_quickly(hidden) is None
            assert "appears twice" in str(slowly(twice, INDEX))


@given(
    st.sampled_from(list(USUAL.values())).map(json.dumps),
    st.integers(0, 2000),
    st.integers(0, 9),
    st.sampled_from(
        [*'",:{}[]\\\0\x1f é1', "null", "NaN", "1e999", '"mediaType": ', '"subject": ', "\ufeff"]
    ),
)
def test_a_changed_document_is_read_as_the_slow_way_reads_it(text, at, length, inserted):
    at %= len(text)
    body = f"{text[:at]}{inserted}{text[at + length :]}".encode()
    for media_type in (IMAGE, INDEX, None):
        found = outcome(body, media_type)
        assert found == slowly(body, media_type)
