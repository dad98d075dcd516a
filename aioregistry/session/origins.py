"""Where a server is: what counts as the URL of one, and how it is shown."""

import re
from urllib.parse import urlsplit

__all__ = ["check_origin", "without_login"]

_FORM = "http(s)://host[:port][/path], without a login or query"
_LOGIN = re.compile(r"(?<=//)[^/?#]*@")


def check_origin(name: str, url: str) -> str:
    """Return a URL without slashes at its end, or raise `ValueError` when it is no server's.

    The error tells what the URL is called, and not the URL: a login in it would be told to every
    log.
    """
    try:
        parts = urlsplit(url)
        # The port is looked at when it is asked for, and no earlier.
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if (
        not known
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
        # Of these some are dropped by one parser, and are too much for another.
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise ValueError(f"{name} must be {_FORM}")
    return url.rstrip("/")


def without_login(url: str) -> str:
    """Return a URL, or what was meant as one, fit to be shown."""
    return _LOGIN.sub("***@", url)
