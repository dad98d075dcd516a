"""What of the account runs images: Kubernetes clusters and apps."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from aioregistry.sandbox.calls.answers import Answer, answer_json
from aioregistry.sandbox.calls.pages import links, natural, page_request
from aioregistry.sandbox.refusal import bad_request, not_found
from aioregistry.sandbox.state.state import State

__all__ = ["ROUTES", "AccountCall"]

_WEEK_SECONDS = 7 * 24 * 3600


class AccountCall(Protocol):
    """One request, as far as these calls need it."""

    @property
    def state(self) -> State:
        """The account."""

    @property
    def url(self) -> str:
        """Absolute, without a query."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Those of the path."""

    @property
    def query(self) -> Mapping[str, str]:
        """The decoded query."""

    @property
    def max_per_page(self) -> int:
        """What ``per_page`` is clamped to."""


def list_clusters(call: AccountCall) -> Answer:
    """``GET /v2/kubernetes/clusters``."""
    clusters = [
        {
            "id": identifier,
            "name": cluster.name,
            "region": "fra1",
            "version": "1.33.1-do.0",
            "status": {"state": cluster.state},
            "registry_enabled": True,
            "registries": sorted(call.state.registries),
        }
        for identifier, cluster in call.state.clusters.items()
    ]
    return _page(call, "kubernetes_clusters", clusters)


def get_credentials(call: AccountCall) -> Answer:
    """``GET /v2/kubernetes/clusters/{cluster}/credentials``."""
    cluster = call.state.clusters.get(call.parameters["cluster"])
    if cluster is None:
        raise not_found()
    seconds = natural(call.query.get("expiry_seconds", "0"))
    if seconds is None:
        raise bad_request("invalid expiry_seconds")
    address = urlsplit(call.url)
    authority = call.state.certificate_authority
    expires = datetime.now(UTC) + timedelta(seconds=seconds or _WEEK_SECONDS)
    return answer_json(
        200,
        {
            "server": f"{address.scheme}://{address.netloc}/kubernetes/{cluster.name}",
            "certificate_authority_data": base64.b64encode(authority).decode(),
            "client_certificate_data": None,
            "client_key_data": None,
            "token": cluster.token,
            "expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        },
    )


def list_apps(call: AccountCall) -> Answer:
    """``GET /v2/apps``."""
    apps = [
        {key: part for key, part in app.items() if key != "deployments"} for app in call.state.apps
    ]
    return _page(call, "apps", apps)


def list_deployments(call: AccountCall) -> Answer:
    """``GET /v2/apps/{app}/deployments``."""
    for app in call.state.apps:
        if app.get("id") == call.parameters["app"]:
            return _page(call, "deployments", app.get("deployments", []))
    raise not_found()


def _page(call: AccountCall, key: str, items: Sequence[Any]) -> Answer:
    page = page_request(call.query, call.max_per_page)
    shown = list(items)[page.start : page.start + page.per_page]
    body = {key: shown, "meta": {"total": len(items)}, "links": links(call.url, page, len(items))}
    return answer_json(200, body)


ROUTES = (
    ("GET", "/v2/kubernetes/clusters", list_clusters),
    ("GET", "/v2/kubernetes/clusters/{cluster}/credentials", get_credentials),
    ("GET", "/v2/apps", list_apps),
    ("GET", "/v2/apps/{app}/deployments", list_deployments),
)
