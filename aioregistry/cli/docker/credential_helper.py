"""``docker-credential-aioregistry``: Docker runs it for credentials; it gets short-lived ones.

Docker passes the host only; registry and permissions come from the configuration.
"""

import asyncio
import hashlib
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from attrs import frozen

from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Settings
from aioregistry.files import write_file
from aioregistry.version import VERSION

__all__ = ["main"]

_EXPIRY = 3600
_RENEWED_AT = 0.9
_OWNER_ONLY = 0o600
# Docker knows this text, and goes on without credentials.
_NOT_FOUND = "credentials not found in native keychain"
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
    if action not in {"get", "erase", "list"}:
        raise _RefusedError(_USAGE)
    try:
        settings = Settings.load(Access())
        kept = _Kept.of(settings)
    except UsageError as error:
        raise _RefusedError(str(error)) from None
    if action == "list":
        known = kept.read()
        # The user name is a secret as good as the password, and lists end up in logs.
        return json.dumps({} if known is None else {settings.registry_host: "aioregistry"})
    host = _host(sys.stdin.read())
    if not settings.is_registry_host(host):
        raise _RefusedError(_NOT_FOUND)
    if action == "erase":
        kept.path.unlink(missing_ok=True)
        return ""
    found = kept.read() or kept.write(_mint(settings))
    return json.dumps({"ServerURL": host, **found}) + "\n"


def _host(text: str) -> str:
    text = text.strip()
    try:
        return urlsplit(text if "://" in text else f"//{text}").netloc
    except ValueError:
        return ""


def _mint(settings: Settings) -> dict[str, str]:
    # Loading the client takes longer than all the rest, and most calls need no client.
    from aioregistry.client.client import RegistryClient
    from aioregistry.errors import RegistryError

    async def mint() -> dict[str, str]:
        async with RegistryClient(
            settings.token.value, base_url=settings.api_url, trust_env=True
        ) as client:
            source = client.registry(settings.registry) if settings.registry else client
            made = await source.docker_credentials(settings.read_write, _seconds(settings))
            return {"Username": made.username, "Secret": made.password}

    try:
        return asyncio.run(mint())
    except (RegistryError, ValueError) as error:
        raise _RefusedError(f"aioregistry: {error}") from None


def _seconds(settings: Settings) -> int:
    return settings.expiry or _EXPIRY


@frozen
class _Kept:
    """Credentials on disk, used for nine tenths of their lifetime."""

    path: Path
    seconds: int

    @classmethod
    def of(cls, settings: Settings) -> "_Kept":
        about = (
            settings.token.value,
            settings.api_url,
            settings.registry or "",
            str(settings.read_write),
            str(_seconds(settings)),
        )
        # The token itself is nowhere on disk, and another token finds other credentials.
        name = hashlib.sha256("\0".join(about).encode()).hexdigest()[:32]
        folder = platformdirs.user_cache_path("aioregistry", appauthor=False)
        return cls(folder / "docker-credentials" / f"{name}.json", _seconds(settings))

    def read(self) -> dict[str, str] | None:
        try:
            said: Any = json.loads(self.path.read_text(encoding="utf-8"))
            fresh = datetime.now(UTC).timestamp() < said["renew_at"]
            return {key: str(said[key]) for key in ("Username", "Secret")} if fresh else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def write(self, credentials: dict[str, str]) -> dict[str, str]:
        renew_at = datetime.now(UTC).timestamp() + _RENEWED_AT * self.seconds
        # Where they cannot be kept, each use makes new ones.
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_file(
                self.path, json.dumps({**credentials, "renew_at": renew_at}), mode=_OWNER_ONLY
            )
        return credentials
