"""The TLS of a client of Redis: whether it can be made at all, before anything is sent."""

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
    """Check that the files and options of TLS in the address of a server can be used.

    A client of Redis would find that out with each connection, and call it one that cannot be made,
    as those to a server that is away.

    Args:
        url: The address; in one without TLS nothing is looked at.

    Raises:
        TlsOptionsError: They cannot; the text says which file, or what else.
        ValueError: An option has no such value.
    """
    parts = urlsplit(url)
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
    except (OSError, ValueError, RedisError) as error:
        files = (f"{name} {told[f'ssl_{name}']}" for name in _FILES if told.get(f"ssl_{name}"))
        why = getattr(error, "strerror", None) or error
        raise TlsOptionsError(f"TLS with {', '.join(files) or 'its options'}: {why}") from error
