"""Images made by hand, put into a sandbox."""

import json
from typing import Any

from aioregistry.sandbox import Sandbox
from aioregistry.sandbox.calls import push
from aioregistry.sandbox.state.names import digest_bytes
from tests.real.images import Store


def put(
    sandbox: Sandbox, store: Store, root: dict[str, Any], tag: str | None = None, to: str = "web"
) -> str:
    """Put an image with all that it names into a repository, and return its digest."""
    digest = str(root["digest"])
    body = store.contents[digest]
    document = json.loads(body)
    for child in document.get("manifests") or ():
        put(sandbox, store, child, None, to)
    registry = sandbox.state.registry("example")
    parts = [*document.get("layers", ()), *document.get("blobs", ())]
    parts += [document["config"]] if "config" in document else []
    for part in parts:
        if part["digest"] in store.contents:
            registry.store_content(store.contents[part["digest"]], sandbox.state.now())
            registry.link(to, digest_bytes(part["digest"]))
    kind = {"Content-Type": str(root["mediaType"])}
    push.put_manifest(sandbox.state, f"example/{to}", tag or digest, body, kind)
    return digest


def tags(sandbox: Sandbox, repository: str) -> dict[str, str]:
    held = sandbox.state.registry("example").repositories.get(repository)
    named = {} if held is None else held.tags
    return {name: f"sha256:{tag.manifest.digest.hex()}" for name, tag in named.items()}


def manifests(sandbox: Sandbox, repository: str) -> set[str]:
    held = sandbox.state.registry("example").repositories.get(repository)
    return set() if held is None else {f"sha256:{digest.hex()}" for digest in held.manifests}


def sent(sandbox: Sandbox, *methods: str) -> list[str]:
    return [
        f"{one.method} {one.raw_path}"
        for one in sandbox.requests
        if one.method in methods and one.raw_path.startswith("/v2/example/")
    ]
