"""Manifests made from what goes into them, with digests that hold."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

from aioregistry.sandbox.state import documents
from aioregistry.sandbox.state.model import Form, Manifest, Registry
from aioregistry.sandbox.state.names import digest_bytes

Sized = tuple[bytes, int]


def image(at: int, platform: str, layers: Sequence[Sized]) -> tuple[Manifest, list[Sized]]:
    """An image of these layers.

    Args:
        at: Unix microseconds.
        platform: ``os/architecture``.
        layers: Digest and compressed size of each.

    Returns:
        The manifest, and all blobs that it needs stored: config, layers, document.
    """
    config = documents.image_config(at, platform, [digest for digest, _ in layers])
    config_blob = (sha256(config).digest(), len(config))
    document = documents.image_manifest(config_blob, layers)
    blobs = [config_blob, *layers, (sha256(document).digest(), len(document))]
    parts = tuple([digest for digest, _ in blobs[:-1]])
    return Manifest(blobs[-1][0], at, parts, _image_form(platform)), blobs


@lru_cache
def _image_form(platform: str) -> Form:
    return Form(documents.OCI_MANIFEST, platform)


def opaque(at: int, platform: str, blobs: Sequence[Sized]) -> tuple[Manifest, list[Sized]]:
    """An image of blobs of which only digest and size are known, config first."""
    if not blobs:
        raise ValueError("an image needs a config")
    document = documents.image_manifest(blobs[0], blobs[1:])
    manifest, stored = described(at, document)
    manifest.form = _image_form(platform)
    return manifest, stored


def index(
    registry: Registry, at: int, children: Iterable[Manifest], media_type: str = documents.OCI_INDEX
) -> tuple[Manifest, list[Sized]]:
    """An index over manifests of a registry; what is no image gets ``unknown/unknown``."""
    described_children = (
        documents.descriptor(
            child.digest,
            registry.blobs[child.digest],
            child.form.media_type,
            child.form.platform or "unknown/unknown",
        )
        for child in children
    )
    return described(at, documents.image_index(described_children, media_type))


def described(at: int, document: bytes) -> tuple[Manifest, list[Sized]]:
    """Whatever a document describes: an image, an index, a signature.

    Raises:
        Refusal: 422: it names a digest that is none.
    """
    content = json.loads(document)
    parts = [content["config"]] if "config" in content else []
    parts += content.get("layers", [])
    blobs = [(digest_bytes(part["digest"]), part["size"]) for part in parts]
    subject = content.get("subject")
    form = Form(
        content["mediaType"],
        "",
        document,
        tuple(digest_bytes(child["digest"]) for child in content.get("manifests", [])),
        digest_bytes(subject["digest"]) if subject else None,
    )
    digest = sha256(document).digest()
    manifest = Manifest(digest, at, tuple(blob for blob, _ in blobs), form)
    return manifest, [*blobs, (digest, len(document))]


def document_of(registry: Registry, manifest: Manifest) -> bytes:
    """The document of a manifest, made again where it is not kept."""
    if manifest.form.document is not None:
        return manifest.form.document
    sizes = registry.blobs
    config, *layers = [(digest, sizes[digest]) for digest in manifest.blobs]
    return documents.image_manifest(config, layers)


def config_of(manifest: Manifest) -> bytes:
    """The config of an image that was made by ``image``."""
    return documents.image_config(manifest.at, manifest.form.platform, manifest.blobs[1:])
