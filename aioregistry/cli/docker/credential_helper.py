"""``docker-credential-aioregistry``: Docker runs it for credentials; it gets short-lived ones.

Docker passes the host only; registry and permissions come from the configuration.
"""

import asyncio
import json
import sys
from urllib.parse import urlsplit

from aioregistry.cli.docker.config import NOT_FOUND
from aioregistry.cli.docker.kept import EXPIRY_SECONDS, Kept, Place, drop
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Settings
from aioregistry.version import VERSION

__all__ = ["main"]

_NOTHING_STORED = "nothing to store: new credentials are made for each use"
_USAGE = "usage: docker-credential-aioregistry get|store|erase|list|version"


def main() -> None:
    """Answer Docker, by the arguments and stdin of this process, and exit."""
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        sys.stdout.write(_answer(action))
    except _RefusedError as refused:
        sys.stdout.write(f"{refused}\n")
        sys.exit(1)


class _RefusedError(Exception):
    """The answer to Docker where there are no credentials."""


def _answer(action: str) -> str:
    if action == "version":
        return f"docker-credential-aioregistry {VERSION}\n"
    if action == "store":
        raise _RefusedError(_NOTHING_STORED)
    if action not in _ACTIONS:
        raise _RefusedError(_USAGE)
    try:
        return _ACTIONS[action](Settings.load(Access()))
    except UsageError as error:
        raise _RefusedError(str(error)) from None


def _get(settings: Settings) -> str:
    host = _asked_host(settings)
    settings.check_origins()
    place = Place.of(settings)
    kept = place.find()
    if kept is None:
        # Programs that push several images at once ask for each.
        with place.turn():
            kept = place.find() or _mint(settings, place)
    answer = {"ServerURL": host, "Username": kept.username, "Secret": kept.password}
    return json.dumps(answer) + "\n"


def _erase(settings: Settings) -> str:
    _asked_host(settings)
    failures = asyncio.run(drop(settings.registry_host))
    if failures:
        raise _RefusedError(f"credentials were dropped and not revoked: {'; '.join(failures)}")
    return ""


def _list(settings: Settings) -> str:
    kept = Place.of(settings).find()
    # The user name is a secret as good as the password, and lists end up in logs.
    return json.dumps({} if kept is None else {settings.registry_host: "aioregistry"})


_ACTIONS = {"get": _get, "erase": _erase, "list": _list}


def _asked_host(settings: Settings) -> str:
    """Return the host that Docker asks about, on stdin, if it is ours."""
    host = _host(sys.stdin.read())
    if not settings.is_registry_host(host):
        raise _RefusedError(NOT_FOUND)
    return host


def _host(text: str) -> str:
    text = text.strip()
    try:
        return urlsplit(text if "://" in text else f"//{text}").netloc
    except ValueError:
        return ""


def _mint(settings: Settings, place: Place) -> Kept:
    # Loading the client takes longer than all the rest, and most calls need no client.
    from aioregistry.client.client import RegistryClient
    from aioregistry.errors import RegistryError

    async def mint() -> Kept:
        async with RegistryClient(
            settings.token.value, base_url=settings.api_url, trust_env=True
        ) as client:
            source = client.registry(settings.registry) if settings.registry else client
            made = await source.docker_credentials(
                settings.read_write, settings.expiry or EXPIRY_SECONDS
            )
            return place.keep(made.username, made.password, settings)

    try:
        return asyncio.run(mint())
    except (RegistryError, ValueError) as error:
        raise _RefusedError(f"aioregistry: {error}") from None
