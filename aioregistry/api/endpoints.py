"""Every call of the API: its request and the decoder of its answer, in both families of paths."""

from collections.abc import Callable
from typing import Generic, Literal, NewType, TypeVar
from urllib.parse import quote_plus, urlencode

import msgspec
from attrs import define, evolve, field, frozen

from aioregistry.api import names
from aioregistry.api.decoding import ObjectDecoder, PageDecoder, RawPage, decode_beside
from aioregistry.api.docker_config import decode_docker_credentials
from aioregistry.api.models import (
    DockerCredentials,
    GarbageCollection,
    Manifest,
    Registry,
    RegistryList,
    RegistryOptions,
    Repository,
    RepositoryV1,
    Subscription,
    Tag,
)

__all__ = [
    "FIRST_FAMILY",
    "SECOND_FAMILY",
    "Call",
    "Endpoints",
    "Family",
    "RepositoryPath",
    "Request",
    "page_query",
    "repository_path",
]

T = TypeVar("T")
U = TypeVar("U")
Family = Literal["registry", "registries"]
# A repository's path below its family, with both names checked and encoded.
RepositoryPath = NewType("RepositoryPath", str)

REGISTRY = ObjectDecoder("registry", Registry)
REGISTRIES = PageDecoder("registries", Registry)
OPTIONS = ObjectDecoder("options", RegistryOptions)
SUBSCRIPTION = ObjectDecoder("subscription", Subscription)
REPOSITORIES = PageDecoder("repositories", Repository)
REPOSITORIES_V1 = PageDecoder("repositories", RepositoryV1)
TAGS = PageDecoder("tags", Tag)
MANIFESTS = PageDecoder("manifests", Manifest)
GARBAGE_COLLECTION = ObjectDecoder("garbage_collection", GarbageCollection)
GARBAGE_COLLECTIONS = PageDecoder("garbage_collections", GarbageCollection)

_CHECKS = {
    "registry": names.check_registry,
    "repository": names.check_repository,
    "uuid": names.check_garbage_collection_uuid,
}
_REGISTRY = "/{registry}"
_REPOSITORY = "/{registry}/repositories/{repository}"
_GARBAGE_COLLECTION = "/{registry}/garbage-collection"


def _segment(kind: str, name: str) -> str:
    return names.quote_segment(_CHECKS[kind](name))


def repository_path(registry: str, repository: str) -> RepositoryPath:
    """Return a repository's path below its family: checked and encoded once, for many requests.

    Raises:
        InvalidNameError: No registry, or no repository, can have such a name.
    """
    path = f"/{_segment('registry', registry)}/repositories/{_segment('repository', repository)}"
    return RepositoryPath(path)


def page_query(per_page: int, number: int, token: str | None = None) -> str:
    """Return the query for a page of a list, by its token where it has one, else by its number."""
    place = f"page={number}" if token is None else f"page_token={quote_plus(token)}"
    return f"per_page={per_page}&{place}"


def _registries(body: bytes) -> RegistryList:
    total = decode_beside(body, "total_storage_usage_bytes", int)
    return RegistryList(REGISTRIES.decode(body).items, total)


def _created_registry(body: bytes) -> Registry:
    registry = REGISTRY.decode(body)
    subscription = decode_beside(body, "subscription", Subscription)
    return registry if subscription is None else evolve(registry, subscription=subscription)


def _nothing(_: bytes) -> None:
    """Decode the answer of a call that answers nothing."""


@define
class Request:
    """A request. Nobody changes one; to freeze it would double its cost.

    Attributes:
        method: The HTTP method.
        target: Path and query, already encoded.
        route: The path with its parameters unfilled: for logs and measurements.
        repeatable: Whether sending it twice does no more than sending it once. A property of
            the route: validate-name is a POST and repeatable, starting a collection is not.
        body: The body, encoded; None for no body.
        content_type: The body's media type; by default JSON.
    """

    method: str
    target: str
    route: str
    repeatable: bool = True
    body: bytes | None = None
    content_type: str = "application/json"


