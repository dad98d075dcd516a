"""Pages of the API's lists as bytes, with only what a clean-up needs of them: pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Blob, Manifest, Tag

__all__ = ["ListName", "decode_page", "encode_page"]

ListName = Literal["manifests", "tags"]

# The 32 bytes of a digest of SHA-256, or the text of any other: the first byte says which.
_Digest = bytes
_Blob = tuple[_Digest, int | None]
# Its blobs are numbers of the page's blobs: layers are shared.
_Manifest = tuple[_Digest, tuple[str, ...], datetime | None, int | None, tuple[int, ...]]
_Tag = tuple[str, _Digest, datetime | None]
_Head = tuple[int | None, str | None, str | None]

_MANIFESTS = msgspec.msgpack.Decoder(tuple[_Head, tuple[_Manifest, ...], tuple[_Blob, ...]])
_TAGS = msgspec.msgpack.Decoder(tuple[_Head, tuple[_Tag, ...]])
_OTHER, _SHA256 = b"\x00", b"\x01"


def encode_page(name: ListName, page: RawPage[Any]) -> bytes:
    """Return a page of manifests or tags as bytes."""
    head = (page.total, page.next_link, page.last_link)
    if name == "tags":
        tags = [(tag.tag, _packed(tag.manifest_digest), tag.updated_at) for tag in page.items]
        return msgspec.msgpack.encode((head, tags))
    numbers: dict[tuple[str, int | None], int] = {}
    manifests = [
        (
            _packed(one.digest),
            one.tags,
            one.updated_at,
            one.compressed_size_bytes,
            [
                numbers.setdefault((blob.digest, blob.compressed_size_bytes), len(numbers))
                for blob in one.blobs
            ],
        )
        for one in page.items
    ]
    blobs = [(_packed(digest), size) for digest, size in numbers]
    return msgspec.msgpack.encode((head, manifests, blobs))


def decode_page(name: ListName, data: object) -> RawPage[Any] | None:
    """Return the page that `encode_page` wrote; None for anything else.

    Args:
        name: Which list it is of.
        data: What was written.
    """
    if not isinstance(data, bytes):
        return None
    try:
        if name == "tags":
            head, tags = _TAGS.decode(data)
            return RawPage(tuple(_tag(*row) for row in tags), *head)
        head, manifests, packed = _MANIFESTS.decode(data)
        blobs = [Blob(_unpacked(digest), size) for digest, size in packed]
        return RawPage(tuple(_manifest(blobs, *row) for row in manifests), *head)
    except (msgspec.MsgspecError, ValueError, IndexError):
        return None


def _packed(digest: str) -> _Digest:
    digits = digest[len("sha256:") :]
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return _OTHER + digest.encode()
    is_same = packed.hex() == digits and digest.startswith("sha256:")
    return _SHA256 + packed if is_same else _OTHER + digest.encode()


def _unpacked(digest: _Digest) -> str:
    return "sha256:" + digest[1:].hex() if digest[:1] == _SHA256 else digest[1:].decode()


def _manifest(
    page_blobs: Sequence[Blob],
    digest: _Digest,
    tags: tuple[str, ...],
    updated_at: datetime | None,
    size: int | None,
    blobs: tuple[int, ...],
) -> Manifest:
    return Manifest(
        digest=_unpacked(digest),
        tags=tags,
        updated_at=updated_at,
        compressed_size_bytes=size,
        blobs=tuple(page_blobs[number] for number in blobs),
    )


def _tag(tag: str, digest: _Digest, updated_at: datetime | None) -> Tag:
    return Tag(tag=tag, manifest_digest=_unpacked(digest), updated_at=updated_at)
