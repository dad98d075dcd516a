"""Errors as HTTP answers: ``application/problem+json``, RFC 9457."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from attrs import field, frozen

from aioregistry.errors import (
    ClientClosedError,
    ConflictError,
    InvalidNameError,
    InvalidRequestError,
    NotFoundError,
    PreconditionFailedError,
    RateLimitedError,
    RegistryError,
    RegistryTimeoutError,
)

__all__ = ["CONTENT_TYPE", "Problem"]

CONTENT_TYPE = "application/problem+json"
_RETRY_AFTER = 1

# The first that fits; all else is the registry's fault, or the service's token's.
_STATUS: tuple[tuple[type[RegistryError], HTTPStatus], ...] = (
    (RateLimitedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ClientClosedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (RegistryTimeoutError, HTTPStatus.GATEWAY_TIMEOUT),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (PreconditionFailedError, HTTPStatus.CONFLICT),
    (InvalidNameError, HTTPStatus.BAD_REQUEST),
    (InvalidRequestError, HTTPStatus.BAD_REQUEST),
)
# Defined above this floor, where they would have to be imported from.
_CONFLICTS = {"CapExceededError", "PlanLockedError", "JournalError", "GarbageCollectionError"}


@frozen
class Problem:
    """What a service answers when a call of the client fails.

    Attributes:
        status: The HTTP status: 503 when there is no quota or the client is closed, 504 when the
            registry does not answer in time, 404, 409 and 400 where the caller can do something,
            502 for all else, which is between the service and the registry.
        error: The name of the error's class.
        detail: What went wrong, in words; neither a URL nor a secret.
        request_id: The API's identifier of the request.
        headers: The answer's headers; ``Retry-After`` is among those of a 503.
    """

    status: HTTPStatus
    error: str
    detail: str
    request_id: str | None = None
    headers: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, error: RegistryError) -> "Problem":
        """Return what to answer for an error."""
        status = next(
            (status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_GATEWAY
        )
        name = type(error).__name__
        if name in _CONFLICTS:
            status = HTTPStatus.CONFLICT
        headers = {"Content-Type": CONTENT_TYPE}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            after = getattr(error, "retry_after", None)
            headers["Retry-After"] = str(max(_RETRY_AFTER, math.ceil(after or 0)))
        return cls(status, name, error.message, error.request_id, headers)

    def body(self) -> bytes:
        """Return the answer's body."""
        document = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "error": self.error,
        }
        if self.request_id is not None:
            document["request_id"] = self.request_id
        return json.dumps(document).encode()
