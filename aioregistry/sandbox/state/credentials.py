"""Docker credentials, handed out by the API, and the bearer tokens that they are good for."""

import base64
import binascii
import re
from collections.abc import Collection, Iterable
from random import Random
from typing import Any

import attrs

HOST = "registry.digitalocean.com"
# The grant that lists the repositories of a registry.
CATALOG = ("registry:catalog", "*")
_TOKEN_SECONDS = 900
_SCOPE = re.compile(r"repository:(?P<registry>[^/:]+)/(?P<name>[^:]+):(?P<actions>[a-z,*]+)")


def repositories_to_push(registry: str, scopes: Iterable[str]) -> set[str]:
    """The repositories of a registry to which some scopes ask to push."""
    return {
        scope["name"]
        for scope in filter(None, map(_SCOPE.fullmatch, scopes))
        if scope["registry"] == registry and "push" in scope["actions"].split(",")
    }


@attrs.frozen
class Credentials:
    """A secret that opens one registry.

    Attributes:
        secret: User name and password at once, as the API does it.
        registry: The only registry it opens.
        read_write: Whether it may push.
        expires_at: Unix seconds; None for never.
    """

    secret: str = attrs.field(repr=False)
    registry: str
    read_write: bool
    expires_at: float | None

    def is_valid(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at

    def as_json(self) -> dict[str, Any]:
        """The Docker ``config.json`` that carries it."""
        auth = base64.b64encode(f"{self.secret}:{self.secret}".encode()).decode()
        return {"auths": {HOST: {"auth": auth}}}


@attrs.frozen
class BearerToken:
    """What a token of the registry's own side allows.

    Attributes:
        registry: The only registry that it opens.
        grants: ``(repository with its registry, action)``, and `CATALOG`.
        expires_at: Unix seconds.
    """

    registry: str
    grants: frozenset[tuple[str, str]]
    expires_at: float


@attrs.define(eq=False)
class Keyring:
    """All credentials and bearer tokens of an account; times are Unix seconds."""

    random: Random
    _credentials: dict[str, Credentials] = attrs.field(factory=dict, init=False, repr=False)
    _tokens: dict[str, BearerToken] = attrs.field(factory=dict, init=False, repr=False)

    def issue(self, registry: str, *, read_write: bool, expires_at: float | None) -> Credentials:
        """Make credentials for a registry."""
        credentials = Credentials(self._secret(), registry, read_write, expires_at)
        self._credentials[credentials.secret] = credentials
        return credentials

    def find(self, secret: str, now: float) -> Credentials | None:
        """The credentials that a secret belongs to, unless they have expired."""
        credentials = self._credentials.get(secret)
        if credentials is None or not credentials.is_valid(now):
            return None
        return credentials

    def revoke(self, secret: str, now: float) -> bool:
        """Forget credentials by their secret; return whether they were good until now.

        Bearer tokens that they were exchanged for stay good to their own end, as signed ones do.
        """
        found = self.find(secret, now)
        if found is not None:
            del self._credentials[secret]
        return found is not None

    def revoke_all(self, registry: str) -> None:
        """Forget all credentials for a registry."""
        for credentials in list(self._credentials.values()):
            if credentials.registry == registry:
                del self._credentials[credentials.secret]

    def login(self, authorization: str, now: float) -> Credentials | None:
        """The credentials in a ``Basic`` authorization header, if they are good."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        if scheme.lower() != "basic" or user != password:
            return None
        return self.find(password, now)

    def grant(
        self,
        credentials: Credentials,
        scopes: Collection[str],
        now: float,
        read_only: Iterable[str],
    ) -> str:
        """Make a bearer token with those of the scopes asked for that the credentials allow.

        Args:
            credentials: Who asks.
            scopes: As ``repository:registry/name:pull,push``, or ``registry:catalog:*``.
            now: The time.
            read_only: Registries to which nobody may push for now.
        """
        actions = {"pull"}
        if credentials.read_write and credentials.registry not in read_only:
            actions |= {"push", "delete"}
        grants = frozenset(
            (f"{scope['registry']}/{scope['name']}", action)
            for scope in filter(None, map(_SCOPE.fullmatch, scopes))
            if scope["registry"] == credentials.registry
            for action in actions.intersection(scope["actions"].split(","))
        )
        if ":".join(CATALOG) in scopes:
            grants |= {CATALOG}
        token = self._secret()
        ends = now + _TOKEN_SECONDS
        if credentials.expires_at is not None:
            ends = min(ends, credentials.expires_at)
        self._tokens = {name: held for name, held in self._tokens.items() if held.expires_at > now}
        self._tokens[token] = BearerToken(credentials.registry, grants, ends)
        return token

    def token(self, authorization: str, now: float) -> BearerToken | None:
        """The token in a ``Bearer`` authorization header, unless it has expired."""
        scheme, _, secret = authorization.partition(" ")
        held = self._tokens.get(secret)
        if held is None or scheme.lower() != "bearer" or held.expires_at <= now:
            return None
        return held

    def _secret(self) -> str:
        return f"{self.random.getrandbits(256):064x}"
