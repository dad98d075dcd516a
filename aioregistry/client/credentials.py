"""The token of the environment; docker credentials, asked for by the client and by handles."""

import os
from typing import TYPE_CHECKING

from attrs import frozen

from aioregistry.api.models import DockerCredentials
from aioregistry.client.families import PathFamilies
from aioregistry.errors import InvalidTokenError
from aioregistry.session.origins import TOKEN_VARIABLES

if TYPE_CHECKING:
    from aioregistry.oci.writer import DistributionWriter

__all__ = ["docker_credentials", "token_from_environment", "writer_for"]


def token_from_environment() -> str:
    """Return the API token that the environment names.

    Raises:
        InvalidTokenError: It names none.
    """
    for variable in TOKEN_VARIABLES:
        if token := os.environ.get(variable, "").strip():
            return token
    raise InvalidTokenError(
        f"no token: pass token=, or set {TOKEN_VARIABLES[0]} or {TOKEN_VARIABLES[1]}"
    )


async def docker_credentials(
    families: PathFamilies, name: str | None, *, read_write: bool, expiry_seconds: int | None
) -> DockerCredentials:
    """Return credentials for the registry with this name; None means the account's only one.

    Raises:
        ValueError: `expiry_seconds` is no whole number, or below 0.
        RegistryError: Any of its kinds.
    """
    if expiry_seconds is not None and (type(expiry_seconds) is not int or expiry_seconds < 0):
        raise ValueError(f"expiry_seconds must be whole seconds, 0 or more: {expiry_seconds!r}")
    return await families.call_for(
        name,
        lambda endpoints, known: endpoints.get_docker_credentials(
            known, read_write=read_write, expiry_seconds=expiry_seconds
        ),
    )


@frozen
class _CredentialsSource:
    """What the registry itself is opened with: a registry by its name, and credentials for it.

    Attributes:
        name: The registry's name.
        families: Where the credentials are asked for.
    """

    name: str
    families: PathFamilies

    @property
    def api_url(self) -> str:
        """The API's origin."""
        return self.families.session.base_url

    async def docker_credentials(
        self, read_write: bool = False, expiry_seconds: int | None = None
    ) -> DockerCredentials:
        """Return docker credentials."""
        return await docker_credentials(
            self.families, self.name, read_write=read_write, expiry_seconds=expiry_seconds
        )


def writer_for(registry: str, families: PathFamilies) -> "DistributionWriter":
    """Return what writes to the registry itself, to be opened.

    Args:
        registry: The registry's name.
        families: Where credentials are asked for.
    """
    # Nothing else that the client does needs it, and it is a sixth of the client's import.
    from aioregistry.oci.writer import DistributionWriter  # noqa: PLC0415

    source = _CredentialsSource(registry, families)
    return DistributionWriter(source, trust_env=families.trust_env)
