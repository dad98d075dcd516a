"""What a manifest says of other manifests: pure."""

import json
import re
from typing import Any

from attrs import frozen

from aioregistry.api import names
from aioregistry.cleanup.policy.documents import without_duplicates
from aioregistry.errors import InvalidNameError, RegistryError

__all__ = ["Content", "UnreadableContentError", "parse_content", "subject_of_tag"]

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
_SPEAKING_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")
_MOST_VALUES = 100_000


class UnreadableContentError(RegistryError):
    """A manifest's content could not be had, or not be understood; so it may need anything."""


@frozen
class Content:
    """What a manifest says of other manifests.

    Attributes:
        media_type: Its media type; empty when nobody says.
        size: Bytes of its document.
        children: The manifests that it names: the entries of an index; of a media type that is
            not known here, every digest but the subject's.
        subject: The manifest that it speaks of, as a referrer.
    """

    media_type: str
    size: int
    children: tuple[str, ...] = ()
    subject: str | None = None


def subject_of_tag(tag: str) -> str | None:
    """Return the digest that a tag speaks of by its name, as cosign's do; None for any other."""
    found = _SPEAKING_TAG.fullmatch(tag)
    return f"sha256:{found[1]}" if found else None


def parse_content(body: bytes, media_type: str | None) -> Content:
    """Return what a manifest says.

    Args:
        body: The document.
        media_type: What the registry called it; None when it did not.

    Raises:
        UnreadableContentError: It is no manifest, or not one to be sure of.
    """
    try:
        document = json.loads(body, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise UnreadableContentError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableContentError("not a manifest: it is no JSON object")
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise UnreadableContentError("its mediaType is no string")
    given = (media_type or "").partition(";")[0].strip()
    called = {kind for kind in (own, given) if kind}
    subject = document.pop("subject", None)
    if called <= _IMAGES and called and "manifests" not in document:
        children: tuple[str, ...] = ()
    elif "manifests" in document:
        children = _entries(document)
    else:
        children = _every_digest(document)
    return Content(
        own or given, len(body), children, None if subject is None else _digest_of(subject)
    )


def _entries(index: dict[str, Any]) -> tuple[str, ...]:
    entries = index["manifests"]
    if not isinstance(entries, list):
        raise UnreadableContentError("its manifests are no list")
    return tuple(dict.fromkeys(_digest_of(entry) for entry in entries))


def _digest_of(descriptor: object) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    try:
        return names.check_digest(digest)  # type: ignore[arg-type]  # it refuses whatever it gets
    except InvalidNameError as error:
        raise UnreadableContentError(f"a descriptor without a digest: {error.message}") from None


def _every_digest(document: dict[str, Any]) -> tuple[str, ...]:
    """Return all digests anywhere in a document of an unknown kind, which may name manifests."""
    found: dict[str, None] = {}
    waiting: list[Any] = [document]
    seen = 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES:
            raise UnreadableContentError(f"more than {_MOST_VALUES:,} values")
        if isinstance(value, dict):
            if isinstance(value.get("digest"), str):
                found[_digest_of(value)] = None
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return tuple(found)
