"""Asking a cluster what it runs: all of it, or one error."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Self

from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.kinds import (
    KINDS,
    MAKERS,
    ClusterError,
    Kind,
    KubeconfigError,
    groups_of,
    listed_of,
    parse_kind,
)
from aioregistry.cleanup.in_use.kube_api import (
    ClusterAPI,
    Connect,
    by_account,
    by_kubeconfig,
)
from aioregistry.cleanup.in_use.live_objects import LiveObjects
from aioregistry.cleanup.in_use.references import InUseError, Use
from aioregistry.cleanup.in_use.summary import AskedServer

__all__ = ["ClusterInUse"]

_LIMIT = 500
_ATTEMPTS = 4
_FIRST_DELAY_SECONDS = 1.0
# So often is a list begun anew whose place in it the server does not know any more.
_WALKS = 3
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _EXPIRED = 401, 403, 404, 410
# So a cluster answers that does not say which kinds it has.
_UNTOLD = {_FORBIDDEN, _NOT_FOUND}
_ROLE = "aioregistry-in-use"
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class ClusterInUse:
    """The images that a cluster runs, or may run again: of pods, and of what makes pods.

    An async iterable for `make_plan` and `apply_plan`, each of which asks anew. Read are
    deployments, stateful and daemon sets, replica sets and the revisions that a rollback starts,
    jobs and cron jobs, pod templates, and then pods; of all namespaces, each list to its end.
    Nothing comes of it before all of that was read. Needs the extra ``kubernetes``; whoever asks
    needs the role of `cluster_role`: lists, nothing else.

    Example:
        ```python
        in_use = ClusterInUse("production")  # a context; then make_plan(…, in_use=in_use)
        print(in_use.name)  # kubernetes:production
        ```

    Args:
        context: The context of the kubeconfig; None, the default, for that which is the current
            one when the cluster is first asked: it stays.
        in_cluster: Whether the account of the pod is used in which this runs, and no kubeconfig.
            False by default.
        further_kinds: Kinds besides those above, as ``GROUP/VERSION/PLURAL``. None by default.
        ignore_kinds: Kinds of which an object need not name an image; with ``Pod`` there need not
            be a pod. As ``scaledjobs.keda.sh``, one of `MAKERS` is not read. None by default.
        timeout: Seconds for all of it; 120 by default.
        connect: How the cluster is reached, in place of `context`; None by default.
        name: What it is called in reasons and errors; None, the default, for ``kubernetes`` and
            the context.
        sleep: Waits for some seconds before a request is sent again; `asyncio.sleep` by default.

    Attributes:
        notes: A sentence for each image that was passed over, because no cluster can run it.
        asked: The server that was asked, once it has answered.

    Raises:
        InUseError: While it is iterated: what runs cannot be known, and why.
        ModuleNotFoundError: kubernetes_asyncio is missing.
    """

    def __init__(
        self,
        context: str | None = None,
        *,
        in_cluster: bool = False,
        further_kinds: Many[str] = (),
        ignore_kinds: Many[str] = (),
        timeout: float = 120.0,
        connect: Connect | None = None,
        name: str | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if in_cluster and context is not None:
            raise ValueError("context and in_cluster exclude each other")
        refuse_one("further_kinds", further_kinds)
        refuse_one("ignore_kinds", ignore_kinds)
        usual = "kubernetes" if context is None else f"kubernetes:{context}"
        self.name: str = name or ("in-cluster" if in_cluster else usual)
        self.notes: list[str] = []
        self.asked: tuple[AskedServer, ...] = ()
        self._connect = connect or (by_account() if in_cluster else by_kubeconfig(context))
        # Pods come last.
        self._kinds = (*map(parse_kind, further_kinds), *KINDS)
        self._ignore_kinds = frozenset(ignore_kinds)
        self._timeout = timeout
        self._sleep = sleep

    async def __aiter__(self) -> AsyncGenerator[Use]:
        for use in await self.ask():
            yield use

    async def ask(self) -> list[Use]:
        """Return all that the cluster runs.

        Raises:
            InUseError: That cannot be known, and why.
            ModuleNotFoundError: kubernetes_asyncio is missing.
        """
        where = self.name
        connection = _Connection(self._connect, self._sleep)
        try:
            async with asyncio.timeout(self._timeout), connection as api:
                where = f"{self.name} ({api.server})"
                return await self._ask(api)
        except TimeoutError:
            last = f"; the last request was for {connection.path}" if connection.path else ""
            raise InUseError.unknown(
                f"cannot know what runs in {where}: no answer within {self._timeout:g} s{last}"
            ) from None
        except ClusterError as error:
            why = f"cannot know what runs in {where}: {error}"
            given = isinstance(error, KubeconfigError)
            raise InUseError(why) if given else InUseError.unknown(why) from None

    async def _ask(self, api: "_Connection") -> list[Use]:
        at = datetime.now(UTC)
        await _check_access(api, self._kinds)
        found = LiveObjects(self.name, self._ignore_kinds)
        counts, unread = await self._read_makers(api, found)
        counts |= {str(kind): await _walk(api, kind, found) for kind in self._kinds}
        if not counts["pods"] and "Pod" not in self._ignore_kinds:
            raise ClusterError(
                "not one pod, in any namespace, as where an account may see none; where really none"
                " runs, give --in-use-ignore Pod"
            )
        uses = found.uses()
        self.notes = [*unread, *found.notes]
        self.asked = (
            AskedServer(
                source=self.name,
                server=api.server,
                authority=api.authority,
                counts=counts,
                at=at,
                passed_over=tuple(self.notes),
            ),
        )
        return uses

    async def _read_makers(
        self, api: "_Connection", found: LiveObjects
    ) -> tuple[dict[str, int], list[str]]:
        """Read what else the cluster has that makes pods, as far as the account may list it.

        Returns:
            How many objects of each kind there are, and a sentence for each that was not read.
        """
        counts: dict[str, int] = {}
        named = {(kind.group, kind.resource) for kind in self._kinds}
        try:
            makers, untold = await _find_makers(api)
        except ClusterError as error:
            if error.status not in _UNTOLD:
                raise
            return {}, [f"{self.name}: it does not say which kinds it has besides the usual ones"]
        notes = [f"{self.name}: it does not say which kinds of {one} it has" for one in untold]
        for kind in makers:
            if (kind.group, kind.resource) in named:
                continue
            if str(kind) in self._ignore_kinds:
                notes.append(f"{self.name}: {kind} were not read, by option")
                continue
            try:
                counts[str(kind)] = await _walk(api, kind, found)
            except ClusterError as error:
                if error.status != _FORBIDDEN:
                    raise ClusterError(
                        f"{error}; to leave them out, --in-use-ignore {kind}"
                    ) from None
                notes.append(
                    f"{self.name}: {kind} may name images that run later, and were not read: the"
                    " account may not list them"
                )
        return counts, notes


class _Connection:
    """A connection that sends a request again that may succeed then, and logs in again once.

    Attributes:
        path: What was asked for last; empty before.
    """

    def __init__(self, connect: Connect, sleep: Callable[[float], Awaitable[object]]) -> None:
        self.path = ""
        self._connect = connect
        self._sleep = sleep
        self._stack = AsyncExitStack()
        self._api: ClusterAPI | None = None

    async def __aenter__(self) -> Self:
        self._api = await self._stack.enter_async_context(self._connect())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def server(self) -> str:
        return self._opened.server

    @property
    def authority(self) -> str:
        return self._opened.identity.authority

    @property
    def _opened(self) -> ClusterAPI:
        if self._api is None:
            raise ClusterError("not connected")
        return self._api

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        self.path = path
        return await self._repeat(lambda api: api.get(path, query))

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:
        self.path = path
        return await self._repeat(lambda api: api.post(path, document))

    async def _repeat(self, send: Callable[[ClusterAPI], Awaitable[Any]]) -> Any:
        delay, has_logged_in = _FIRST_DELAY_SECONDS, False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await send(self._opened)
            except ClusterError as error:
                if error.status == _UNAUTHORIZED and not has_logged_in:
                    # A token may have ended while the lists were read.
                    has_logged_in = True
                    await self._log_in_again()
                elif error.is_passing and attempt < _ATTEMPTS:
                    await self._sleep(delay)
                    delay *= 2
                else:
                    raise
        raise ClusterError("no answer after several attempts")

    async def _log_in_again(self) -> None:
        before = self._opened.identity
        await self._stack.aclose()
        self._api = await self._stack.enter_async_context(self._connect())
        if self._api.identity != before:
            # Half of one cluster and half of another one is all of none.
            raise ClusterError(
                "at a new log-in there was another address or authority: the kubeconfig, or what"
                " else names the cluster, was changed meanwhile"
            )


async def _check_access(api: _Connection, kinds: Iterable[Kind]) -> None:
    """Raise `ClusterError` that names all lists that the account may not read."""
    denied = []
    for kind in kinds:
        attributes = {"verb": "list", "group": kind.group, "resource": kind.resource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = await api.post(_REVIEW, review)
        except ClusterError as error:
            if error.status in {403, 404, 405}:
                # The lists themselves will tell.
                return
            raise
        match answer:
            case {"status": {"allowed": False}}:
                denied.append(str(kind))
    if denied:
        raise ClusterError(
            f"the account may not list {', '.join(denied)} in all namespaces; it needs a role:"
            f" kubectl create clusterrole {_ROLE} --verb=list --resource="
            f"{','.join(map(str, kinds))}; and to be bound to it: kubectl create"
            f" clusterrolebinding {_ROLE} --clusterrole={_ROLE}"
            " --serviceaccount=NAMESPACE:NAME, or --user=NAME"
        )


async def _find_makers(api: _Connection) -> tuple[list[Kind], list[str]]:
    """Return those of `MAKERS` that the cluster has, each by the first version that has it.

    Returns:
        The kinds, and the groups of which it does not say all that they have.
    """
    found: list[Kind] = []
    untold: list[str] = []
    for group, versions in groups_of(await api.get("/apis", {})):
        known = MAKERS.get(group, ())
        wanted, is_told = set(known), True
        for version in versions if wanted else ():
            try:
                served = listed_of(await api.get(f"/apis/{group}/{version}", {}))
            except ClusterError as error:
                if error.status not in _UNTOLD:
                    raise ClusterError(f"the kinds of {group}/{version}: {error}") from None
                is_told = False
                continue
            found += [
                Kind(resource, group, version, may_lack=True)
                for resource in known
                if resource in wanted & served
            ]
            wanted -= served
        if wanted and not is_told:
            untold.append(group)
    return found, untold


async def _walk(api: _Connection, kind: Kind, found: LiveObjects) -> int:
    """Read all objects of a kind, page by page, and return how many there are."""
    for walk in range(1, _WALKS + 1):
        try:
            return await _walk_once(api, kind, found)
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                # Of a kind that it lacks a server says no more than that.
                raise ClusterError(f"{kind}: {error}: the cluster has no {kind.path}") from None
            # The rest that a server offers here may be of another time than what was read.
            if error.status != _EXPIRED or walk == _WALKS:
                raise ClusterError(f"{kind}: {error}", error.status) from None
    return 0


async def _walk_once(api: _Connection, kind: Kind, found: LiveObjects) -> int:
    query = {"limit": str(_LIMIT)}
    if kind.selector:
        query["labelSelector"] = kind.selector
    tokens: set[str] = set()
    count = 0
    while True:
        page = await api.get(kind.path, query)
        lists, items, token = _checked(page, kind)
        for item in items:
            if kind.has_ended(item):
                continue
            found.add(item, lists.removesuffix("List"), may_lack=kind.may_lack)
        count += len(items)
        if token is None:
            return count
        if token in tokens:
            raise ClusterError("the list does not end: the same part would come twice")
        tokens.add(token)
        query["continue"] = token


def _checked(page: Any, kind: Kind) -> tuple[str, list[dict[str, Any]], str | None]:
    """Return the kind of a list, its items, and where it goes on.

    Raises:
        ClusterError: It is no such list, or a part of one that does not say how it goes on.
    """
    wanted = kind.lists or "a list"
    match page:
        case {"kind": str(lists), "items": items, "metadata": {**metadata}}:
            named = lists == kind.lists if kind.lists else lists.endswith("List")
            if not named or lists in {"List", "Table"} or lists.startswith("PartialObject"):
                raise ClusterError(f"the answer is {lists}, not {wanted}")
        case {"kind": str(other)}:
            raise ClusterError(f"the answer is {other}, not {wanted}")
        case _:
            raise ClusterError(f"the answer is not {wanted}")
    # A server in Go writes null for a list without items.
    items = [] if items is None else items
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ClusterError(f"the items of {lists} are no list of objects")
    token = metadata.get("continue") or None
    if token is not None and not isinstance(token, str):
        raise ClusterError(f"{lists} continues at no place: {type(token).__name__}")
    if token is None and metadata.get("remainingItemCount"):
        raise ClusterError(f"{lists} is a part of a list, and does not say where it continues")
    return lists, items, token
