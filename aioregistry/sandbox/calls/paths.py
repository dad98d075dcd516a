"""The paths of the OCI distribution protocol."""

import re
from urllib.parse import unquote

import attrs

from aioregistry.sandbox.calls.tokens import REVOCATION_ROUTE, TOKEN_ROUTE

__all__ = ["ProtocolPath", "protocol_path"]

_NAMED = r"/v2/(?P<registry>[^/]+)/(?P<name>.+)/"
# The first that fits. Uploads come before blobs: "uploads" is no digest.
_ROUTES = tuple(
    (re.compile(_NAMED + pattern), f"/v2/{{registry}}/{{repository}}/{template}", kind)
    for pattern, template, kind in (
        (r"blobs/uploads/?", "blobs/uploads/", "uploads"),
        (r"blobs/uploads/(?P<reference>[^/]+)", "blobs/uploads/{uuid}", "upload"),
        (r"tags/list", "tags/list", "tags"),
        (r"referrers/(?P<reference>[^/]+)", "referrers/{digest}", "referrers"),
        (r"manifests/(?P<reference>[^/]+)", "manifests/{reference}", "manifest"),
        (r"blobs/(?P<reference>[^/]+)", "blobs/{reference}", "blob"),
    )
)
_FIXED = {
    "/v2/": "version",
    "/v2/_catalog": "catalog",
    TOKEN_ROUTE: "token",
    REVOCATION_ROUTE: "revocation",
}


@attrs.frozen
class ProtocolPath:
    """Where a path of the protocol leads.

    Attributes:
        kind: What it names: ``manifest``, ``blob``, ``upload`` and so on.
        template: The route, for faults and records.
        name: The repository with its registry, decoded; empty where there is none.
        reference: A tag, a digest or an upload's identifier, decoded; empty where there is none.
    """

    kind: str
    template: str
    name: str = ""
    reference: str = ""


def protocol_path(path: str) -> ProtocolPath | None:
    """Return where a path, still percent-encoded, leads; None when it is not of the protocol.

    A name is decoded after the path was split: what decoding brings out stays part of the name.
    """
    if path in _FIXED:
        return ProtocolPath(_FIXED[path], path)
    for pattern, template, kind in _ROUTES:
        if found := pattern.fullmatch(path):
            parts = found.groupdict()
            return ProtocolPath(
                kind,
                template,
                unquote(f"{parts['registry']}/{parts['name']}"),
                unquote(parts.get("reference") or ""),
            )
    return None
