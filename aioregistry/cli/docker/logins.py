"""Which credentials `login` has made: only those are revoked, and where they were made.

A password that somebody else put into Docker's configuration may be in use elsewhere, or be an API
token. So each that `login` stores is noted, by its SHA-256 and never itself.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from aioregistry.cli.settings.turns import one_at_a_time
from aioregistry.files import write_file

__all__ = ["Login", "Logins", "Revocation", "revoke", "revoke_at"]

_OWNER_ONLY = 0o600


@frozen
class Login:
    """Credentials that were made.

    Attributes:
        fingerprint: The SHA-256 of the password.
        api_url: The API that made them.
        expires_at: Unix seconds; None for never.
    """

    fingerprint: str
    api_url: str
    expires_at: float | None


@frozen
class Logins:
    """The file in which they are noted.

    Attributes:
        path: The file.
    """

    path: Path

    @classmethod
    def default(cls) -> "Logins":
        """Return the file in the state directory."""
        # Help must not load the clean-up.
        from aioregistry.cleanup.state_folder import state_root

        return cls(state_root() / "logins.json")

    def find(self, password: str) -> Login | None:
        """Return what is noted of a password; None for nothing."""
        fingerprint = _fingerprint(password)
        return next((each for each in self._read() if each.fingerprint == fingerprint), None)

    def note(self, password: str, api_url: str, expires_at: datetime | None) -> None:
        """Note credentials that were made.

        Raises:
            OSError: The file cannot be written.
        """
        ends = None if expires_at is None else expires_at.timestamp()
        made = Login(_fingerprint(password), api_url, ends)
        with one_at_a_time(self.path.parent):
            self._write([*self._read(), made])

    def forget(self, password: str) -> None:
        """Forget credentials that are revoked.

        Raises:
            OSError: The file cannot be written.
        """
        fingerprint = _fingerprint(password)
        with one_at_a_time(self.path.parent):
            self._write([each for each in self._read() if each.fingerprint != fingerprint])

    def _read(self) -> list[Login]:
        try:
            known: Any = json.loads(self.path.read_text(encoding="utf-8"))
            return [Login(**each) for each in known]
        except (OSError, ValueError, TypeError, RecursionError):
            return []

    def _write(self, logins: Iterable[Login]) -> None:
        now = datetime.now(UTC).timestamp()
        left = [asdict(one) for one in logins if one.expires_at is None or now < one.expires_at]
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(self.path, json.dumps(left), mode=_OWNER_ONLY)


@frozen
class Revocation:
    """What became of credentials that were to be revoked.

    Attributes:
        revoked: How many were revoked now.
        foreign: How many `login` did not make, or did so too long ago; they were left alone.
        failures: Why others could not be revoked.
    """

    revoked: int
    foreign: int
    failures: tuple[str, ...]


async def revoke(passwords: Iterable[str], logins: Logins) -> Revocation:
    """Revoke credentials, as far as `login` made them.

    Args:
        passwords: Their passwords.
        logins: What `login` made.
    """
    # Loading the client takes longer than all the rest, and most logins replace nothing.
    from aioregistry.client import revocation
    from aioregistry.errors import RegistryError

    revoked = foreign = 0
    failures = []
    for password in passwords:
        login = logins.find(password)
        if login is None:
            foreign += 1
            continue
        try:
            revoked += await revocation.revoke(password, login.api_url, trust_env=True)
        except (RegistryError, ValueError) as error:
            failures.append(f"{_until(login.expires_at)}: {error}")
            continue
        try:
            logins.forget(password)
        except OSError:
            # Revoked once more, they would only be no longer valid.
            continue
    return Revocation(revoked, foreign, tuple(failures))


async def revoke_at(password: str, api_url: str) -> None:
    """Revoke credentials that nobody has got, if that succeeds.

    Args:
        password: Their password.
        api_url: The API that made them.
    """
    from aioregistry.client import revocation
    from aioregistry.errors import RegistryError

    with suppress(RegistryError):
        await revocation.revoke(password, api_url, trust_env=True)


def _until(moment: float | None) -> str:
    if moment is None:
        return "they never expire"
    ends = datetime.fromtimestamp(moment).astimezone()
    return f"they are valid until {ends:%Y-%m-%d %H:%M}"


def _fingerprint(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
