"""A second server: the API and the registry's side, in as few lines as they take.

Written from the API's description and the OCI distribution specification. It shares no code with
`aioregistry.sandbox`: a mistake that both the client and the sandbox make shows here.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from urllib.parse import unquote

from aiohttp import web

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
START = datetime(2026, 6, 1, tzinfo=UTC)
REGISTRY = "example"
REPOSITORY = "web"


@dataclass
class Manifest:
    digest: str
    body: bytes
    kind: str
    pushed_at: datetime
    children: tuple[str, ...] = ()
    subject: str | None = None


@dataclass
class Tag:
    name: str
    digest: str
    set_at: datetime


@dataclass
class Delete:
    """A DELETE that the server carried out, with all that the oracle needs to judge it."""

    at: datetime
    digest: str | None
    tags: list[Tag]
    # The manifests that named it, or were its subject, at that moment.
    needed_by: list[Manifest]
    # How long it took to read the API's lists that came before it.
    listed_for: timedelta


@dataclass
class Repository:
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)

    def needing(self, digest: str) -> list[Manifest]:
        return [one for one in self.manifests.values() if digest in one.children]


class World:
    """One repository, its time, and what happens to it beside what its clients do."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.repository = Repository()
        self.deletes: list[Delete] = []
        self.requests = 0
        self.page_size = 100
        self.created_at = START
        self.lists_tags = True
        # What the list of repositories says, whatever there is; None for what there is.
        self.said: dict | None = None
        self.latency: Callable[[], float] = lambda: 0.0
        # Returns a status to answer with instead, or 0: for the API, and for the registry.
        self.api_outage: Callable[[], int] = lambda: 0
        self.registry_outage: Callable[[], int] = lambda: 0
        # Called before and after each request is answered.
        self.move: Callable[[], None] = lambda: None
        self._clock = clock
        self._count = 0
        # From the first to the last page of the API's lists.
        self._look = (self.now(), self.now())

    def now(self) -> datetime:
        return START + timedelta(seconds=self._clock())

    def push(
        self,
        *tags: str,
        children: tuple[str, ...] | None = None,
        subject: str | None = None,
        at: datetime | None = None,
    ) -> str:
        self._count += 1
        document: dict = {"schemaVersion": 2, "mediaType": IMAGE, "annotations": {"n": self._count}}
        if children is None:
            document["config"] = {"digest": _digest(b"config %d" % self._count), "size": 3}
            document["layers"] = []
        else:
            document["mediaType"] = INDEX
            document["manifests"] = [{"digest": child, "mediaType": IMAGE} for child in children]
        if subject is not None:
            document["subject"] = {"digest": subject, "mediaType": IMAGE}
        body = json.dumps(document).encode()
        digest = _digest(body)
        at = at or self.now()
        self.repository.manifests[digest] = Manifest(
            digest, body, document["mediaType"], at, children or (), subject
        )
        for tag in tags:
            self.tag(tag, digest, at)
        return digest

    def tag(self, name: str, digest: str, at: datetime | None = None) -> None:
        self.repository.tags[name] = Tag(name, digest, at or self.now())

    def remove_tag(self, name: str) -> None:
        self.repository.tags.pop(name, None)

    def remove(self, digest: str) -> None:
        self.repository.manifests.pop(digest, None)
        for tag in [one for one in self.repository.tags.values() if one.digest == digest]:
            del self.repository.tags[tag.name]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        await asyncio.sleep(self.latency())
        self.move()
        path = request.raw_path.partition("?")[0]
        if path.startswith("/v2/registry"):
            status = self.api_outage()
            response = _error(status) if status else self._api(request, path)
        else:
            status = self.registry_outage()
            response = _error(status) if status else self._registry(request, path)
        self.move()
        await asyncio.sleep(self.latency())
        return response

    def _api(self, request: web.Request, path: str) -> web.Response:
        parts = [unquote(part) for part in path.split("/")[3:]]
        if parts == []:
            made = {"name": REGISTRY, "created_at": self.created_at.isoformat()}
            return web.json_response({"registry": made})
        if parts[1:] == ["repositoriesV2"]:
            found = [self.said or self.state()] if self.repository.manifests else []
            return web.json_response({"repositories": found, "meta": {"total": len(found)}})
        if parts[1:3] != ["repositories", REPOSITORY] or not self.repository.manifests:
            return _error(404)
        kind, *name = parts[3:]
        if request.method == "DELETE":
            return self._delete(kind, name[0])
        return self._page(request, kind)

    def state(self) -> dict:
        """What the list of repositories says of the repository."""
        manifests = self.repository.manifests.values()
        latest = max(manifests, key=lambda one: (one.pushed_at, one.digest))
        return {
            "name": REPOSITORY,
            "tag_count": len(self.repository.tags),
            "manifest_count": len(manifests),
            "latest_manifest": self._listed(latest),
        }

    def _page(self, request: web.Request, kind: str) -> web.Response:
        number = int(request.query.get("page", 1))
        starts = number == 1 and kind == "digests"
        self._look = (self.now() if starts else self._look[0], self.now())
        size = min(self.page_size, int(request.query.get("per_page", 20)))
        here = slice((number - 1) * size, number * size)
        if kind == "digests":
            key, total = "manifests", len(self.repository.manifests)
            manifests = self.repository.manifests.values()
            newest = sorted(manifests, key=attrgetter("pushed_at"), reverse=True)
            items = [self._listed(one) for one in newest[here]]
        else:
            key, total = "tags", len(self.repository.tags)
            tags = sorted(self.repository.tags.values(), key=attrgetter("set_at"), reverse=True)
            items = [
                {
                    "tag": one.name,
                    "manifest_digest": one.digest,
                    "updated_at": one.set_at.isoformat(),
                }
                for one in tags[here]
            ]
        pages = {}
        if number * size < total:
            pages["next"] = f"http://elsewhere{request.path}?page={number + 1}&per_page={size}"
        return web.json_response({key: items, "meta": {"total": total}, "links": {"pages": pages}})

    def _listed(self, manifest: Manifest) -> dict:
        tags = [one.name for one in self.repository.tags.values() if one.digest == manifest.digest]
        return {
            "digest": manifest.digest,
            "tags": tags,
            "updated_at": manifest.pushed_at.isoformat(),
        }

    def _delete(self, kind: str, name: str) -> web.Response:
        if kind == "tags":
            tag = self.repository.tags.get(name)
            if tag is None:
                return _error(404)
            self._deleted(None, [tag], [])
            self.remove_tag(name)
            return web.Response(status=204)
        if name not in self.repository.manifests:
            return _error(404)
        tags = [one for one in self.repository.tags.values() if one.digest == name]
        self._deleted(name, tags, self.repository.needing(name))
        self.remove(name)
        return web.Response(status=204)

    def _deleted(self, digest: str | None, tags: list[Tag], needed_by: list[Manifest]) -> None:
        begun, ended = self._look
        self.deletes.append(Delete(self.now(), digest, tags, needed_by, ended - begun))

    def _registry(self, request: web.Request, path: str) -> web.Response:
        prefix = f"/v2/{REGISTRY}/{REPOSITORY}/"
        if not path.startswith(prefix):
            return _error(404)
        kind, _, reference = path.removeprefix(prefix).partition("/")
        if kind == "tags":
            if not self.lists_tags:
                return _error(404)
            return web.json_response({"name": REPOSITORY, "tags": sorted(self.repository.tags)})
        reference = unquote(reference)
        tag = self.repository.tags.get(reference)
        manifest = self.repository.manifests.get(tag.digest if tag else reference)
        if manifest is None:
            return _error(404)
        headers = {"Docker-Content-Digest": manifest.digest, "Content-Type": manifest.kind}
        body = b"" if request.method == "HEAD" else manifest.body
        return web.Response(body=body, headers=headers)


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _error(status: int) -> web.Response:
    return web.json_response({"id": "x", "message": "no", "errors": []}, status=status)
