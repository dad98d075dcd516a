"""Reading a manifest's document: which other manifests it names: pure."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from aioregistry.api import names
from aioregistry.cleanup.manifests.quick import (
    PlainImage,
    QuickDocument,
    read_plain_images,
    read_quickly,
)
from aioregistry.cleanup.policy.documents import without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError

__all__ = [
    "KEY_CHARACTERS",
    "Content",
    "Document",
    "MissingContentError",
    "UnreadableContentError",
    "is_blob_type",
    "naming_others",
    "parse_content",
    "parse_contents",
    "subject_key",
    "subject_of_tag",
]

# What these name, but for their subject, are blobs.
_IMAGES = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.oci.artifact.manifest.v1+json",
    }
)
# An index may have blobs among its entries: buildx's caches have nothing else. Registries answer a
# look for such a manifest with an error, distribution 2 with a 500.
_BLOBS = (
    "application/vnd.oci.image.layer.",
    "application/vnd.oci.image.config.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.docker.container.image.",
    "application/vnd.buildkit.cacheconfig.",
)
# A tag is too short for all of a longer digest: OCI's fallback tags have 64 digits of it. Tools
# choose their suffixes: cosign .sig, .att and .sbom; regclient copies all of sha256-<hex>.*.
_REFERRER_TAG = re.compile(
    r"(?:(sha256)-([0-9a-f]{64})|(sha512)-([0-9a-f]{64}(?:[0-9a-f]{64})?))(?:\.[A-Za-z0-9._-]+)?"
)
# One that is no plain image has so many be read one by one.
_PLAIN_AT_ONCE = 50
KEY_CHARACTERS = len("sha256:") + 64
_MAX_VALUES = 100_000


class UnreadableContentError(RegistryError):
    """A manifest could not be read, or not be understood; so it may need anything."""


class MissingContentError(UnreadableContentError):
    """The registry has no such manifest."""


@frozen
class Document:
    """A manifest as the registry sent it, by which its digest can be checked.

    Attributes:
        body: The document.
        media_type: What the registry called it; None when it did not.
    """

    body: bytes
    media_type: str | None


@frozen
class Content:
    """The other manifests that a manifest names.

    Attributes:
        media_type: Its media type; empty when nobody says.
        size: Bytes of its document.
        children: The manifests that it names: the entries of an index; of a media type that is
            not known here, every digest but the subject's.
        blobs: Those of them that are blobs by the media type that an index gives them.
        subject: The manifest that it refers to.
        document: The document itself, right after it was read; None later on.
    """

    media_type: str
    size: int
    children: tuple[str, ...] = ()
    subject: str | None = None
    document: Document | None = field(default=None, eq=False, repr=False)
    blobs: tuple[str, ...] = ()


def is_blob_type(media_type: object) -> bool:
    """Return whether what a descriptor names is a blob, by its media type."""
    return isinstance(media_type, str) and media_type.startswith(_BLOBS)


def naming_others(
    contents: Mapping[str, Content | UnreadableContentError],
) -> dict[str, Content]:
    """Return those of some contents that name other manifests, as few of very many do."""
    return {
        digest: content
        for digest, content in contents.items()
        if isinstance(content, Content) and (content.children or content.subject is not None)
    }


def subject_of_tag(tag: str) -> str | None:
    """Return the `subject_key` that the name of a tag has, as cosign's; None for any other."""
    # Most tags are none: to see that takes no pattern.
    found = _REFERRER_TAG.fullmatch(tag) if tag[:3] == "sha" else None
    if found is None:
        return None
    return subject_key(f"{found[1] or found[3]}:{found[2] or found[4]}")


def subject_key(digest: str) -> str:
    """Return as much of a digest as tags that refer to it have: all of one of SHA-256."""
    return digest[:KEY_CHARACTERS]


def parse_content(
    body: bytes, media_type: str | None, *, same: dict[Hashable, Content] | None = None
) -> Content:
    """Return the content of a manifest's document.

    Args:
        body: The document.
        media_type: What the registry called it; None when it did not.
        same: Contents without their documents, of which images that say the same share one; filled
            in here. None, the default, for a content of its own, with its document.

    Raises:
        UnreadableContentError: It is no manifest, or not one to be sure of.
    """
    usual = read_quickly(body)
    if same is None or usual is None or not usual.needs_nothing:
        kept = Document(body, media_type) if same is None else None
        content = None if usual is None else _content_of(usual, len(body), media_type, kept)
        return content or _read_closely(body, media_type, kept)
    # Of a million images few hundred are different, but for what they are made of.
    key = (usual.mediaType, media_type, len(body))
    if key in same:
        return same[key]
    content = _content_of(usual, len(body), media_type, None)
    if content is None:
        return _read_closely(body, media_type, None)
    same[key] = content
    if isinstance(usual, PlainImage):
        same[media_type, len(body)] = content
    return content


