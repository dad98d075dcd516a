"""Manifests read from a registry by this build, an older one or bare aiohttp, in one process.

``python benchmarks/reading.py ours|bare URL TOKEN COUNT`` prints the seconds of processor time a
manifest. ``PYTHONPATH`` chooses the build: only names that all have are used.
"""

import asyncio
import json
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Coroutine

import aiohttp

from aioregistry import RegistryClient
from aioregistry.cleanup import ContentReader, Distribution

_OCI = "application/vnd.oci.image"
_CONCURRENCY = 32
_WARM_UP = 200

_Read = Callable[[list[str]], Coroutine[None, None, int]]


async def _measure(url: str, token: str, count: int, *, bare: bool) -> float:
    async with RegistryClient(token, base_url=url, rate_limit=None, concurrency=8) as client:
        registry = client.registry("example")
        repository = await registry.repositories().first()
        assert repository is not None
        name = repository.name
        listed = await registry.repository(name).manifests().collect(count + _WARM_UP)
        digests = [manifest.digest for manifest in listed]
        if bare:
            credentials = await registry.docker_credentials()
            return await _bare(url, name, digests, credentials.config)
        async with Distribution(registry, base_url=url, concurrency=_CONCURRENCY) as distribution:
            reader = ContentReader(distribution)

            async def read(some: list[str]) -> int:
                return len(await reader.read(name, some))

            return await _timed(read, digests)


async def _bare(url: str, name: str, digests: list[str], config: dict[str, dict]) -> float:
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

        async def read(some: list[str]) -> int:
            left = iter(some)
            found: dict[str, object] = {}

            async def work() -> None:
                for digest in left:
                    where = f"{url}/v2/example/{name}/manifests/{digest}"
                    async with http.get(where) as response:
                        assert response.status == 200
                        found[digest] = json.loads(await response.read())

            await asyncio.gather(*(work() for _ in range(_CONCURRENCY)))
            return len(found)

        return await _timed(read, digests)


async def _timed(read: _Read, digests: list[str]) -> float:
    await read(digests[:_WARM_UP])
    begun = time.process_time()
    done = await read(digests[_WARM_UP:])
    took = time.process_time() - begun
    assert done == len(digests) - _WARM_UP
    return took / done


if __name__ == "__main__":
    kind, url, token, count = sys.argv[1:]
    print(json.dumps([asyncio.run(_measure(url, token, int(count), bare=kind == "bare"))]))
