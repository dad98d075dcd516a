"""What a registry asks for by a 401, and which token service may get the credentials: pure."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

__all__ = ["Challenge", "may_learn_credentials", "parse_challenges"]

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  (HTTP's word for a word)
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?=\s|,|$)")
_PARAMETER = re.compile(rf'[\s,]*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_VENDOR = ".digitalocean.com"


@frozen
class Challenge:
    """One way to authenticate that a server offers. Scheme and names are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(factory=dict)


def parse_challenges(header: str) -> list[Challenge]:
    """Return what a ``WWW-Authenticate`` header offers, as far as it makes sense."""
    challenges = []
    at = 0
    while found := _SCHEME.match(header, at):
        at = found.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
        challenges.append(Challenge(found[1].lower(), parameters))
    return challenges


def may_learn_credentials(realm: str, base_url: str) -> bool:
    """Return whether the token service that a registry names may get its credentials.

    It may when it is of the registry's own origin, or when both are the vendor's, over HTTPS. A
    registry that was taken over, or one on the way to it, could name any other.
    """
    try:
        asked, own = urlsplit(realm), urlsplit(base_url)
        if (asked.scheme, asked.hostname, asked.port) == (own.scheme, own.hostname, own.port):
            return asked.scheme in {"http", "https"} and asked.username is None
    except ValueError:
        return False
    if asked.scheme != "https" or own.scheme != "https" or asked.port not in {None, 443}:
        return False
    hosts = (asked.hostname or "", own.hostname or "")
    return asked.username is None and all(host.endswith(_VENDOR) for host in hosts)
