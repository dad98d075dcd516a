"""Where a server is: what counts as the URL of one, and how it is shown."""

import ipaddress
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aioregistry.errors import RegistryConnectionError

__all__ = [
    "API_URL",
    "API_URL_VARIABLE",
    "REGISTRY_HOST",
    "REVOCATION_URL",
    "TOKEN_VARIABLES",
    "canonical_origin",
    "check_origin",
    "environment_proxy",
    "is_loopback",
    "is_vendors",
    "origin_from_environment",
    "with_port",
    "without_login",
]

API_URL = "https://api.digitalocean.com"
API_URL_VARIABLE = "AIOREGISTRY_API_URL"
REGISTRY_HOST = "registry.digitalocean.com"
# Where docker credentials that the vendor's API made are revoked.
REVOCATION_URL = "https://cloud.digitalocean.com/v1/oauth/revoke"
# In the order in which they are read: the vendor's Python client's, and its command's.
TOKEN_VARIABLES = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")

_FORM = "http(s)://host[:port][/path], without a login or query"
_PORTS = {"http": 80, "https": 443}
_LOGIN = re.compile(r"(?<=//)[^/?#]*@")


def check_origin(name: str, url: str) -> str:
    """Return a URL without slashes at its end, or raise `ValueError` when it is no server's.

    The error has the argument's name and not the URL, which may have a login in it.

    Args:
        name: The argument's name.
        url: The URL.
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
    url = url.rstrip("/")
    # As documentation writes it; /v2/v2/registry is answered by a 404 that says nothing of why. A
    # longer path is a proxy's, which may call its own versions so.
    if urlsplit(url).path == "/v2":
        raise ValueError(f"{name} must not end in /v2, which is added to it")
    return url


def canonical_origin(url: str) -> str:
    """Return the one spelling of a server's URL: `HTTP://Host:80/` is ``http://host``.

    Scheme and host in lower case, without the scheme's own port or slashes at the end. Of two
    spellings of one address it makes one, so that both name the same server.

    Args:
        url: The URL; what is none is returned as it is.
    """
    return _spelled(url, lambda port, usual: "" if port in {None, usual} else f":{port}")


def with_port(url: str) -> str:
    """Return a URL in the spelling of `canonical_origin`, but with a port also if it is usual."""
    return _spelled(url, lambda port, usual: f":{port or usual}")


def _spelled(url: str, spell: Callable[[int | None, int | None], str]) -> str:
    try:
        parts = urlsplit(url)
        port, host, usual = parts.port, parts.hostname, _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return url
    if not host:
        return url
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{spell(port, usual)}{parts.path}".rstrip("/")


def origin_from_environment(variable: str) -> str | None:
    """Return the URL that an environment variable names; None when it is unset or empty.

    A token is sent there without the program having named the server. So the URL must be https, or
    of this machine.

    Raises:
        ValueError: It is not the URL of a server, or it is http and of another machine.
    """
    url = os.environ.get(variable, "").strip()
    if not url:
        return None
    origin = check_origin(variable, url)
    parts = urlsplit(origin)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{variable} must be an https URL, or http on this machine")
    return origin


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_vendors(host: str) -> bool:
    """Return whether a host is the vendor's registry, or that of one of its regions."""
    return host == REGISTRY_HOST or host.endswith(f".{REGISTRY_HOST}")


def without_login(url: str) -> str:
    """Return a URL, or what was meant as one, fit to be shown."""
    return _LOGIN.sub("***@", url)


def environment_proxy(url: str) -> dict[str, Any]:
    """Return the options for the proxy that the environment names for a URL; none for no proxy.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, in capitals or not. This machine is reached
    without a proxy, whatever they say. aiohttp's own reading of the environment would take logins
    from ``.netrc`` as well, in place of the token.

    Raises:
        RegistryConnectionError: The proxy is none that can be used; nothing was sent.
    """
    # Commands that send nothing know origins, too, and their help would wait for these.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    from yarl import URL  # noqa: PLC0415

    address = URL(url, encoded=True)
    if is_loopback(address.host or ""):
        return {}
    proxy = getproxies().get(address.scheme)
    if not proxy or proxy_bypass(address.host or ""):
        return {}
    try:
        # As other programs, without a scheme take it for http.
        found = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        found = URL()
    if found.scheme not in _PORTS or not found.host:
        raise RegistryConnectionError(
            f"{address.scheme.upper()}_PROXY: the proxy cannot be used: write http://host:port"
        )
    return {"proxy": found}
