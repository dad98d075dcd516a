"""The blobs of manifests, 16 bytes each: enough to see what manifests share, and what it weighs.

A blob is known by the first 64 bits of its digest: two of a million blobs have these in common in
one of 37 million registries, and then an estimate is off by the size of one.
"""

from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import accumulate, pairwise

__all__ = ["count_of", "keys_of", "pack_blobs", "pack_digests", "pack_keys", "sizes_of"]

# The digits after "sha256:" or "sha512:".
_DIGITS = slice(7, 23)
_BYTES = 8
_PAIR_BYTES = 2 * _BYTES
_SHA256 = "sha256:"
_SHA256_DIGITS = 64
_MAX_SIZE = 2**63


def pack_digests(digests: Sequence[str]) -> bytes:
    """Return whole digests of SHA-256, 32 bytes each.

    Raises:
        ValueError: One of them is none.
    """
    if not {len(_SHA256) + _SHA256_DIGITS}.issuperset(map(len, digests)):
        raise ValueError("not a digest of SHA-256")
    # All are as long: the parts are so only where each digest begins with the prefix.
    before, *parts = "".join(digests).split(_SHA256)
    digits = "".join(parts)
    packed = bytes.fromhex(digits)
    if before or not {_SHA256_DIGITS}.issuperset(map(len, parts)) or packed.hex() != digits:
        raise ValueError("not a digest of SHA-256")
    return packed


def pack_keys(digests: Sequence[str]) -> bytes:
    """Return the keys of some digests, eight bytes each.

    The `subject_key` of a digest has the same key as the digest.
    """
    try:
        keys = bytes.fromhex("".join([digest[_DIGITS] for digest in digests]))
    except ValueError:
        keys = b""
    # Only if each has sixteen digits there are so many bytes.
    return keys if len(keys) == _BYTES * len(digests) else b"".join(map(_key, digests))


def _key(digest: str) -> bytes:
    try:
        key = bytes.fromhex(digest[_DIGITS])
    except ValueError:
        key = b""
    # Whatever a server calls a blob has a key.
    return key if len(key) == _BYTES else sha256(digest.encode()).digest()[:_BYTES]


def pack_blobs(counts: Sequence[int], digests: Sequence[str], sizes: Sequence[int]) -> list[bytes]:
    """Return the blobs of some manifests, packed: the key and the size of each.

    Args:
        counts: How many blobs each manifest has.
        digests: The digests of all these blobs.
        sizes: Their sizes in bytes; 0 where a size is unknown.
    """
    pairs = array("q", bytes(_PAIR_BYTES * len(digests)))
    pairs[::2] = array("q", pack_keys(digests))
    try:
        pairs[1::2] = array("q", sizes)
    except OverflowError:
        pairs[1::2] = array("q", [size if 0 < size < _MAX_SIZE else 0 for size in sizes])
    packed = pairs.tobytes()
    ends = accumulate([_PAIR_BYTES * count for count in counts], initial=0)
    return [packed[start:end] for start, end in pairwise(ends)]


def count_of(blobs: bytes) -> int:
    """Return how many blobs a manifest has, by what `pack_blobs` returned of it."""
    return len(blobs) // _PAIR_BYTES


def keys_of(packed: Iterable[bytes]) -> "array[int]":
    """Return the keys of all blobs of some manifests, packed by `pack_blobs`."""
    return array("Q", b"".join(packed))[::2]


def sizes_of(packed: Iterable[bytes]) -> "array[int]":
    """Return the sizes of all blobs of some manifests, packed by `pack_blobs`."""
    return array("q", b"".join(packed))[1::2]
