"""Pages of the API's lists as bytes, with only what a clean-up needs of them: pure."""

from typing import Any, Literal

import msgspec

from aioregistry.api.decoding import RawPage
from aioregistry.cleanup.manifests.listed import ListedManifest, ListedTag

__all__ = ["ListName", "decode_page", "encode_page"]

ListName = Literal["manifests", "tags"]

_Head = tuple[int | None, str | None, str | None]

_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "manifests": msgspec.msgpack.Decoder(tuple[_Head, tuple[ListedManifest, ...]]),
    "tags": msgspec.msgpack.Decoder(tuple[_Head, tuple[ListedTag, ...]]),
}


def encode_page(page: RawPage[Any]) -> bytes:
    """Return a page of manifests or tags as bytes."""
    return msgspec.msgpack.encode(((page.total, page.next_link, page.last_link), page.items))


def decode_page(name: ListName, data: object) -> RawPage[Any] | None:
    """Return the page that `encode_page` wrote; None for anything else.

    Args:
        name: Which list it is of.
        data: What was written.
    """
    if not isinstance(data, bytes):
        return None
    try:
        head, items = _DECODERS[name].decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None
    return RawPage(items, *head)
