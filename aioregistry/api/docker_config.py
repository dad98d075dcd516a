"""Credentials in a Docker `config.json`, as the API answers them."""

import base64

from aioregistry.api.decoding import DecodeError, json_object
from aioregistry.api.models import DockerCredentials

__all__ = ["decode_docker_credentials"]


def decode_docker_credentials(body: bytes) -> DockerCredentials:
    """Return the credentials in a Docker ``config.json`` with one registry in it.

    Raises:
        DecodeError: The body is not such a file; the text repeats nothing of it.
    """
    config = json_object(body)
    auths = config.get("auths")
    if not isinstance(auths, dict) or not auths:
        raise DecodeError("no 'auths' in the Docker config")
    host, entry = next(iter(auths.items()))
    auth = entry.get("auth") if isinstance(entry, dict) else None
    try:
        pair = base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except ValueError:
        pair = ""
    username, colon, password = pair.partition(":")
    if not colon:
        raise DecodeError(f"no user name and password for {host!r} in the Docker config")
    # The vendor's own example ends in a line feed, which no password holds.
    return DockerCredentials(host, username, password.rstrip("\n"), config)
