"""What runs images in the account, besides its registries: clusters and apps."""

from typing import TYPE_CHECKING

from attrs import frozen

from aioregistry.api import account
from aioregistry.api.account import App, AppDeployment, ClusterAccess, KubernetesCluster
from aioregistry.client.families import PathFamilies
from aioregistry.client.lists import ListEndpoint, PagerFactory, by_id
from aioregistry.paging.pager import Pager

if TYPE_CHECKING:
    from aioregistry.client.client import RegistryClient
    from aioregistry.client.registry import RegistryHandle

__all__ = ["Account"]


@frozen
class Account:
    """The account of a client; to make one sends nothing.

    Attributes:
        url: The API's address.
    """

    url: str
    _families: PathFamilies
    _pagers: PagerFactory

    @classmethod
    def of(cls, client: "RegistryClient | RegistryHandle") -> "Account":
        """Return the account that the token of a client, or of a registry's handle, is for."""
        families = client._families  # noqa: SLF001, of the same room
        return cls(families.session.base_url, families, client._pagers)  # noqa: SLF001

    def clusters(self) -> Pager[KubernetesCluster]:
        """Return a pager over the Kubernetes clusters: ``GET /v2/kubernetes/clusters``."""
        return self._pagers.pager(ListEndpoint(lambda _: account.list_clusters(), by_id))

    async def cluster_access(self, cluster: str, expiry_seconds: int) -> ClusterAccess:
        """Return credentials for a cluster: ``GET /v2/kubernetes/clusters/{id}/credentials``.

        Args:
            cluster: Its ID.
            expiry_seconds: For how many seconds.

        Raises:
            RegistryError: Any of its kinds.
        """
        call = account.get_cluster_access(cluster, expiry_seconds)
        return await self._families.call(lambda _: call)

    def apps(self) -> Pager[App]:
        """Return a pager over the apps: ``GET /v2/apps``."""
        return self._pagers.pager(ListEndpoint(lambda _: account.list_apps(), by_id))

    def deployments(self, app: str) -> Pager[AppDeployment]:
        """Return a pager over an app's deployments: ``GET /v2/apps/{id}/deployments``."""
        return self._pagers.pager(ListEndpoint(lambda _: account.list_app_deployments(app), by_id))
