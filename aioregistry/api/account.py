"""What of an account runs images: its Kubernetes clusters and its apps, and the calls for them."""

from typing import Any

from attrs import field, fields, frozen

from aioregistry.api import names
from aioregistry.api.decoding import DecodeError, PageDecoder, RawPage, json_object
from aioregistry.api.endpoints import Call

__all__ = [
    "App",
    "AppDeployment",
    "ClusterAccess",
    "ClusterStatus",
    "KubernetesCluster",
    "get_cluster_access",
    "list_app_deployments",
    "list_apps",
    "list_clusters",
]


@frozen
class ClusterStatus:
    """The state of a cluster: ``running``, ``provisioning`` and others."""

    state: str = ""


@frozen
class KubernetesCluster:
    """A Kubernetes cluster of the account."""

    id: str = ""
    name: str = ""
    status: ClusterStatus = ClusterStatus()


@frozen
class ClusterAccess:
    """What lets a program into a cluster for some minutes; certificates are in base64."""

    server: str
    certificate_authority_data: str = ""
    token: str = field(default="", repr=False)
    client_certificate_data: str = field(default="", repr=False)
    client_key_data: str = field(default="", repr=False)


@frozen
class App:
    """An app of the App Platform: its specification, and those of its deployments of now."""

    id: str = ""
    spec: Any = None
    active_deployment: Any = None
    in_progress_deployment: Any = None
    pending_deployment: Any = None
    pinned_deployment: Any = None


@frozen
class AppDeployment:
    """An earlier deployment of an app, which a rollback may start again.

    Beside its specification are its parts as they were deployed, with the digests of their images.
    """

    id: str = ""
    spec: Any = None
    services: Any = None
    workers: Any = None
    jobs: Any = None
    static_sites: Any = None
    functions: Any = None


_ACCESS_KEYS = tuple(one.name for one in fields(ClusterAccess))
_CLUSTERS = PageDecoder("kubernetes_clusters", KubernetesCluster)
_APPS = PageDecoder("apps", App)
_DEPLOYMENTS = PageDecoder("deployments", AppDeployment)


def list_clusters() -> Call[RawPage[KubernetesCluster]]:
    """``GET /v2/kubernetes/clusters``."""
    path = "/v2/kubernetes/clusters"
    return Call("GET", path, path, decode=_CLUSTERS.decode)


def get_cluster_access(cluster: str, expiry_seconds: int) -> Call[ClusterAccess]:
    """``GET /v2/kubernetes/clusters/{cluster}/credentials``."""
    target = f"/v2/kubernetes/clusters/{names.quote_segment(cluster)}/credentials"
    route = "/v2/kubernetes/clusters/{cluster}/credentials"
    call = Call("GET", target, route, decode=_access)
    return call.with_query(f"expiry_seconds={expiry_seconds}")


def list_apps() -> Call[RawPage[App]]:
    """``GET /v2/apps``."""
    return Call("GET", "/v2/apps", "/v2/apps", decode=_APPS.decode)


def list_app_deployments(app: str) -> Call[RawPage[AppDeployment]]:
    """``GET /v2/apps/{app}/deployments``."""
    target = f"/v2/apps/{names.quote_segment(app)}/deployments"
    return Call("GET", target, "/v2/apps/{app}/deployments", decode=_DEPLOYMENTS.decode)


def _access(body: bytes) -> ClusterAccess:
    answer = json_object(body)
    parts = {key: answer.get(key) or "" for key in _ACCESS_KEYS}
    if not all(isinstance(part, str) for part in parts.values()) or not parts["server"]:
        raise DecodeError("no access to a cluster in the answer")
    return ClusterAccess(**parts)
