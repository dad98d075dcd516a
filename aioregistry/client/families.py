"""Calls in the path family that the account can use."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from aioregistry.api.endpoints import SECOND_FAMILY, Call, Endpoints, Family
from aioregistry.api.models import Registry
from aioregistry.errors import NotFoundError, PreconditionFailedError
from aioregistry.ratelimit.limits import Priority
from aioregistry.session.exchange import RequestLog
from aioregistry.session.permits import Check
from aioregistry.session.session import Session

__all__ = ["MakeRequest", "PathFamilies"]

T = TypeVar("T")
MakeRequest = Callable[[Endpoints], Call[T]]

logger: logging.Logger = logging.getLogger("aioregistry")


class PathFamilies:
    """Makes calls, and moves from the first family to the second when the API asks for it.

    `call` is for calls whose paths differ in the family alone, `call_for` for those that carry
    the registry's name in the second family only.

    Args:
        session: Sends the requests.
        family: The family to begin with.
        trust_env: Whether the environment's proxies are used, by the registry itself as well; by
            default they are not.
    """

    def __init__(self, session: Session, family: Family, *, trust_env: bool = False) -> None:
        if family not in {"registry", "registries"}:
            raise ValueError(f"api must be 'registry' or 'registries', not {family!r}")
        self.session = session
        self.trust_env = trust_env
        self._endpoints = Endpoints(family)
        self._only_registry: Registry | None = None
        self._changes = 0

    @property
    def first_family(self) -> bool:
        """Whether calls go to ``/v2/registry``, which serves the account's only registry."""
        return self._endpoints.family == "registry"

    async def call(
        self,
        make_request: MakeRequest[T],
        *,
        query: str = "",
        priority: Priority = "interactive",
        log: RequestLog | None = None,
        check: Check | None = None,
    ) -> T:
        """Make a call, and return its answer, decoded; see `answer`.

        Raises:
            InvalidResponseError: The body is not what the API promises.
            RegistryError: Any other of its kinds.
        """
        # No name for what it returns: an error would hang on to the body, which may hold secrets.
        return (
            await self.answer(make_request, query=query, priority=priority, log=log, check=check)
        )()

    async def answer(
        self,
        make_request: MakeRequest[T],
        *,
        query: str = "",
        priority: Priority = "interactive",
        log: RequestLog | None = None,
        check: Check | None = None,
    ) -> Callable[[], T]:
        """Make the call that `make_request` takes from the family's endpoints.

        It returns what decodes the answer, or raises `InvalidResponseError` when called.

        Args:
            make_request: Returns the call.
            query: Added to the call, encoded; by default none.
            priority: Whom the limiter serves first.
            log: Filled in while the request is under way; None for a new one.
            check: Awaited right before each attempt: see `Session.send`.

        Raises:
            RegistryError: Any of its kinds.
        """
        call = make_request(self._endpoints)
        if query:
            call = call.with_query(query)
        log = RequestLog() if log is None else log
        try:
            body = await self.session.send(call, priority=priority, log=log, check=check)
        except PreconditionFailedError as error:
            moved = make_request(SECOND_FAMILY)
            if moved.route == call.route:
                # The second family has no such call, or this was it.
                raise
            self._move_or_raise(error)
            moved = moved.with_query(query)
            body = await self.session.send(moved, priority=priority, log=log, check=check)
        return partial(self.session.decode, body, call.decode, log)

    async def call_for(
        self, name: str | None, make_request: Callable[[Endpoints, str], Call[T]]
    ) -> T:
        """Make a call that carries the registry's name in the second family alone.

        Args:
            name: The registry's; None means the account's only one.
            make_request: Returns the call.

        Raises:
            NotFoundError: There is no registry, or the account's only one has another name.
            PreconditionFailedError: There are several, and no name says which is meant.
            RegistryError: Any other of its kinds.
        """
        if name is not None:
            await self._require_same(name)
        return await self._call_for(name, make_request)

    async def get_registry(self, name: str | None) -> Registry:
        """Return the registry with this name, or the account's only one; and remember the latter.

        ``GET /v2/registry`` or ``GET /v2/registries/{name}``.

        Raises:
            NotFoundError: There is none, or the account's only one has another name.
            PreconditionFailedError: There are several, and no name says which is meant.
            RegistryError: Any other of its kinds.
        """
        changes = self._changes
        registry = await self._call_for(name, Endpoints.get_registry)
        if self.first_family and changes == self._changes:
            self._only_registry = registry
        _check_same(registry, name)
        return registry

    def forget_registry(self) -> None:
        """Forget the account's only registry, because a call may have changed which it is.

        The answer of a call that is under way is not remembered any more.
        """
        self._changes += 1
        self._only_registry = None

    async def _call_for(
        self, name: str | None, make_request: Callable[[Endpoints, str], Call[T]]
    ) -> T:
        if self.first_family:
            try:
                return await self._fetch(make_request(self._endpoints, name or ""))
            except PreconditionFailedError as error:
                self._move_or_raise(error)
        if name is None:
            name = await self._only_name()
        return await self._fetch(make_request(self._endpoints, name))

    async def _fetch(self, call: Call[T]) -> T:
        return await self.session.fetch(call, call.decode)

    def _move_or_raise(self, error: PreconditionFailedError) -> None:
        # The same status and id have other causes, too; the message alone tells them apart.
        if "/v2/registries" not in error.message:
            raise error
        if self.first_family:
            self._endpoints = SECOND_FAMILY
            logger.warning(
                "the account has several registries: from here on /v2/registries is used; "
                "api='registries' saves the detour"
            )

    async def _only_name(self) -> str:
        registries = await self.call(Endpoints.list_registries)
        if len(registries) == 1:
            return registries[0].name
        if not registries:
            raise NotFoundError("the account has no registry")
        several = ", ".join(registry.name for registry in registries)
        raise PreconditionFailedError(f"the account has several registries, name one of: {several}")

    async def _require_same(self, name: str) -> None:
        """Make sure that a call without a name, of the first family, is about this registry."""
        if self.first_family and self._only_registry is None:
            await self.get_registry(name)
        if self.first_family and self._only_registry is not None:
            _check_same(self._only_registry, name)


def _check_same(registry: Registry, name: str | None) -> None:
    if name is not None and registry.name != name:
        raise NotFoundError(f"there is no registry {name!r}; the account has {registry.name!r}")
