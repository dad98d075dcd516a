"""What registries, repositories, tags and digests may be called, checked before a request.

The grammars are those of the OCI distribution specification, which every name that a registry
holds has passed, and the API's own rule for registry names. None of them admits a character
that could lead a request to another route; the quoting of path segments is the second wall.
"""

import re
import reprlib
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
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")


def check_registry(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no registry can be called so."""
    if not _matches(_REGISTRY, name):
        raise _refusal("registry", name, "1-63 of a-z 0-9 -, first a letter, last no -")
    if name in _RESERVED_REGISTRIES:
        raise InvalidNameError(f"not a valid registry: {name!r} is a route of the API")
    return name


def check_repository(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no repository can be called so."""
    if not _matches(_REPOSITORY, name):
        rule = "lowercase letters and digits, inside also . _ -, in parts divided by /"
        raise _refusal("repository", name, rule)
    if len(name) > _REPOSITORY_LENGTH:
        raise _refusal("repository", name, f"at most {_REPOSITORY_LENGTH} characters")
    return name


def check_tag(name: str) -> str:
    """Return `name`, or raise `InvalidNameError` when no tag can be called so."""
    if not _matches(_TAG, name):
        raise _refusal("tag", name, "1-128 of A-Z a-z 0-9 _ . -, first not . or -")
    return name


def check_digest(digest: str) -> str:
    """Return `digest`, or raise `InvalidNameError` when it is none."""
    if not _matches(_DIGEST, digest):
        rule = "sha256: and 64 hexadecimal digits in lower case"
        raise _refusal("digest", digest, rule)
    return digest


def check_garbage_collection_uuid(uuid: str) -> str:
    """Return `uuid`, or raise `InvalidNameError` when it is none."""
    if not _matches(_UUID, uuid):
        raise _refusal("garbage collection UUID", uuid, "8-4-4-4-12 hexadecimal digits")
    return uuid


def quote_segment(name: str) -> str:
    """Return `name` as one segment of a URL's path: ``/`` becomes ``%2F``."""
    # What has passed its check needs no quoting but for the slash; the look costs less.
    return name if _PLAIN.fullmatch(name) else quote(name, safe=":")


def _matches(grammar: re.Pattern[str], name: object) -> bool:
    return isinstance(name, str) and grammar.fullmatch(name) is not None


def _refusal(kind: str, name: object, rule: str) -> InvalidNameError:
    # repr: what is shown can neither move a terminal's cursor nor fill the screen.
    # reprlib's: nor can what is nested too deeply, or without end, keep it from being shown.
    shown = repr(name[:_SHOWN_LENGTH]) if isinstance(name, str) else reprlib.repr(name)
    shown = shown[: 2 * _SHOWN_LENGTH]
    kindless = "" if isinstance(name, str) else f"a {type(name).__name__}, not a str: "
    return InvalidNameError(f"not a valid {kind}: {kindless}{shown} (a {kind} is {rule})")
