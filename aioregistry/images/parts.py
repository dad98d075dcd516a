"""What a manifest is made of: config, layers, children, subject: pure."""

import json
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from aioregistry.api import names
from aioregistry.cleanup.manifests.content import (
    UnreadableContentError,
    is_blob_type,
    parse_content,
)
from aioregistry.errors import InvalidNameError
from aioregistry.oci.documents import MEDIA_TYPES

__all__ = ["Descriptor", "Parts", "parts_of"]

_MAX_CHARACTERS = 255


@frozen
class Descriptor:
    """What a manifest says of one of its parts; None where it says nothing that can be.

    Attributes:
        digest: The digest.
        media_type: The media type.
        size: Bytes.
        platform: ``os/architecture``, with variant and version of the operating system if there
            are any.
        annotations: The annotations that are texts.
        is_elsewhere: Whether the part may be stored elsewhere alone: it has addresses, or is of a
            type that is not to be distributed.
    """

    digest: str
    media_type: str | None = None
    size: int | None = None
    platform: str | None = None
    annotations: dict[str, str] | None = None
    is_elsewhere: bool = False


@frozen
class Parts:
    """What a manifest is made of.

    Attributes:
        kind: ``image``, ``index``, ``artifact`` or ``schema1``; ``unreadable`` for one that is
            shown all the same.
        media_type: The media type; None when nobody says.
        config: The config; None where there is none.
        layers: The layers, an artifact's blobs, or those that an index names, as caches do.
        children: The manifests that an index names.
        subject: The manifest that it refers to; None for none.
        artifact_type: What an artifact is; None when it does not say.
        annotations: The annotations that are texts.
        problem: Why it is unreadable.
    """

    kind: str
    media_type: str | None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: str | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    problem: str = ""

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config and the layers."""
        return self.layers if self.config is None else (self.config, *self.layers)


def parts_of(body: bytes, media_type: str | None) -> Parts:
    """Return what a manifest is made of.

    Args:
        body: The document, of a signed one the payload.
        media_type: What the registry called it; None when it did not.

    Raises:
        UnreadableContentError: It is no manifest, or of a kind of which nobody can say what it
            needs.
    """
    content = parse_content(body, media_type)
    document = json.loads(body)
    own = content.media_type.partition(";")[0].strip() or None
    kind = _kind(document)
    if kind is None or (own is not None and own not in MEDIA_TYPES):
        raise UnreadableContentError(
            f"its kind {(own or '')[:_MAX_CHARACTERS]!r} is not known: it may need anything"
        )
    config = document.get("config") if kind == "image" else None
    artifact_type = text_of(document.get("artifactType"))
    described = None if config is None else _descriptor(config)
    entries = list(map(_descriptor, _list(document, "manifests"))) if kind == "index" else []
    blobs = [entry for entry in entries if is_blob_type(entry.media_type)]
    return Parts(
        kind,
        own,
        described,
        (*_layers(document, kind), *blobs),
        tuple(entry for entry in entries if not is_blob_type(entry.media_type)),
        content.subject,
        artifact_type,
        texts_of(document.get("annotations")),
    )


def text_of(value: object) -> str | None:
    """Return a value if it is a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def texts_of(value: object) -> dict[str, str] | None:
    """Return the texts of an object by their keys; None where it is no object, or has none."""
    if not isinstance(value, dict):
        return None
    return {key: text for key, text in value.items() if isinstance(text, str)} or None


def _kind(document: dict[str, Any]) -> str | None:
    if "manifests" in document:
        return "index"
    if "fsLayers" in document:
        return "schema1"
    if "layers" in document or "config" in document:
        return "image"
    return "artifact" if "blobs" in document else None


def _layers(document: dict[str, Any], kind: str) -> Iterator[Descriptor]:
    if kind == "schema1":
        for layer in _list(document, "fsLayers"):
            digest = layer.get("blobSum") if isinstance(layer, dict) else None
            yield Descriptor(_checked(digest))
    elif kind in {"image", "artifact"}:
        yield from map(_descriptor, _list(document, "layers" if kind == "image" else "blobs"))


def _list(document: dict[str, Any], key: str) -> list[Any]:
    # Go's empty list is null.
    value = document.get(key)
    value = [] if value is None else value
    if not isinstance(value, list):
        raise UnreadableContentError(f"its {key} are no list")
    return value


def _descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise UnreadableContentError("a descriptor is no object")
    media_type, size = text_of(value.get("mediaType")), value.get("size")
    return Descriptor(
        _checked(value.get("digest")),
        media_type,
        size if type(size) is int and 0 <= size < 2**63 else None,
        _platform(value.get("platform")),
        texts_of(value.get("annotations")),
        bool(value.get("urls")) or any(one in (media_type or "") for one in _NOT_DISTRIBUTED),
    )


_NOT_DISTRIBUTED = (".foreign.", ".nondistributable.")


def _platform(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    keys = ("os", "architecture", "variant", "os.version")
    found = [text_of(value.get(key)) for key in keys]
    return "/".join(part for part in found if part is not None) or None


def _checked(digest: Any) -> str:
    try:
        return names.check_digest(digest)
    except InvalidNameError as error:
        raise UnreadableContentError(f"a descriptor without a digest: {error.message}") from None
