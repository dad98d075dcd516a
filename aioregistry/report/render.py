"""A page as one file: its template, style, script and data, and the policy that allows no others.

Needs the extra ``report``.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from aioregistry.errors import printable
from aioregistry.sizes import size_in_words

__all__ = ["MissingExtraError", "rendered"]

_FOLDER = "pages"
_SCRIPTS = ("lists.js", "map.js")


class MissingExtraError(ModuleNotFoundError):
    """The extra ``report`` is not installed."""


def rendered(template: str, data: Mapping[str, Any], **values: Any) -> bytes:
    """Return a page, in UTF-8. The same arguments make the same bytes.

    Args:
        template: The name of the template.
        data: What the script reads: JSON values, all texts `printable` already.
        values: What the template reads; it makes texts printable itself.

    Raises:
        MissingExtraError: The extra ``report`` is not installed.
    """
    try:
        from jinja2 import (  # noqa: PLC0415  (an extra)
            Environment,
            PackageLoader,
            StrictUndefined,
        )
        from markupsafe import Markup  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MissingExtraError(
            "a page needs the packages Jinja2 and MarkupSafe: pip install 'aioregistry-do[report]'"
        ) from None
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("aioregistry.report", _FOLDER),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "shown": printable,
        "size": size_in_words,
        "count": lambda number: f"{number:,}",
        "px": lambda number: f"{number:.1f}".removesuffix(".0"),
    }
    style, script = _text("page.css"), "\n".join(map(_text, _SCRIPTS))
    policy = (
        f"default-src 'none'; script-src {_hash_of(script)}; style-src {_hash_of(style)};"
        " base-uri 'none'; form-action 'none'"
    )
    # What this package's own files and _json return holds nothing that ends its element.
    text = environment.get_template(template).render(
        values,
        policy=Markup(policy),  # noqa: S704
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        data=Markup(_json(data)),  # noqa: S704
    )
    return text.encode("utf-8")


def _text(name: str) -> str:
    return (files("aioregistry.report") / _FOLDER / name).read_text("utf-8")


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON for a script element: ASCII, in which no end of an element can stand."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
