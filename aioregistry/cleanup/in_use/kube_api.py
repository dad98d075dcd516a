"""Requests to a cluster: the one place that knows kubernetes_asyncio, and guards it."""

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import field, frozen

from aioregistry.cleanup.in_use.kinds import ClusterError
from aioregistry.cleanup.in_use.kubeconfig import files_of_environment, load_kubeconfig
from aioregistry.cleanup.in_use.proxies import check_proxy, proxy_for
from aioregistry.version import VERSION

__all__ = [
    "ClusterAPI",
    "ClusterCredentials",
    "ClusterIdentity",
    "Connect",
    "by_account",
    "by_credentials",
    "by_kubeconfig",
]

_ATTEMPT_SECONDS = 60.0
_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_MAX_MESSAGE = 300
# The text between the marks: what tools write around it differs.
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_THROTTLED = 429
_SERVER_ERRORS = 500


@frozen
class ClusterIdentity:
    """What tells a cluster from others.

    Attributes:
        host: Its address.
        server_name: The name that its certificate has to have; None for that of the address.
        is_checked: Whether its certificate is checked.
        certificates: What that is checked against, as PEM; empty for the system's authorities.
    """

    host: str
    server_name: str | None
    is_checked: bool
    certificates: bytes

    @property
    def authority(self) -> str:
        """The SHA-256 of the authorities, however they are written; empty for the system's."""
        blocks = _PEM.findall(self.certificates)
        found = sorted({b"".join(one.split()) for one in blocks})
        return hashlib.sha256(b"\n".join(found)).hexdigest() if found else ""


class ClusterAPI(Protocol):
    """Sends requests to a cluster, each once, and none that changes anything."""

    @property
    def server(self) -> str:
        """The cluster's address."""

    @property
    def identity(self) -> "ClusterIdentity":
        """What tells the cluster from others."""

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        """Return the document at a path.

        Raises:
            ClusterError: There is no answer with a status of success.
        """

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:
        """Return the answer to a document; as `get`."""


Connect = Callable[[], AbstractAsyncContextManager[ClusterAPI]]


@frozen(kw_only=True)
class ClusterCredentials:
    """What lets a program ask a cluster.

    Attributes:
        server: The cluster's address.
        certificate_authority: What its certificate is checked against, as PEM; empty for the
            system's authorities.
        token: A bearer token; empty for none.
        client_certificate: A certificate in its place, as PEM.
        client_key: Its key.
    """

    server: str
    certificate_authority: bytes = b""
    token: str = field(default="", repr=False)
    client_certificate: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)


def by_kubeconfig(context: str | None = None, files: Sequence[Path] | None = None) -> Connect:
    """Return how a cluster is reached that a kubeconfig names.

    Args:
        context: The context; None, the default, for that which is the current one when the cluster
            is first reached: it stays.
        files: The files, the first of which wins; None for those of ``KUBECONFIG``, else
            ``~/.kube/config``.
    """
    kept = context

    async def configure(configuration: Any, _: ExitStack) -> None:
        nonlocal kept
        chosen = files_of_environment() if files is None else files
        # Whoever makes another context the current one meanwhile means other programs.
        kept = await load_kubeconfig(configuration, kept, chosen)

    return lambda: _open(configure)


def by_account(folder: Path = _ACCOUNT_FOLDER) -> Connect:
    """Return how a cluster is reached from one of its pods, by the pod's service account.

    Args:
        folder: Where the account's token and the cluster's authority are; by default where
            Kubernetes mounts them.
    """

    async def configure(configuration: Any, _: ExitStack) -> None:
        from kubernetes_asyncio.config import load_incluster_config  # noqa: PLC0415

        if not os.environ.get("KUBERNETES_SERVICE_HOST"):
            raise ClusterError("this runs in no pod: KUBERNETES_SERVICE_HOST is not set")
        load_incluster_config(
            client_configuration=configuration,
            # Each connection reads it anew, and a token lives on for minutes after it is replaced.
            try_refresh_token=False,
            token_filename=str(folder / "token"),
            cert_filename=str(folder / "ca.crt"),
        )

    return lambda: _open(configure)


def by_credentials(fetch: Callable[[], Awaitable[ClusterCredentials]]) -> Connect:
    """Return how a cluster is reached with credentials that are fetched for each connection."""

    async def configure(configuration: Any, stack: ExitStack) -> None:
        credentials = await fetch()
        configuration.host = credentials.server.rstrip("/")
        for name, text in (
            ("ssl_ca_cert", credentials.certificate_authority),
            ("cert_file", credentials.client_certificate),
            ("key_file", credentials.client_key),
        ):
            if text:
                # The library takes paths alone. The file is its owner's, and gone afterwards.
                file = stack.enter_context(NamedTemporaryFile(suffix=".pem"))  # noqa: SIM115
                file.write(text)
                file.flush()
                setattr(configuration, name, file.name)
        if credentials.token:
            configuration.api_key["BearerToken"] = f"Bearer {credentials.token}"

    return lambda: _open(configure)


