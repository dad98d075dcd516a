"""The server: sockets around the state, the limits and the API's calls."""

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import attrs
from aiohttp import web

from aioregistry.sandbox.calls import api
from aioregistry.sandbox.calls.answers import Answer
from aioregistry.sandbox.faults import NO_FAULT, SPOILING, Fault, Faults
from aioregistry.sandbox.limits import HOUR, MINUTE, Limiter, Limits, headers_of
from aioregistry.sandbox.refusal import Refusal, rate_limited, unauthorized
from aioregistry.sandbox.server.control import PATH as CONTROL_PATH
from aioregistry.sandbox.server.control import control, is_local
from aioregistry.sandbox.server.delivery import Delivery, reset
from aioregistry.sandbox.server.exchange import Exchange
from aioregistry.sandbox.server.movement import move
from aioregistry.sandbox.server.tls import Certificates, certificates
from aioregistry.sandbox.state.state import State

if TYPE_CHECKING:
    from aioregistry.ratelimit.limits import RateLimit

# The largest layer that can be pushed.
_MAX_BODY = 2**30
# Nobody waits for the answers of a sandbox that is being stopped.
_SHUTDOWN = 0.1


@attrs.frozen
class RecordedRequest:
    """A request that the sandbox received.

    Attributes:
        method: In capitals.
        raw_path: The target of the request line as it came, still percent-encoded.
        route: The route that it led to, as ``/v2/registries/{registry}``, or None.
        status: The status that was answered; None when nothing was.
        at: Seconds on the sandbox's clock.
        token_ok: Whether it carried a token that the sandbox knows.
    """

    method: str
    raw_path: str
    route: str | None
    status: int | None
    at: float
    token_ok: bool


