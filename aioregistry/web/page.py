"""The page of a service, one file without a framework, and the headers that it is served with."""

import base64
import hashlib
import re
from importlib.resources import files

__all__ = ["read_page"]


def read_page() -> tuple[str, dict[str, str]]:
    """Return the page, and its headers.

    It loads nothing from elsewhere, and runs no script but its own: the headers have their hashes.
    No other page may show it in a frame, where a click on it could be stolen.
    """
    page = (files("aioregistry.web") / "page.html").read_text("utf-8")
    policy = "; ".join(
        (
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            f"script-src {_hash_of('script', page)}",
            f"style-src {_hash_of('style', page)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return page, {
        "Content-Security-Policy": policy,
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _hash_of(element: str, page: str) -> str:
    (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
