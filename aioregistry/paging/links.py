"""Links between pages: read for the page and the token that they name, and never followed."""

import re
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from aioregistry.errors import InvalidResponseError

__all__ = ["Link"]

# What the API writes: most links are read without taking them apart.
_PLAIN_LINK = re.compile(
    r"(?:https?://[\w.:-]+)?[\w/.~-]*\?page=([1-9][0-9]{0,8})(?:&per_page=([1-9][0-9]{0,8}))?",
    re.ASCII,
)


class Link(NamedTuple):
    """What a page's link says of another page; None for what it leaves out."""

    page: int | None
    token: str | None
    per_page: int | None

    @classmethod
    def parse(cls, url: str | None) -> "Link | None":
        """Take from a link what is in its query. Where it points to does not matter."""
        if url is None:
            return None
        if plain := _PLAIN_LINK.fullmatch(url):
            page, per_page = plain.groups()
            return cls(int(page), None, int(per_page) if per_page else None)
        try:
            query = parse_qs(urlsplit(url).query, max_num_fields=100)
        except ValueError:
            raise InvalidResponseError("a page's link cannot be read") from None

        def number(key: str) -> int | None:
            text = query.get(key, [""])[-1]
            # Ten digits: no page has a longer number, and int() is slow on what is endless.
            plain = text.isascii() and text.isdigit() and len(text) <= 10
            return int(text) if plain and int(text) > 0 else None

        return cls(number("page"), query.get("page_token", [None])[-1], number("per_page"))