@asynccontextmanager
async def _open(
    configure: Callable[[Any, ExitStack], Awaitable[None]],
) -> AsyncGenerator[ClusterAPI]:
    try:
        from kubernetes_asyncio.client import ApiClient, Configuration  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "asking a cluster needs kubernetes_asyncio: pip install 'aioregistry-do[kubernetes]'"
        ) from None
    _keep_bodies_out_of_logs()
    # Made so, it is none of the defaults that the program may have set.
    configuration = type.__call__(Configuration)
    with ExitStack() as stack:
        try:
            await configure(configuration, stack)
            _check(configuration)
            # From Python 3.13 on, its default asks more of an authority than many a cluster's has,
            # and than kubectl does. Chain, name and dates are checked all the same.
            configuration.disable_strict_ssl_verification = True
            configuration.proxy = configuration.proxy or proxy_for(configuration.host)
            if configuration.proxy:
                check_proxy(configuration.proxy)
            identity = await asyncio.to_thread(_identity, configuration)
            client = ApiClient(configuration)
        except ClusterError:
            raise
        except Exception as error:  # noqa: BLE001, of a dozen kinds
            raise _failure(error) from None
        client.user_agent = f"aioregistry/{VERSION}"
        rest: Any = client.rest_client
        rest.pool_manager = _PlainSession(rest.pool_manager)
        try:
            yield _Library(client, identity)
        finally:
            await client.close()


def _check(configuration: Any) -> None:
    address = urlsplit(configuration.host)
    if "@" in address.netloc:
        # Plans and errors have the address.
        raise ClusterError("the cluster's address has a user or password in it")
    token = configuration.api_key.get("BearerToken")
    if token is not None:
        # Tokens in files end in a newline, which no header may have in it.
        configuration.api_key["BearerToken"] = token.strip()
    if address.scheme != "https" and token and address.hostname not in _LOOPBACK:
        raise ClusterError(f"no token is sent to {configuration.host}: it is not https")


def _identity(configuration: Any) -> ClusterIdentity:
    authority = configuration.ssl_ca_cert
    return ClusterIdentity(
        configuration.host,
        configuration.tls_server_name,
        configuration.verify_ssl,
        Path(authority).read_bytes() if authority else b"",
    )


def _keep_bodies_out_of_logs() -> None:
    # The library logs whole answers at DEBUG, with the environment of every pod in them.
    log = logging.getLogger("kubernetes_asyncio.client.rest")
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


class _PlainSession:
    """A session that sends what it is given: no redirect is followed, and no ~/.netrc is read.

    A page to log in is no list, and credentials of that file are for others; one for any host
    would stand in the way of the token.
    """

    def __init__(self, session: Any) -> None:
        self._given = session
        self._session = type(session)(connector=session.connector, connector_owner=False)

    async def request(self, **arguments: Any) -> Any:
        return await self._session.request(**arguments, allow_redirects=False)

    async def close(self) -> None:
        await self._session.close()
        await self._given.close()


@frozen
class _Library:
    """A cluster by a client of the library, none of whose models is used."""

    client: Any
    identity: ClusterIdentity

    @property
    def server(self) -> str:
        return str(self.client.configuration.host)

    async def get(self, path: str, query: Mapping[str, str]) -> Any:
        return await self._call("GET", path, query=query)

    async def post(self, path: str, document: Mapping[str, Any]) -> Any:
        return await self._call("POST", path, document=document)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            answer, _, _ = await self.client.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json"},
                body=document,
                response_types_map={200: "object", 201: "object"},
                auth_settings=["BearerToken"],
                _return_http_data_only=False,
                _request_timeout=_ATTEMPT_SECONDS,
            )
        except Exception as error:  # noqa: BLE001, of a dozen kinds
            raise _failure(error) from None
        return answer


def _failure(error: Exception) -> ClusterError:
    """Return what went wrong, without headers, bodies, tokens and passwords of proxies."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and hasattr(error, "body"):
        passing = status == _THROTTLED or status >= _SERVER_ERRORS
        message = f"{status} {getattr(error, 'reason', '')}: {_message(error.body)}"
        return ClusterError(message.removesuffix(": "), status, is_passing=passing)
    is_passing = isinstance(error, OSError | TimeoutError) or type(error).__module__.startswith(
        "aiohttp"
    )
    text = str(error) or "no answer"
    if "@" in text and "://" in text:
        # Of an address with a user and password; what a proxy answers is told with one.
        text = "no answer" if status is None else f"the answer was {status}"
    return ClusterError(f"{type(error).__name__}: {text}", is_passing=is_passing)


def _message(body: Any) -> str:
    """Return what a `Status` says; nothing of any other body."""
    try:
        said = json.loads(body)
    except (TypeError, ValueError):
        return ""
    message = said.get("message") if isinstance(said, dict) else None
    return message[:_MAX_MESSAGE] if isinstance(message, str) else ""
