"""A Kubernetes cluster, as far as whoever asks what it runs can tell: lists, page by page."""

import base64
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["KINDS", "Cluster"]

# Path of the group, resource, kind.
KINDS: tuple[tuple[str, str, str], ...] = (
    ("/api/v1", "pods", "Pod"),
    ("/api/v1", "podtemplates", "PodTemplate"),
    ("/api/v1", "replicationcontrollers", "ReplicationController"),
    ("/apis/apps/v1", "controllerrevisions", "ControllerRevision"),
    ("/apis/apps/v1", "daemonsets", "DaemonSet"),
    ("/apis/apps/v1", "deployments", "Deployment"),
    ("/apis/apps/v1", "replicasets", "ReplicaSet"),
    ("/apis/apps/v1", "statefulsets", "StatefulSet"),
    ("/apis/batch/v1", "cronjobs", "CronJob"),
    ("/apis/batch/v1", "jobs", "Job"),
)
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_MOST = 500
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    410: "Expired",
}
# What a server knows nothing of, it does not answer as one of Kubernetes.
_NO_SUCH_PATH = "404 page not found\n"
_TOO_OLD = (
    "The provided continue parameter is too old: begin a new list, or take the rest, which is of"
    " another time, with the parameter in this answer"
)


@attrs.define(kw_only=True, eq=False)
class Cluster:
    """A cluster and its API server.

    Attributes:
        name: Its name, which is its ID, too.
        state: Its state by the vendor: ``running``, or ``provisioning`` and the like.
        token: The token that is accepted; None once none is.
        objects: Its objects by path: ``/api/v1/pods``, of all namespaces.
        forbidden: The resources that the account may not list, as ``deployments``.
        page: The most objects of a page.
        expired: How many of the next parts of lists are refused, as too old.
        answers: Answers in place of the next ones of a path: status and body, as text or JSON.
        requests: The requests received: method, path and query.
    """

    name: str
    state: str = "running"
    token: str | None = "cluster-token"  # noqa: S105  (no secret: it opens this sandbox only)
    objects: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    forbidden: set[str] = attrs.field(factory=set)
    page: int = _MOST
    expired: int = 0
    answers: dict[str, deque[tuple[int, Any]]] = attrs.field(factory=dict)
    requests: list[tuple[str, str, Mapping[str, str]]] = attrs.field(factory=list)

    def run(self, image: str, name: str = "web", namespace: str = "default") -> None:
        """Run an image in a pod that a deployment makes."""
        number = len(self.objects.get("/api/v1/pods", ()))
        spec = {"containers": [{"name": "main", "image": image}]}
        self.add("Deployment", name, {"template": {"spec": spec}}, namespace)
        self.add("Pod", f"{name}-{number}", spec, namespace)

    def add(
        self, kind: str, name: str, spec: Mapping[str, Any], namespace: str = "default"
    ) -> None:
        """Add an object."""
        (path,) = [f"{group}/{plural}" for group, plural, one in KINDS if one == kind]
        metadata = {"name": name, "namespace": namespace}
        self.objects.setdefault(path, []).append({"metadata": metadata, "spec": dict(spec)})

    def answer(
        self, method: str, path: str, query: Mapping[str, str], authorization: str, body: bytes
    ) -> tuple[int, bytes, str] | None:
        """Return the answer to a request: its status, its body and the media type of that.

        None where the connection breaks: an answer whose status is 0.
        """
        self.requests.append((method, path, dict(query)))
        if self.answers.get(path):
            status, given = self.answers[path].popleft()
        elif not authorization:
            who = 'User "system:anonymous" cannot do that'
            status, given = _status(403, f"{path.rpartition('/')[2]} is forbidden: {who}")
        elif self.token is None or authorization != f"Bearer {self.token}":
            status, given = _status(401, "Unauthorized")
        elif (method, path) == ("POST", _REVIEW):
            status, given = self._review(body)
        elif method != "GET":
            status, given = _status(405, "the server does not allow this method")
        else:
            status, given = self._get(path, query)
        if not status:
            return None
        if isinstance(given, str):
            return status, given.encode(), "text/plain" if status == 404 else "text/html"
        return status, json.dumps(given).encode(), "application/json"

    def _get(self, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        kinds = self._kinds()
        known = {f"{group}/{plural}": kind for group, plural, kind in kinds}
        group, _, plural = path.rpartition("/")
        if path in known:
            if plural in self.forbidden:
                return _status(403, f"{plural} is forbidden: the account cannot list it")
            return self._list(path, known[path], group, query)
        found = _discovery(path, kinds)
        if found is not None:
            return 200, found
        # Of a group that it has, whatever the version.
        if any(path.startswith(one.rpartition("/")[0] + "/") for one, _, _ in kinds):
            return _status(404, "the server could not find the requested resource")
        return 404, _NO_SUCH_PATH

    def _kinds(self) -> list[tuple[str, str, str]]:
        """Return the kinds that it has: those of every cluster, and those of its objects."""
        kinds = list(KINDS)
        for path in self.objects:
            group, _, plural = path.rpartition("/")
            if (group, plural) not in {(one, name) for one, name, _ in KINDS}:
                kinds.append((group, plural, plural.removesuffix("s").capitalize()))
        return kinds

    def _list(self, path: str, kind: str, group: str, query: Mapping[str, str]) -> tuple[int, Any]:
        start = _place(query["continue"]) if query.get("continue") else 0
        if start is None:
            return _status(400, "invalid continue token: continue key is not valid")
        if start and self.expired:
            self.expired -= 1
            return _status(410, _TOO_OLD, {"continue": _token(start)})
        objects = self.objects.get(path, [])
        end = start + min(int(query.get("limit", _MOST)) or _MOST, self.page)
        metadata: dict[str, Any] = {"resourceVersion": "1"}
        if end < len(objects):
            metadata |= {"continue": _token(end), "remainingItemCount": len(objects) - end}
        return 200, {
            "kind": f"{kind}List",
            "apiVersion": group.removeprefix("/apis/").removeprefix("/api/"),
            "metadata": metadata,
            "items": objects[start:end],
        }

    def _review(self, body: bytes) -> tuple[int, Any]:
        review = json.loads(body)
        resource = review["spec"]["resourceAttributes"]["resource"]
        return 201, {**review, "status": {"allowed": resource not in self.forbidden}}


def _token(start: int) -> str:
    """Return where a list goes on, in a form that says nothing to whoever gets it."""
    return base64.urlsafe_b64encode(json.dumps({"start": start}).encode()).decode().rstrip("=")


def _place(token: str) -> int | None:
    """Return where a list goes on; None for what no list was ever continued by."""
    try:
        start = json.loads(base64.urlsafe_b64decode(token + "==="))["start"]
    except (ValueError, KeyError, TypeError):
        return None
    return start if isinstance(start, int) and start > 0 else None


def _status(
    status: int, message: str, metadata: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    return status, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": dict(metadata or {}),
        "status": "Failure",
        "message": message,
        "reason": _REASONS.get(status, ""),
        "code": status,
    }


def _discovery(path: str, kinds: list[tuple[str, str, str]]) -> Any:
    """What kubectl asks first: which groups there are, and which resources in each."""
    groups = dict.fromkeys(group for group, _, _ in kinds)
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        versions: dict[str, list[dict[str, str]]] = {}
        for one in groups:
            if one != "/api/v1":
                served = one.removeprefix("/apis/")
                name, _, version = served.partition("/")
                known = {"groupVersion": served, "version": version}
                versions.setdefault(name, []).append(known)
        listed = [
            {"name": name, "versions": some, "preferredVersion": some[0]}
            for name, some in versions.items()
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    if path not in groups:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": path.removeprefix("/apis/").removeprefix("/api/"),
        "resources": [
            {
                "name": plural,
                "singularName": kind.lower(),
                "namespaced": True,
                "kind": kind,
                "verbs": ["list"],
            }
            for group, plural, kind in kinds
            if group == path
        ],
    }
