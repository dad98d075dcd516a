"""Reading what a registry sends: pure."""

import hashlib
import json
from urllib.parse import urlsplit

from attrs import frozen
from yarl import URL

from aioregistry.api import names
from aioregistry.errors import InvalidResponseError
from aioregistry.oci.schema1 import signed_payload

__all__ = [
    "ACCEPT",
    "INDEX",
    "MEDIA_TYPES",
    "FetchedManifest",
    "body_with",
    "is_host",
    "redirected",
    "referrers_of",
    "tags_of",
    "upload_path",
]

INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_TYPES = (
    INDEX,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
)
ACCEPT = ", ".join(MEDIA_TYPES)
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


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


def referrers_of(body: bytes) -> list[str]:
    """Return the digests in the answer of the referrers API, or in a fallback tag's index.

    Raises:
        InvalidResponseError: It is no index, or an entry has no digest.
    """
    try:
        entries = json.loads(body)["manifests"]
        return [names.check_digest(entry["digest"]) for entry in entries or ()]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InvalidResponseError("the registry sent no list of referrers") from None


def redirected(url: str, location: str) -> str:
    """Return where a redirect of a blob leads: over HTTPS to any host, else to the same origin.

    Raises:
        InvalidResponseError: It leads elsewhere.
    """
    base = URL(url, encoded=True)
    try:
        target = base.join(URL(location, encoded=True)).with_fragment(None)
        is_allowed = target.scheme == "https" or target.origin() == base.origin()
        is_allowed = is_allowed and bool(location) and target.user is None and bool(target.host)
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise InvalidResponseError("the registry redirects to no address over HTTPS")
    return str(target)


def upload_path(location: str) -> str | None:
    """Return path and query of an upload that the registry names; None when it names none.

    Its host is not used: it may be another.
    """
    try:
        path = URL(location, encoded=True).raw_path_qs
    except ValueError:
        return None
    is_upload = path.startswith("/v2/") and "/blobs/uploads/" in path and path.isascii()
    return path if is_upload and path.isprintable() else None


def body_with(digest: str, body: bytes) -> bytes | None:
    """Return the part of a body that has a digest; None when that cannot be shown."""
    algorithm = digest.partition(":")[0]
    # Looked up by its name in the library, an algorithm takes longer than its work.
    new_hash = _HASHES.get(algorithm)
    if new_hash is None:
        return None
    if digest == f"{algorithm}:{new_hash(body).hexdigest()}":
        return body
    # Few are signed: the payload is looked for only where the body has another digest.
    part = signed_payload(body)
    if part is not None and digest == f"{algorithm}:{new_hash(part).hexdigest()}":
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
