"""Made-up layers: as many zeros as they are long, and at the end what no other one has.

So each has bytes that its digest is of, which nobody has to keep: they are made when somebody asks.
"""

import hashlib
from functools import lru_cache

__all__ = ["layer_digest", "layer_tail"]

_TAIL = 32
_STEP = 2**20
# Beyond this, to hash them would take longer than anybody waits for a sandbox.
_LARGEST = 64 * _STEP


def layer_digest(registry: str, number: int, size: int) -> bytes:
    """Return the digest of a made-up layer, of 32 bytes to 64 MiB; of any other, a made-up one.

    Args:
        registry: The name of its registry.
        number: Its number there, for which no other layer has been made.
        size: Bytes.
    """
    tail = layer_tail(registry, number)
    if not _TAIL <= size <= _LARGEST:
        return hashlib.sha256(tail + b"%d" % size).digest()
    hashed = _zeros(size - _TAIL).copy()
    hashed.update(tail)
    return hashed.digest()


def layer_tail(registry: str, number: int) -> bytes:
    """Return the last bytes of a made-up layer; all before are zeros, an empty archive."""
    return hashlib.sha256(b"%s %d" % (registry.encode(), number)).digest()


@lru_cache(maxsize=2048)
def _zeros(size: int) -> "hashlib._Hash":
    """The hash of so many zeros, to go on from a copy of it."""
    if size <= _STEP:
        return hashlib.sha256(bytes(size))
    rest = size % _STEP or _STEP
    hashed = _zeros(size - rest).copy()
    hashed.update(bytes(rest))
    return hashed
