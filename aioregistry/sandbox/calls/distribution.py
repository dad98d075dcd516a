"""The registry's own side, read-only: manifests and blobs, and the token service before them."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import unquote

import attrs

from aioregistry.sandbox.calls.answers import Answer, answer_json
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state import images
from aioregistry.sandbox.state.credentials import HOST
from aioregistry.sandbox.state.model import Manifest, Registry, Repository
from aioregistry.sandbox.state.names import digest_bytes, digest_text, is_digest, is_repository
from aioregistry.sandbox.state.state import State

TOKEN_ROUTE = "/v2/registry/auth"  # noqa: S105  (a path)
_CONTENT = re.compile(
    r"/v2/(?P<registry>[^/]+)/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)"
)
_MANIFEST_UNKNOWN = ("MANIFEST_UNKNOWN", "manifest unknown")
_BLOB_UNKNOWN = ("BLOB_UNKNOWN", "blob unknown to registry")


@attrs.frozen
class Pull:
    """One request to the registry's own side.

    Attributes:
        state: The account.
        base: Scheme and host, where the token service is.
        method: In capitals.
        path: Still percent-encoded.
        query: The decoded query; a name may come several times.
        headers: With names in any case.
    """

    state: State
    base: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]

    def answer(self) -> Answer:
        """Do what is asked."""
        if self.path == TOKEN_ROUTE:
            return self._token()
        found = _CONTENT.fullmatch(self.path)
        # A name is decoded after the path was split: what decoding brings out stays a name.
        name = unquote(f"{found['registry']}/{found['name']}") if found else ""
        if not self._may_pull(name):
            return self._challenge(name)
        if self.method not in {"GET", "HEAD"}:
            return _error(405, "UNSUPPORTED", "the operation is unsupported")
        if found is None:
            return answer_json(200, {})
        return self._content(name, found["kind"], unquote(found["reference"]))

    def _content(self, name: str, kind: str, reference: str) -> Answer:
        registry, _, repository = name.partition("/")
        try:
            held = self.state.registry(registry)
            holder = held.repository(repository)
        except Refusal:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if kind == "blobs":
            return _blob(held, holder, reference)
        return self._manifest(held, holder.find(reference))

    def _token(self) -> Answer:
        state, now = self.state, self.state.clock()
        credentials = state.keyring.login(self._authorization(), now)
        if credentials is None:
            return _error(401, "UNAUTHORIZED", "authentication required")
        scopes = [scope for given in self.query.get("scope", ()) for scope in given.split(" ")]
        read_only = [name for name in state.registries if state.active_collection(name)]
        token = state.keyring.grant(credentials, scopes, now, read_only)
        return answer_json(200, {"token": token, "access_token": token, "expires_in": 900})

    def _may_pull(self, name: str) -> bool:
        token = self.state.keyring.token(self._authorization(), self.state.clock())
        return token is not None and (not name or (name, "pull") in token.grants)

    def _authorization(self) -> str:
        return self.headers.get("Authorization", "")

    def _challenge(self, name: str) -> Answer:
        scope = f',scope="repository:{name}:pull"' if is_repository(name) else ""
        challenge = f'Bearer realm="{self.base}{TOKEN_ROUTE}",service="{HOST}"{scope}'
        refused = _error(401, "UNAUTHORIZED", "authentication required")
        return attrs.evolve(refused, headers={"WWW-Authenticate": challenge})

    def _manifest(self, registry: Registry, manifest: Manifest | None) -> Answer:
        accepted = self.headers.get("Accept", "*/*")
        if manifest is None:
            return _error(404, *_MANIFEST_UNKNOWN)
        media_type = manifest.form.media_type
        if "*/*" not in accepted and media_type not in accepted:
            return _error(404, "MANIFEST_UNKNOWN", f"Accept header does not support {media_type}")
        document = images.document_of(registry, manifest)
        return Answer(
            200,
            document,
            {"Docker-Content-Digest": digest_text(manifest.digest), "Content-Type": media_type},
        )


def is_pull(path: str) -> bool:
    """Whether a path, still percent-encoded, belongs to the registry's own side."""
    return path in {"/v2/", TOKEN_ROUTE} or _CONTENT.fullmatch(path) is not None


def template_of(path: str) -> str:
    """The route of such a path."""
    found = _CONTENT.fullmatch(path)
    return f"/v2/{{registry}}/{{repository}}/{found['kind']}/{{reference}}" if found else path


def _blob(registry: Registry, repository: Repository, reference: str) -> Answer:
    """A blob: its content where that is known, else as many zeros as it is long."""
    if not is_digest(reference):
        return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    digest = digest_bytes(reference)
    manifests = repository.manifests.values()
    needed = next((m for m in manifests if digest == m.digest or digest in m.blobs), None)
    if needed is None or digest not in registry.blobs:
        return _error(404, *_BLOB_UNKNOWN)
    content = b""
    if digest == needed.digest:
        content = images.document_of(registry, needed)
    elif digest == needed.blobs[0]:
        config = images.config_of(needed)
        content = config if sha256(config).digest() == digest else b""
    headers = {
        "Docker-Content-Digest": digest_text(digest),
        "Content-Type": "application/octet-stream",
    }
    return Answer(200, content, headers, zeros=0 if content else registry.blobs[digest])


def _error(status: int, code: str, message: str) -> Answer:
    return answer_json(status, {"errors": [{"code": code, "message": message, "detail": None}]})
