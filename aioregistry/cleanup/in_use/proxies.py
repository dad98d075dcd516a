"""Which proxy a cluster is asked by: that of kubectl. Pure, but for the environment."""

import os
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from aioregistry.cleanup.in_use.kinds import ClusterError

__all__ = ["check_proxy", "proxy_for"]

_PORTS = {"http": "80", "https": "443"}
_Address = IPv4Address | IPv6Address


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address, as kubectl reads it.

    Of ``HTTPS_PROXY`` and ``https_proxy`` the first that is not empty counts, and so on; one
    without a scheme is of http. ``NO_PROXY`` names hosts, with all below them or those alone,
    addresses, networks, each but networks with a port if need be, or ``*`` for all. This machine's
    own addresses are never asked by a proxy.

    Args:
        url: The address.
    """
    parts = urlsplit(url)
    proxy = _variable(f"{parts.scheme.upper()}_PROXY") if parts.scheme in _PORTS else ""
    host = parts.hostname or ""
    if not proxy or host == "localhost" or _is_excepted(host, str(parts.port or ""), parts.scheme):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def check_proxy(url: str) -> None:
    """Refuse a proxy that cannot be used, in words without any part of it: it may have a password.

    Raises:
        ClusterError: It is no address of http or https.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isprintable() or " " in url:
        raise ClusterError(
            "the address of the proxy cannot be used: write http://HOST:PORT, with user and"
            " password, if need be, encoded as in every address"
        )


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower()) or ""


def _is_excepted(host: str, port: str, scheme: str) -> bool:
    port = port or _PORTS[scheme]
    address = _parsed(host)
    if address is not None and address.is_loopback:
        return True
    return any(
        _names(entry, host, port, address)
        for entry in (one.strip().lower() for one in _variable("NO_PROXY").split(","))
        if entry
    )


def _names(entry: str, host: str, port: str, address: _Address | None) -> bool:
    """Return whether an entry of ``NO_PROXY`` is of a host."""
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_within(address, entry)
    named, named_port = _split(entry)
    if not named or named_port not in {"", port}:
        return False
    if (of_entry := _parsed(named)) is not None:
        return address == of_entry
    # Of .example.com and *.example.com the host example.com itself is none.
    suffix = named.removeprefix("*") if named.startswith("*.") else named
    return f".{host}".endswith(f".{suffix}") if suffix[0] != "." else host.endswith(suffix)


def _is_within(address: _Address, network: str) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _split(entry: str) -> tuple[str, str]:
    """Return host and port of an entry; the port is empty where there is none."""
    if entry.startswith("["):
        named, _, rest = entry[1:].partition("]")
        return named, rest.removeprefix(":")
    if entry.count(":") == 1:
        named, _, port = entry.partition(":")
        return named, port
    return entry, ""


def _parsed(host: str) -> _Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
