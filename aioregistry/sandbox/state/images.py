"""Manifests made from their parts, with digests that can be verified."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from aioregistry.sandbox.state import documents, schema1
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


def described(at: int, document: bytes, media_type: str = "") -> tuple[Manifest, list[Sized]]:
    """The manifest that a document describes: an image, an index, a signature.

    Args:
        at: Unix microseconds.
        document: Its JSON.
        media_type: The type that it was sent with; documents may leave theirs out.

    Raises:
        Refusal: 422: it names a digest that is none.
        ValueError: It is no manifest, or of a type that is not supported.
    """
    content = json.loads(document)
    if content.get("schemaVersion") == 1:
        return _signed(at, document, content)
    own_type = content.get("mediaType", media_type)
    if not own_type or own_type != (media_type or own_type):
        raise ValueError(f"media type {own_type!r} does not agree with {media_type!r}")
    if "fsLayers" in content:
        raise ValueError("fsLayers are of schema 1")
    parts = [content["config"]] if content.get("config") else []
    # What is fetched from elsewhere is not stored here.
    parts += [layer for layer in content.get("layers") or () if not layer.get("urls")]
    blobs = [(digest_bytes(part["digest"]), _size(part["size"])) for part in parts]
    subject = content.get("subject")
    form = Form(
        own_type,
        "",
        document,
        tuple(digest_bytes(child["digest"]) for child in content.get("manifests") or ()),
        digest_bytes(subject["digest"]) if subject else None,
    )
    digest = sha256(document).digest()
    manifest = Manifest(digest, at, tuple(blob for blob, _ in blobs), form)
    return manifest, [*blobs, (digest, len(document))]


def _signed(at: int, document: bytes, content: Mapping[str, Any]) -> tuple[Manifest, list[Sized]]:
    """A manifest of schema 1, whose sizes nothing says; blobs are those that are stored."""
    payload = schema1.payload_of(document)
    digest = sha256(payload).digest()
    layers = dict.fromkeys(digest_bytes(layer["blobSum"]) for layer in content["fsLayers"])
    form = Form(schema1.MEDIA_TYPE, "", document)
    return Manifest(digest, at, tuple(layers), form), [(digest, len(payload))]


def _size(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no size in bytes")
    return value


def referrer_descriptor(registry: Registry, manifest: Manifest) -> dict[str, Any]:
    """A referrer, as the list of a subject's referrers has it."""
    document = document_of(registry, manifest)
    content = json.loads(document)
    described_by = documents.descriptor(manifest.digest, len(document), manifest.form.media_type)
    kind = content.get("artifactType") or (content.get("config") or {}).get("mediaType")
    if kind:
        described_by["artifactType"] = kind
    if content.get("annotations"):
        described_by["annotations"] = content["annotations"]
    return described_by


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
