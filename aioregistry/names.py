"""What registries, repositories, tags and digests may be called, checked before a request.

The grammars are those of the OCI distribution specification, which every name that a registry
holds has passed, and the API's own rule for registry names. None of them admits a character
that could lead a request to another route; the quoting of path segments is the second wall.
"""

import re
from urllib.parse import quote

from aioregistry.errors import InvalidNameError

__all__ = [
    "check_digest",
    "check_garbage_collection_uuid",
    "check_registry",
    "check_repository",
    "check_tag",
    "quote_segment",
]

_REGISTRY = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REPOSITORY_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_REPOSITORY_LENGTH = 255
# Under /v2/registries these stand where a registry's name would: they are routes of the API.
_RESERVED_REGISTRIES = frozenset({"options", "subscription", "validate-name"})
_SHOWN_LENGTH = 80


def check_registry(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no registry can be called so."""
    _check("registry", name, _REGISTRY, "1-63 of a-z 0-9 -, first a letter, last no -")
    if name in _RESERVED_REGISTRIES:
        raise InvalidNameError(f"not a valid registry: {name!r} is a route of the API")
    return name


def check_repository(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no repository can be called so."""
    return _check(
        "repository",
        name,
        _REPOSITORY,
        "lowercase letters and digits, inside also . _ -, in parts divided by /",
        _REPOSITORY_LENGTH,
    )


def check_tag(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no tag can be called so."""
    return _check("tag", name, _TAG, "1-128 of A-Z a-z 0-9 _ . -, first not . or -")


def check_digest(digest: str) -> str:
    """Return `digest`, or raise `InvalidNameError` when it is none."""
    return _check("digest", digest, _DIGEST, "sha256: and 64 hexadecimal digits in lower case")


def check_garbage_collection_uuid(uuid: str) -> str:
    """Return `uuid`, or raise `InvalidNameError` when it is none."""
    return _check("garbage collection UUID", uuid, _UUID, "8-4-4-4-12 hexadecimal digits")


def quote_segment(name: str) -> str:
    """Return `name` as one segment of a URL's path: ``/`` becomes ``%2F``."""
    return quote(name, safe=":")


def _check(
    kind: str, name: object, grammar: re.Pattern[str], rule: str, length: int | None = None
) -> str:
    # The length first: a long name is refused without being matched.
    if (
        isinstance(name, str)
        and (length is None or len(name) <= length)
        and grammar.fullmatch(name)
    ):
        return name
    # repr: what is shown can neither move a terminal's cursor nor fill the screen.
    shown = repr(name[:_SHOWN_LENGTH] if isinstance(name, str) else name)[: 2 * _SHOWN_LENGTH]
    limit = f"; at most {length} characters" if length else ""
    raise InvalidNameError(f"not a valid {kind}: {shown} (a {kind} is {rule}{limit})")