@define
class Call(Request, Generic[T]):
    """A call: its request, and the decoder of its answer.

    Attributes:
        decode: Returns the answer that a body is, or raises `DecodeError`.
    """

    decode: Callable[[bytes], T] = field(kw_only=True)

    def with_query(self, query: str) -> "Call[T]":
        """Return the same call with a query, which is encoded already; empty for none."""
        target = f"{self.target}?{query}" if query else self.target
        return Call(self.method, target, self.route, self.repeatable, self.body, decode=self.decode)

    def decoded_by(self, decode: "Callable[[bytes], U]") -> "Call[U]":
        """Return the same call with another decoder."""
        return Call(self.method, self.target, self.route, self.repeatable, self.body, decode=decode)


@frozen
class Endpoints:
    """The calls in one family of paths. Names are checked here, so that none is sent unchecked."""

    family: Family

    def _request(
        self,
        method: str,
        route: str,
        decode: Callable[[bytes], T],
        *,
        repeatable: bool = True,
        json: object = None,
        **segments: str,
    ) -> Call[T]:
        encoded = {kind: _segment(kind, name) for kind, name in segments.items()}
        route = f"/v2/{self.family}{route}"
        body = None if json is None else msgspec.json.encode(json)
        target = route.format_map(encoded)
        return Call(method, target, route, repeatable, body, decode=decode)

    def _in_repository(
        self, path: RepositoryPath, rest: str, decode: Callable[[bytes], T]
    ) -> Call[T]:
        base = f"/v2/{self.family}"
        return Call("GET", f"{base}{path}{rest}", f"{base}{_REPOSITORY}{rest}", decode=decode)

    # Registries. In the first family none of these calls carries a name.

    def list_registries(self) -> Call[RegistryList]:
        """``GET /v2/registries``, whichever family this is."""
        return SECOND_FAMILY._request("GET", "", _registries)

    def get_registry(self, name: str) -> Call[Registry]:
        """``GET /v2/registry`` or ``GET /v2/registries/{registry}``."""
        if self.family == "registry":
            return self._request("GET", "", REGISTRY.decode)
        return self._request("GET", _REGISTRY, REGISTRY.decode, registry=name)

    def create_registry(
        self, name: str, subscription_tier: str | None, region: str | None
    ) -> Call[Registry]:
        """``POST /v2/registries``: the first family demands a tier, and has no other use."""
        json = {"name": names.check_registry(name)}
        if subscription_tier is not None:
            json["subscription_tier_slug"] = subscription_tier
        if region is not None:
            json["region"] = region
        return SECOND_FAMILY._request("POST", "", _created_registry, repeatable=False, json=json)

    def delete_registry(self, name: str) -> Call[None]:
        """``DELETE /v2/registries/{registry}``: the first family deletes whichever there is."""
        return SECOND_FAMILY._request("DELETE", _REGISTRY, _nothing, registry=name)

    def get_docker_credentials(
        self, name: str, *, read_write: bool, expiry_seconds: int | None
    ) -> Call[DockerCredentials]:
        """``GET /v2/registry/docker-credentials``, or the same under the registry's name."""
        query: dict[str, str | int] = {"read_write": "true"} if read_write else {}
        if expiry_seconds is not None:
            query["expiry_seconds"] = expiry_seconds
        if self.family == "registry":
            request = self._request("GET", "/docker-credentials", decode_docker_credentials)
        else:
            route = f"{_REGISTRY}/docker-credentials"
            request = self._request("GET", route, decode_docker_credentials, registry=name)
        return request.with_query(urlencode(query))

    def validate_name(self, name: str) -> Call[None]:
        """``POST …/validate-name``, which changes nothing."""
        json = {"name": names.check_registry(name)}
        return self._request("POST", "/validate-name", _nothing, json=json)

    def get_options(self) -> Call[RegistryOptions]:
        """``GET …/options``."""
        return self._request("GET", "/options", OPTIONS.decode)

    def get_subscription(self) -> Call[Subscription]:
        """``GET …/subscription``."""
        return self._request("GET", "/subscription", SUBSCRIPTION.decode)

    def update_subscription(self, tier: str) -> Call[Subscription]:
        """``POST …/subscription``."""
        json = {"tier_slug": tier}
        return self._request(
            "POST", "/subscription", SUBSCRIPTION.decode, repeatable=False, json=json
        )

    # Repositories, tags and manifests of a registry.

    def list_repositories_v1(self, registry: str) -> Call[RawPage[RepositoryV1]]:
        """``GET /v2/registry/{registry}/repositories``: the second family has none."""
        route = f"{_REGISTRY}/repositories"
        return FIRST_FAMILY._request("GET", route, REPOSITORIES_V1.decode, registry=registry)

    def list_repositories(self, registry: str) -> Call[RawPage[Repository]]:
        """``GET …/{registry}/repositoriesV2``."""
        route = f"{_REGISTRY}/repositoriesV2"
        return self._request("GET", route, REPOSITORIES.decode, registry=registry)

    def delete_repository(self, registry: str, repository: str) -> Call[None]:
        """``DELETE /v2/registries/{registry}/repositories/{repository}``."""
        return SECOND_FAMILY._request(
            "DELETE", _REPOSITORY, _nothing, registry=registry, repository=repository
        )

    def list_tags(self, path: RepositoryPath) -> Call[RawPage[Tag]]:
        """``GET …/repositories/{repository}/tags``."""
        return self._in_repository(path, "/tags", TAGS.decode)

    def delete_tag(self, path: RepositoryPath, tag: str) -> Call[None]:
        """``DELETE …/repositories/{repository}/tags/{tag}``."""
        base = f"/v2/{self.family}"
        tag = names.quote_segment(names.check_tag(tag))
        route = f"{base}{_REPOSITORY}/tags/{{tag}}"
        return Call("DELETE", f"{base}{path}/tags/{tag}", route, decode=_nothing)

    def list_manifests(self, path: RepositoryPath) -> Call[RawPage[Manifest]]:
        """``GET …/repositories/{repository}/digests``."""
        return self._in_repository(path, "/digests", MANIFESTS.decode)

    def delete_manifest(self, path: RepositoryPath, digest: str) -> Call[None]:
        """``DELETE …/repositories/{repository}/digests/{digest}``."""
        base = f"/v2/{self.family}"
        digest = names.quote_segment(names.check_digest(digest))
        route = f"{base}{_REPOSITORY}/digests/{{digest}}"
        return Call("DELETE", f"{base}{path}/digests/{digest}", route, decode=_nothing)

    # Garbage collection.

    def start_garbage_collection(self, registry: str, kind: str | None) -> Call[GarbageCollection]:
        """``POST …/{registry}/garbage-collection``."""
        return self._request(
            "POST",
            _GARBAGE_COLLECTION,
            GARBAGE_COLLECTION.decode,
            repeatable=False,
            json=None if kind is None else {"type": kind},
            registry=registry,
        )

    def get_garbage_collection(self, registry: str) -> Call[GarbageCollection]:
        """``GET …/{registry}/garbage-collection``."""
        decode = GARBAGE_COLLECTION.decode
        return self._request("GET", _GARBAGE_COLLECTION, decode, registry=registry)

    def list_garbage_collections(self, registry: str) -> Call[RawPage[GarbageCollection]]:
        """``GET …/{registry}/garbage-collections``."""
        route = f"{_REGISTRY}/garbage-collections"
        return self._request("GET", route, GARBAGE_COLLECTIONS.decode, registry=registry)

    def cancel_garbage_collection(self, registry: str, uuid: str) -> Call[GarbageCollection]:
        """``PUT …/{registry}/garbage-collection/{uuid}``."""
        return self._request(
            "PUT",
            f"{_GARBAGE_COLLECTION}/{{uuid}}",
            GARBAGE_COLLECTION.decode,
            json={"cancel": True},
            registry=registry,
            uuid=uuid,
        )


FIRST_FAMILY = Endpoints("registry")
SECOND_FAMILY = Endpoints("registries")
