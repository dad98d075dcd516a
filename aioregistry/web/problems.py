"""Errors as HTTP responses: ``application/problem+json``, RFC 9457."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from attrs import field, frozen

from aioregistry.bulk.report import BulkDeleteError
from aioregistry.errors import (
    AuthenticationError,
    ClientClosedError,
    ConflictError,
    InvalidNameError,
    InvalidRequestError,
    InvalidTokenError,
    MountRefusedError,
    NotFoundError,
    NotRecordedError,
    PartialListingError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitedError,
    RegistryConnectionError,
    RegistryError,
    RegistryReadOnlyError,
    RegistryTimeoutError,
    ServerError,
    SharedQuotaError,
    TagExistsError,
)
from aioregistry.web.reports import JobStoreError, JobStoreRefusedError

__all__ = ["CONTENT_TYPE", "Problem", "describe"]

CONTENT_TYPE = "application/problem+json"
_RETRY_AFTER = 1

# The first that fits: its status, and what outsiders may know.
_KINDS: tuple[tuple[type[RegistryError], HTTPStatus, str], ...] = (
    (RateLimitedError, HTTPStatus.SERVICE_UNAVAILABLE, "the API's quota is spent for now"),
    (ClientClosedError, HTTPStatus.SERVICE_UNAVAILABLE, "the service is stopping"),
    (JobStoreRefusedError, HTTPStatus.BAD_GATEWAY, "the store of the jobs refuses the service"),
    (JobStoreError, HTTPStatus.SERVICE_UNAVAILABLE, "the store of the jobs cannot be reached"),
    (RegistryTimeoutError, HTTPStatus.GATEWAY_TIMEOUT, "the API did not answer in time"),
    (RegistryConnectionError, HTTPStatus.BAD_GATEWAY, "the API cannot be reached"),
    (NotFoundError, HTTPStatus.NOT_FOUND, "the API knows nothing of this name"),
    (TagExistsError, HTTPStatus.CONFLICT, "a tag is on another manifest"),
    (NotRecordedError, HTTPStatus.CONFLICT, "a delete could not be recorded, and was not sent"),
    (RegistryReadOnlyError, HTTPStatus.CONFLICT, "the registry is read-only for now"),
    (
        SharedQuotaError,
        HTTPStatus.BAD_GATEWAY,
        "the shared quota refuses the service",
    ),
    (MountRefusedError, HTTPStatus.BAD_GATEWAY, "the registry did not mount a blob"),
    (ConflictError, HTTPStatus.CONFLICT, "the request conflicts with the present state"),
    (PreconditionFailedError, HTTPStatus.CONFLICT, "the account's state does not allow it"),
    (InvalidNameError, HTTPStatus.BAD_REQUEST, "the name is not valid"),
    (InvalidRequestError, HTTPStatus.BAD_REQUEST, "the API refused the request as invalid"),
    (AuthenticationError, HTTPStatus.BAD_GATEWAY, "the API did not accept the service's token"),
    (InvalidTokenError, HTTPStatus.BAD_GATEWAY, "the service has no valid token"),
    (PermissionDeniedError, HTTPStatus.BAD_GATEWAY, "the service's token lacks a scope"),
    (ServerError, HTTPStatus.BAD_GATEWAY, "the API failed"),
    (PartialListingError, HTTPStatus.BAD_GATEWAY, "a list of the API was incomplete"),
    (BulkDeleteError, HTTPStatus.BAD_GATEWAY, "some items were not deleted"),
    (RegistryError, HTTPStatus.BAD_GATEWAY, "the API answered otherwise than it promises"),
)
# Their modules need extras.
_OF_EXTRAS: Mapping[str, tuple[HTTPStatus, str]] = {
    "ArchiveError": (HTTPStatus.CONFLICT, "the archive cannot be used"),
    "CapExceededError": (HTTPStatus.CONFLICT, "the plan exceeds a cap"),
    "CleanupUnderWayError": (HTTPStatus.CONFLICT, "another clean-up of the registry is under way"),
    "FleetServerError": (HTTPStatus.SERVICE_UNAVAILABLE, "the fleet's server cannot be reached"),
    "FleetServerRefusedError": (HTTPStatus.BAD_GATEWAY, "the fleet's server refuses the service"),
    "GarbageCollectionError": (HTTPStatus.CONFLICT, "the garbage collection did not succeed"),
    "InUseError": (HTTPStatus.CONFLICT, "what is in use is not known"),
    "JournalError": (HTTPStatus.CONFLICT, "the journal cannot be used"),
    "MissingContentError": (HTTPStatus.BAD_GATEWAY, "the registry lacks a manifest"),
    "PlanFileError": (HTTPStatus.CONFLICT, "the plan's file cannot be used"),
    "PlanLockedError": (HTTPStatus.CONFLICT, "the plan is being applied already"),
    "PolicyFileError": (HTTPStatus.CONFLICT, "the policy's file cannot be used"),
    "ReportError": (HTTPStatus.CONFLICT, "the report's file cannot be used"),
    "UndoError": (HTTPStatus.BAD_GATEWAY, "some items were not put back"),
    "UnreadableContentError": (HTTPStatus.BAD_GATEWAY, "a manifest cannot be read"),
}


@frozen
class Problem:
    """The response of a service when a call of the client has failed.

    It says the kind of the error, the API's status and its request id: no text of an exception, so
    no address, no path, and no secret that a token callable or a vault's client put there. The
    whole exception belongs into the service's log.

    Attributes:
        status: The HTTP status: 503 when the quota is spent, the service is stopping, or the server
            of its jobs or its fleet is away, 504 when the API does not answer in time, 404, 409 and
            400 where the caller can do something, 502 for everything else, which is between the
            service and the API.
        error: The name of the error's class.
        detail: What went wrong, in words.
        api_status: The HTTP status of the API's answer; None when there was none.
        request_id: The API's identifier of the request; None when there was none.
        headers: The response's headers; ``Retry-After`` is among those of a 503.
    """

    status: HTTPStatus
    error: str
    detail: str
    request_id: str | None = None
    headers: Mapping[str, str] = field(factory=dict)
    api_status: int | None = None

    @classmethod
    def of(cls, error: RegistryError) -> "Problem":
        """Return the response to an error."""
        # Whoever asks is told of no kind that is a module's own, but of the one that it is of.
        names = [kind.__name__ for kind in type(error).__mro__ if kind.__name__[0] != "_"]
        status, detail = next(
            (_OF_EXTRAS[name] for name in names if name in _OF_EXTRAS), None
        ) or next((status, detail) for kind, status, detail in _KINDS if isinstance(error, kind))
        if isinstance(error, NotFoundError) and not error.is_certain:
            # The last, which fits any: it is no word of the API's about what exists.
            _, status, detail = _KINDS[-1]
        headers = {"Content-Type": CONTENT_TYPE}
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            after = getattr(error, "retry_after", None)
            headers["Retry-After"] = str(max(_RETRY_AFTER, math.ceil(after or 0)))
        return cls(status, names[0], detail, error.request_id, headers, error.status)

    @classmethod
    def no_such_job(cls) -> "Problem":
        """Return the response to a request for a job that is not known."""
        headers = {"Content-Type": CONTENT_TYPE}
        return cls(HTTPStatus.NOT_FOUND, "NoSuchJob", "there is no such job", headers=headers)

    def body(self) -> bytes:
        """Return the response's body."""
        document = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "error": self.error,
        }
        if self.api_status is not None:
            document["api_status"] = self.api_status
        if self.request_id is not None:
            document["request_id"] = self.request_id
        return json.dumps(document).encode()


def describe(error: BaseException) -> str:
    """Return what outsiders may know of an error, in a line.

    Of an error that is not the client's, that is its class alone.
    """
    name = type(error).__name__
    if not isinstance(error, RegistryError):
        return name
    problem = Problem.of(error)
    facts = [f"status {problem.api_status}"] if problem.api_status is not None else []
    if problem.request_id is not None:
        facts.append(f"request id {problem.request_id}")
    text = f"{name}: {problem.detail}"
    return f"{text} ({', '.join(facts)})" if facts else text
