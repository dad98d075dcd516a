"""Docker's schema 1 manifests, whose digest is that of a part of what is sent: pure."""

import binascii
import json
from base64 import urlsafe_b64decode

__all__ = ["signed_payload"]


def signed_payload(body: bytes) -> bytes | None:
    """Return the payload of a signed schema 1 manifest, which its digest is computed from.

    The signatures, which differ each time that the registry sends the manifest, are inserted into
    the payload shortly before its end; they say where the insertion begins, and how it ended.

    Args:
        body: The document as it was sent.

    Returns:
        The payload; None where the document is no signed manifest.
    """
    try:
        protected = json.loads(body)["signatures"][0]["protected"]
        said = json.loads(_decoded(protected))
        length, tail = said["formatLength"], _decoded(said["formatTail"])
    except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
        return None
    if type(length) is not int or not 0 <= length <= len(body):
        return None
    return body[:length] + tail


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
