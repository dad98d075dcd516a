"""An answer, and the lack of one."""

from collections.abc import Mapping

from attrs import define, frozen

from aioregistry.errors import RegistryError

__all__ = ["Answer", "NoAnswer"]


@define
class Answer:
    """An answer, wholly read.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        body: The body; empty when it was too large.
        too_large: Whether the body was longer than any that the API sends.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False


@frozen
class NoAnswer:
    """The lack of an answer.

    Attributes:
        error: Why there is none.
        sent: Whether the request may have reached the server.
    """

    error: RegistryError
    sent: bool
