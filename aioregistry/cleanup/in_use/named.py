"""Sources by name, as options and files name them."""

import asyncio
from pathlib import Path

from aioregistry.arguments import Many, Several, refuse_one
from aioregistry.cleanup.in_use.account import AccountInUse
from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use
from aioregistry.cleanup.in_use.several import SeveralInUse
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.files import NotTextError, read_text

__all__ = ["ACCOUNT", "IN_CLUSTER", "KUBERNETES", "ask_sources", "is_live", "live_source"]

ACCOUNT = "digitalocean"
IN_CLUSTER = "in-cluster"
KUBERNETES = "kubernetes"


def is_live(name: str) -> bool:
    """Return whether a name is that of a source which is asked; others are files."""
    return name in {ACCOUNT, IN_CLUSTER} or name.partition(":")[0] == KUBERNETES


def live_source(
    name: str,
    client: RegistryClient | RegistryHandle | None,
    *,
    further_kinds: Many[str] = (),
    ignore: Many[str] = (),
) -> ClusterInUse | AccountInUse:
    """Return a source by its name.

    Args:
        name: ``digitalocean``, ``in-cluster``, ``kubernetes`` or ``kubernetes:CONTEXT``.
        client: Whose account is asked; None where none is.
        further_kinds: Kinds of objects besides the usual ones.
        ignore: Kinds that need not name an image, and ``cluster/NAME`` and ``app/NAME`` that are
            not asked.

    Raises:
        InUseError: The account is to be asked, and there is no client.
    """
    kinds = [one for one in ignore if "/" not in one]
    if name == ACCOUNT:
        if client is None:
            raise InUseError(f"{ACCOUNT}: no account to ask")
        left_out = [one for one in ignore if "/" in one]
        return AccountInUse(
            client, ignore=left_out, further_kinds=further_kinds, ignore_kinds=kinds
        )
    _, _, context = name.partition(":")
    return ClusterInUse(
        context or None,
        in_cluster=name == IN_CLUSTER,
        further_kinds=further_kinds,
        ignore_kinds=kinds,
    )


async def ask_sources(
    sources: Several[str], client: RegistryClient | RegistryHandle
) -> InUse | None:
    """Return the images that run now by all sources, asked anew; None without a source.

    Args:
        sources: ``digitalocean``, ``kubernetes``, ``kubernetes:CONTEXT``, ``in-cluster``, ``none``,
            or files as `read_in_use` reads them.
        client: A client of the account that ``digitalocean`` asks, or one of its registries.

    Raises:
        InUseError: One of them may not name all that runs.
    """
    refuse_one("sources", sources)
    sources = tuple(sources)
    if not sources:
        return None
    if sources == ("none",):
        return InUse()
    uses: list[Use] = []
    for source in sources:
        if not is_live(source):
            uses += await asyncio.to_thread(_read, source)
    several = SeveralInUse(*(live_source(one, client) for one in sources if is_live(one)))
    found = await several.ask()
    return InUse([*uses, *found], several.asked)


def _read(path: str) -> list[Use]:
    try:
        text = read_text(Path(path))
    except NotTextError as error:
        raise InUseError(str(error)) from None
    except OSError as error:
        raise InUseError(f"{path}: cannot be read: {error}") from None
    return read_in_use(text, path)
