"""A real registry: docker-registry in a folder, pushed to with skopeo, read by an API server."""

import asyncio
import base64
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web

from benchmarks.ports import Port
from tests.real.images import Store

NAMESPACE = "example"
_START_SECONDS = 120.0
PROGRAMS = ("docker-registry", "skopeo")
ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def require_programs() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}: apt-get install {' '.join(missing)}")


async def execute(*command: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


class RealRegistry:
    """docker-registry with deletes enabled, and its storage folder."""

    def __init__(
        self,
        folder: Path,
        *,
        passwords: str | None = None,
        auth: str = "",
        schema1: bool = False,
        binary: str = "docker-registry",
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.storage = folder / "storage"
        self._port = Port()
        self.host = f"127.0.0.1:{self._port.number}"
        self.url = f"http://{self.host}"
        self._config = folder / "config.yml"
        self._config.write_text(
            "version: 0.1\n"
            "log: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.storage}}},"
            " delete: {enabled: true}}\n"
            f"http: {{addr: {self.host}}}\n"
        )
        if schema1:
            with self._config.open("a") as config:
                config.write("compatibility: {schema1: {enabled: true}}\n")
        if auth:
            with self._config.open("a") as config:
                config.write(f"auth: {auth}\n")
        if passwords is not None:
            file = folder / "passwords"
            file.write_text(passwords)
            with self._config.open("a") as config:
                config.write(f"auth: {{htpasswd: {{realm: tests, path: {file}}}}}\n")

    @asynccontextmanager
    async def running(self) -> "AsyncIterator[RealRegistry]":
        with (self.folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(self.binary, "serve", str(self._config)),
                stdout=log,
                stderr=log,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            )
            try:
                await self._answers(process)
                yield self
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()
                self._port.close()

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        end = time.monotonic() + _START_SECONDS
        while process.returncode is None and time.monotonic() < end:
            await asyncio.sleep(0.02)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port.number)
            except ConnectionRefusedError:
                continue
            writer.close()
            await writer.wait_closed()
            return
        raise AssertionError((self.folder / "log").read_text())

    async def collect_garbage(self) -> int:
        """Run the registry's own garbage collector, and return the bytes that went."""
        before = self.blob_bytes()
        code, output = await execute(self.binary, "garbage-collect", self._config)
        assert code == 0, output
        return before - self.blob_bytes()

    def blob_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.storage.rglob("blobs/sha256/*/*/data"))

    def blob(self, digest: str) -> Path:
        name = digest[7:]
        return self.storage / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def repository(self, name: str) -> Path:
        return self.storage / "docker/registry/v2/repositories" / NAMESPACE / name / "_manifests"

    def repositories(self) -> list[str]:
        root = self.storage / "docker/registry/v2/repositories" / NAMESPACE
        return sorted(str(path.parent.relative_to(root)) for path in root.rglob("_manifests"))

    def tags(self, repository: str) -> dict[str, str]:
        folder = self.repository(repository) / "tags"
        links = folder.glob("*/current/link")
        return {link.parent.parent.name: link.read_text() for link in links}

    def revisions(self, repository: str) -> dict[str, datetime]:
        links = (self.repository(repository) / "revisions/sha256").glob("*/link")
        return {
            link.read_text(): datetime.fromtimestamp(link.stat().st_mtime, UTC) for link in links
        }

    async def push(self, store: Store, root: dict[str, object], repository: str, tag: str) -> None:
        """Push an image, or an index with all that is in it, with skopeo."""
        layout = self.folder / "layouts" / f"{repository.replace('/', '-')}-{tag}"
        store.as_layout(layout, root)
        target = f"docker://{self.host}/{NAMESPACE}/{repository}:{tag}"
        code, output = await execute(
            *("skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests"),
            *("--dest-tls-verify=false", f"oci:{layout}", target),
        )
        assert code == 0, output

    async def put(
        self, store: Store, root: dict[str, object], repository: str, tag: str | None = None
    ) -> None:
        """Push what skopeo cannot, blob by blob and manifest by manifest."""
        async with aiohttp.ClientSession(f"{self.url}") as http:
            await self._put(http, store, str(root["digest"]), f"/v2/{NAMESPACE}/{repository}", tag)

    async def _put(
        self, http: aiohttp.ClientSession, store: Store, digest: str, base: str, tag: str | None
    ) -> None:
        document = json.loads(store.contents[digest])
        for child in document.get("manifests", []):
            await self._put(http, store, child["digest"], base, None)
        blobs = [
            *document.get("layers", []),
            *([document["config"]] if "config" in document else []),
        ]
        for blob in blobs:
            async with http.post(f"{base}/blobs/uploads/") as begun:
                assert begun.status == 202
                location = begun.headers["Location"]
            content = store.contents[blob["digest"]]
            async with http.put(f"{location}&digest={blob['digest']}", data=content) as answer:
                assert answer.status == 201, await answer.text()
        headers = {"Content-Type": document["mediaType"]}
        content = store.contents[digest]
        async with http.put(
            f"{base}/manifests/{tag or digest}", data=content, headers=headers
        ) as answer:
            assert answer.status == 201, await answer.text()

    async def pulls(self, repository: str, reference: str) -> bool:
        """Whether skopeo pulls an image or index whole, every platform."""
        separator = "@" if ":" in reference else ":"
        source = f"docker://{self.host}/{NAMESPACE}/{repository}{separator}{reference}"
        target = self.folder / "pulled"
        shutil.rmtree(target, ignore_errors=True)
        code, _ = await execute(
            *("skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false"),
            *(source, f"dir:{target}"),
        )
        return code == 0

    async def is_whole(self, store: Store, repository: str, reference: str) -> bool:
        """Whether all that a reference leads to is there, digest by digest, byte by byte."""
        async with aiohttp.ClientSession(self.url, headers={"Accept": ACCEPT}) as http:
            base = f"/v2/{NAMESPACE}/{repository}"
            async with http.get(f"{base}/manifests/{reference}") as answer:
                if answer.status != 200:
                    return False
                document = await answer.json(content_type=None)
            for child in document.get("manifests", []):
                if not await self.is_whole(store, repository, child["digest"]):
                    return False
            parts = [*document.get("layers", [])]
            parts += [document["config"]] if "config" in document else []
            for part in parts:
                async with http.get(f"{base}/blobs/{part['digest']}") as answer:
                    if (
                        answer.status != 200
                        or await answer.read() != store.contents[part["digest"]]
                    ):
                        return False
        return True


