"""Uploads of blobs that have begun and not ended."""

from collections.abc import Callable

import attrs

__all__ = ["Uploads"]


@attrs.define(eq=False)
class Uploads:
    """The bytes of blobs that arrive in pieces.

    Attributes:
        new_identifier: Makes the identifier of an upload.
    """

    new_identifier: Callable[[], str]
    _received: dict[str, tuple[str, bytearray]] = attrs.field(factory=dict, init=False)

    def begin(self, name: str) -> str:
        """Begin an upload to a repository (with its registry), and return its identifier."""
        identifier = self.new_identifier()
        self._received[identifier] = (name, bytearray())
        return identifier

    def received(self, name: str, identifier: str) -> bytearray | None:
        """The bytes that have arrived, to be added to; None without such an upload."""
        owner, received = self._received.get(identifier, ("", bytearray()))
        return received if owner == name else None

    def end(self, identifier: str) -> None:
        """Forget an upload."""
        self._received.pop(identifier, None)
