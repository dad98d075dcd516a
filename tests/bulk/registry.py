"""A transport to a registry that answers deletes as told, and a client on it."""

import asyncio
import json

from multidict import CIMultiDict

from aioregistry import RetryPolicy
from aioregistry.api.endpoints import Request
from aioregistry.bulk.report import Outcome
from aioregistry.client.families import PathFamilies
from aioregistry.client.lists import PagerFactory
from aioregistry.client.repository import RepositoryHandle
from aioregistry.errors import (
    RegistryConnectionError,
    RegistryTimeoutError,
)
from aioregistry.ratelimit.limits import Limiter
from aioregistry.session.answers import Answer, NoAnswer
from aioregistry.session.connections import Connections
from aioregistry.session.session import Session

DIGEST = "sha256:" + "0" * 64
HANG = "hang"
TIMEOUT = "timeout"
REFUSED = "refused"

Step = int | str | Answer


def now() -> float:
    return asyncio.get_running_loop().time()


def names(count: int) -> list[str]:
    return [f"v{number}" for number in range(count)]


def of(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.name for outcome in outcomes]


class Registry:
    """A transport to a registry where deletes end as told by name, and lists have many pages.

    Attributes:
        ends: What a DELETE of a name comes to, one after the other, the last for ever; else 204.
        seconds: How long a DELETE of a name takes; else 0.1.
        sent: Each request: when, its method, and the last part of its path.
        in_flight: Requests without an answer, now and at most.
    """

    base_url = "https://api.test"
    connections = Connections(None)
    token_seconds = 30.0

    def __init__(self, pages: int = 0, per_page: int = 10) -> None:
        self.ends: dict[str, list[Step]] = {}
        self.seconds: dict[str, float] = {}
        self.sent: list[tuple[float, str, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._pages = pages
        self._per_page = per_page

    def open(self) -> None:
        """Nothing to open."""

    def check_open(self) -> None:
        """Always open."""

    async def close(self) -> None:
        """Nothing to close."""

    fixed_authorization = None

    async def authorization(self) -> str:
        return "Bearer token"

    async def attempt(self, request: Request, authorization: str) -> Answer | NoAnswer:
        path, _, query = request.target.partition("?")
        name = path.rpartition("/")[2]
        self.sent.append((now(), request.method, name))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds.get(name, 0.1))
            if request.method == "GET":
                return self._page(query)
            return await self._end(name)
        finally:
            self.in_flight -= 1

    async def _end(self, name: str) -> Answer | NoAnswer:
        steps = self.ends.get(name, [204])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if step == HANG:
            await asyncio.Event().wait()
        if step == TIMEOUT:
            return NoAnswer(RegistryTimeoutError("no answer in time"), sent=True)
        if step == REFUSED:
            return NoAnswer(RegistryConnectionError("refused"), sent=False)
        if isinstance(step, Answer):
            return step
        return Answer(int(step), CIMultiDict(), b"")

    def _page(self, query: str) -> Answer:
        number = int(dict(part.split("=") for part in query.split("&"))["page"])
        first = (number - 1) * self._per_page
        tags = [{"tag": f"v{first + nth}"} for nth in range(self._per_page)]
        pages = {"next": f"https://api.test/?page={number + 1}"} if number < self._pages else {}
        body = {
            "tags": tags,
            "links": {"pages": pages},
            "meta": {"total": self._pages * self._per_page},
        }
        return Answer(200, CIMultiDict(), json.dumps(body).encode())

    def count(self, method: str) -> int:
        return sum(sent == method for _, sent, _ in self.sent)


class Client:
    """A session on a registry, and a repository in it."""

    def __init__(
        self,
        registry: Registry,
        concurrency: int = 4,
        limiter: Limiter | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.session = Session(registry, limiter, retry or RetryPolicy(attempts=3))
        self.session.open()
        families = PathFamilies(self.session, "registry")
        pagers = PagerFactory(families, 10, concurrency)
        self.repository = RepositoryHandle("example", "app", families, pagers, concurrency)