class ApiServer:
    """DigitalOcean's API over the folder of a real registry: what a clean-up needs of it."""

    def __init__(self, registry: RealRegistry) -> None:
        self._registry = registry
        self.requests: list[tuple[str, str]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve, and return the URL."""
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.raw_path.partition("?")[0]
        self.requests.append((request.method, path))
        path = path.replace("/v2/registries/", "/v2/registry/")
        if path == f"/v2/registry/{NAMESPACE}/repositoriesV2":
            return self._list_repositories()
        if path.endswith("/docker-credentials"):
            auth = base64.b64encode(b"user:password").decode()
            return web.json_response({"auths": {self._registry.host: {"auth": auth}}})
        if path == "/v1/oauth/revoke":
            return web.json_response({})
        if path in {"/v2/registry", "/v2/registries"}:
            one = {"name": NAMESPACE}
            many = path.endswith("registries")
            return web.json_response({"registries": [one]} if many else {"registry": one})
        parts = path.split("/")
        if parts[:5] == ["", "v2", "registry", NAMESPACE, "repositories"] and len(parts) >= 7:
            repository, kind, *name = (unquote(part) for part in parts[5:])
            if request.method == "GET" and kind == "digests":
                return self._list_manifests(request, repository)
            if request.method == "GET" and kind == "tags":
                return self._list_tags(request, repository)
            if request.method == "DELETE":
                return await self._delete(repository, kind, name[0])
        return web.json_response({"id": "not_found", "message": path}, status=404)

    def _list_repositories(self) -> web.Response:
        listed = [
            {"registry_name": NAMESPACE, "name": name} for name in self._registry.repositories()
        ]
        return web.json_response({"repositories": listed, "meta": {"total": len(listed)}})

    def _list_tags(self, request: web.BaseRequest, repository: str) -> web.Response:
        pushed = self._registry.revisions(repository)
        listed = [
            {
                "registry_name": NAMESPACE,
                "repository": repository,
                "tag": tag,
                "manifest_digest": digest,
                "updated_at": pushed[digest].isoformat(),
            }
            for tag, digest in sorted(self._registry.tags(repository).items())
        ]
        return self._page(request, "tags", listed)

    def _list_manifests(self, request: web.BaseRequest, repository: str) -> web.Response:
        tags: dict[str, list[str]] = {}
        for tag, digest in self._registry.tags(repository).items():
            tags.setdefault(digest, []).append(tag)
        listed = [
            {
                "registry_name": NAMESPACE,
                "repository": repository,
                "digest": digest,
                "tags": tags.get(digest, []),
                "updated_at": at.isoformat(),
                "blobs": list(self._blobs(digest)),
            }
            for digest, at in sorted(self._registry.revisions(repository).items())
        ]
        return self._page(request, "manifests", listed)

    def _page(
        self, request: web.BaseRequest, kind: str, listed: list[dict[str, object]]
    ) -> web.Response:
        page, per_page = (int(request.query.get(key, 1)) for key in ("page", "per_page"))
        shown = listed[(page - 1) * per_page : page * per_page]
        return web.json_response({kind: shown, "meta": {"total": len(listed)}})

    def _blobs(self, digest: str) -> Iterator[dict[str, object]]:
        content = self._registry.blob(digest).read_bytes()
        document = json.loads(content)
        parts = [part["digest"] for part in document.get("layers", [])]
        parts += [document["config"]["digest"]] if "config" in document else []
        # Docker's signed manifests call them so.
        parts += [part["blobSum"] for part in document.get("fsLayers", [])]
        for digest_of_part in parts:
            size = self._registry.blob(digest_of_part).stat().st_size
            yield {"digest": digest_of_part, "compressed_size_bytes": size}
        yield {"digest": digest, "compressed_size_bytes": len(content)}

    async def _delete(self, repository: str, kind: str, name: str) -> web.Response:
        if kind == "tags":
            folder = self._registry.repository(repository) / "tags" / name
            if not folder.exists():
                return web.json_response({"id": "not_found", "message": name}, status=404)
            shutil.rmtree(folder)
            return web.Response(status=204)
        url = f"{self._registry.url}/v2/{NAMESPACE}/{repository}/manifests/{name}"
        async with aiohttp.ClientSession() as http, http.delete(url) as answer:
            return web.Response(status=204 if answer.status == 202 else answer.status)