def parse_contents(
    digests: Sequence[str],
    media_types: Sequence[str | None],
    bodies: Sequence[bytes],
    same: dict[Hashable, Content],
) -> dict[str, Content]:
    """Return the contents of documents, as `parse_content` returns each, without unreadable ones.

    Those of the media type and the length of a plain image are plain images, mostly.

    Args:
        digests: The digest of each manifest.
        media_types: What the registry called each.
        bodies: The document of each.
        same: Contents that are shared, as in `parse_content`.
    """
    found: dict[str, Content] = {}
    likely = list(map(same.get, zip(media_types, map(len, bodies), strict=True)))
    plain = [(nth, content) for nth, content in enumerate(likely) if content is not None]
    left = [nth for nth, content in enumerate(likely) if content is None]
    for start in range(0, len(plain), _PLAIN_AT_ONCE):
        some = plain[start : start + _PLAIN_AT_ONCE]
        images = read_plain_images([bodies[nth] for nth, _ in some])
        if images is None:
            left += [nth for nth, _ in some]
            continue
        for (nth, content), image in zip(some, images, strict=True):
            if image.mediaType == content.media_type:
                found[digests[nth]] = content
            else:
                left.append(nth)
    for nth in left:
        with suppress(UnreadableContentError):
            found[digests[nth]] = parse_content(bodies[nth], media_types[nth], same=same)
    return found


def _read_closely(body: bytes, media_type: str | None, kept: Document | None) -> Content:
    try:
        document = json.loads(body, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise UnreadableContentError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableContentError("not a manifest: it is no JSON object")
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise UnreadableContentError("its mediaType is no string")
    given = _without_parameters(media_type)
    called = {kind for kind in (own, given) if kind}
    subject = document.pop("subject", None)
    children: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    if called <= _IMAGES and called and "manifests" not in document:
        pass
    elif "manifests" in document:
        entries = _entries(document)
        children = tuple(dict.fromkeys(map(_digest_of, entries)))
        blobs = tuple(one["digest"] for one in entries if is_blob_type(one.get("mediaType")))
    else:
        children, blobs = _every_digest(document)
    return Content(
        own or given,
        len(body),
        children,
        None if subject is None else _digest_of(subject),
        kept,
        blobs,
    )


def _content_of(
    document: PlainImage | QuickDocument, size: int, media_type: str | None, kept: Document | None
) -> Content | None:
    """Return the content of a document that was read quickly; None where a closer look decides."""
    own, given = document.mediaType or "", _without_parameters(media_type)
    is_image = (own or given) in _IMAGES and (given or own) in _IMAGES
    if isinstance(document, PlainImage):
        return Content(own or given, size, document=kept) if is_image else None
    if not document.manifests and (not is_image or isinstance(document.manifests, list)):
        return None
    try:
        entries = document.manifests or ()
        children = tuple(dict.fromkeys(names.check_digest(one.digest) for one in entries))
        subject = names.check_digest(document.subject.digest) if document.subject else None
    except InvalidNameError:
        return None
    blobs = tuple([one.digest for one in entries if is_blob_type(one.mediaType)])
    return Content(own or given, size, children, subject, kept, blobs)


def _without_parameters(media_type: str | None) -> str:
    return (media_type or "").partition(";")[0].strip()


def _entries(index: dict[str, Any]) -> list[Any]:
    entries = index["manifests"]
    if entries is None:
        # Go's empty list.
        return []
    if not isinstance(entries, list):
        raise UnreadableContentError("its manifests are no list")
    return entries


def _digest_of(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    try:
        return names.check_digest(digest)  # type: ignore[arg-type]  # it refuses whatever it gets
    except InvalidNameError as error:
        raise UnreadableContentError(f"a descriptor without a digest: {error.message}") from None


def _every_digest(document: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all digests anywhere in a document of an unknown kind, and those that are blobs'."""
    found: dict[str, None] = {}
    blobs: list[str] = []
    waiting: list[Any] = [document]
    seen = 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MAX_VALUES:
            raise UnreadableContentError(f"more than {_MAX_VALUES:,} values")
        if isinstance(value, dict):
            if isinstance(value.get("digest"), str):
                found[_digest_of(value)] = None
                if is_blob_type(value.get("mediaType")):
                    blobs.append(value["digest"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return tuple(found), tuple(blobs)
