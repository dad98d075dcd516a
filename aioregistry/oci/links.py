"""The link to the next page of a registry's list, in a ``Link`` header (RFC 8288): pure."""

import re
from collections.abc import Mapping

from aioregistry.errors import InvalidResponseError

__all__ = ["next_query"]

_TOKEN = r"[\w!#$%&'*+.^`|~-]++"  # noqa: S105, a word of the grammar
_VALUE = r'(?:"((?:[^"\\]|\\.)*+)"|([^\s",;<>]++))'
_PARAMETER = re.compile(rf"\s*;\s*({_TOKEN})(?:\s*=\s*{_VALUE})?", re.ASCII)
_TARGET = re.compile(r"[\s,]*<([^<>]*)>")
_END = re.compile(r"\s*;?\s*(?:,|$)")


def next_query(headers: Mapping[str, str]) -> str | None:
    """Return the query of the link to the next page; None when there is no further page.

    The rest of the link is not used: it may lead anywhere.

    Args:
        headers: An answer's.

    Raises:
        InvalidResponseError: The header cannot be read, or the link has no query: whoever took
            that for the end would take the page for the whole list.
    """
    # aiohttp's mapping has each header of a name.
    each = getattr(headers, "getall", None)
    texts = [headers.get("Link", "")] if each is None else each("Link", ())
    for text in texts:
        for target, relations in _links(text):
            if "next" in relations:
                query = target.partition("#")[0].partition("?")[2]
                if not re.fullmatch(r"[!-~]+", query, re.ASCII):
                    raise InvalidResponseError("the registry's link to the next page is none")
                return query
    return None


def _links(text: str) -> list[tuple[str, list[str]]]:
    """Return the target of each link in a header, and what it is to this page."""
    found: list[tuple[str, list[str]]] = []
    place = 0
    while text[place:].strip(" \t,"):
        if (target := _TARGET.match(text, place)) is None:
            raise InvalidResponseError("the registry's links to further pages cannot be read")
        place = target.end()
        relations: list[str] | None = None
        while parameter := _PARAMETER.match(text, place):
            place = parameter.end()
            name, quoted, plain = parameter.groups()
            # Of several the first counts.
            if name.lower() == "rel" and relations is None:
                relations = (quoted or plain or "").lower().split()
        if (end := _END.match(text, place)) is None:
            raise InvalidResponseError("the registry's links to further pages cannot be read")
        place = end.end()
        found.append((target[1], relations or []))
    return found
