"""Which names the registry takes, and digests between text and bytes."""

import re

from aioregistry.sandbox.refusal import unprocessable

_REGISTRY = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check_registry(name: object) -> str:
    """A registry name, or a 422."""
    return _check(_REGISTRY, name, "registry name")


def check_repository(name: object) -> str:
    """A repository name, or a 422."""
    if isinstance(name, str) and len(name) > 255:
        raise unprocessable("invalid repository name")
    return _check(_REPOSITORY, name, "repository name")


def check_tag(name: object) -> str:
    """A tag, or a 422."""
    return _check(_TAG, name, "tag")


def is_repository(text: str) -> bool:
    """Whether a text may be a repository's name."""
    return _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether a text may be a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether a text is a digest."""
    return _DIGEST.fullmatch(text) is not None


def digest_bytes(digest: object) -> bytes:
    """The 32 bytes of a digest in text, or a 422."""
    return bytes.fromhex(_check(_DIGEST, digest, "digest")[7:])


def digest_text(digest: bytes) -> str:
    """A digest as the API writes it."""
    return f"sha256:{digest.hex()}"


def _check(pattern: re.Pattern[str], name: object, what: str) -> str:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise unprocessable(f"invalid {what}")
    return name
