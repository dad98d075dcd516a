"""Docker credentials: asked for by the client, and by the handle of a registry."""

from aioregistry.api.models import DockerCredentials
from aioregistry.client.families import PathFamilies

__all__ = ["docker_credentials"]


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
