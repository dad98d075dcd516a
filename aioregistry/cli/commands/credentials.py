"""``aioregistry login``, ``logout``, ``credentials`` and ``kubernetes-manifest``."""

import base64
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve, frozen

from aioregistry.cli.docker.config import (
    OWN_HELPER,
    DockerConfig,
    DockerConfigError,
    docker_config_path,
    for_helper,
    run_helper,
)
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import Access, RegistryName, as_arguments, with_groups
from aioregistry.cli.running import run, run_connected
from aioregistry.cli.settings.settings import Settings, SettingsError, whole_seconds

if TYPE_CHECKING:
    from aioregistry.api.models import DockerCredentials
    from aioregistry.cli.connection import Connection

__all__ = ["app"]

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_EXPIRY = 30 * 86_400
# Kubernetes' rules: a secret's name is labels joined by dots, a namespace one label.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SECRET_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_SCOPE = "Credentials"


@frozen
class Scope:
    """Permissions and lifetime of credentials."""

    read_write: Annotated[
        bool | None,
        typer.Option(
            "--read-write/--read-only",
            show_default="read-only",
            rich_help_panel=_SCOPE,
            help="Permission to push and pull, or to pull only (AIOREGISTRY_READ_WRITE).",
        ),
    ] = None
    expiry: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default="30d",
            rich_help_panel=_SCOPE,
            help="Lifetime of the credentials (AIOREGISTRY_EXPIRY).",
        ),
    ] = None
    never_expire: Annotated[
        bool,
        typer.Option(
            "--never-expire", rich_help_panel=_SCOPE, help="Make credentials that never expire."
        ),
    ] = False

    def seconds(self, settings: Settings) -> int | None:
        """Return the lifetime in seconds; None for ever.

        Raises:
            SettingsError: The options are invalid or exclude each other.
        """
        if self.never_expire and self.expiry is not None:
            raise SettingsError("--expiry and --never-expire exclude each other")
        if self.never_expire:
            return None
        try:
            given = None if self.expiry is None else whole_seconds(self.expiry)
        except ValueError as error:
            raise SettingsError(f"--expiry: {error}") from None
        return given or settings.expiry or _EXPIRY


@frozen
class _Minted:
    credentials: "DockerCredentials"
    read_write: bool
    expires_at: datetime | None

    def __str__(self) -> str:
        until = "never" if self.expires_at is None else _minute(self.expires_at)
        scope = "push and pull" if self.read_write else "pull (not push; --read-write allows it)"
        return f"Docker may {scope} at {self.credentials.host}; the credentials expire: {until}"


@app.command(epilog=epilog("aioregistry login example"))
@with_groups
def login(
    registry: RegistryName = None,
    scope: Scope = Scope(),
    use_helper: Annotated[
        bool,
        typer.Option(
            "--use-helper",
            help="Store no credentials: Docker runs `docker-credential-aioregistry` for each use.",
        ),
    ] = False,
    access: Access = Access(),
) -> None:
    """Let Docker pull from a registry: store credentials in Docker's configuration.

    They are written to `~/.docker/config.json`, to the folder in `DOCKER_CONFIG`, or to the
    credential store named there. Docker keeps one set of credentials for each host, so the last
    login replaces the one before.
    """

    async def work() -> int:
        settings = Settings.load(access)
        path = docker_config_path()
        config = DockerConfig.load(path)
        host = settings.registry_host
        helper = config.helper_for(host)
        if use_helper or helper == OWN_HELPER:
            _check_scope(scope, settings, "--use-helper" if use_helper else str(path))
            if use_helper:
                _check_helper()
                config.with_helper(host, OWN_HELPER).save(path)
            typer.echo(f"{path}: Docker runs docker-credential-{OWN_HELPER} for {host}", err=True)
            if registry is not None and registry != settings.registry:
                typer.echo(
                    f"the helper takes its registry from the configuration, which does not name"
                    f" {registry!r}: run 'aioregistry config set registry {registry}'",
                    err=True,
                )
            return DONE
        minted = await _mint(access, registry, scope)
        if helper is None:
            config.with_auth(host, minted.credentials.config["auths"][host]).save(path)
            stored = str(path)
        else:
            run_helper(helper, "store", for_helper(minted.credentials))
            # The empty entry is how Docker notes that the store has them.
            config.with_auth(host, {}).save(path)
            stored = f"docker-credential-{helper}"
        typer.echo(f"{stored}: {minted}", err=True)
        return DONE

    run("login", access, work(), _interrupted)


@app.command(epilog=epilog("aioregistry logout"))
@with_groups
def logout(
    access: Access = Access(),
) -> None:
    """Remove the credentials that `login` stored. They stay valid until they expire."""

    async def work() -> int:
        path, host = docker_config_path(), Settings.load(access).registry_host
        config = DockerConfig.load(path)
        helper = config.helper_for(host)
        if helper is not None:
            run_helper(helper, "erase", host)
        left = config.without_auth(host)
        if helper == OWN_HELPER:
            left = left.without_helper(host)
        if left == config and helper is None:
            typer.echo(f"{path}: no credentials for {host}", err=True)
        else:
            left.save(path)
            typer.echo(f"{path}: removed the credentials for {host}", err=True)
        further = left.further_keys(host)
        if further:
            typer.echo(
                f"{path}: kept {', '.join(further)}: some programs still use these credentials;"
                " edit the file to remove them",
                err=True,
            )
        return DONE

    run("logout", access, work(), _interrupted)


