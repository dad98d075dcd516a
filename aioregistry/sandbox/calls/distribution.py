"""The registry itself: the OCI distribution protocol, to pull, push, list and delete."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import attrs

from aioregistry.sandbox.calls import push
from aioregistry.sandbox.calls.accept import accepts
from aioregistry.sandbox.calls.answers import (
    Answer,
    ProtocolError,
    answer_json,
    digest_invalid,
    name_unknown,
    unauthorized,
    unsupported,
)
from aioregistry.sandbox.calls.pages import natural
from aioregistry.sandbox.calls.paths import ProtocolPath
from aioregistry.sandbox.calls.tokens import TOKEN_ROUTE, answer_revocation, answer_token
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.state import images, schema1
from aioregistry.sandbox.state.credentials import CATALOG, HOST, BearerToken
from aioregistry.sandbox.state.documents import OCI_INDEX, compact
from aioregistry.sandbox.state.model import Registry, Repository
from aioregistry.sandbox.state.names import digest_bytes, digest_text, is_digest, is_repository
from aioregistry.sandbox.state.state import State

__all__ = ["ProtocolCall"]

_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_READ = frozenset({"GET", "HEAD"})
# Which methods each kind of path has; those that are not of `_READ` need the right to push.
_METHODS = {
    "version": _READ,
    "catalog": _READ,
    "tags": _READ,
    "referrers": _READ,
    "manifest": _READ | {"PUT", "DELETE"},
    "blob": _READ | {"DELETE"},
    "uploads": frozenset({"POST"}),
    "upload": frozenset({"GET", "PATCH", "PUT", "DELETE"}),
}
_PER_PAGE = 100
_MAX_PER_PAGE = 1000


@attrs.frozen
class ProtocolCall:
    """One request of the protocol.

    Attributes:
        state: The account.
        base: Scheme and host, where the token service is.
        method: In capitals.
        path: Where it leads.
        query: The decoded query; a name may come several times.
        headers: With names in any case.
        accept: The values of all ``Accept`` headers.
        body: As it came.
    """

    state: State
    base: str
    method: str
    path: ProtocolPath
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    accept: Sequence[str] = ()
    body: bytes = b""

    def answer(self) -> Answer:
        """Do what is asked."""
        try:
            answer = self._answer()
        except ProtocolError as error:
            answer = error.answer()
        return attrs.evolve(answer, headers={**_VERSION, **answer.headers})

    def _answer(self) -> Answer:
        authorization = self.headers.get("Authorization", "")
        if self.path.kind == "token":
            return answer_token(self.state, self.method, authorization, self.query, self.body)
        if self.path.kind == "revocation":
            return answer_revocation(self.state, self.method, authorization, self.body)
        token = self.state.keyring.token(authorization, self.state.clock())
        if token is None or not self._needed <= token.grants:
            raise self._challenge(token)
        if not self._is_served:
            raise unsupported()
        if self._actions != ("pull",):
            return self._change(token)
        match self.path.kind:
            case "version":
                return answer_json(200, {})
            case "catalog":
                return self._catalog(token)
            case _:
                return self._pull()

    @property
    def _is_served(self) -> bool:
        quirks = self.state.quirks
        if self.path.kind == "tags" and not quirks.lists_tags:
            return False
        if self.method == "DELETE" and self.path.kind in {"manifest", "blob"}:
            return quirks.deletes
        return self.method in _METHODS[self.path.kind]

    # Who may

    @property
    def _actions(self) -> tuple[str, ...]:
        reads = self.method in _READ and self.path.kind != "upload"
        # A token for what is refused anyway needs no more than to pull.
        if reads or not self._is_served:
            return ("pull",)
        deletes = self.method == "DELETE" and self.path.kind != "upload"
        return ("delete",) if deletes else ("pull", "push")

    @property
    def _needed(self) -> frozenset[tuple[str, str]]:
        if self.path.kind == "catalog":
            return frozenset({CATALOG})
        needed = {(self.path.name, action) for action in self._actions if self.path.name}
        if self._source:
            needed.add((self._source, "pull"))
        return frozenset(needed)

    @property
    def _source(self) -> str:
        """The repository that a blob is mounted from; empty for all other requests."""
        source = self._value("from", "") if self.path.kind == "uploads" else ""
        return source if is_repository(source) else ""

    def _challenge(self, token: BearerToken | None) -> ProtocolError:
        scope = ""
        if self.path.kind == "catalog":
            scope = ',scope="registry:catalog:*"'
        elif is_repository(self.path.name):
            scope = f"repository:{self.path.name}:{','.join(self._actions)}"
            scope += f" repository:{self._source}:pull" if self._source else ""
            scope = f',scope="{scope}"'
        error = ',error="insufficient_scope"' if token is not None else ""
        challenge = f'Bearer realm="{self.base}{TOKEN_ROUTE}",service="{HOST}"{scope}{error}'
        return unauthorized({"Www-Authenticate": challenge})

    # Reading

    def _pull(self) -> Answer:
        registry, _, name = self.path.name.partition("/")
        try:
            held = self.state.registry(registry)
        except Refusal:
            raise name_unknown() from None
        repository = held.repositories.get(name)
        if self.path.kind == "blob":
            return _blob(held, name, repository, self.path.reference)
        if self.path.kind == "referrers":
            return self._referrers(held, repository)
        if repository is None:
            raise name_unknown()
        match self.path.kind:
            case "tags":
                return self._tags(repository)
            case _:
                return self._manifest(held, repository)

    def _manifest(self, registry: Registry, repository: Repository) -> Answer:
        manifest = repository.find(self.path.reference)
        if manifest is None:
            raise ProtocolError(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type = manifest.form.media_type
        if not accepts(self.accept, media_type):
            message = f"Accept header does not support {media_type}"
            raise ProtocolError(404, "MANIFEST_UNKNOWN", message)
        document = images.document_of(registry, manifest)
        if media_type == schema1.MEDIA_TYPE and self.state.quirks.new_signatures:
            document = schema1.signed_anew(document, self.state.random)
        return Answer(
            200,
            document,
            {"Docker-Content-Digest": digest_text(manifest.digest), "Content-Type": media_type},
        )

    def _referrers(self, registry: Registry, repository: Repository | None) -> Answer:
        if not self.state.quirks.lists_referrers:
            raise ProtocolError(404, "NAME_UNKNOWN", "page not found")
        if not is_digest(self.path.reference):
            raise digest_invalid()
        subject = digest_bytes(self.path.reference)
        found = [
            images.referrer_descriptor(registry, manifest)
            for manifest in (repository.manifests.values() if repository is not None else ())
            if manifest.form.subject == subject
        ]
        headers = {"Content-Type": OCI_INDEX}
        kinds = self.query.get("artifactType")
        if kinds:
            found = [each for each in found if each.get("artifactType") == kinds[0]]
            headers["OCI-Filters-Applied"] = "artifactType"
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        return Answer(200, compact(index), headers)

    def _tags(self, repository: Repository) -> Answer:
        state, name = self.state, self.path.name
        tags = state.lag.listed(
            (name, "tags/list"),
            *(state.clock(), state.quirks.list_lag, lambda: sorted(repository.tags)),
        )
        return self._names("tags", tags, {"name": name})

    def _catalog(self, token: BearerToken) -> Answer:
        registry = self.state.registry(token.registry)
        names = [f"{registry.name}/{name}" for name in registry.repository_names]
        return self._names("repositories", names, {})

    def _names(self, key: str, names: Sequence[str], more: Mapping[str, Any]) -> Answer:
        """A page of names, which are sorted."""
        wanted = natural(self._value("n", str(_PER_PAGE if key == "repositories" else len(names))))
        if wanted is None:
            raise ProtocolError(400, "PAGINATION_NUMBER_INVALID", "invalid number of results")
        last = self._value("last", "")
        rest = [name for name in names if name > last]
        page = rest[: min(wanted, _MAX_PER_PAGE) if "n" in self.query else wanted]
        headers = {}
        if page and len(page) < len(rest):
            route = "/v2/_catalog" if key == "repositories" else f"/v2/{self.path.name}/tags/list"
            query = urlencode({"last": page[-1], "n": len(page)})
            headers["Link"] = f'<{route}?{query}>; rel="next"'
        return Answer(200, compact({**more, key: page}), headers)

    def _value(self, name: str, default: str) -> str:
        return next(iter(self.query.get(name, ())), default)

    # Writing

    def _change(self, token: BearerToken) -> Answer:
        if self.state.active_collection(token.registry) is not None:
            # A token from before the collection opens nothing while the registry is read-only.
            raise self._challenge(token)
        calls: Mapping[tuple[str, str], Callable[[], Answer]] = {
            ("manifest", "PUT"): lambda: push.put_manifest(
                self.state, self.path.name, self.path.reference, self.body, self.headers
            ),
            ("uploads", "POST"): lambda: push.begin(
                self.state, self.path.name, self.query, self.body, token
            ),
            ("upload", "GET"): lambda: push.progress(self.state, self.path),
            ("upload", "PATCH"): lambda: push.append(
                self.state, self.path, self.body, self.headers
            ),
            ("upload", "PUT"): lambda: push.finish(
                self.state, self.path, self.query, self.body, self.headers
            ),
            ("manifest", "DELETE"): lambda: push.delete_manifest(
                self.state, self.path.name, self.path.reference
            ),
            ("blob", "DELETE"): lambda: push.delete_blob(
                self.state, self.path.name, self.path.reference
            ),
            ("upload", "DELETE"): lambda: push.cancel(self.state, self.path),
        }
        return calls[self.path.kind, self.method]()


def _blob(registry: Registry, name: str, repository: Repository | None, reference: str) -> Answer:
    """A blob: its content where that is known, else that of a made-up layer, else zeros."""
    if repository is None and name not in registry.uploaded:
        raise name_unknown()
    if not is_digest(reference):
        raise digest_invalid()
    digest = digest_bytes(reference)
    manifests = repository.manifests.values() if repository is not None else ()
    needed = next((m for m in manifests if digest == m.digest or digest in m.blobs), None)
    uploaded = digest in registry.uploaded.get(name, ())
    if (needed is None and not uploaded) or digest not in registry.blobs:
        raise ProtocolError(404, "BLOB_UNKNOWN", "blob unknown to registry")
    size = registry.blobs[digest]
    content = registry.contents.get(digest, b"")
    if not content and size and needed is not None:
        if digest == needed.digest:
            content = images.document_of(registry, needed)
        elif digest == needed.blobs[0]:
            config = images.config_of(needed)
            content = config if sha256(config).digest() == digest else b""
    headers = {
        "Docker-Content-Digest": digest_text(digest),
        "Content-Type": "application/octet-stream",
    }
    if content:
        return Answer(200, content, headers)
    tail = registry.tail_of(digest)
    return Answer(200, b"", headers, zeros=size - len(tail), tail=tail)
