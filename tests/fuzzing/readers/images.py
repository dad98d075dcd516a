"""Readers of what an image is made of, and of where a registry leads."""

import json
from datetime import UTC, datetime

from aioregistry.cleanup.manifests.content import UnreadableContentError
from aioregistry.cli.images.facts import Node, document_of, nodes_of
from aioregistry.errors import InvalidResponseError
from aioregistry.images.config import config_of
from aioregistry.images.inspection import ImageInspection, InspectedLayer, InspectedManifest
from aioregistry.images.parts import parts_of
from aioregistry.oci.documents import redirected, referrers_of, upload_path
from aioregistry.oci.links import next_query
from tests.fuzzing.readers.reader import Reader, header_of, is_sound

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
_IMAGE = "application/vnd.oci.image.manifest.v1+json"
_NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _show(manifest: InspectedManifest) -> None:
    """What is shown of it can be printed, and written as JSON."""
    found = ImageInspection("example", "web", manifest.digest, ("v1",), _NOW, (manifest,))
    waiting: list[Node] = [nodes_of(found, show_env=True, short=True, utc=True)]
    while waiting:
        node = waiting.pop()
        assert node.text.isprintable()
        assert is_sound(node.text)
        waiting += node.children
    json.loads(json.dumps(document_of(found, show_env=True)))


def read_parts(document: bytes) -> None:
    parts = parts_of(document, _IMAGE)
    assert all(blob.size is None or blob.size >= 0 for blob in parts.blobs)
    layers = tuple(InspectedLayer(one.digest, one.media_type, one.size) for one in parts.layers)
    children = tuple(one.digest for one in parts.children)
    _show(
        InspectedManifest(
            A,
            parts.kind,
            parts.media_type,
            parts.artifact_type,
            layers=layers,
            children=children,
            annotations=parts.annotations,
        )
    )


def read_config(document: bytes) -> None:
    config = config_of(A, document)
    assert config.created is None or config.created.tzinfo is not None
    _show(InspectedManifest(A, "image", config=config))


def read_referrers(document: bytes) -> None:
    assert all(digest.startswith("sha") for digest in referrers_of(document))


def read_location(document: bytes) -> None:
    """Wherever a registry leads, only to what may be."""
    location = header_of(document)
    path = upload_path(location)
    assert path is None or (path.startswith("/v2/") and path.isprintable() and path.isascii())
    target = redirected("http://registry.test/v2/x", location)
    assert target.startswith(("https://", "http://registry.test/"))


def read_links(document: bytes) -> None:
    query = next_query({"Link": header_of(document)})
    assert query is None or (query.isascii() and query.isprintable())


READERS = (
    Reader(
        "image-parts",
        read_parts,
        (UnreadableContentError,),
        tuple(
            json.dumps(document).encode()
            for document in (
                {"config": {"digest": A, "size": 3}, "layers": [{"digest": B, "urls": ["x"]}]},
                {"manifests": [{"digest": A, "platform": {"os": "linux"}}], "subject": None},
                {"fsLayers": [{"blobSum": C}], "annotations": {"a": "b"}},
            )
        ),
    ),
    Reader(
        "image-config",
        read_config,
        (),
        (
            (
                b'{"created": "2020-11-04T21:39:49.530562231Z", "os": "linux", "history": [{}],'
                b' "config": {"Env": ["A=b"], "Cmd": ["x"], "Labels": {"a": "b"}, "User": "1"}}'
            ),
            b'{"rootfs": {"diff_ids": []}, "config": {"ExposedPorts": {"80/tcp": {}}}}',
        ),
    ),
    Reader(
        "referrers",
        read_referrers,
        (InvalidResponseError,),
        (json.dumps({"manifests": [{"digest": A}, {"digest": B}]}).encode(),),
    ),
    Reader(
        "locations",
        read_location,
        (InvalidResponseError,),
        (
            b"/v2/example/web/blobs/uploads/1?_state=x",
            b"https://storage.test/x?signature=%2F",
        ),
    ),
    Reader(
        "links",
        read_links,
        (InvalidResponseError,),
        (
            b'</v2/x?n=1&last=y>; rel="next"',
            b'</v2/x?n=0>; title="a, <b>; \\" c"; rel=first , <?n=1>; rel="last next"',
        ),
    ),
)
