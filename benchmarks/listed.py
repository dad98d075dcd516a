"""The sandbox's own cost of a page of tags, of this build or of an older one.

``python benchmarks/listed.py TAGS TIMES`` prints the milliseconds of processor time that the server
takes a page of 200: when a list is walked first, and when it is walked again, so many times.
``PYTHONPATH`` chooses the build: only names that all have are used.
"""

import asyncio
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

from aioregistry.sandbox import Sandbox, State

_TOKEN = "sandbox-token"
_PER_PAGE = 200
_PATH = "/v2/registry/example/repositories/app/tags"
_HEADERS = {"Authorization": f"Bearer {_TOKEN}"}


async def _measure(tags: int, times: int) -> list[float]:
    state = State()
    state.add_registry("example")
    for number in range(tags):
        state.push("example", "app", [f"v{number}"])
    async with Sandbox(state, token=_TOKEN, record=1) as sandbox:
        # In a process of its own: what it takes is not the server's.
        reader = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, sandbox.url, str(tags // _PER_PAGE)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert reader.stdin is not None
        assert reader.stdout is not None
        await reader.stdout.readline()

        async def walk(walks: int) -> float:
            begun = time.process_time()
            reader.stdin.write(f"{walks}\n".encode())
            await reader.stdout.readline()
            return (time.process_time() - begun) * 1000 * _PER_PAGE / (tags * walks)

        figures = [await walk(1), await walk(times)]
        reader.stdin.close()
        await reader.wait()
    return figures


def _read(url: str, pages: int) -> None:
    """Walk a list as often as each line of the standard input says."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.connect()
    print(flush=True)
    for line in sys.stdin:
        for number in range(int(line) * pages):
            page = number % pages + 1
            connection.request("GET", f"{_PATH}?per_page={_PER_PAGE}&page={page}", headers=_HEADERS)
            answer = connection.getresponse()
            assert answer.read().count(b'"tag":') == _PER_PAGE
        print(flush=True)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        print(json.dumps(asyncio.run(_measure(int(sys.argv[1]), int(sys.argv[2])))))
    else:
        _read(sys.argv[1], int(sys.argv[2]))
