"""Manifests that are read quickly: as the slow way reads them, or not at all."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.manifests import content
from aioregistry.cleanup.manifests.content import (
    Content,
    UnreadableContentError,
    parse_content,
    parse_contents,
)
from aioregistry.cleanup.manifests.quick import read_plain_images, read_quickly

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"


def descriptor(digest: str, **more: object) -> dict[str, object]:
    return {"mediaType": "application/x", "size": 1, "digest": digest, **more}


LAYERS = [descriptor(B), descriptor(C)]
USUAL = {
    "image": {"schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(A), "layers": LAYERS},
    "artifact": {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": "application/spdx+json",
        "config": descriptor(A),
        "layers": LAYERS,
    },
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


def test_documents_that_are_read_together_are_read_as_each_alone():
    usual = [
        json.dumps(one, indent=indent).encode() for one in USUAL.values() for indent in (None, 3)
    ]
    plain = usual[0]
    odd = [
        plain.replace(b'"size": 1', b'"digest": 1', 1),
        plain.replace(b"config", b"confug"),
        plain.replace(b'"size": 1', b'"size":  ', 1),
        plain.replace(b"layers", b"l\\u0061yers"),
        plain.replace(b'"layers": [', b'"layers": {', 1),
        b"",
        b"{}",
    ]
    bodies = [*usual, *odd, plain] * 60
    documents = [
        (f"{nth} {media_type}", media_type, body)
        for nth, body in enumerate(bodies)
        for media_type in (IMAGE, INDEX, None)
    ]
    alone = {name: outcome(body, media_type) for name, media_type, body in documents}
    known = {name: one for name, one in alone.items() if isinstance(one, Content)}
    same: dict[object, Content] = {}
    for start in range(0, len(documents), 100):
        names, media_types, bodies = zip(*documents[start : start + 100], strict=True)
        found = parse_contents(names, media_types, bodies, same)
        assert found == {name: known[name] for name in names if name in known}


def test_no_document_is_read_as_a_part_of_another():
    body = json.dumps(USUAL["image"], indent=1).encode()
    assert read_plain_images([body, body]) is not None
    for at in range(1, len(body)):
        before, after = body[:at], body[at:]
        for bodies in (
            [before, after],
            [body + b"\n" + before, after],
            [before, after + b"\n" + body],
            [before, after, body + b"\n" + body],
            [before + b"}", b"{" + after],
        ):
            assert read_plain_images(bodies) is None
