"""An address of Redis and its TLS: whether they can be used at all, before anything is sent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import RedisError

__all__ = ["TlsOptionsError", "check_tls", "check_tls_of"]

_FILES = ("ca_certs", "certfile", "keyfile", "ca_path")


class TlsOptionsError(ValueError):
    """TLS cannot be made as it was told: a file is missing, or is none of its kind."""


def check_tls(url: str) -> None:
    """Check that the address of a server can be read, and its files and options of TLS be used.

    A client of Redis would find the latter out with each connection, and call it one that cannot be
    made, as those to a server that is away.

    Args:
        url: The address; in one without TLS no file is looked at.

    Raises:
        TlsOptionsError: They cannot; the text says which file, or what else.
        ValueError: It cannot, or an option has no such value; no part of a password is told.
    """
    try:
        parts = urlsplit(url)
        for member in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{member}").port
    except ValueError:
        # Its own text names what it takes for the port: that may be half of a password.
        raise ValueError(
            "an address that cannot be read: a port is no number up to 65535, or a password has / ?"
            " # [ ] as they are, which are written %2F %3F %23 %5B %5D"
        ) from None
    if parts.scheme.startswith("rediss"):
        # As of Sentinel and clusters, whose addresses it does not read.
        _check(parse_url(f"rediss://localhost/?{parts.query}"))


def check_tls_of(client: Any) -> None:
    """Check the same of a client of Redis.

    Args:
        client: The client, also of a cluster.

    Raises:
        TlsOptionsError: It cannot make a connection.
    """
    pool = getattr(client, "connection_pool", None)
    options = getattr(client if pool is None else pool, "connection_kwargs", None) or {}
    kind = options.get("connection_class") if pool is None else pool.connection_class
    if isinstance(kind, type) and issubclass(kind, SSLConnection):
        _check(options)


def _check(options: Mapping[str, Any]) -> None:
    told = {name: value for name, value in options.items() if name.startswith("ssl_")}
    try:
        SSLConnection(**told).ssl_context.get()
    except (OSError, TypeError, ValueError, RedisError) as error:
        files = (f"{name} {told[f'ssl_{name}']}" for name in _FILES if told.get(f"ssl_{name}"))
        why = getattr(error, "strerror", None) or error
        raise TlsOptionsError(f"TLS with {', '.join(files) or 'its options'}: {why}") from error
