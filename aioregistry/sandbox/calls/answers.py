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
        zeros: How many zero bytes follow the body: content of which only the size is known.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    zeros: int = 0


NO_CONTENT = Answer(204)


def answer_json(status: int, body: Any) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, compact(body))
