"""Sources by name, as options and files name them."""

from aioregistry.arguments import Many
from aioregistry.cleanup.in_use.account import AccountInUse
from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle

__all__ = ["ACCOUNT", "IN_CLUSTER", "KUBERNETES", "is_live", "live_source"]

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
