"""What manifests of each kind are made of."""

import json

import pytest

from aioregistry.cleanup import UnreadableContentError
from aioregistry.images.kinds import kind_of
from aioregistry.images.parts import parts_of

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"


def read(document: object, media_type: str | None = None):
    return parts_of(json.dumps(document).encode(), media_type)


def test_an_image():
    document = {
        "mediaType": DOCKER,
        "config": {"digest": A, "size": 1, "mediaType": "x"},
        "layers": [{"digest": B, "size": 2, "annotations": {"a": "b", "c": 1}}],
        "subject": {"digest": C},
    }
    parts = read(document, DOCKER)
    assert (parts.kind, parts.subject) == ("image", C)
    assert [(one.digest, one.size) for one in parts.blobs] == [(A, 1), (B, 2)]
    assert parts.layers[0].annotations == {"a": "b"}


def test_an_index_with_platforms():
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0", "variant": 7}
    parts = read({"manifests": [{"digest": A, "platform": platform}]}, LIST)
    assert (parts.kind, parts.blobs) == ("index", ())
    assert parts.children[0].platform == "windows/amd64/10.0"


def test_a_cache_whose_layers_stand_in_an_index():
    layer = {"digest": A, "size": 1, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    config = {"digest": B, "size": 2, "mediaType": "application/vnd.buildkit.cacheconfig.v0"}
    image = {"digest": C, "size": 3, "mediaType": OCI}
    parts = read({"manifests": [layer, config, image]}, LIST)
    assert parts.kind == "index"
    assert [one.digest for one in parts.blobs] == [A, B]
    assert [one.digest for one in parts.children] == [C]


def test_a_schema_1_manifest_names_its_layers():
    parts = read({"fsLayers": [{"blobSum": A}, {"blobSum": A}]}, SCHEMA_1)
    assert (parts.kind, [one.digest for one in parts.blobs]) == ("schema1", [A, A])


def test_an_artifact_names_its_blobs():
    parts = read({"mediaType": ARTIFACT, "artifactType": "x/y", "blobs": [{"digest": A}]}, ARTIFACT)
    assert (parts.kind, parts.artifact_type) == ("artifact", "x/y")
    assert [one.digest for one in parts.blobs] == [A]


@pytest.mark.parametrize(
    ("layer", "elsewhere"),
    [
        ({"urls": ["https://a.test/"]}, True),
        ({"urls": []}, False),
        ({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}, True),
        ({"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"}, True),
        ({"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}, False),
    ],
)
def test_which_layers_may_be_stored_elsewhere(layer, elsewhere):
    parts = read({"layers": [{"digest": A, **layer}]}, OCI)
    assert parts.layers[0].is_elsewhere is elsewhere


@pytest.mark.parametrize("size", [-1, "2", 1.5, True, None, 2**63])
def test_a_size_that_cannot_be_is_none(size):
    assert read({"layers": [{"digest": A, "size": size}]}, OCI).layers[0].size is None


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({"layers": [{"digest": "x"}]}, OCI),
        ({"layers": {}}, OCI),
        ({"config": 1, "layers": []}, OCI),
        ({"fsLayers": [1]}, SCHEMA_1),
        ({"schemaVersion": 2}, OCI),
        ({"layers": [], "config": {"digest": A}}, "application/vnd.example+json"),
        ({"mediaType": "application/vnd.example+json", "manifests": []}, None),
    ],
)
def test_what_cannot_be_understood_is_unreadable(document, media_type):
    with pytest.raises(UnreadableContentError):
        read(document, media_type)


@pytest.mark.parametrize(
    ("artifact_type", "tag", "kind"),
    [
        ("application/spdx+json", None, "SBOM"),
        ("application/vnd.cyclonedx+json", None, "SBOM"),
        ("application/vnd.in-toto+json", None, "attestation"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", None, "signature"),
        ("application/vnd.cncf.notary.signature", None, "signature"),
        ("application/x", "sha256-x.sig", "signature"),
        ("application/x", "sha256-x.att", "attestation"),
        ("application/x", "sha256-x.sbom", "SBOM"),
        ("application/x", None, "artifact"),
    ],
)
def test_what_a_referrer_is_for(artifact_type, tag, kind):
    parts = read({"artifactType": artifact_type, "layers": []}, OCI)
    assert kind_of(parts, tag, is_referrer=True) == kind
    assert kind_of(parts, None, is_referrer=False) == "image"
