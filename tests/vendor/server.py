"""A server as the vendor's description has it: its paths, its parameters, its examples."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web

from tests.vendor import examples

TOKEN = "dop_v1_vendor-test-token-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one request; a body that is not bytes is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], strict_parsing=False))

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


Scripted = Answer | Callable[[Received], Answer]


# Method, path, status, example and parameters: of the query for GET, else of the body, where those
# with a question mark are optional. {f} is either family; literal paths stand before named ones.
DESCRIPTION = """
GET    /v2/registry                          200 registry
POST   /v2/registry                          201 registry      name subscription_tier_slug region?
DELETE /v2/registry                          204 -
GET    /v2/registries                        200 registries
POST   /v2/registries                        201 multiregistry name subscription_tier_slug? region?
GET    {f}/options                           200 options
GET    {f}/subscription                      200 subscription
POST   {f}/subscription                      200 subscription  tier_slug
POST   {f}/validate-name                     204 -             name
GET    /v2/registry/docker-credentials       200 credentials   read_write expiry_seconds
GET    /v2/registries/{r}/docker-credentials 200 credentials   read_write expiry_seconds
GET    /v2/registries/{r}                    200 multiregistry
DELETE /v2/registries/{r}                    204 -
GET    /v2/registry/{r}/repositories         200 repositories  per_page page
GET    {f}/{r}/repositoriesV2                200 repositories2 per_page page page_token
DELETE /v2/registries/{r}/repositories/{n}   204 -
GET    {f}/{r}/repositories/{n}/tags         200 tags          per_page page
DELETE {f}/{r}/repositories/{n}/tags/{t}     204 -
GET    {f}/{r}/repositories/{n}/digests      200 manifests     per_page page
DELETE {f}/{r}/repositories/{n}/digests/{d}  204 -
GET    {f}/{r}/garbage-collections           200 collections   per_page page
GET    {f}/{r}/garbage-collection            200 collection
POST   {f}/{r}/garbage-collection            201 collection    type?
PUT    {f}/{r}/garbage-collection/{uuid}     200 collection    cancel
"""
EXAMPLES = {
    "-": None,
    "registry": {"registry": examples.REGISTRY},
    "multiregistry": {"registry": examples.MULTIREGISTRY},
    "registries": {"registries": [examples.REGISTRY]},
    "options": {"options": examples.OPTIONS},
    "subscription": {"subscription": examples.SUBSCRIPTION},
    "credentials": examples.CREDENTIALS,
    "repositories": examples.LIST_REPOSITORIES_V1,
    "repositories2": examples.LIST_REPOSITORIES,
    "tags": examples.LIST_TAGS,
    "manifests": examples.LIST_MANIFESTS,
    "collection": {"garbage_collection": examples.GARBAGE_COLLECTION},
    "collections": examples.LIST_GARBAGE_COLLECTIONS,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the description."""

    method: str
    path: re.Pattern[str]
    answer: Answer
    required: frozenset[str]
    optional: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> Self:
        method, path, status, example, *names = line.split()
        pattern = re.sub(r"\{\w+\}", "[^/]+", path.replace("{f}", "/v2/registr(?:y|ies)"))
        required = frozenset(n for n in names if method != "GET" and not n.endswith("?"))
        optional = frozenset(n.rstrip("?") for n in names) - required
        answer = Answer(int(status), EXAMPLES[example])
        return cls(method, re.compile(pattern), answer, required, optional)

    def reply(self, request: Received) -> Answer:
        """The example, or 400 for what the description doesn't allow."""
        if self.method == "GET":
            sent, elsewhere = request.query, request.body
        else:
            sent, elsewhere = request.json or {}, request.query
        per_page = request.query.get("per_page", "20")
        allowed = (
            not elsewhere
            and self.required <= set(sent) <= self.required | self.optional
            and (not request.body or request.headers.get("Content-Type") == "application/json")
            and per_page.isdecimal()
            and 1 <= int(per_page) <= 200
        )
        return self.answer if allowed else Answer(400, examples.BAD_REQUEST)


OPERATIONS = tuple(map(Operation.parse, DESCRIPTION.strip().splitlines()))


class VendorServer:
    """Answers with the description's examples, unless told otherwise for a method and a path."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._scripts: dict[tuple[str, str], list[Scripted]] = {}

    def on(self, method: str, path: str, *answers: Scripted) -> None:
        """Give these answers in turn to a method and raw path; the last one stays."""
        self._scripts[method, path] = list(answers)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Method and raw path of every request so far."""
        return [(request.method, request.path) for request in self.requests]

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        received = Received(request.method, request.raw_path, request.headers, await request.read())
        self.requests.append(received)
        answer = self._answer(received)
        # An error's body may be anything but JSON: then the script names its own type.
        headers = {"Content-Type": "application/json", **examples.RATE_LIMIT_HEADERS}
        return web.Response(
            status=answer.status, body=answer.payload, headers={**headers, **answer.headers}
        )

    def _answer(self, request: Received) -> Answer:
        if request.headers.getall("Authorization", []) != [f"Bearer {TOKEN}"]:
            return Answer(401, examples.UNAUTHORIZED)
        if script := self._scripts.get((request.method, request.path)):
            scripted = script.pop(0) if len(script) > 1 else script[0]
            return scripted if isinstance(scripted, Answer) else scripted(request)
        for operation in OPERATIONS:
            if operation.method == request.method and operation.path.fullmatch(request.path):
                return operation.reply(request)
        return Answer(404, examples.NOT_FOUND)
