"""The API's calls: a decoded request and the state in, an answer out. No I/O."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import attrs

from aioregistry.sandbox.calls import account, rendering
from aioregistry.sandbox.calls.answers import NO_CONTENT, Answer, answer_json
from aioregistry.sandbox.calls.pages import links, natural, page_request, page_token
from aioregistry.sandbox.calls.routing import Router
from aioregistry.sandbox.refusal import (
    SEVERAL_REGISTRIES,
    bad_request,
    conflict,
    not_found,
    precondition_failed,
    unprocessable,
)
from aioregistry.sandbox.state.collection import UNREFERENCED
from aioregistry.sandbox.state.documents import rfc3339
from aioregistry.sandbox.state.listing import Listing
from aioregistry.sandbox.state.model import Registry
from aioregistry.sandbox.state.names import check_registry
from aioregistry.sandbox.state.state import State, ineligible
from aioregistry.sandbox.state.tiers import REGIONS, TIERS

T = TypeVar("T")


@attrs.frozen
class Call:
    """One request, as far as the API's calls need it.

    Attributes:
        state: The account.
        url: Absolute, without a query, for links.
        parameters: The path's decoded parameters.
        query: The decoded query.
        body: As it came.
        first_family: Whether the path is under ``/v2/registry``.
        max_per_page: What ``per_page`` is clamped to.
    """

    state: State
    url: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    first_family: bool
    max_per_page: int

    @property
    def registry(self) -> Registry:
        """The registry that the path names, or the only one there is."""
        name = self.parameters.get("registry")
        if name is None:
            if len(self.state.registries) > 1:
                raise precondition_failed(SEVERAL_REGISTRIES)
            name = next(iter(self.state.registries), "")
        return self.state.registry(name)

    def json(self, *, required: bool = True) -> dict[str, Any]:
        """The body as a JSON object, or a 400."""
        if not self.body and not required:
            return {}
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            raise bad_request("error parsing request body") from None
        if not isinstance(body, dict):
            raise bad_request("error parsing request body")
        return body


Handler = Callable[[Call], Answer]


@cache
def router() -> Router[Handler]:
    """Every route of both families, and the one by which doctl asks for the quota."""
    routes: Router[Handler] = Router()
    routes.add("GET", "/v2/account", _get_account)
    for method, path, handle in account.ROUTES:
        routes.add(method, path, handle)
    for family in ("/v2/registry", "/v2/registries"):
        for method, path, handler in _SHARED:
            routes.add(method, family + path, handler)
    for method, path, handler in _FIRST_FAMILY:
        routes.add(method, f"/v2/registry{path}", handler)
    for method, path, handler in _SECOND_FAMILY:
        routes.add(method, f"/v2/registries{path}", handler)
    return routes


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in {"true", "false", "1", "0"}:
        raise bad_request(f"invalid {name}")
    return value in {"true", "1"}


def _listing(key: str, items: Sequence[str], total: int, page_links: dict[str, object]) -> Answer:
    text = (
        f'{{"{key}":[{",".join(items)}],"meta":{{"total":{total}}},'
        f'"links":{json.dumps(page_links)}}}'
    )
    return Answer(200, text.encode())


def _items(
    call: Call, key: str, items: Listing[T], render: Callable[[Iterable[T]], Sequence[str]]
) -> Answer:
    """A page of tags or manifests."""
    page = page_request(call.query, call.max_per_page)
    state, lag = call.state, call.state.quirks.list_lag
    if lag:
        all_items = state.lag.listed(
            (call.registry.name, call.parameters["repository"], key),
            *(state.clock(), lag, lambda: render(items)),
        )
        total, shown = len(all_items), all_items[page.start : page.start + page.per_page]
    else:
        total, shown = len(items), render(items.slice(page.start, page.per_page))
    return _listing(key, shown, total, links(call.url, page, total))


def _get_account(_: Call) -> Answer:
    account = {"email": "sandbox@example.com", "email_verified": True, "status": "active"}
    return answer_json(200, {"account": account})


# Registries


def _registry_json(state: State, registry: Registry, *, subscription: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": registry.name,
        "created_at": rfc3339(registry.created_at),
        "region": registry.region,
        "storage_usage_bytes": registry.storage_bytes,
        "storage_usage_bytes_updated_at": rfc3339(registry.storage_at),
        "read_only": state.active_collection(registry.name) is not None,
    }
    if subscription:
        described["subscription"] = _subscription_json(state)
    return described


def _list_registries(call: Call) -> Answer:
    state = call.state
    registries = [
        _registry_json(state, state.registry(name), subscription=True) for name in state.registries
    ]
    total = sum(registry.storage_bytes for registry in state.registries.values())
    return answer_json(200, {"registries": registries, "total_storage_usage_bytes": total})


def _get_registry(call: Call) -> Answer:
    registry = _registry_json(call.state, call.registry, subscription=call.first_family)
    return answer_json(200, {"registry": registry})


def _create_registry(call: Call) -> Answer:
    state, body = call.state, call.json()
    name = check_registry(body.get("name"))
    slug, region = body.get("subscription_tier_slug"), body.get("region")
    if slug is None and call.first_family:
        raise unprocessable("subscription_tier_slug is required")
    tier = state.tier if slug is None else state.tier_named(slug)
    if region is not None and region not in REGIONS:
        raise unprocessable("invalid region")
    if name in state.registries:
        raise conflict("name already exists")
    if state.registries and tier.registries == 1:
        raise unprocessable("user already has a registry")
    reasons = state.reasons_against(tier, more_registries=1)
    if reasons:
        raise ineligible(reasons)
    if tier is not state.tier:
        state.subscribe(tier.slug)
    registry = state.add_registry(name, region or REGIONS[0])
    described = _registry_json(state, registry, subscription=False)
    return answer_json(201, {"registry": described, "subscription": _subscription_json(state)})


def _delete_registry(call: Call) -> Answer:
    call.state.delete_registry(call.registry.name)
    return NO_CONTENT


def _docker_credentials(call: Call) -> Answer:
    registry = call.registry
    expiry = natural(call.query.get("expiry_seconds", "0"))
    if expiry is None:
        raise bad_request("invalid expiry_seconds")
    credentials = call.state.issue_credentials(
        registry.name, read_write=_flag(call.query, "read_write"), expiry_seconds=expiry
    )
    return answer_json(200, credentials.as_json())


def _validate_name(call: Call) -> Answer:
    name = check_registry(call.json().get("name"))
    if name in call.state.registries:
        raise conflict("name already exists")
    return NO_CONTENT


def _options(call: Call) -> Answer:
    tiers = []
    for tier in TIERS.values():
        reasons = call.state.reasons_against(tier)
        described = tier.as_json() | {"eligible": not reasons}
        tiers.append(described | ({"eligibility_reasons": reasons} if reasons else {}))
    return answer_json(
        200, {"options": {"available_regions": list(REGIONS), "subscription_tiers": tiers}}
    )


def _subscription_json(state: State) -> dict[str, Any]:
    return {
        "tier": state.tier.as_json(),
        "created_at": rfc3339(state.subscribed_at),
        "updated_at": rfc3339(state.subscription_updated_at),
    }


def _get_subscription(call: Call) -> Answer:
    return answer_json(200, {"subscription": _subscription_json(call.state)})


def _update_subscription(call: Call) -> Answer:
    call.state.subscribe(call.json().get("tier_slug"))
    return _get_subscription(call)


# Repositories, tags, manifests


def _list_repositories(call: Call) -> Answer:
    registry = call.registry
    page = page_request(call.query, call.max_per_page, tokens=True)
    names = registry.repository_names
    start = page.start if page.after is None else bisect_right(names, page.after)
    granted = names[start : start + page.per_page]
    more = granted and start + len(granted) < len(names)
    return _listing(
        "repositories",
        [rendering.repository_json(registry, registry.repositories[name]) for name in granted],
        len(names),
        links(call.url, page, len(names), token=page_token(granted[-1]) if more else None),
    )


def _list_old_repositories(call: Call) -> Answer:
    registry = call.registry
    page = page_request(call.query, call.max_per_page)
    names = registry.repository_names
    granted = names[page.start : page.start + page.per_page]
    return _listing(
        "repositories",
        [rendering.old_repository_json(registry, registry.repositories[name]) for name in granted],
        len(names),
        links(call.url, page, len(names)),
    )


def _delete_repository(call: Call) -> Answer:
    call.state.delete_repository(call.registry.name, call.parameters["repository"])
    return NO_CONTENT


def _list_tags(call: Call) -> Answer:
    registry = call.registry
    repository = registry.repository(call.parameters["repository"])
    return _items(
        call,
        "tags",
        repository.newest_tags,
        lambda tags: rendering.tags_json(registry, repository.name, tags),
    )


def _delete_tag(call: Call) -> Answer:
    parameters = call.parameters
    call.state.delete_tag(call.registry.name, parameters["repository"], parameters["tag"])
    return NO_CONTENT


def _list_manifests(call: Call) -> Answer:
    registry = call.registry
    repository = registry.repository(call.parameters["repository"])
    return _items(
        call,
        "manifests",
        repository.newest_manifests,
        lambda manifests: rendering.manifests_json(registry, repository.name, manifests),
    )


def _delete_manifest(call: Call) -> Answer:
    parameters = call.parameters
    call.state.delete_manifest(call.registry.name, parameters["repository"], parameters["digest"])
    return NO_CONTENT


# Garbage collections


def _start_collection(call: Call) -> Answer:
    kind = call.json(required=False).get("type", UNREFERENCED)
    collection = call.state.start_collection(call.registry.name, kind)
    return answer_json(201, {"garbage_collection": collection.as_json()})


def _get_collection(call: Call) -> Answer:
    active = call.state.active_collection(call.registry.name)
    if active is None:
        raise not_found()
    return answer_json(200, {"garbage_collection": active.as_json()})


def _list_collections(call: Call) -> Answer:
    past = call.state.collections(call.registry.name)[::-1]
    page = page_request(call.query, call.max_per_page)
    granted = past[page.start : page.start + page.per_page]
    return _listing(
        "garbage_collections",
        [json.dumps(collection.as_json()) for collection in granted],
        len(past),
        links(call.url, page, len(past)),
    )


def _update_collection(call: Call) -> Answer:
    registry = call.registry
    cancel = call.json().get("cancel", False)
    if not isinstance(cancel, bool):
        raise unprocessable("cancel must be true or false")
    collection = call.state.running_collection(registry.name, call.parameters["uuid"])
    if cancel:
        collection.cancel(call.state.now())
    return answer_json(200, {"garbage_collection": collection.as_json()})


_REPOSITORY = "/{registry}/repositories/{repository}"
_SHARED: Sequence[tuple[str, str, Handler]] = (
    ("POST", "", _create_registry),
    ("POST", "/validate-name", _validate_name),
    ("GET", "/options", _options),
    ("GET", "/subscription", _get_subscription),
    ("POST", "/subscription", _update_subscription),
    ("GET", "/{registry}/repositoriesV2", _list_repositories),
    ("GET", f"{_REPOSITORY}/tags", _list_tags),
    ("DELETE", f"{_REPOSITORY}/tags/{{tag}}", _delete_tag),
    ("GET", f"{_REPOSITORY}/digests", _list_manifests),
    ("DELETE", f"{_REPOSITORY}/digests/{{digest}}", _delete_manifest),
    ("POST", "/{registry}/garbage-collection", _start_collection),
    ("GET", "/{registry}/garbage-collection", _get_collection),
    ("GET", "/{registry}/garbage-collections", _list_collections),
    ("PUT", "/{registry}/garbage-collection/{uuid}", _update_collection),
)
_FIRST_FAMILY: Sequence[tuple[str, str, Handler]] = (
    ("GET", "", _get_registry),
    ("DELETE", "", _delete_registry),
    ("GET", "/docker-credentials", _docker_credentials),
    ("GET", "/{registry}/repositories", _list_old_repositories),
)
_SECOND_FAMILY: Sequence[tuple[str, str, Handler]] = (
    ("GET", "", _list_registries),
    ("GET", "/{registry}", _get_registry),
    ("DELETE", "/{registry}", _delete_registry),
    ("GET", "/{registry}/docker-credentials", _docker_credentials),
    ("DELETE", _REPOSITORY, _delete_repository),
)
