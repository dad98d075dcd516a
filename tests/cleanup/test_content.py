"""What manifests say of each other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.manifests.content import (
    Content,
    UnreadableContentError,
    parse_content,
    subject_of_tag,
)

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
UNHEARD_OF = "application/vnd.example.bundle.v3+json"


def parse(document: object, media_type: str | None = None) -> Content:
    return parse_content(json.dumps(document).encode(), media_type)


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_names_its_manifests(media_type):
    document = {"mediaType": media_type, "manifests": [{"digest": A}, {"digest": B}, {"digest": A}]}
    assert parse(document, media_type).children == (A, B)


def test_an_index_without_a_media_type_of_its_own_names_its_manifests():
    assert parse({"manifests": [{"digest": A}]}, None).children == (A,)


def test_what_is_called_an_image_and_names_manifests_counts_as_an_index():
    assert parse({"mediaType": OCI_IMAGE, "manifests": [{"digest": A}]}, OCI_IMAGE).children == (A,)


@pytest.mark.parametrize("media_type", [OCI_IMAGE, DOCKER_IMAGE, SCHEMA_1])
def test_an_image_names_blobs_and_no_manifests(media_type):
    document = {"config": {"digest": A}, "layers": [{"digest": B}]}
    assert parse(document, media_type + "; charset=utf-8").children == ()


def test_a_referrer_speaks_of_its_subject():
    content = parse({"mediaType": OCI_IMAGE, "subject": {"digest": C}, "layers": [{"digest": A}]})
    assert content.subject == C
    assert content.children == ()


@pytest.mark.parametrize("called", [UNHEARD_OF, "", None])
def test_of_an_unknown_kind_every_digest_may_be_a_manifest(called):
    document = {"parts": [{"digest": A}, {"deep": [[{"digest": B}]]}], "subject": {"digest": C}}
    content = parse(document, called)
    assert set(content.children) == {A, B}
    assert content.subject == C


BLOBS = [
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.buildkit.cacheconfig.v0",
]


@pytest.mark.parametrize("extra", [{}, {"org.example": 1}])
def test_an_index_may_name_blobs_as_caches_of_builds_do(extra):
    entries = [{"digest": A, "size": 1, "mediaType": kind} for kind in BLOBS]
    manifest = {"digest": B, "size": 1, "mediaType": OCI_IMAGE}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries, manifest]}
    content = parse({**document, **extra}, OCI_INDEX)
    assert content.children == (A, B)
    assert set(content.blobs) == {A}


def test_of_an_unknown_kind_layers_are_blobs():
    layer = {"digest": A, "mediaType": BLOBS[0]}
    content = parse({"layers": [layer], "config": {"digest": B, "mediaType": "x/y"}}, UNHEARD_OF)
    assert set(content.children) == {A, B}
    assert content.blobs == (A,)


def test_what_calls_itself_otherwise_than_the_registry_does_may_name_anything():
    document = {"mediaType": OCI_IMAGE, "config": {"digest": A}}
    assert parse(document, UNHEARD_OF).children == (A,)


def test_its_size_is_that_of_the_document():
    body = b'{"mediaType": "%s", "layers": []}' % OCI_IMAGE.encode()
    assert parse_content(body, OCI_IMAGE) == Content(OCI_IMAGE, len(body))


NO_DIGEST = "a descriptor without a digest: not a valid digest: "


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[]", "not a manifest: it is no JSON object"),
        (b'{"mediaType": 5}', "its mediaType is no string"),
        (b'{"manifests": {}}', "its manifests are no list"),
        (b'{"x": 1, "x": 2}', "not JSON: 'x' appears twice"),
        (b'{"x": [%s 1]}' % (b"1," * 99_998), "more than 100,000 values"),
    ],
)
def test_what_cannot_be_understood_is_refused(body, problem):
    with pytest.raises(UnreadableContentError) as caught:
        parse_content(body, None)
    assert str(caught.value) == problem


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 200_000])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(UnreadableContentError, match=r"^not JSON: ."):
        parse_content(body, None)


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        (b'{"manifests": [{}]}', "a NoneType, not a str: None"),
        (b'{"manifests": ["x"]}', "a NoneType, not a str: None"),
        (b'{"manifests": [{"digest": "sha256:x"}]}', "'sha256:x'"),
        (b'{"subject": {}}', "a NoneType, not a str: None"),
        (b'{"subject": "x"}', "a NoneType, not a str: None"),
        (b'{"x": {"digest": "no"}}', "'no'"),
    ],
)
def test_a_descriptor_without_a_digest_is_refused(body, digest):
    with pytest.raises(UnreadableContentError) as caught:
        parse_content(body, None)
    rule = "a digest is sha256: and 64 hexadecimal digits in lower case"
    assert str(caught.value) == f"{NO_DIGEST}{digest} ({rule})"


def test_a_document_of_as_many_values_as_may_be_is_understood():
    body = b'{"x": [%s 1]}' % (b"1," * 99_997)
    assert parse_content(body, None) == Content("", len(body))


@pytest.mark.parametrize(
    ("own", "given", "media_type"),
    [
        (OCI_IMAGE, DOCKER_IMAGE, OCI_IMAGE),
        (None, DOCKER_IMAGE, DOCKER_IMAGE),
        (None, f" {DOCKER_IMAGE} ; charset=utf-8;x=y", DOCKER_IMAGE),
        (OCI_IMAGE, None, OCI_IMAGE),
        (None, None, ""),
    ],
)
def test_its_media_type_is_what_it_says_itself_or_what_the_registry_says(own, given, media_type):
    document = {} if own is None else {"mediaType": own}
    assert parse(document, given).media_type == media_type


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text() | st.sampled_from(["digest", "manifests", "subject", "mediaType"]), inner
        )
    ),
    max_leaves=20,
)


@given(json_values.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_any_document_is_understood_or_refused(body):
    try:
        parse_content(body, None)
    except UnreadableContentError as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom", ".vex", ".0f1e2d3c4b5a6978.json"])
def test_a_tag_can_speak_of_a_digest(suffix):
    assert subject_of_tag("sha256-" + "a" * 64 + suffix) == A


@pytest.mark.parametrize(
    "tag", ["latest", "sha256-abc", "sha256-" + "a" * 64 + "-amd64", "sha256-" + "A" * 64]
)
def test_any_other_tag_speaks_of_none(tag):
    assert subject_of_tag(tag) is None
