"""Docker credentials of a registry: got, renewed, refused, revoked."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Protocol

from aioregistry.api.models import DockerCredentials
from aioregistry.errors import ClientClosedError, InvalidResponseError, RegistryError
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.permits import give_back_before
from aioregistry.session.secret import Secret

__all__ = [
    "CREDENTIALS_SECONDS",
    "SAFE_SHARE",
    "Credentials",
    "Failures",
    "Registry",
    "basic",
]

CREDENTIALS_SECONDS = 3600
# Used no longer than this part of their life, so that none run out on the way.
SAFE_SHARE = 0.8
# How long a refusal for good is taken for the answer to the next request as well.
_REFUSAL_SECONDS = 60.0
_PASSING_STATUSES = frozenset({408, 425, 429})
# How long closing waits for credentials to be revoked.
_REVOCATION_SECONDS = 5.0
# Of how many sets a server may know the last ones.
_REMEMBERED = 2

logger: logging.Logger = logging.getLogger("aioregistry")


class Registry(Protocol):
    """What is needed of a registry's handle."""

    @property
    def name(self) -> str:
        """The registry's name."""

    async def docker_credentials(
        self, read_write: bool = False, expiry_seconds: int | None = None
    ) -> DockerCredentials:
        """Return docker credentials."""


class Failures:
    """The last failure of a piece of work that many wait for, one of whom does it."""

    def __init__(self) -> None:
        self._error: RegistryError | None = None
        self._at = self._until = 0.0

    def record(self, error: RegistryError, now: float) -> None:
        """Record that the work failed: for those who wait, and for good errors for a while."""
        self._error, self._at = error, now
        self._until = now + (_REFUSAL_SECONDS if _is_for_good(error) else 0.0)

    def forget(self) -> None:
        """Record that the work was done."""
        self._error = None

    def raise_if_failed(self, since: float, now: float) -> None:
        """Raise the error of the last try, if it ended after `since`, or is for good."""
        if self._error is not None and (self._at > since or now < self._until):
            raise self._error.with_traceback(None)


class Credentials:
    """The docker credentials of a registry, one set at a time for everyone.

    Args:
        registry: Whose credentials they are.
        read_write: Whether they let push, too; by default they do not.
    """

    def __init__(self, registry: Registry, *, read_write: bool = False) -> None:
        self._registry = registry
        self._read_write = read_write
        self._minted: list[DockerCredentials] = []
        self._current: tuple[DockerCredentials, float] | None = None
        self._lock = asyncio.Lock()
        self._failures = Failures()
        # The set that was refused, and whether that has cost another since anything worked.
        self._refused: DockerCredentials | None = None
        self._is_replaced = False

    def secrets(self) -> tuple[Secret, ...]:
        """Return what a server may repeat of all that it was sent."""
        return tuple(map(basic, self._minted[-_REMEMBERED:]))

    async def get(self) -> DockerCredentials:
        """Return docker credentials: those known, or new ones when they are near their end.

        Raises:
            RegistryError: Any of its kinds.
        """
        credentials = self.current
        if credentials is not None:
            return credentials
        give_back_before(self.get)
        begun = _now()
        async with self._lock:
            credentials = self.current
            if credentials is not None:
                return credentials
            now = _now()
            self._failures.raise_if_failed(begun, now)
            try:
                credentials = await self._registry.docker_credentials(
                    read_write=self._read_write, expiry_seconds=CREDENTIALS_SECONDS
                )
            except ClientClosedError:
                raise
            except RegistryError as error:
                self._failures.record(error, _now())
                raise
            self._failures.forget()
            self._current = credentials, now + SAFE_SHARE * CREDENTIALS_SECONDS
            self._minted.append(credentials)
            return credentials

    @property
    def current(self) -> DockerCredentials | None:
        """The credentials that are known and good; None for none."""
        if self._current is None:
            return None
        known, good_until = self._current
        return known if known is not self._refused and _now() < good_until else None

    def refuse(self, credentials: DockerCredentials) -> bool:
        """Record that credentials were refused, and return whether others are to be tried.

        That is once, until something has worked: what is refused for good is not made again and
        again, as each set stays in the account until it expires.
        """
        if credentials is not self.current:
            # Others had them refused.
            return True
        if self._is_replaced:
            return False
        self._refused = credentials
        self._is_replaced = True
        return True

    def accept(self) -> None:
        """Record that a server was content with them."""
        self._is_replaced = False

    async def revoke(self, send: Callable[[str], Awaitable[Answer | NoAnswer]]) -> None:
        """Revoke all credentials that were made, as far as that succeeds soon.

        Args:
            send: Sends the request that revokes a token. Failures are logged, and no errors.
        """
        minted, self._minted = self._minted, []

        async def revoke(token: str) -> None:
            answer = await send(token)
            problem = answer.error if isinstance(answer, NoAnswer) else answer.status
            if isinstance(problem, RegistryError) or not 200 <= problem < 300:
                logger.info("docker credentials expire by themselves, unrevoked: %s", problem)

        tasks = [asyncio.ensure_future(revoke(each.password)) for each in minted]
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, timeout=_REVOCATION_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def basic(credentials: DockerCredentials) -> Secret:
    """Return the Authorization header of docker credentials themselves."""
    pair = f"{credentials.username}:{credentials.password}".encode()
    return Secret(f"Basic {b64encode(pair).decode()}")


def _is_for_good(error: RegistryError) -> bool:
    if isinstance(error, InvalidResponseError):
        return True
    status = error.status or 0
    return 400 <= status < 500 and status not in _PASSING_STATUSES


def _now() -> float:
    return asyncio.get_running_loop().time()
