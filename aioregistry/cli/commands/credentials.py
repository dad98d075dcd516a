"""``aioregistry login``, ``logout``, ``credentials`` and ``kubernetes-manifest``."""

import base64
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from attrs import evolve, frozen

from aioregistry.api.models import DockerCredentials
from aioregistry.cli.connection import DONE, Connection, refuse, run
from aioregistry.cli.docker.config import (
    OWN_HELPER,
    DockerConfig,
    DockerConfigError,
    docker_config_path,
    for_helper,
    run_helper,
)
from aioregistry.cli.options import Access, RegistryName, with_groups
from aioregistry.cli.settings.settings import Settings, SettingsError, whole_seconds

__all__ = ["app"]

app = typer.Typer(rich_markup_mode="markdown")

_EXIT_CODES = "Exit codes: 0, done; 1, not so; 2, wrong usage, nothing was changed."
_EXPIRY = 30 * 86_400
# What Kubernetes takes as the name of a secret, and of a namespace.
_SECRET_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SCOPE = "Credentials"


@frozen
class Scope:
    """What credentials are good for, and how long."""

    read_write: Annotated[
        bool | None,
        typer.Option(
            "--read-write/--read-only",
            show_default="read-only",
            rich_help_panel=_SCOPE,
            help="Whether they may push (AIOREGISTRY_READ_WRITE).",
        ),
    ] = None
    expiry: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default="30d",
            rich_help_panel=_SCOPE,
            help="How long they are valid (AIOREGISTRY_EXPIRY).",
        ),
    ] = None
    never_expire: Annotated[
        bool,
        typer.Option("--never-expire", rich_help_panel=_SCOPE, help="Let them never expire."),
    ] = False

    def seconds(self, settings: Settings) -> int | None:
        """Return after how many seconds they expire; None for never.

        Raises:
            SettingsError: The options make no sense.
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
    credentials: DockerCredentials
    read_write: bool
    expires_at: datetime | None

    def __str__(self) -> str:
        until = "never expire" if self.expires_at is None else f"expire {_minute(self.expires_at)}"
        what = "push and pull" if self.read_write else "pull, not push (--read-write lets it)"
        return f"Docker may {what} at {self.credentials.host}; the credentials {until}"


@app.command(epilog=_EXIT_CODES)
@with_groups
def login(
    registry: RegistryName = None,
    scope: Scope = Scope(),
    use_helper: Annotated[
        bool,
        typer.Option(
            "--use-helper",
            help="Store nothing: let Docker ask `docker-credential-aioregistry` each time.",
        ),
    ] = False,
    access: Access = Access(),
) -> None:
    """Let Docker pull from a registry: write credentials where Docker looks for them.

    That is `~/.docker/config.json`, or below `DOCKER_CONFIG`, or the credential store that this
    names. Docker knows credentials by the host alone, so the registry of the last login counts.
    """

    async def work() -> int:
        path = docker_config_path()
        config = DockerConfig.load(path)
        minted = await _mint(access, registry, scope)
        host = minted.credentials.host
        helper = config.helper_for(host)
        if use_helper:
            _check_helper()
            config.with_helper(host, OWN_HELPER).save(path)
            typer.echo(f"{path}: Docker asks docker-credential-{OWN_HELPER} for {host}", err=True)
            return DONE
        if helper == OWN_HELPER:
            typer.echo(f"{path}: Docker asks docker-credential-{helper} already", err=True)
            return DONE
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


@app.command(epilog=_EXIT_CODES)
@with_groups
def logout(
    access: Access = Access(),
) -> None:
    """Take the credentials away that `login` has written. They stay valid until they expire."""

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
            typer.echo(f"{path}: nothing there for {host}", err=True)
        else:
            left.save(path)
            typer.echo(f"{path}: Docker has no credentials for {host} any more", err=True)
        return DONE

    run("logout", access, work(), _interrupted)


@app.command(epilog=_EXIT_CODES)
@with_groups
def credentials(
    registry: RegistryName = None,
    scope: Scope = Scope(),
    merge_into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Merge them into this Docker configuration instead of printing one.",
        ),
    ] = None,
    access: Access = Access(),
) -> None:
    """Print a Docker configuration with new credentials. Treat it as a secret."""

    async def work() -> int:
        config = DockerConfig() if merge_into is None else DockerConfig.load(merge_into)
        minted = await _mint(access, registry, scope)
        host = minted.credentials.host
        if merge_into is None:
            typer.echo(json.dumps(minted.credentials.config, indent=2))
        else:
            config.with_auth(host, minted.credentials.config["auths"][host]).save(merge_into)
            typer.echo(f"{merge_into}: {minted}", err=True)
        return DONE

    run("credentials", access, work(), _interrupted)


@app.command(epilog=_EXIT_CODES)
@with_groups
def kubernetes_manifest(
    registry: RegistryName = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default="registry-REGISTRY", help="What the secret is called."
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="The namespace that it is in.")
    ] = "default",
    scope: Scope = Scope(),
    access: Access = Access(),
) -> None:
    """Print a pull secret for `kubectl apply -f -`. Treat it as a secret.

    It says when it expires: apply a new one before.
    """
    command = "kubernetes-manifest"
    if name is not None and not _SECRET_NAME.fullmatch(name):
        refuse(command, f"no secret can be called {name!r}: a-z 0-9 . -")
    if not _NAMESPACE.fullmatch(namespace):
        refuse(command, f"no namespace can be called {namespace!r}: a-z 0-9 -")

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
        minted = await _mint(access, handle.name, scope)
        typer.echo(_secret(minted, name or f"registry-{handle.name}", namespace), nl=False)
        return DONE

    run(command, access, work(), _interrupted)


async def _mint(access: Access, registry: str | None, scope: Scope) -> _Minted:
    """Ask the API for credentials."""
    async with Connection.open(access) as to:
        seconds = scope.seconds(to.settings)
        read_write = to.settings.read_write if scope.read_write is None else scope.read_write
        name = registry or to.settings.registry
        source = to.client if name is None else to.client.registry(name)
        begun = datetime.now(UTC)
        minted = await source.docker_credentials(read_write, seconds)
        if to.settings.registry_url is not None:
            minted = _known_as(to.settings.registry_host, minted)
    expires_at = None if seconds is None else begun + timedelta(seconds=seconds)
    return _Minted(minted, read_write, expires_at)


def _known_as(host: str, minted: DockerCredentials) -> DockerCredentials:
    """Return credentials for the host under which Docker, `logout` and the helper look."""
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


def _check_helper() -> None:
    program = f"docker-credential-{OWN_HELPER}"
    if shutil.which(program) is None:
        raise DockerConfigError(f"{program} is not on the PATH, where Docker looks for it")


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _interrupted() -> str:
    return "nothing was stored"
