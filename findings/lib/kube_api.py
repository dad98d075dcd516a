"""A little of Kubernetes' API: kube_api.py PORT. It prints the namespaces whose pods are asked for.

The list of pods is empty; in the namespace `null` it is `null`, as a nil slice of Go is. In the
namespace `busy` every other request is answered by a 429 with a Retry-After of one second.
"""

from urllib.parse import urlsplit

from answering import Answering, serve

PODS = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["list"]}
FIXED = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [PODS]},
}
BUSY = {"kind": "Status", "status": "Failure", "code": 429, "reason": "TooManyRequests"}
asked = []


class Handler(Answering):
    def get(self):
        path = urlsplit(self.path).path.rstrip("/")
        if path in FIXED:
            return self.answer(200, FIXED[path])
        if not path.endswith("/pods"):
            return self.answer(404, {"kind": "Status", "code": 404})
        namespace = path.split("/")[4]
        print(namespace, flush=True)
        asked.append(namespace)
        if namespace == "busy" and asked.count("busy") % 2:
            return self.answer(429, BUSY, {"Retry-After": "1"})
        items = None if namespace == "null" else []
        pods = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        return self.answer(200, pods)


serve(Handler)
