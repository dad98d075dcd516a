"""Pages of the API's lists as bytes, with only what a clean-up needs of them: pure."""

import zlib
from datetime import datetime
from typing import Any, Literal

import msgspec

from aioregistry.api.decoding import RawPage
from aioregistry.api.models import Blob, Manifest, Tag

__all__ = ["ListName", "decode_page", "encode_page"]

ListName = Literal["manifests", "tags"]

_Blobs = tuple[tuple[str, int | None], ...]
_Manifest = tuple[str, tuple[str, ...], datetime | None, int | None, _Blobs]
_Tag = tuple[str, str, datetime | None]
_Head = tuple[int | None, str | None, str | None]

_MANIFESTS = msgspec.msgpack.Decoder(tuple[_Head, tuple[_Manifest, ...]])
_TAGS = msgspec.msgpack.Decoder(tuple[_Head, tuple[_Tag, ...]])
_MAX_BYTES = 256 * 2**20


def encode_page(page: RawPage[Any]) -> bytes:
    """Return a page of manifests or tags as bytes."""
    head = (page.total, page.next_link, page.last_link)
    rows = [_row_of(item) for item in page.items]
    return zlib.compress(msgspec.msgpack.encode((head, rows)), 1)


def decode_page(name: ListName, data: object) -> RawPage[Any] | None:
    """Return the page that `encode_page` wrote; None for anything else.

    Args:
        name: Which list it is of.
        data: What was written.
    """
    if not isinstance(data, bytes):
        return None
    try:
        plain = zlib.decompressobj().decompress(data, _MAX_BYTES)
        if name == "manifests":
            head, manifests = _MANIFESTS.decode(plain)
            return RawPage(tuple(_manifest(*row) for row in manifests), *head)
        head, tags = _TAGS.decode(plain)
        return RawPage(tuple(_tag(*row) for row in tags), *head)
    except (zlib.error, msgspec.MsgspecError, ValueError):
        return None


def _row_of(item: Manifest | Tag) -> _Manifest | _Tag:
    if isinstance(item, Tag):
        return item.tag, item.manifest_digest, item.updated_at
    blobs = tuple((blob.digest, blob.compressed_size_bytes) for blob in item.blobs)
    return item.digest, item.tags, item.updated_at, item.compressed_size_bytes, blobs


def _manifest(
    digest: str,
    tags: tuple[str, ...],
    updated_at: datetime | None,
    size: int | None,
    blobs: _Blobs,
) -> Manifest:
    return Manifest(
        digest=digest,
        tags=tags,
        updated_at=updated_at,
        compressed_size_bytes=size,
        blobs=tuple(Blob(digest, size) for digest, size in blobs),
    )


def _tag(tag: str, digest: str, updated_at: datetime | None) -> Tag:
    return Tag(tag=tag, manifest_digest=digest, updated_at=updated_at)
