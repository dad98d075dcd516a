"""Reading what a registry sends: pure."""

import hashlib
import json
from urllib.parse import urlsplit

from attrs import frozen
from yarl import URL

from aioregistry.errors import InvalidResponseError
from aioregistry.oci.schema1 import signed_payload

__all__ = ["FetchedManifest", "body_with", "is_host", "tags_of"]


@frozen
class FetchedManifest:
    """A manifest as the registry sent it.

    Attributes:
        digest: Its digest, which the body was checked against.
        media_type: What the registry calls it; None when it does not.
        body: The document; of a signed one of Docker's schema 1, the payload without signatures.
        raw: The document byte for byte, as it has to be sent to store it again.
    """

    digest: str
    media_type: str | None
    body: bytes
    raw: bytes = b""


def tags_of(body: bytes) -> list[str]:
    """Return the tags in the answer of ``tags/list``.

    Raises:
        InvalidResponseError: There is no list of tags in it.
    """
    try:
        tags = json.loads(body)["tags"]
    except (ValueError, LookupError, TypeError, RecursionError):
        tags = False
    # Go's empty list is null.
    tags = [] if tags is None else tags
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidResponseError("the registry sent no list of tags")
    return tags


def body_with(digest: str, body: bytes) -> bytes | None:
    """Return the part of a body that has a digest; None when that cannot be shown."""
    algorithm = digest.partition(":")[0]
    if algorithm in {"sha256", "sha384", "sha512"}:
        # Few are signed: the payload is looked for only where the body has another digest.
        for part_of in (bytes, signed_payload):
            part = part_of(body)
            if part is None:
                continue
            if digest == f"{algorithm}:{hashlib.new(algorithm, part).hexdigest()}":
                return part
    return None


def is_host(text: str) -> bool:
    """Return whether a text is a host, with or without a port, and nothing else."""
    try:
        # Each finds fault with what the other takes.
        parts, url = urlsplit(f"https://{text}"), URL(f"https://{text}")
    except ValueError:
        return False
    return bool(parts.hostname and url.host) and parts.netloc == text and "@" not in text
