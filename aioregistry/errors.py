"""Every exception that a caller can meet: plain data, picklable, without secrets."""

import re
from collections.abc import Mapping

__all__ = [
    "AuthenticationError",
    "ClientClosedError",
    "ConflictError",
    "InvalidNameError",
    "InvalidRequestError",
    "InvalidResponseError",
    "InvalidTokenError",
    "MountRefusedError",
    "NotFoundError",
    "NotRecordedError",
    "PartialListingError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "RateLimitedError",
    "RegistryConnectionError",
    "RegistryError",
    "RegistryReadOnlyError",
    "RegistryTimeoutError",
    "ResponseError",
    "ServerError",
    "SharedQuotaError",
    "TagExistsError",
    "error_for_status",
    "printable",
]


class RegistryError(Exception):
    """The root of all errors of this package.

    Attributes:
        message: What went wrong, in the server's words where it sent any.
        hint: What to look at; empty where nothing is known to help.
        status: The HTTP status of the answer; None when there was no answer.
        error_id: The API's short identifier, such as ``not_found``; None when it sent none.
        request_id: The API's identifier of the request, for support; None when it sent none.
        method: The HTTP method; None when the error belongs to no request.
        url: The URL, which has no secret in it; None when the error belongs to no request.
        attempts: How often the request was sent; None when the error belongs to no request.
    """

    hint = ""
    status: int | None = None
    error_id: str | None = None
    request_id: str | None = None
    method: str | None = None
    url: str | None = None
    attempts: int | None = None

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        error_id: str | None = None,
        request_id: str | None = None,
        method: str | None = None,
        url: str | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_id = error_id
        self.request_id = request_id
        self.method = method
        self.url = url
        self.attempts = attempts

    def __str__(self) -> str:
        answer = " ".join(str(part) for part in (self.status, self.error_id) if part is not None)
        text = ": ".join(part for part in (answer, self.message) if part)
        if self.hint:
            text = f"{text.rstrip('.')}. {self.hint}"
        facts = []
        if self.method:
            facts.append(f"{self.method} {self.url}")
        if self.attempts is not None and self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        if self.request_id:
            facts.append(f"request id {self.request_id}")
        return printable(f"{text} ({', '.join(facts)})" if facts else text)


class ResponseError(RegistryError):
    """The API answered with an error status."""


class AuthenticationError(ResponseError):
    """401: the token is missing, wrong, or revoked."""

    hint = "Check the token"


class PermissionDeniedError(ResponseError):
    """403: the token is valid and lacks the scope for this call."""

    hint = "The token lacks a scope for this call"


class NotFoundError(ResponseError):
    """404: there is no such registry, repository, tag, manifest, or garbage collection.

    Attributes:
        is_certain: Whether that is what the answer says; True by default. Not where it is a page or
            a line of text, as proxies send them, says that the request could not be routed, or
            could not be read: nothing is known then of what exists.
    """

    is_certain: bool = True


class ConflictError(ResponseError):
    """409: the name is taken, or something else is under way."""


class PreconditionFailedError(ResponseError):
    """412: the account's state does not allow the call; the message says why."""


class RegistryReadOnlyError(PreconditionFailedError):
    """The registry is read-only, as it is during a garbage collection: no DELETE can succeed.

    The status is 412, or another one whose message says so.
    """

    hint = (
        "Wait for the garbage collection to end: wait_for_garbage_collection(), or "
        "'aioregistry gc wait'; then run this again"
    )


class InvalidRequestError(ResponseError):
    """400 or 422: the API refused what was sent."""


class RateLimitedError(ResponseError):
    """429, or the quota that a request may wait for would come too late.

    Attributes:
        retry_after: Seconds until a request may go, where it is known.
    """

    retry_after: float | None = None


class ServerError(ResponseError):
    """5xx: the API, or a proxy before it, failed."""


class RegistryConnectionError(RegistryError):
    """No answer: the connection could not be made, or was lost."""


class SharedQuotaError(RegistryError):
    """The Redis that keeps a shared quota refuses to, and waiting cannot help; the cause says why.

    A wrong password, a missing permission, TLS, or a name: nothing was sent to the registry.
    """


class RegistryTimeoutError(RegistryError, TimeoutError):
    """No answer in time."""


class InvalidResponseError(RegistryError):
    """An answer that is not what the API promises: a redirect, a wrong body, one too large."""


class PartialListingError(RegistryError):
    """A listing ended without all the items that the API counts.

    Attributes:
        found: How many items the walk yielded.
        total: How many the API counted last.
    """

    def __init__(self, message: str = "", *, found: int = 0, total: int | None = None) -> None:
        super().__init__(message)
        self.found = found
        self.total = total


class InvalidNameError(RegistryError, ValueError):
    """A name that nothing in a registry can have; nothing was sent."""


class InvalidTokenError(RegistryError, ValueError):
    """No token, or one that cannot be sent in a header; nothing was sent."""


class MountRefusedError(RegistryError):
    """The registry does not mount a blob from one repository in another; nothing was uploaded."""


class NotRecordedError(RegistryError):
    """What is to be deleted could not be written to disk before: nothing more is deleted."""


class TagExistsError(RegistryError):
    """A tag exists on another manifest, or was set to one meanwhile, and was not moved.

    Attributes:
        tags: The digest that each such tag is on, by its name.
    """

    def __init__(self, message: str = "", *, tags: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.tags: dict[str, str] = dict(tags or {})


class ClientClosedError(RegistryError):
    """The client is not open, not yet or no more, or was to be opened a second time."""


_BY_STATUS: dict[int, type[ResponseError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    422: InvalidRequestError,
    429: RateLimitedError,
}


_READ_ONLY = re.compile(r"\bread[- ]?only\b", re.IGNORECASE)


def error_for_status(status: int, message: str | None = None) -> type[ResponseError]:
    """Return the class of error for an answer.

    Args:
        status: The HTTP status.
        message: The message in the answer's body, which alone says of a registry that it is
            read-only; None, the default, for no message.
    """
    if status >= 500:
        return ServerError
    if status in {400, 403, 409, 412, 422, 423} and _READ_ONLY.search(message or ""):
        return RegistryReadOnlyError
    return _BY_STATUS.get(status, ResponseError)


def printable(text: str) -> str:
    """Return a text in which nothing can take over a terminal: control characters are escaped.

    So is whatever else moves a cursor, hides text or turns its direction, line ends included.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
