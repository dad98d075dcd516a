"""Texts that are sent and never shown, and their removal from what servers send back."""

import re
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache
from typing import SupportsIndex

from aioregistry.errors import InvalidTokenError

__all__ = ["Secret", "bearer", "redact"]

_REDACTED = "<redacted>"
# A shorter text is no secret that is worth the words it would be cut out of.
_MIN_CHARACTERS = 8
# So many characters of a secret are recognized by themselves, and what follows them is its rest,
# whether the whole of it is there or not.
_HEAD_CHARACTERS = 16
# Of a run of backslashes the first one: from each of them on, the time would be the run's square.
_BEGIN = r"(?!(?<=\\)\\)"
_REST = r"(?:[\w.~+/=-]|%[0-9a-f]{2}|\\+u[0-9a-f]{4}|\\+[/+=]|&\#?x?\w{1,8};)*"
# Somebody else's, or a part of ours. English words after the name of a scheme are shorter.
_ANY_AUTHORIZATION = re.compile(
    r"\b(Bearer|Basic)((?:\s|%20|\+|\\+u0020)+)[\w.~+/=%\\-]{20,}", re.IGNORECASE
)
# What becomes of characters of base64 in URLs and forms.
_RESPELLED = {"+": " -", "/": "_", "=": ""}


class Secret(str):
    """A text that its ``repr`` does not show: tracebacks with local variables print that."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"

    def __getitem__(self, key: SupportsIndex | slice) -> "Secret":
        # Of what is long, Rich shows the beginning.
        return Secret(super().__getitem__(key))


def redact(text: str, *authorizations: str) -> str:
    """Return a text without the secrets of some requests, and without any Authorization header.

    The token of ``Bearer``, and the encoded pair, the user and the password of ``Basic``, are
    found as they are, percent-encoded, escaped as in JSON, HTML or Python, and in any case. A
    secret of less than 8 characters is not searched for.

    Args:
        text: A text of a server, or of a library that may quote one.
        authorizations: The values of the Authorization headers that were sent.
    """
    for secret in _secrets_of(authorizations):
        text = _pattern_of(secret).sub(_REDACTED, text)
    return _ANY_AUTHORIZATION.sub(rf"\1\2{_REDACTED}", text)


def _secrets_of(authorizations: tuple[str, ...]) -> Iterator[str]:
    found = set()
    for authorization in authorizations:
        scheme, _, value = authorization.partition(" ")
        found.add(value)
        if scheme == "Basic":
            user, _, password = b64decode(value).decode(errors="replace").partition(":")
            found |= {user, password}
    # The longest first: one may be a part of another.
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _MIN_CHARACTERS:
            yield secret


@lru_cache(maxsize=64)  # the same few for each manifest that is read
def _pattern_of(secret: str) -> re.Pattern[str]:
    spellings = [_spellings_of(character) for character in secret.rstrip("=")]
    head, rest = spellings[:_HEAD_CHARACTERS], spellings[_HEAD_CHARACTERS:]
    pattern = _BEGIN + "".join(head) + (f"(?:{''.join(rest)}|{_REST})" if rest else "")
    return re.compile(pattern, re.IGNORECASE)


def _spellings_of(character: str) -> str:
    code = ord(character)
    plain = "".join(map(re.escape, character + _RESPELLED.get(character, "")))
    bytewise = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode(errors="replace"))
    return (
        rf"(?:\\*[{plain}]|{bytewise}|\\+u{code:04x}|\\+x{code:02x}|&\#0*{code};|&\#x0*{code:x};)"
    )


def bearer(token: object) -> Secret:
    """Return the Authorization header for a token.

    Raises:
        InvalidTokenError: It cannot be sent in a header.
    """
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidTokenError("the token must be printable ASCII without spaces")
    if not token:
        raise InvalidTokenError("the token is empty; set DIGITALOCEAN_TOKEN or pass token=")
    if token[0] == token[-1] and token[0] in "\"'`":
        # docker run --env-file keeps them, for one: a 401 would tell nothing.
        raise InvalidTokenError("the token must be without the quotes around it")
    return Secret(f"Bearer {token}")