@app.command(epilog=epilog("aioregistry credentials example --expiry 1h"))
@with_groups
def credentials(
    registry: RegistryName = None,
    scope: Scope = Scope(),
    merge_into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Merge the credentials into this Docker configuration instead of printing them.",
        ),
    ] = None,
    access: Access = Access(),
) -> None:
    """Print a Docker configuration with new credentials. The output is a secret."""

    async def work() -> int:
        config = DockerConfig() if merge_into is None else DockerConfig.load(merge_into)
        helper = config.helper_for(Settings.load(access).registry_host)
        if helper is not None:
            raise DockerConfigError(
                f"{merge_into} leaves the credentials of this host to docker-credential-{helper}:"
                " Docker would not read them from the file. Use 'aioregistry login', which stores"
                " them there"
            )
        minted = await _mint(access, registry, scope)
        host = minted.credentials.host
        if merge_into is None:
            typer.echo(json.dumps(minted.credentials.config, indent=2))
        else:
            config.with_auth(host, minted.credentials.config["auths"][host]).save(merge_into)
            typer.echo(f"{merge_into}: {minted}", err=True)
        return DONE

    run("credentials", access, work(), _interrupted)


@app.command(epilog=epilog("aioregistry kubernetes-manifest example | kubectl apply -f -"))
@with_groups
def kubernetes_manifest(
    registry: RegistryName = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default="registry-REGISTRY", help="Name of the secret."),
    ] = None,
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Namespace of the secret.")
    ] = "default",
    scope: Scope = Scope(),
    access: Access = Access(),
) -> None:
    """Print a pull secret for `kubectl apply -f -`. The output is a secret.

    Its annotation aioregistry/expires-at has the time by which to apply a new one.
    """

    async def work(to: "Connection") -> int:
        _check_name("secret", name, _SECRET_NAME, "labels of a-z 0-9 -, joined by single dots")
        _check_name("namespace", namespace, _NAMESPACE, "a-z 0-9 -, at most 63 characters")
        handle = await to.registry(registry)
        minted = await _mint_with(to, handle.name, scope)
        typer.echo(_secret(minted, name or f"registry-{handle.name}", namespace), nl=False)
        return DONE

    run_connected("kubernetes-manifest", access, work, _interrupted)


async def _mint(access: Access, registry: str | None, scope: Scope) -> _Minted:
    """Get new credentials from the API."""
    from aioregistry.cli.connection import Connection

    async with Connection.open(access) as to:
        return await _mint_with(to, registry or to.settings.registry, scope)


async def _mint_with(to: "Connection", registry: str | None, scope: Scope) -> _Minted:
    seconds = scope.seconds(to.settings)
    read_write = to.settings.read_write if scope.read_write is None else scope.read_write
    source = to.client if registry is None else to.client.registry(registry)
    begun = datetime.now(UTC)
    minted = await source.docker_credentials(read_write, seconds)
    if to.settings.registry_url is not None:
        minted = _known_as(to.settings.registry_host, minted)
    expires_at = None if seconds is None else begun + timedelta(seconds=seconds)
    return _Minted(minted, read_write, expires_at)


def _known_as(host: str, minted: "DockerCredentials") -> "DockerCredentials":
    """Return credentials for the host that Docker, `logout` and the helper use."""
    config = {**minted.config, "auths": {host: minted.config["auths"][minted.host]}}
    return evolve(minted, host=host, config=config)


def _secret(minted: _Minted, name: str, namespace: str) -> str:
    config = json.dumps(minted.credentials.config).encode()
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {
                "aioregistry/expires-at": "never"
                if minted.expires_at is None
                else minted.expires_at.isoformat(timespec="seconds")
            },
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config).decode()},
    }
    # JSON is YAML.
    return json.dumps(document, indent=2) + "\n"


def _check_name(kind: str, name: str | None, pattern: re.Pattern[str], rule: str) -> None:
    if name is not None and not pattern.fullmatch(name):
        raise UsageError(f"invalid name of a {kind}: {name!r}; Kubernetes allows {rule}")


def _check_scope(scope: Scope, settings: Settings, place: str) -> None:
    """Refuse options that the credential helper would not follow.

    Raises:
        UsageError: The configuration has other values.
    """
    same = scope.read_write in {None, settings.read_write} and not scope.never_expire
    if same and (scope.expiry is None or scope.seconds(settings) == settings.expiry):
        return
    options = " ".join(as_arguments(scope))
    raise UsageError(
        f"{options} has no effect with {place}: the credential helper takes read-write and expiry"
        " from the configuration. Set them with 'aioregistry config set read-write true' or"
        " 'aioregistry config set expiry 1h'"
    )


def _check_helper() -> None:
    program = f"docker-credential-{OWN_HELPER}"
    if shutil.which(program) is None:
        raise DockerConfigError(f"{program} is not on the PATH; Docker runs it from there")


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _interrupted() -> str:
    return "nothing was stored"
