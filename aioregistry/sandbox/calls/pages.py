"""Pages of a listing: what was asked for, and the links to the others."""

import base64
import json
from collections.abc import Mapping
from urllib.parse import urlencode

import attrs

from aioregistry.sandbox.refusal import bad_request

_DEFAULT_PER_PAGE = 20
# Far beyond any listing, and short enough that no arithmetic suffers from it.
_MAX_DIGITS = 100


@attrs.frozen
class PageRequest:
    """Which page of a listing is wanted.

    Attributes:
        number: From 1.
        per_page: Items on a page, as granted.
        after: The name after which the page begins, from a page token.
    """

    number: int
    per_page: int
    after: str | None = None

    @property
    def start(self) -> int:
        """The position of the page's first item, when pages are counted."""
        return (self.number - 1) * self.per_page


def page_request(
    query: Mapping[str, str], max_per_page: int, *, tokens: bool = False
) -> PageRequest:
    """Read a page request from a query, or refuse it with a 400.

    Args:
        query: The decoded query.
        max_per_page: What ``per_page`` is clamped to.
        tokens: Whether the listing takes page tokens.
    """
    per_page = positive(query, "per_page", _DEFAULT_PER_PAGE)
    number = positive(query, "page", 1)
    token = query.get("page_token") if tokens else None
    return PageRequest(number, min(per_page, max_per_page), token and _name_in(token))


def positive(query: Mapping[str, str], name: str, default: int) -> int:
    """A number of at least 1 from a query, or a 400."""
    text = query.get(name)
    if text is None:
        return default
    number = natural(text)
    if not number:
        raise bad_request(f"invalid {name}")
    return number


def natural(text: str) -> int | None:
    """A number of at least 0 in plain digits, or None."""
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    return None


def page_token(name: str) -> str:
    """The token of the page that begins after a name."""
    inner = base64.b64encode(name.encode()).decode()
    return base64.urlsafe_b64encode(json.dumps({"Token": inner}).encode()).decode()


def _name_in(token: str) -> str:
    try:
        inner = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        return base64.b64decode(inner["Token"], validate=True).decode()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise bad_request("invalid page token") from None


def links(
    url: str, page: PageRequest, total: int, *, token: str | None = None
) -> dict[str, object]:
    """The ``links`` of a page; a link that makes no sense is left out.

    Args:
        url: The listing's absolute URL without a query.
        page: The page that is answered.
        total: Items in the whole listing.
        token: The page token of the next page, when the listing has tokens and there is one.
    """
    last = max(1, -(-total // page.per_page))
    found: dict[str, str] = {}

    def link(relation: str, number: int, **more: str) -> None:
        query = urlencode({"page": number, **more, "per_page": page.per_page})
        found[relation] = f"{url}?{query}"

    if page.number > 1:
        link("first", 1)
        link("prev", min(page.number - 1, last))
    if token is not None:
        link("next", page.number + 1, page_token=token)
    elif page.after is None and page.number < last:
        link("next", page.number + 1)
    if page.number < last:
        link("last", last)
    return {"pages": found} if found else {}
