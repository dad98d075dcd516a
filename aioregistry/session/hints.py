"""What to look at after an answer: the scopes that a call needs, and what does not exist. Pure."""

from urllib.parse import unquote

from aioregistry.api.endpoints import Request
from aioregistry.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RegistryError,
)
from aioregistry.session.answers import parse_error_body

__all__ = ["add_creation_hint", "add_hint", "missing_thing", "needed_scopes"]

READ, CREATE, UPDATE, DELETE = (
    "registry:read",
    "registry:create",
    "registry:update",
    "registry:delete",
)
_CREATING = ("/v2/registry", "/v2/registries", "/validate-name")


def add_hint(error: RegistryError, request: Request, body: bytes) -> None:
    """Give an error of an API's call a hint: the API itself names neither scope nor thing.

    Args:
        error: The error.
        request: The call.
        body: The body of the answer; one that is not of the API says nothing of scopes and things.
    """
    if isinstance(error, PermissionDeniedError | NotFoundError) and not any(parse_error_body(body)):
        error.hint = "The API answers in another way: check its address, and what is in between"
    elif isinstance(error, NotFoundError) and not error.is_certain:
        error.hint = "This says nothing of what exists: check what is in between, and try later"
    elif isinstance(error, PermissionDeniedError):
        scopes = needed_scopes(request)
        noun = "scope" if len(scopes) == 1 else "scopes"
        error.hint = f"The token needs the {noun} {' and '.join(scopes)} for this call"
        if request.route.endswith("/docker-credentials"):
            error.hint += f"; read-write credentials need {CREATE}, and a clean-up needs {DELETE}"
    elif isinstance(error, NotFoundError):
        error.hint = f"There is no {missing_thing(request)}"


def needed_scopes(request: Request) -> tuple[str, ...]:
    """Return the scopes of an API token that a call needs."""
    route = request.route
    if route.endswith("/docker-credentials"):
        return (READ, UPDATE)
    if request.method == "GET":
        return (READ,)
    if request.method == "DELETE":
        return (READ, DELETE)
    return (READ, CREATE if route.endswith(_CREATING) else UPDATE)


def missing_thing(request: Request) -> str:
    """Return what does not exist when a call is answered with 404, by the names in its path."""
    names = {kind: repr(name) for kind, name in _names_of(request).items()}
    is_collection = request.method == "GET" and request.route.endswith("/garbage-collection")
    match names:
        case {"tag": tag, "repository": repository, "registry": registry}:
            return f"tag {tag} in repository {repository} of registry {registry}"
        case {"digest": digest, "repository": repository, "registry": registry}:
            return f"manifest {digest} in repository {repository} of registry {registry}"
        case {"repository": repository, "registry": registry}:
            return f"repository {repository} in registry {registry}"
        case {"registry": registry, **rest} if is_collection or "uuid" in rest:
            uuid = f" {rest['uuid']}" if "uuid" in rest else ""
            return f"garbage collection{uuid} under way in registry {registry}"
    registry = f" {names['registry']}" if "registry" in names else ""
    return f"registry{registry} in the token's account"


def _names_of(request: Request) -> dict[str, str]:
    path = request.target.partition("?")[0]
    parts = zip(request.route.split("/"), path.split("/"), strict=False)
    return {kind[1:-1]: unquote(name) for kind, name in parts if kind.startswith("{")}


def add_creation_hint(error: RegistryError, name: str) -> None:
    """Add what to do to an error of the creation of a registry.

    Args:
        error: The error.
        name: The registry's name.
    """
    if isinstance(error, ConflictError):
        error.hint = f"Names are unique among all accounts: choose another than {name!r}"
    elif isinstance(error, InvalidRequestError) and "already has" in error.message:
        error.hint = (
            "The subscription's tier allows no further registry: options(), or"
            " 'aioregistry options tiers', lists the tiers"
        )
