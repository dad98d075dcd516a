"""Every call of the API as a `Request` value, in both families of paths."""

from typing import Literal
from urllib.parse import quote_plus

import msgspec
from attrs import define, frozen

from aioregistry.api import names

__all__ = ["FIRST_FAMILY", "SECOND_FAMILY", "Endpoints", "Family", "Request", "repository_path"]

Family = Literal["registry", "registries"]

_CHECKS = {
    "registry": names.check_registry,
    "repository": names.check_repository,
    "tag": names.check_tag,
    "digest": names.check_digest,
    "uuid": names.check_garbage_collection_uuid,
}
_REGISTRY = "/{registry}"
_REPOSITORY = "/{registry}/repositories/{repository}"
_GARBAGE_COLLECTION = "/{registry}/garbage-collection"


def _segment(kind: str, name: str) -> str:
    return names.quote_segment(_CHECKS[kind](name))


def repository_path(registry: str, repository: str) -> str:
    """Return a repository's path below its family: checked and encoded once, for many requests.

    Raises:
        InvalidNameError: No registry, or no repository, can be called so.
    """
    return f"/{_segment('registry', registry)}/repositories/{_segment('repository', repository)}"


@define
class Request:
    """What is to be sent. Nobody changes it; to freeze it would double its cost.

    Attributes:
        method: The HTTP method.
        target: Path and query, already encoded.
        route: The path with its parameters unfilled: for logs and measurements.
        repeatable: Whether sending it twice does no more than sending it once. A property of
            the route: validate-name is a POST and repeatable, starting a collection is not.
        body: The JSON body, encoded.
    """

    method: str
    target: str
    route: str
    repeatable: bool = True
    body: bytes | None = None

    def with_query(self, **query: str | int) -> "Request":
        """Return the same request with a query."""
        if not query:
            return self
        pairs = [
            f"{key}={value if isinstance(value, int) else quote_plus(value)}"
            for key, value in query.items()
        ]
        target = f"{self.target}?{'&'.join(pairs)}"
        return Request(self.method, target, self.route, self.repeatable, self.body)


