"""Asking a DigitalOcean account what it runs: every cluster and every app, or one error."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import asdict

from aioregistry.api.account import App, KubernetesCluster
from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.kinds import ClusterError
from aioregistry.cleanup.in_use.kube_api import ClusterCredentials, by_credentials
from aioregistry.cleanup.in_use.live_objects import LiveObjects
from aioregistry.cleanup.in_use.references import InUseError, Use
from aioregistry.cleanup.in_use.several import SeveralInUse
from aioregistry.cleanup.in_use.summary import AskedServer
from aioregistry.client.account import Account
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import ClientClosedError, PermissionDeniedError, RegistryError

__all__ = ["AccountInUse"]

_NAME = "digitalocean"
# Long enough for all lists of a cluster.
_ACCESS_SECONDS = 600
# The states of clusters whose API servers answer.
_ANSWERING = frozenset({"running", "degraded"})
_OF_NOW = ("active_deployment", "in_progress_deployment", "pending_deployment", "pinned_deployment")


class AccountInUse:
    """The images that run in the account of a client's token, or may run again.

    An async iterable for `make_plan` and `apply_plan`, each of which asks anew: every Kubernetes
    cluster, as `ClusterInUse` does, with credentials of ten minutes, and every app of the App
    Platform with its deployments, those included that a rollback may start. An app's image names no
    registry: it is kept in each. Droplets, functions and all outside of the account cannot be
    asked.

    The token needs the scopes ``kubernetes:read``, ``kubernetes:access_cluster`` and ``app:read``;
    the extra ``kubernetes`` is needed, too. Costs a request for 200 clusters, two for each cluster
    and each app, and one for 200 apps.

    Example:
        ```python
        in_use = AccountInUse(client, ignore=["cluster/staging"])
        print(in_use.asked)  # empty, until make_plan(…, in_use=in_use) has asked
        ```

    Args:
        client: An open client, or a handle on one of the account's registries.
        ignore: What is not asked, as ``cluster/NAME`` and ``app/NAME``. None by default.
        further_kinds: See `ClusterInUse`; a cluster that lacks one cannot be known. None by
            default.
        ignore_kinds: See `ClusterInUse`. None by default.
        timeout: Seconds for each cluster; 120 by default.
        sleep: See `ClusterInUse`.

    Attributes:
        notes: A sentence for each image, cluster and app that was passed over.
        asked: The servers that were asked, once all have answered.

    Raises:
        InUseError: While it is iterated: what runs cannot be known, and why.
        ModuleNotFoundError: kubernetes_asyncio is missing, and there is a cluster.
    """

    def __init__(
        self,
        client: RegistryClient | RegistryHandle,
        *,
        ignore: Many[str] = (),
        further_kinds: Many[str] = (),
        ignore_kinds: Many[str] = (),
        timeout: float = 120.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        for name, given in (
            ("ignore", ignore),
            ("further_kinds", further_kinds),
            ("ignore_kinds", ignore_kinds),
        ):
            refuse_one(name, given)
        self.notes: list[str] = []
        self.asked: tuple[AskedServer, ...] = ()
        self._account = Account.of(client)
        self._ignore = frozenset(ignore)
        self._further_kinds = tuple(further_kinds)
        self._ignore_kinds = tuple(ignore_kinds)
        self._timeout = timeout
        self._sleep = sleep

    async def __aiter__(self) -> AsyncGenerator[Use]:
        for use in await self.ask():
            yield use

    async def ask(self) -> list[Use]:
        """Return all that the account runs.

        Raises:
            InUseError: That cannot be known, and why.
            ClientClosedError: The client is closed.
            ModuleNotFoundError: kubernetes_asyncio is missing, and there is a cluster.
        """
        try:
            return await self._ask()
        except (ClientClosedError, InUseError):
            raise
        except PermissionDeniedError as error:
            raise InUseError.unknown(
                f"cannot know what runs in the account: {error}; the token needs the scopes"
                " kubernetes:read, kubernetes:access_cluster and app:read"
            ) from None
        except (RegistryError, ClusterError) as error:
            raise InUseError.unknown(f"cannot know what runs in the account: {error}") from None

    async def _ask(self) -> list[Use]:
        at = datetime.now(UTC)
        clusters = await self._account.clusters().collect(require_complete=True)
        apps = await self._account.apps().collect(require_complete=True)
        if not clusters and not apps:
            raise InUseError.unknown(
                "cannot know what runs in the account: it has no cluster and no app, or none that"
                " the token may see; where nothing runs, give --in-use none"
            )
        found = LiveObjects(_NAME, frozenset({"App"}))
        counts = {"clusters": len(clusters), "apps": len(apps), "deployments": 0}
        named = [f"app/{_name_of(app)}" for app in apps] + [
            f"cluster/{one.name}" for one in clusters
        ]
        left_out = tuple(dict.fromkeys(name for name in named if name in self._ignore))
        for app in apps:
            name = _name_of(app)
            if f"app/{name}" not in left_out:
                counts["deployments"] += await self._read(app, name, found)
        sources = [self._cluster(one) for one in clusters if f"cluster/{one.name}" not in left_out]
        several = SeveralInUse(*sources)
        of_clusters = [use for use in await several.ask() if isinstance(use, Use)]
        uses = [*of_clusters, *found.uses()]
        here = AskedServer(
            source=_NAME,
            server=self._account.url,
            counts=counts,
            at=at,
            left_out=left_out,
            passed_over=tuple(found.notes),
        )
        self.asked = (here, *several.asked)
        notes = [f"{name} was not asked, by option" for name in left_out]
        self.notes = [*notes, *several.notes, *found.notes]
        return uses

    async def _read(self, app: App, name: str, found: LiveObjects) -> int:
        """Take in an app, and return how many deployments it has had."""
        found.add({"spec": {**_specification(app.spec, name), "name": name}}, "App")
        of_now = [deployment for key in _OF_NOW if (deployment := getattr(app, key)) is not None]
        listed = await self._account.deployments(app.id).collect(require_complete=True)
        # What a deployment was built from is beside its specification: the tag has moved since.
        for deployment in [*of_now, *map(asdict, listed)]:
            spec = deployment.get("spec") if isinstance(deployment, dict) else None
            found.add({**deployment, "spec": {**_specification(spec, name), "name": name}}, "App")
        return len(listed)

    def _cluster(self, cluster: KubernetesCluster) -> ClusterInUse:
        state = cluster.status.state
        if state not in _ANSWERING:
            raise InUseError.unknown(
                f"cannot know what runs in the account: its cluster {cluster.name} is"
                f" {state or 'in no known state'}; wait for it, or leave it out: --in-use-ignore"
                f" cluster/{cluster.name}"
            )

        async def fetch() -> ClusterCredentials:
            access = await self._account.cluster_access(cluster.id, _ACCESS_SECONDS)
            return ClusterCredentials(
                server=access.server,
                certificate_authority=base64.b64decode(access.certificate_authority_data),
                token=access.token,
                client_certificate=base64.b64decode(access.client_certificate_data),
                client_key=base64.b64decode(access.client_key_data),
            )

        return ClusterInUse(
            connect=by_credentials(fetch),
            name=f"{_NAME} cluster {cluster.name}",
            further_kinds=self._further_kinds,
            ignore_kinds=self._ignore_kinds,
            timeout=self._timeout,
            sleep=self._sleep,
        )


def _specification(given: object, name: str) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    raise InUseError.unknown(
        f"cannot know what runs in the account: its app {name} has no specification, or one of its"
        f" deployments; leave it out: --in-use-ignore app/{name}"
    )


def _name_of(app: App) -> str:
    spec: Mapping[str, Any] = app.spec if isinstance(app.spec, dict) else {}
    name = spec.get("name")
    return name if isinstance(name, str) and name else app.id
