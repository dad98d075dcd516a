"""Calls in the path family that the account understands."""

import logging
from collections.abc import Callable
from typing import TypeVar

from aioregistry.api.decoding import ObjectDecoder, PageDecoder
from aioregistry.api.endpoints import SECOND_FAMILY, Endpoints, Family, Request
from aioregistry.api.models import Registry
from aioregistry.errors import NotFoundError, PreconditionFailedError
from aioregistry.ratelimit.limits import Priority
from aioregistry.session.exchange import RequestLog
from aioregistry.session.permits import Check
from aioregistry.session.session import Session

__all__ = ["REGISTRIES", "REGISTRY", "MakeRequest", "PathFamilies"]

T = TypeVar("T")
MakeRequest = Callable[[Endpoints], Request]

logger = logging.getLogger("aioregistry")

REGISTRY = ObjectDecoder("registry", Registry)
REGISTRIES = PageDecoder("registries", Registry)


class PathFamilies:
    """Sends calls, and moves from the first family to the second when the API asks for it.

    Args:
        session: Sends the requests.
        family: The family to begin with.
    """

    def __init__(self, session: Session, family: Family) -> None:
        if family not in {"registry", "registries"}:
            raise ValueError(f"api must be 'registry' or 'registries', not {family!r}")
        self.session = session
        self._endpoints = Endpoints(family)
        self._only_registry: Registry | None = None
        self._changes = 0

    @property
    def first_family(self) -> bool:
        """Whether calls go to ``/v2/registry``, which serves the account's only registry."""
        return self._endpoints.family == "registry"

    async def send(
        self,
        make_request: MakeRequest,
        *,
        priority: Priority = "interactive",
        log: RequestLog | None = None,
        check: Check | None = None,
    ) -> bytes:
        """Send what `make_request` makes of the family's endpoints, and return the answer's body.

        Raises:
            RegistryError: Any of its kinds.
        """
        request = make_request(self._endpoints)
        try:
            return await self.session.send(request, priority=priority, log=log, check=check)
        except PreconditionFailedError as error:
            moved = make_request(SECOND_FAMILY)
            if moved == request:
                # The second family has no such call, or this was it.
                raise
            self._move_or_raise(error)
        return await self.session.send(moved, priority=priority, log=log, check=check)

    async def call(self, make_request: MakeRequest, decode: Callable[[bytes], T]) -> T:
        """Send what `make_request` makes of the family's endpoints, and return the decoded answer.

        Raises:
            InvalidResponseError: The body is not what the API promises.
            RegistryError: Any other of its kinds.
        """
        log = RequestLog()
        body = await self.send(make_request, log=log)
        return self.session.decode(body, decode, log)

    def _move_or_raise(self, error: PreconditionFailedError) -> None:
        # The same status and id have other causes, too; only the message tells.
        if "/v2/registries" not in error.message:
            raise error
        if self.first_family:
            self._endpoints = SECOND_FAMILY
            logger.warning(
                "the account has several registries: from here on /v2/registries is used; "
                "api='registries' saves the detour"
            )

    async def list_registries(self) -> tuple[Registry, ...]:
        """Return all registries: ``GET /v2/registries``."""
        listing = await self.call(Endpoints.list_registries, REGISTRIES.decode)
        return listing.items

    async def get_registry(self, name: str | None) -> Registry:
        """Return the registry with this name, or the account's only one.

        ``GET /v2/registry`` or ``GET /v2/registries/{name}``.

        Raises:
            NotFoundError: There is none, or the only one has another name.
            PreconditionFailedError: There are several, and no name tells which is meant.
        """
        changes = self._changes
        registry = await self.call_for(name, Endpoints.get_registry, REGISTRY.decode)
        if self.first_family and changes == self._changes:
            self._only_registry = registry
        _check_same(registry, name)
        return registry

    async def call_for(
        self,
        name: str | None,
        make_request: Callable[[Endpoints, str], Request],
        decode: Callable[[bytes], T],
    ) -> T:
        """Make a call that carries the registry's name in the second family alone.

        Args:
            name: The registry's; None means the account's only one.
            make_request: Makes the request.
            decode: Decodes the answer.

        Raises:
            NotFoundError: There is no registry.
            PreconditionFailedError: There are several, and no name tells which is meant.
        """
        if self.first_family:
            try:
                return await self.session.fetch(make_request(self._endpoints, name or ""), decode)
            except PreconditionFailedError as error:
                self._move_or_raise(error)
        if name is None:
            name = await self._only_name()
        return await self.session.fetch(make_request(self._endpoints, name), decode)

    async def _only_name(self) -> str:
        registries = await self.list_registries()
        if len(registries) == 1:
            return registries[0].name
        if not registries:
            raise NotFoundError("the account has no registry")
        several = ", ".join(registry.name for registry in registries)
        raise PreconditionFailedError(f"the account has several registries, name one of: {several}")

    def forget_registry(self) -> None:
        """Forget the account's only registry, because a call may have changed which it is.

        What a call under way learns of it is not believed any more.
        """
        self._changes += 1
        self._only_registry = None

    async def require_same(self, name: str) -> None:
        """Make sure that a call without a name, of the first family, is about this registry.

        Raises:
            NotFoundError: The account's registry is another.
        """
        if self.first_family and self._only_registry is None:
            await self.get_registry(name)
        if self.first_family and self._only_registry is not None:
            _check_same(self._only_registry, name)


def _check_same(registry: Registry, name: str | None) -> None:
    if name is not None and registry.name != name:
        raise NotFoundError(f"there is no registry {name!r}; the account has {registry.name!r}")
