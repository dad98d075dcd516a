"""What is sent back, before any socket is involved."""

from collections.abc import Mapping
from typing import Any

import attrs

from aioregistry.sandbox.state.documents import compact


@attrs.frozen
class Answer:
    """An answer.

    Attributes:
        status: The HTTP status.
        body: JSON, unless a header says otherwise.
        headers: More headers.
        zeros: How many zero bytes follow the body: content that nobody has kept.
        tail: What follows them.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    zeros: int = 0
    tail: bytes = b""


NO_CONTENT = Answer(204)


def answer_json(status: int, body: Any) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, compact(body))


@attrs.frozen
class ProtocolError(Exception):
    """An error of the OCI distribution protocol.

    Attributes:
        status: The HTTP status.
        code: The protocol's code, as ``MANIFEST_UNKNOWN``.
        message: The error in words.
        headers: More headers of its answer.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def answer(self) -> Answer:
        """The answer that carries it."""
        errors = [{"code": self.code, "message": self.message, "detail": None}]
        return Answer(self.status, compact({"errors": errors}), self.headers)


def unsupported() -> ProtocolError:
    """405: the path has no such method."""
    return ProtocolError(405, "UNSUPPORTED", "the operation is unsupported")


def unauthorized(headers: Mapping[str, str]) -> ProtocolError:
    """401: no credentials or no token, or without the right that is needed."""
    return ProtocolError(401, "UNAUTHORIZED", "authentication required", headers)


def name_invalid() -> ProtocolError:
    """400: no repository can have this name."""
    return ProtocolError(400, "NAME_INVALID", "invalid repository name")


def name_unknown() -> ProtocolError:
    """404: there is no such repository."""
    return ProtocolError(404, "NAME_UNKNOWN", "repository name not known to registry")


def digest_invalid() -> ProtocolError:
    """400: a digest that is none, or that the content does not have."""
    return ProtocolError(400, "DIGEST_INVALID", "provided digest did not match uploaded content")


def upload_unknown() -> ProtocolError:
    """404: there is no such upload, or it has ended."""
    return ProtocolError(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
