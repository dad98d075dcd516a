"""What is asked for images that run, before a plan and before each slice of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.named import is_live, live_source
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use
from aioregistry.cleanup.in_use.several import SeveralInUse
from aioregistry.client.registry import RegistryHandle

__all__ = ["ask_sources"]


async def ask_sources(sources: Sequence[str], registry: RegistryHandle) -> InUse | None:
    """Return the images that run by all sources; None without a source.

    Args:
        sources: ``digitalocean``, ``kubernetes``, ``kubernetes:CONTEXT``, ``in-cluster``, ``none``,
            or files.
        registry: A registry of the account that ``digitalocean`` asks.

    Raises:
        InUseError: One of them may not name all that runs.
    """
    if not sources:
        return None
    if tuple(sources) == ("none",):
        return InUse()
    uses: list[Use] = []
    for source in sources:
        if not is_live(source):
            uses += await asyncio.to_thread(_read, source)
    several = SeveralInUse(*(live_source(one, registry) for one in sources if is_live(one)))
    found = await several.ask()
    return InUse([*uses, *found], several.asked)


def _read(path: str) -> list[Use]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InUseError(f"{path}: cannot be read: {error}") from None
    return read_in_use(text, path)