@frozen
class Endpoints:
    """The paths of one family. Names are checked here, so that none is sent unchecked."""

    family: Family

    def _request(
        self, method: str, route: str, *, repeatable: bool = True, json: object = None, **given: str
    ) -> Request:
        segments = {kind: _segment(kind, name) for kind, name in given.items()}
        route = f"/v2/{self.family}{route}"
        body = None if json is None else msgspec.json.encode(json)
        return Request(method, route.format_map(segments), route, repeatable, body)

    # Registries. In the first family none of these calls carries a name.

    def list_registries(self) -> Request:
        """``GET /v2/registries``, whichever family is spoken."""
        return SECOND_FAMILY._request("GET", "")

    def get_registry(self, name: str) -> Request:
        """``GET /v2/registry`` or ``GET /v2/registries/{registry}``."""
        if self.family == "registry":
            return self._request("GET", "")
        return self._request("GET", _REGISTRY, registry=name)

    def create_registry(self, name: str, subscription_tier: str, region: str | None) -> Request:
        """``POST /v2/registry`` or ``POST /v2/registries``."""
        json = {
            "name": names.check_registry(name),
            "subscription_tier_slug": subscription_tier,
        } | ({} if region is None else {"region": region})
        return self._request("POST", "", repeatable=False, json=json)

    def delete_registry(self, name: str) -> Request:
        """``DELETE /v2/registries/{registry}``: the first family deletes whatever is there."""
        return SECOND_FAMILY._request("DELETE", _REGISTRY, registry=name)

    def get_docker_credentials(self, name: str) -> Request:
        """``GET /v2/registry/docker-credentials``, or the same under the registry's name."""
        if self.family == "registry":
            return self._request("GET", "/docker-credentials")
        return self._request("GET", f"{_REGISTRY}/docker-credentials", registry=name)

    def validate_name(self, name: str) -> Request:
        """``POST …/validate-name``, which changes nothing."""
        return self._request("POST", "/validate-name", json={"name": names.check_registry(name)})

    def get_options(self) -> Request:
        """``GET …/options``."""
        return self._request("GET", "/options")

    def get_subscription(self) -> Request:
        """``GET …/subscription``."""
        return self._request("GET", "/subscription")

    def update_subscription(self, tier: str) -> Request:
        """``POST …/subscription``."""
        return self._request("POST", "/subscription", repeatable=False, json={"tier_slug": tier})

    # What a registry holds.

    def list_repositories_v1(self, registry: str) -> Request:
        """``GET /v2/registry/{registry}/repositories``: the second family has none."""
        return FIRST_FAMILY._request("GET", f"{_REGISTRY}/repositories", registry=registry)

    def list_repositories(self, registry: str) -> Request:
        """``GET …/{registry}/repositoriesV2``."""
        return self._request("GET", f"{_REGISTRY}/repositoriesV2", registry=registry)

    def delete_repository(self, registry: str, repository: str) -> Request:
        """``DELETE /v2/registries/{registry}/repositories/{repository}``."""
        return SECOND_FAMILY._request(
            "DELETE", _REPOSITORY, registry=registry, repository=repository
        )

    def list_tags(self, registry: str, repository: str) -> Request:
        """``GET …/repositories/{repository}/tags``."""
        route = f"{_REPOSITORY}/tags"
        return self._request("GET", route, registry=registry, repository=repository)

    def delete_tag(self, registry: str, repository: str, tag: str) -> Request:
        """``DELETE …/repositories/{repository}/tags/{tag}``."""
        return self.delete_tag_below(repository_path(registry, repository), tag)

    def delete_tag_below(self, path: str, tag: str) -> Request:
        """Return the same for a repository's path, of which nothing is looked at again."""
        base = f"/v2/{self.family}"
        tag = names.quote_segment(names.check_tag(tag))
        return Request("DELETE", f"{base}{path}/tags/{tag}", f"{base}{_REPOSITORY}/tags/{{tag}}")

    def list_manifests(self, registry: str, repository: str) -> Request:
        """``GET …/repositories/{repository}/digests``."""
        route = f"{_REPOSITORY}/digests"
        return self._request("GET", route, registry=registry, repository=repository)

    def delete_manifest(self, registry: str, repository: str, digest: str) -> Request:
        """``DELETE …/repositories/{repository}/digests/{digest}``."""
        return self.delete_manifest_below(repository_path(registry, repository), digest)

    def delete_manifest_below(self, path: str, digest: str) -> Request:
        """Return the same for a repository's path, of which nothing is looked at again."""
        base = f"/v2/{self.family}"
        digest = names.quote_segment(names.check_digest(digest))
        route = f"{base}{_REPOSITORY}/digests/{{digest}}"
        return Request("DELETE", f"{base}{path}/digests/{digest}", route)

    # Garbage collection.

    def start_garbage_collection(self, registry: str, kind: str | None) -> Request:
        """``POST …/{registry}/garbage-collection``."""
        json = None if kind is None else {"type": kind}
        return self._request(
            "POST", _GARBAGE_COLLECTION, repeatable=False, json=json, registry=registry
        )

    def get_garbage_collection(self, registry: str) -> Request:
        """``GET …/{registry}/garbage-collection``."""
        return self._request("GET", _GARBAGE_COLLECTION, registry=registry)

    def list_garbage_collections(self, registry: str) -> Request:
        """``GET …/{registry}/garbage-collections``."""
        return self._request("GET", f"{_REGISTRY}/garbage-collections", registry=registry)

    def cancel_garbage_collection(self, registry: str, uuid: str) -> Request:
        """``PUT …/{registry}/garbage-collection/{uuid}``."""
        route = f"{_GARBAGE_COLLECTION}/{{uuid}}"
        return self._request("PUT", route, json={"cancel": True}, registry=registry, uuid=uuid)


FIRST_FAMILY = Endpoints("registry")
SECOND_FAMILY = Endpoints("registries")
