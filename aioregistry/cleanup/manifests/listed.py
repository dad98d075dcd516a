"""The items of a repository's two lists, with no more than a clean-up needs of them: pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated

import msgspec

from aioregistry.api.decoding import PageDecoder, RawPage
from aioregistry.api.models import Blob, Manifest, Tag, Time
from aioregistry.cleanup.manifests.blobs import pack_blobs
from aioregistry.cleanup.manifests.content import subject_of_tag

__all__ = ["ListedManifest", "ListedTag", "decode_manifests", "decode_tags", "tagged_as_referrers"]


class ListedManifest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A manifest as the listing gave it.

    Attributes:
        digest: Its digest.
        tags: Its tags, sorted.
        pushed_at: When it was pushed; None when the API does not say.
        blobs: Its blobs, its own document among them, as `pack_blobs` packs them.
        size_bytes: Its compressed size; None when the API does not say.
    """

    digest: str
    tags: tuple[str, ...] = ()
    pushed_at: datetime | None = None
    blobs: bytes = b""
    size_bytes: int | None = None

    @property
    def has_images_only(self) -> bool:
        """Whether none of its tags is that of a signature, an attestation or an SBOM."""
        for tag in self.tags:  # noqa: SIM110, all() would cost as much again
            if tag[:3] == "sha" and subject_of_tag(tag) is not None:
                return False
        return True

    @property
    def image_tags(self) -> tuple[str, ...]:
        """The tags but for those of signatures, attestations and SBOMs."""
        if self.has_images_only:
            return self.tags
        return tuple(tag for tag in self.tags if subject_of_tag(tag) is None)


def tagged_as_referrers(manifests: Iterable[ListedManifest]) -> dict[str, ListedManifest]:
    """Return those manifests that have a tag as signatures and the like have, by digest."""
    return {
        manifest.digest: manifest
        for manifest in manifests
        for tag in manifest.tags
        if tag[:3] == "sha" and subject_of_tag(tag) is not None
    }


class ListedTag(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A tag as the listing gave it: see `Tag`."""

    tag: str = ""
    manifest_digest: str = ""
    updated_at: Time | None = None


# No value is of this type: what has the field is no page of the usual kind.
_Refused = Annotated[int, msgspec.Meta(gt=0, lt=0)] | msgspec.UnsetType


class _Blob(msgspec.Struct, gc=False):
    digest: str = ""
    compressed_size_bytes: int | None = None
    compressed_size_byte: _Refused = msgspec.UNSET


class _Manifest(msgspec.Struct, gc=False):
    registry_name: str = ""
    repository: str = ""
    digest: str = ""
    compressed_size_bytes: int | None = None
    size_bytes: int | None = None
    updated_at: Time | None = None
    tags: tuple[str, ...] = ()
    blobs: tuple[_Blob, ...] = ()


class _Tag(msgspec.Struct, gc=False):
    registry_name: str = ""
    repository: str = ""
    tag: str = ""
    manifest_digest: str = ""
    compressed_size_bytes: int | None = None
    size_bytes: int | None = None
    updated_at: Time | None = None


def _have_no_zero_time(items: Sequence[_Manifest | _Tag]) -> bool:
    """Return whether no time is Go's zero time, which stands for none."""
    return 1 not in [one.updated_at.year for one in items if one.updated_at is not None]


_MANIFESTS = PageDecoder("manifests", Manifest, _Manifest, _have_no_zero_time)
_TAGS = PageDecoder("tags", Tag, _Tag, _have_no_zero_time)


def decode_manifests(body: bytes) -> RawPage[ListedManifest]:
    """Return a page of the list of manifests.

    Raises:
        DecodeError: It is none.
    """
    page = _MANIFESTS.decode(body)
    own: list[Sequence[Blob]] = [one.blobs for one in page.items]
    digests = [one.digest for one in page.items]
    if not all(own) or [some[-1].digest for some in own] != digests:
        own = [_with_own(one) for one in page.items]
    blobs = list(chain.from_iterable(own))
    packed = pack_blobs(
        list(map(len, own)),
        [blob.digest for blob in blobs],
        [blob.compressed_size_bytes or 0 for blob in blobs],
    )
    items = [
        ListedManifest(
            one.digest,
            tuple(sorted(one.tags)) if len(one.tags) > 1 else one.tags,
            one.updated_at,
            some,
            one.compressed_size_bytes,
        )
        for one, some in zip(page.items, packed, strict=True)
    ]
    return RawPage(tuple(items), page.total, page.next_link, page.last_link)


def _with_own(manifest: Manifest) -> Sequence[Blob]:
    """Return the blobs of a manifest, its own document among them: it is mostly the last."""
    blobs, digest = manifest.blobs, manifest.digest
    if blobs and (blobs[-1].digest == digest or any(blob.digest == digest for blob in blobs)):
        return blobs
    return (*blobs, Blob(digest))


def decode_tags(body: bytes) -> RawPage[ListedTag]:
    """Return a page of the list of tags.

    Raises:
        DecodeError: It is none.
    """
    page = _TAGS.decode(body)
    items = [ListedTag(one.tag, one.manifest_digest, one.updated_at) for one in page.items]
    return RawPage(tuple(items), page.total, page.next_link, page.last_link)
