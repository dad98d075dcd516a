"""Docker's schema 1: manifests that carry signatures, which their digests leave out."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random
from typing import Any

__all__ = ["MEDIA_TYPE", "payload_of", "signed_anew"]

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def payload_of(document: bytes) -> bytes:
    """Return what the digest of a signed manifest is computed from.

    Raises:
        ValueError: It carries no signature that says where the payload ends.
    """
    head, tail, _ = _parts(document)
    return head + tail


def signed_anew(document: bytes, random: Random) -> bytes:
    """Return a manifest with another signature, which is of nobody's key and verifies nowhere."""
    head, tail, signature = _parts(document)
    fresh = {**signature, "signature": _encoded(random.randbytes(64))}
    signatures = json.dumps([fresh], indent=3).replace("\n", "\n   ")
    return head + b',\n   "signatures": ' + signatures.encode() + tail


def _parts(document: bytes) -> tuple[bytes, bytes, dict[str, Any]]:
    """What comes before the signatures, what after them, and the first of them."""
    try:
        signature = json.loads(document)["signatures"][0]
        protected = json.loads(_decoded(signature["protected"]))
        length, tail = protected["formatLength"], _decoded(protected["formatTail"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no signed manifest: {error!r}") from None
    if type(length) is not int or not 0 <= length <= len(document):
        raise ValueError("no signed manifest: formatLength is outside of it")
    return document[:length], tail, signature


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
