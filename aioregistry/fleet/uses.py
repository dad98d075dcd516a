"""What is asked for images that run, before a plan and before each slice of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use

__all__ = ["ask_sources"]


async def ask_sources(sources: Sequence[str]) -> InUse | None:
    """Return the images that run by all sources; None without a source.

    Args:
        sources: ``kubernetes``, ``kubernetes:CONTEXT``, ``none``, or files.

    Raises:
        InUseError: One of them may not name all that runs.
    """
    if not sources:
        return None
    if tuple(sources) == ("none",):
        return InUse()
    uses: list[Use] = []
    for source in sources:
        uses += await asyncio.to_thread(_ask, source)
    return InUse(uses)


def _ask(source: str) -> list[Use]:
    kind, _, context = source.partition(":")
    if kind == "kubernetes":
        return ask_kubernetes(context or None)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InUseError(f"{source}: cannot be read: {error}") from None
    return read_in_use(text, source)
