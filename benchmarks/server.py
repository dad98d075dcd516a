"""The servers that clients are measured at, each in a process of its own."""

import argparse
import asyncio
import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import cast

from aioregistry.cleanup.manifests.cache import ContentCache
from aioregistry.cleanup.manifests.content import parse_content
from aioregistry.sandbox import Limits, Sandbox, State
from aioregistry.sandbox.seed import generated_state
from aioregistry.sandbox.state import images
from benchmarks.job import PER_PAGE, TAGS_PATH, TOKEN

REPOSITORIES = 50

_PAGE = re.compile(rb"[?&]page=(\d+)")
_QUOTA = (
    b"ratelimit-limit: 1000000000\r\n"
    b"ratelimit-remaining: 1000000000\r\n"
    b"ratelimit-reset: 2000000000\r\n"
)
_GONE = b"HTTP/1.1 204 No Content\r\n" + _QUOTA + b"\r\n"
_NUMBER = "00@00"


@contextmanager
def serving(
    kind: str,
    *,
    tags: int = 0,
    latency: float = 0.0,
    scale: float = 0.0,
    contents: Path | None = None,
    repositories: int = REPOSITORIES,
) -> Generator[str]:
    """Run a server for the block, and yield its base URL.

    Args:
        kind: ``minimal``, answers that are made beforehand; ``sandbox``, the same images in one
            repository; or ``registry``, a sandbox with repositories of made-up content.
        tags: How many tags there are; the minimal server has whole pages of 200.
        latency: Seconds that each answer takes longer.
        scale: How many times faster the sandbox's rate limits run; 0 switches them off.
        contents: Where the ``registry`` writes what its manifests say, as a clean-up's cache; None
            for nowhere.
        repositories: How many repositories the ``registry`` has; by default 50.
    """
    options = [str(tags), str(latency), str(scale), *([] if contents is None else [str(contents)])]
    options.append(f"--repositories={repositories}")
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", kind, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # Leaving closes the pipes, which ends the server, and waits for it.
    with process:
        url = process.stdout.readline().strip() if process.stdout is not None else ""
        if not url:
            raise RuntimeError(f"the {kind} server did not start")
        yield url


class _Pages:
    def __init__(self, tags: int) -> None:
        self.origin = ""
        self._tags = tags
        self._last = max(1, -(-tags // PER_PAGE))
        items = [
            {
                "registry_name": "example",
                "repository": "app",
                "tag": f"v{_NUMBER}-{nth:03d}",
                "manifest_digest": f"sha256:{_NUMBER}{hashlib.sha256(b'%d' % nth).hexdigest()[5:]}",
                "compressed_size_bytes": 2803255,
                "size_bytes": 5861888,
                "updated_at": "2020-04-09T23:54:25Z",
            }
            for nth in range(PER_PAGE)
        ]
        # One text for all pages, so that a million tags cost the server no memory.
        self._items = ", ".join(map(json.dumps, items)).encode()

    @functools.lru_cache(maxsize=128)  # noqa: B019, it lives as long as the process
    def answer(self, number: int) -> bytes:
        """Return a page as it goes over the wire."""
        numbers = {"next": number + 1, "last": self._last} if number < self._last else {}
        links = {
            rel: f"{self.origin}{TAGS_PATH}?page={page}&per_page={PER_PAGE}"
            for rel, page in numbers.items()
        }
        rest = json.dumps({"links": {"pages": links}, "meta": {"total": self._tags}})[1:].encode()
        items = self._items.replace(_NUMBER.encode(), b"%05d" % number)
        body = b'{"tags": [' + items + b"], " + rest
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        return head % len(body) + _QUOTA + b"\r\n" + body


class _Connection(asyncio.Protocol):
    def __init__(self, pages: _Pages, latency: float) -> None:
        self._pages = pages
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            answer = _GONE
            if request.startswith(b"GET"):
                found = _PAGE.search(request)
                answer = self._pages.answer(int(found[1]) if found else 1)
            if self._latency:
                loop = asyncio.get_running_loop()
                loop.call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def _serve_minimal(tags: int, latency: float) -> None:
    pages = _Pages(tags)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(pages, latency), "127.0.0.1", 0)
    pages.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for number in range(1, min(100, tags // PER_PAGE) + 1):
        pages.answer(number)
    try:
        await _announce(pages.origin)
    finally:
        server.close()


def _one_repository(tags: int) -> State:
    state = State()
    state.add_registry("example")
    for number in range(tags):
        state.push("example", "app", [f"v{number}"])
    return state


def _write_contents(state: State, path: Path) -> None:
    """Put into a cache what all manifests say."""
    registry = state.registry("example")
    said = ((manifest, images.document_of(registry, manifest)) for manifest in registry.manifests())
    found = (
        ("sha256:" + manifest.digest.hex(), parse_content(document, manifest.form.media_type))
        for manifest, document in said
    )
    with ContentCache(path) as cache:
        while some := dict(islice(found, 10_000)):
            cache.put(some)


async def _serve_sandbox(state: State, latency: float, scale: float) -> None:
    limits = Limits(scale=scale) if scale else None
    async with Sandbox(state, limits=limits, token=TOKEN, latency=latency, record=1) as sandbox:
        await _announce(sandbox.url)


async def _announce(url: str) -> None:
    """Tell the parent, and serve until it closes our standard input, or is gone."""
    print(url, flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until the standard input is closed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server")
    parser.add_argument("kind", choices=["minimal", "sandbox", "registry"])
    parser.add_argument("tags", type=int)
    parser.add_argument("latency", type=float)
    parser.add_argument("scale", type=float)
    parser.add_argument("contents", type=Path, nargs="?")
    parser.add_argument("--repositories", type=int, default=REPOSITORIES)
    given = parser.parse_args()
    if given.kind == "sandbox":
        asyncio.run(_serve_sandbox(_one_repository(given.tags), given.latency, given.scale))
        return
    if given.kind == "registry":
        state = generated_state(given.tags, given.repositories)
        if given.contents is not None:
            _write_contents(state, given.contents)
        asyncio.run(_serve_sandbox(state, given.latency, given.scale))
        return
    try:
        import uvloop  # noqa: PLC0415  (it need not be there)
    except ModuleNotFoundError:
        asyncio.run(_serve_minimal(given.tags, given.latency))
    else:
        # The quicker the server, the more it is the client that is measured.
        uvloop.run(_serve_minimal(given.tags, given.latency))


if __name__ == "__main__":
    main()