class Sandbox:
    """An embedded registry that behaves like the real one, on a port of this machine.

    ``async with Sandbox() as sandbox`` runs it for the block; ``start`` and ``stop`` do it by hand.

    Attributes:
        state: The account behind the API; tests may change it while the sandbox runs.
        token: A token that is accepted.
        tokens: All of them; each has a quota of its own.
        faults: The faults to inject; may be replaced while the sandbox runs.
        latency: Seconds by which each answer is delayed.
        certificates: With TLS, the certificate that clients have to trust; else None.
        rejected_count: Requests answered 429.
        request_count: Requests received.
    """

    def __init__(
        self,
        state: State | None = None,
        *,
        limits: Limits | None = None,
        token: str = "sandbox-token",  # noqa: S107  (no secret: it opens this sandbox only)
        host: str = "127.0.0.1",
        port: int = 0,
        max_per_page: int = 200,
        latency: float = 0.0,
        allow_remote: bool = False,
        faults: Faults | None = None,
        tls: bool = False,
        record: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up a sandbox; nothing listens before ``start``.

        Args:
            state: The account's content; by default one empty registry, ``example``.
            limits: The rate limits to enforce; None (the default) reports those of the API and
                enforces none.
            token: The token to accept, ``sandbox-token`` by default.
            host: The address to listen on, 127.0.0.1 by default.
            port: The port to listen on; 0 (the default) takes a free one.
            max_per_page: The largest page that is granted, 200 by default.
            latency: Seconds by which each answer is delayed, 0 by default.
            allow_remote: Whether ``host`` may be reachable from other machines; no by default.
            faults: The faults to inject; ``PUT /_sandbox/faults`` replaces them from this machine.
            tls: Whether to use TLS, with a certificate made by ``trustme``; no by default.
            record: How many of the latest requests are kept in ``requests``, 100,000 by default.
            clock: Returns seconds that never decrease, for the rate limits; ``time.monotonic`` by
                default.

        Raises:
            ValueError: ``host`` is reachable from other machines and ``allow_remote`` is not set.
            ModuleNotFoundError: ``tls`` is asked for and ``trustme`` is not installed.
        """
        if not allow_remote and not is_local(host):
            raise ValueError(f"{host} is reachable from other machines; set allow_remote")
        if state is None:
            state = State()
            state.add_registry("example")
        self.state = state
        self.token = token
        self.tokens: set[str] = {token}
        self.latency = latency
        self.faults: Faults = faults or Faults()
        self.certificates: Certificates | None = certificates(host) if tls else None
        if self.certificates is not None:
            state.certificate_authority = self.certificates.authority
        self.request_count: int = 0
        self.rejected_count: int = 0
        self._limits = limits
        self._limiter = Limiter(limits)
        self._host = host
        self._port = port
        self._max_per_page = max_per_page
        self._clock = clock
        self._epoch = time.time() - clock()
        self._record: deque[RecordedRequest] = deque(maxlen=record)
        self._routes = api.router()
        self._runner: web.ServerRunner | None = None
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The API's base URL, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self.certificates else 'http'}://{host}:{self._port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests, oldest first."""
        return list(self._record)

    @property
    def rate_limit(self) -> "RateLimit | None":
        """A `RateLimit` that matches the limits; None where there are none."""
        limits = self._limits
        if limits is None:
            return None
        from aioregistry.ratelimit.limits import RateLimit  # noqa: PLC0415  (else needs no client)

        windows = ((limits.per_minute, MINUTE), (limits.per_hour, HOUR))
        return RateLimit(windows=windows).scaled(limits.scale)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        server = web.Server(self._serve, access_log=None, request_factory=_request)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        # Not a TCPSite: cancelled while it starts, that leaves its port open.
        listener = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self.certificates.server if self.certificates else None,
            backlog=128,
            start_serving=False,
        )
        self._runner, self._listener = runner, listener
        self._port = listener.sockets[0].getsockname()[1]
        try:
            await listener.start_serving()
        except BaseException:
            listener.close()
            raise

    async def stop(self) -> None:
        """Close the port and all connections; cancelled before it was done, it can be repeated."""
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def use_quota(self, requests: int, token: str | None = None) -> None:
        """Count requests that other clients of a token made just now.

        Args:
            requests: How many.
            token: Whose; by default ``token``.
        """
        self._limiter.spend(token or self.token, requests, self._clock())

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path == CONTROL_PATH:
            self.faults, response = await control(request, self.faults)
            return response
        if self.latency:
            # Half on the way in and half on the way out: a request counts when it is processed.
            await asyncio.sleep(self.latency / 2)
        try:
            body = await request.read() if request.body_exists else b""
        except (aiohttp.ClientPayloadError, ConnectionError):
            # The client hung up; nobody reads this.
            return reset(request)
        if path.startswith("/kubernetes/"):
            return self._ask_cluster(request, path, body)
        match = self._routes.find(path)
        exchange = Exchange(
            self.state,
            request,
            path,
            query,
            body,
            match,
            self._token_of(request),
            self._max_per_page,
        )
        faults = self.faults
        struck = faults.strike(request.method, exchange.route or path)
        spoiling = next((fault for fault in struck if fault.kind in SPOILING), NO_FAULT)
        for fault in struck:
            await self._prepare(fault, exchange)
        if spoiling.kind == "reset-before":
            self._note(exchange, None)
            return reset(request)
        for _ in range(2 if any(fault.kind == "duplicate" for fault in struck) else 1):
            answer, headers = self._process(exchange, spoiling)
            self._note(exchange, answer.status)
        if self.latency:
            await asyncio.sleep(self.latency / 2)
        return await Delivery(request, answer, headers, spoiling, faults.random).send()

    def _ask_cluster(self, request: web.BaseRequest, path: str, body: bytes) -> web.StreamResponse:
        """Answer in the place of a cluster's API server."""
        name, _, rest = path.removeprefix("/kubernetes/").partition("/")
        cluster = self.state.clusters.get(name)
        if cluster is None:
            return web.Response(status=404)
        authorization = request.headers.get("Authorization", "")
        answer = cluster.answer(request.method, f"/{rest}", request.query, authorization, body)
        if answer is None:
            return reset(request)
        status, text, media_type = answer
        return web.Response(status=status, body=text, content_type=media_type)

    async def _prepare(self, fault: Fault, exchange: Exchange) -> None:
        """Do what a fault does before the request is processed."""
        match fault.kind:
            case "delay":
                await asyncio.sleep(fault.duration(self.faults.random))
            case "quota":
                self.use_quota(fault.count, exchange.token)
            case "move" if exchange.match is not None:
                match = exchange.match
                move(self.state, match.template, match.parameters, fault.change, fault.count)

    def _process(self, exchange: Exchange, fault: Fault) -> tuple[Answer, dict[str, str]]:
        """Count a request against its quota and carry it out."""
        if exchange.protocol_path is not None:
            # The registry itself has credentials and limits of its own.
            path = exchange.protocol_path
            return exchange.spoil(fault) or exchange.call_protocol(path), {}
        headers: dict[str, str] = {}
        try:
            if exchange.token is None:
                raise unauthorized()
            verdict = self._limiter.take(exchange.token, self._clock())
            headers = headers_of(verdict, self._epoch, fractions=self._limiter.scaled)
            if not verdict.allowed:
                self.rejected_count += 1
                raise rate_limited()
            return exchange.spoil(fault) or exchange.carry_out(), headers
        except Refusal as refusal:
            return exchange.refuse(refusal), headers

    def _note(self, exchange: Exchange, status: int | None) -> None:
        self.request_count += 1
        self._record.append(
            RecordedRequest(
                exchange.request.method,
                exchange.request.raw_path,
                exchange.route,
                status,
                self._clock(),
                exchange.token is not None,
            )
        )

    def _token_of(self, request: web.BaseRequest) -> str | None:
        """The known token that a request carries, compared in constant time."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        given = secret.encode("utf-8", "surrogateescape")
        known = [token for token in self.tokens if hmac.compare_digest(token.encode(), given)]
        return known[0] if known and scheme.lower() == "bearer" else None


def _request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: "asyncio.Task[None]"
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY
    )
