"""Manifests read from a registry by this build, an older one or bare aiohttp, in one process.

``python benchmarks/reading.py ours|bare URL TOKEN COUNT PARTS`` reads a part for each line of its
standard input, and prints the seconds of processor time a manifest. ``PYTHONPATH`` chooses the
build: only names that all have are used.
"""

import asyncio
import json
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Coroutine, Mapping

import aiohttp

from aioregistry import RegistryClient
from aioregistry.cleanup import ContentReader, Distribution

_OCI = "application/vnd.oci.image"
_CONCURRENCY = 32
_WARM_UP = 200

_Read = Callable[[list[str]], Coroutine[None, None, Mapping[str, object]]]


async def _measure(url: str, token: str, count: int, parts: int, *, bare: bool) -> None:
    async with RegistryClient(token, base_url=url, rate_limit=None, concurrency=8) as client:
        registry = client.registry("example")
        repository = await registry.repositories().first()
        assert repository is not None
        name = repository.name
        listed = await registry.repository(name).manifests().collect(count + _WARM_UP)
        digests = [manifest.digest for manifest in listed]
        if bare:
            credentials = await registry.docker_credentials()
            await _bare(url, name, digests, parts, credentials.config)
            return
        async with Distribution(registry, base_url=url, concurrency=_CONCURRENCY) as distribution:
            reader = ContentReader(distribution)

            async def read(some: list[str]) -> Mapping[str, object]:
                return await reader.read(name, some)

            await _time(read, digests, parts)


async def _bare(
    url: str, name: str, digests: list[str], parts: int, config: dict[str, dict]
) -> None:
    (login,) = config["auths"].values()
    user, _, password = b64decode(login["auth"]).decode().partition(":")
    auth = aiohttp.BasicAuth(user, password)
    scope = f"repository:example/{name}:pull"
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/v2/") as response:
            challenge = response.headers["WWW-Authenticate"]
        realm = challenge.partition('realm="')[2].partition('"')[0]
        service = challenge.partition('service="')[2].partition('"')[0]
        query = {"scope": scope, "service": service}
        async with http.get(realm, params=query, auth=auth) as response:
            answer = await response.json()
        bearer = answer.get("token") or answer["access_token"]
    headers = {
        "Authorization": f"Bearer {bearer}",
        "Accept": f"{_OCI}.manifest.v1+json, {_OCI}.index.v1+json",
    }
    connector = aiohttp.TCPConnector(limit=_CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

        async def read(some: list[str]) -> Mapping[str, object]:
            left = iter(some)
            found: dict[str, object] = {}

            async def work() -> None:
                for digest in left:
                    where = f"{url}/v2/example/{name}/manifests/{digest}"
                    async with http.get(where) as response:
                        assert response.status == 200
                        found[digest] = json.loads(await response.read())

            await asyncio.gather(*(work() for _ in range(_CONCURRENCY)))
            return found

        await _time(read, digests, parts)


async def _time(read: _Read, digests: list[str], parts: int) -> None:
    await read(digests[:_WARM_UP])
    size = (len(digests) - _WARM_UP) // parts
    # All that was read stays in memory until the end, as it does for a plan.
    kept: list[Mapping[str, object]] = []
    for start in range(_WARM_UP, _WARM_UP + parts * size, size):
        # Nothing is under way here that the loop could go on with.
        if not sys.stdin.readline():
            return
        begun = time.process_time()
        kept.append(await read(digests[start : start + size]))
        took = time.process_time() - begun
        assert len(kept[-1]) == size
        print(took / size, flush=True)


if __name__ == "__main__":
    kind, url, token, count, parts = sys.argv[1:]
    asyncio.run(_measure(url, token, int(count), int(parts), bare=kind == "bare"))
