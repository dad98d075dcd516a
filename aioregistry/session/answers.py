"""Answers, and the meaning of each: pure decisions, the API's and the registry's alike."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from attrs import define, field, frozen

from aioregistry.api.decoding import decode_error
from aioregistry.errors import (
    InvalidResponseError,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    error_for_status,
)
from aioregistry.ratelimit.headers import RateLimitHeaders
from aioregistry.session.secret import redact

__all__ = [
    "Answer",
    "ErrorBody",
    "Failure",
    "NoAnswer",
    "classify",
    "is_ambiguous",
    "is_misrouted",
    "is_success",
    "parse_error_body",
]

_MAX_CHARACTERS = 1000
_UNROUTED = "could not be routed"


@define
class Answer:
    """An answer, wholly read.

    Attributes:
        status: The HTTP status.
        headers: The headers, a mapping that ignores case.
        body: The body; empty when it was too large, or lost.
        too_large: Whether the body was longer than any that the server should send.
        lost: Whether the body, an error's, broke off or came too late.
    """

    status: int
    # Not shown: either may repeat what was sent.
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    too_large: bool = False
    lost: bool = False


@frozen
class NoAnswer:
    """The lack of an answer.

    Attributes:
        error: Why there is none.
        sent: Whether the request may have reached the server.
        final: Whether a further attempt would end in the same way; by default it may not.
    """

    error: RegistryError
    sent: bool
    final: bool = False


@frozen
class Failure:
    """An attempt that failed.

    Attributes:
        status: The HTTP status of the answer; None when there was no answer.
        sent: Whether the request may have reached the server.
        retry_after: Seconds after which the server asked to come again.
    """

    status: int | None
    sent: bool = True
    retry_after: float | None = None


class ErrorBody(NamedTuple):
    """What the body of an error says; None for what it leaves out."""

    error_id: str | None = None
    message: str | None = None
    request_id: str | None = None


def is_success(answer: Answer, *, is_delete: bool, may_have_taken_effect: bool) -> bool:
    """Return whether an answer means that a request was carried out.

    Args:
        answer: The answer.
        is_delete: Whether the request was a DELETE.
        may_have_taken_effect: Whether an earlier attempt may have been carried out unseen: then a
            404 for a DELETE means that it was.
    """
    if 200 <= answer.status < 300:
        if is_delete and answer.status != 204:
            # A proxy's page is no sign that anything was deleted.
            return not _is_page(answer)
        return not answer.too_large
    is_gone = answer.status == 404 and is_delete and may_have_taken_effect
    return is_gone and not is_misrouted(answer)


def is_misrouted(answer: Answer) -> bool:
    """Return whether a 404 may be about the way of the request, and not about what it names.

    Proxies send a page or a line of text, such as ``404 page not found``, and the API has answered
    paths with ``%2F`` as if it had no such call. A body that was not read may have said anything.
    """
    said = parse_error_body(answer.body)
    is_text = _media_type(answer).startswith("text/")
    # Programs in Go call what they say in JSON text, too, and to a HEAD nothing is said.
    is_foreign = _is_page(answer) or (is_text and answer.body and not any(said))
    is_unread = answer.too_large or answer.lost
    return bool(is_foreign) or is_unread or _UNROUTED in (said.message or "").lower()


def _is_page(answer: Answer) -> bool:
    return _media_type(answer).startswith("text/html")


def _media_type(answer: Answer) -> str:
    # Any case means the same.
    return answer.headers.get("content-type", "").lower()


def is_ambiguous(answer: Answer) -> bool:
    """Return whether a request may have been carried out for all that an answer shows."""
    # A page in place of the API's answer, or an error on the way back: of all the errors of servers
    # and gateways, 503 alone refuses a request before it is carried out.
    return answer.status < 300 or (answer.status >= 500 and answer.status != 503)


def classify(
    answer: Answer, *authorizations: str, now: float, server: str = "server"
) -> tuple[RegistryError, Failure]:
    """Return the error that an answer without success stands for, and whether it may pass.

    Args:
        answer: The answer.
        authorizations: The values of Authorization headers that the server may repeat: whatever
            is a secret in them is removed from its words.
        now: Seconds since the epoch.
        server: Which server answered, for messages that it did not send; by default ``server``.
    """
    status = answer.status
    if status < 400:
        if answer.too_large:
            problem = "too large a body"
        elif status < 300:
            problem = "a page, not with what the API says; is a proxy in between?"
        else:
            problem = "a redirect, which is not followed"
        # No further attempt would turn out otherwise.
        return (
            InvalidResponseError(f"the {server} answered with {problem}", status=status),
            Failure(status),
        )
    said = parse_error_body(answer.body)
    request_id = said.request_id or answer.headers.get("x-request-id")
    error = error_for_status(status, said.message)(
        _shown(said.message, authorizations) or f"the {server} answered with status {status}",
        status=status,
        error_id=_shown(said.error_id, authorizations),
        request_id=_shown(request_id, authorizations),
    )
    if isinstance(error, NotFoundError) and is_misrouted(answer):
        error.is_certain = False
    reported = RateLimitHeaders.parse(status, answer.headers, now)
    retry_after = reported.retry_after
    if isinstance(error, RateLimitedError):
        if retry_after is None:
            retry_after = reported.reset_after
        error.retry_after = retry_after
    return error, Failure(status, retry_after=retry_after)


def parse_error_body(body: bytes) -> ErrorBody:
    """Return what the body of an error says, in the API's form or in the OCI protocol's.

    The API sends ``{"id", "message", "request_id"}``, registries ``{"errors": [{"code",
    "message"}]}``, of which the first counts.
    """
    said = ErrorBody(*decode_error(body))
    if any(said):
        return said
    try:
        first = msgspec.json.decode(body)["errors"][0]
        return ErrorBody(_text(first.get("code")), _text(first.get("message")))
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
        LookupError,
        TypeError,
        AttributeError,
    ):
        return ErrorBody()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shown(text: str | None, authorizations: tuple[str, ...]) -> str | None:
    if text is None:
        return None
    text = redact(text, *authorizations)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
