"""What the credential helper keeps on disk: credentials for nine tenths of their lifetime."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
from attrs import asdict, frozen

from aioregistry.cli.settings.settings import Settings
from aioregistry.cli.settings.turns import one_at_a_time
from aioregistry.files import write_file

__all__ = ["EXPIRY_SECONDS", "Kept", "Place", "drop"]

EXPIRY_SECONDS = 3600
_RENEWED_AT = 0.9
_OWNER_ONLY = 0o600


@frozen
class Kept:
    """Credentials that are kept.

    Attributes:
        host: Whose they are.
        username: Their user name.
        password: Their password.
        api_url: The API that made them.
        renew_at: When others are made in their place: Unix seconds.
        expires_at: When they are no longer valid: Unix seconds.
    """

    host: str
    username: str
    password: str
    api_url: str
    renew_at: float
    expires_at: float

    @classmethod
    def read(cls, path: Path) -> "Kept | None":
        """Read a file; None where there is none, or none that makes sense."""
        try:
            kept = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = (kept.host, kept.username, kept.password, kept.api_url)
        times = (kept.renew_at, kept.expires_at)
        is_sane = all(isinstance(each, str) for each in texts) and all(
            type(each) in {int, float} for each in times
        )
        return kept if is_sane else None


@frozen
class Place:
    """The file for credentials of certain settings.

    Attributes:
        path: The file.
    """

    path: Path

    @classmethod
    def of(cls, settings: Settings) -> "Place":
        """Return the place for the credentials that some settings get."""
        about = (
            settings.token.value,
            settings.api_url,
            settings.registry or "",
            str(settings.read_write),
            str(settings.expiry or EXPIRY_SECONDS),
        )
        # The token itself is nowhere on disk, and another token finds other credentials.
        name = hashlib.sha256("\0".join(about).encode()).hexdigest()[:32]
        return cls(_folder() / f"{name}.json")

    def find(self) -> Kept | None:
        """Return the credentials, unless they are near their end."""
        kept = Kept.read(self.path)
        return kept if kept is not None and _now() < kept.renew_at else None

    def turn(self) -> AbstractContextManager[None]:
        """Return in what credentials are made: who waits for it finds those of others."""
        return one_at_a_time(self.path.parent)

    def keep(self, username: str, password: str, settings: Settings) -> Kept:
        """Keep new credentials, and return them."""
        seconds, now = settings.expiry or EXPIRY_SECONDS, _now()
        made = Kept(
            settings.registry_host,
            username,
            password,
            settings.api_url,
            now + _RENEWED_AT * seconds,
            now + seconds,
        )
        # Where they cannot be kept, each use makes new ones.
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_file(self.path, json.dumps(asdict(made)), mode=_OWNER_ONLY)
        return made


async def drop(host: str) -> list[str]:
    """Remove what is kept for a host, under whatever settings, and revoke it.

    Returns:
        Why credentials could not be revoked; empty where none is left that is valid.
    """
    # Loading the client takes longer than all the rest, and most calls need no client.
    from aioregistry.client import revocation
    from aioregistry.errors import RegistryError

    failures = []
    for path, kept in _all():
        if kept is not None and kept.host != host and _now() < kept.expires_at:
            continue
        path.unlink(missing_ok=True)
        if kept is None or _now() >= kept.expires_at:
            continue
        try:
            await revocation.revoke(kept.password, kept.api_url, trust_env=True)
        except (RegistryError, ValueError) as error:
            ends = datetime.fromtimestamp(kept.expires_at).astimezone()
            failures.append(f"they are valid until {ends:%Y-%m-%d %H:%M}: {error}")
    return failures


def _folder() -> Path:
    return platformdirs.user_cache_path("aioregistry", appauthor=False) / "docker-credentials"


def _all() -> Iterator[tuple[Path, Kept | None]]:
    for path in sorted(_folder().glob("*.json")):
        yield path, Kept.read(path)


def _now() -> float:
    return datetime.now(UTC).timestamp()
