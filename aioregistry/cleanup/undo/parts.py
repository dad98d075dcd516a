"""The blobs that a manifest names: without one of them a registry does not take it back."""

from typing import Any

import msgspec

__all__ = ["blobs_of"]

# Layers of these types are had elsewhere, and registries do not ask for them.
_ELSEWHERE = ("nondistributable", "foreign.diff")


def blobs_of(document: bytes) -> tuple[str, ...]:
    """Return the digests of a manifest's config and layers, each once; none of an index.

    Args:
        document: The manifest. One of an unknown kind, of which nothing is known, has none.
    """
    try:
        read = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    if not isinstance(read, dict):
        return ()
    parts: list[Any] = [read.get("config")]
    for key in ("layers", "blobs", "fsLayers"):
        some = read.get(key)
        parts += some if isinstance(some, list) else []
    found = (_blob_of(part) for part in parts if isinstance(part, dict))
    return tuple(dict.fromkeys(digest for digest in found if digest))


def _blob_of(part: dict[str, Any]) -> str | None:
    digest, kind = part.get("digest", part.get("blobSum")), part.get("mediaType")
    is_elsewhere = isinstance(kind, str) and any(word in kind for word in _ELSEWHERE)
    return digest if isinstance(digest, str) and not is_elsewhere else None
