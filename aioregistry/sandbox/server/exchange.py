"""One request and its answer, between the server and the calls."""

from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import attrs
from aiohttp import web

from aioregistry.sandbox.calls import api
from aioregistry.sandbox.calls.answers import Answer, ProtocolError
from aioregistry.sandbox.calls.distribution import ProtocolCall
from aioregistry.sandbox.calls.paths import ProtocolPath, protocol_path
from aioregistry.sandbox.calls.routing import Match
from aioregistry.sandbox.faults import Fault
from aioregistry.sandbox.refusal import Refusal, method_not_allowed, not_found
from aioregistry.sandbox.state.documents import compact
from aioregistry.sandbox.state.state import State

_PAGE = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>proxy</body></html>"


@attrs.define(slots=False)
class Exchange:
    """A request that has come in whole.

    Attributes:
        state: The account.
        request: As the server got it.
        path: Still percent-encoded.
        query: Still percent-encoded.
        body: As it came.
        match: Where the path leads among the API's calls.
        token: The known API token that the request carries, if it does.
        max_per_page: What ``per_page`` is clamped to.
    """

    state: State
    request: web.BaseRequest
    path: str
    query: str
    body: bytes
    match: Match[api.Handler] | None
    token: str | None
    max_per_page: int

    @cached_property
    def protocol_path(self) -> ProtocolPath | None:
        """Where it leads in the OCI distribution protocol; None for a call of the API."""
        return protocol_path(self.path) if self.match is None else None

    @property
    def route(self) -> str | None:
        """The route's template, or None."""
        if self.match is not None:
            return self.match.template
        return self.protocol_path.template if self.protocol_path is not None else None

    def carry_out(self) -> Answer:
        """Do what the API does for it.

        Raises:
            Refusal: The API answers an error.
        """
        if self.match is None:
            raise not_found()
        handler = self.match.handlers.get(self.request.method)
        if handler is None:
            allowed = {"Allow": ", ".join(sorted(self.match.handlers))}
            return attrs.evolve(self.refuse(method_not_allowed()), headers=allowed)
        return handler(
            api.Call(
                self.state,
                f"{self._base}{self.path}",
                self.match.parameters,
                dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {},
                self.body,
                self.match.template.startswith("/v2/registry"),
                self.max_per_page,
            )
        )

    def call_protocol(self, path: ProtocolPath) -> Answer:
        """Do what the registry itself does for it."""
        request = self.request
        return ProtocolCall(
            self.state,
            self._base,
            request.method,
            path,
            parse_qs(self.query),
            request.headers,
            request.headers.getall("Accept", ()),
            self.body,
        ).answer()

    def spoil(self, fault: Fault) -> Answer | None:
        """The answer that a fault gives instead of doing anything, if it does."""
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        if fault.kind == "status":
            if self.protocol_path is not None:
                return ProtocolError(fault.status, "UNKNOWN", "unknown error", headers).answer()
            refusal = Refusal(fault.status, "server_error", "Unexpected server-side error")
            return attrs.evolve(self.refuse(refusal), headers=headers)
        if fault.kind == "html":
            page = _PAGE % (fault.status, fault.status)
            return Answer(fault.status, page, {"Content-Type": "text/html", **headers})
        return None

    def refuse(self, refusal: Refusal) -> Answer:
        """The answer that carries a refusal."""
        error: dict[str, Any] = {
            "id": refusal.error_id,
            "message": refusal.message,
            "request_id": self.state.new_uuid(),
        }
        return Answer(refusal.status, compact(error))

    @property
    def _base(self) -> str:
        return f"{self.request.scheme}://{self.request.host}"
