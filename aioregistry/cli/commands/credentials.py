"""``aioregistry login``, ``logout``, ``credentials`` and ``kubernetes-manifest``."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve

from aioregistry.api.names import check_registry
from aioregistry.cli.docker.config import OWN_HELPER, DockerConfigError, docker_config_path
from aioregistry.cli.docker.logins import Logins, revoke, revoke_at
from aioregistry.cli.docker.pull_secret import (
    ALL_NAMESPACES,
    check_namespace,
    check_secret_name,
    pull_secret,
)
from aioregistry.cli.docker.scope import Minted, Scope
from aioregistry.cli.docker.store import Store, files_that_go_first
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED, epilog
from aioregistry.cli.options import Access, RegistryName, with_groups
from aioregistry.cli.running import run, run_connected
from aioregistry.cli.settings.settings import Settings
from aioregistry.cli.settings.turns import one_at_a_time

if TYPE_CHECKING:
    from aioregistry.api.models import DockerCredentials
    from aioregistry.cli.connection import Connection

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_CONTROL_PANEL = "only deleting their token in DigitalOcean's control panel ends them"


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
    login replaces the one before, and revokes it.
    """

    async def work() -> int:
        settings = Settings.load(access)
        settings.check_origins()
        store = Store.open(docker_config_path(), settings.registry_host)
        if use_helper or store.helper == OWN_HELPER:
            before = store.passwords()
            place = "--use-helper" if use_helper else str(store.path)
            scope.check_helper_follows(settings, place)
            if use_helper:
                _check_helper()
                store.use_own_helper()
            _say(f"{store.path}: Docker runs docker-credential-{OWN_HELPER} for {store.host}")
            if registry is not None and registry != settings.registry:
                _say(
                    f"the helper takes its registry from the configuration, which does not name"
                    f" {registry!r}: run 'aioregistry config set registry {registry}'"
                )
        else:
            before = await _make_and_store(store, access, registry, scope)
        await _revoke(before, "the credentials that were stored before")
        _name_files_that_go_first(store.host)
        return DONE

    run("login", access, work(), _interrupted)


async def _make_and_store(
    store: Store, access: Access, registry: str | None, scope: Scope
) -> list[str]:
    """Make credentials and store them; return the passwords that were stored before."""
    minted = await _mint(access, registry, scope)
    password, logins = minted.credentials.password, Logins.default()
    try:
        # Before they are stored: what is stored and not noted is never revoked.
        logins.note(password, minted.api_url, minted.expires_at)
    except OSError as error:
        _say(
            f"warning: {logins.path}: {error.strerror}: without this note of them, 'aioregistry"
            " logout' will not revoke the credentials"
        )
    try:
        where, before = await _save(store, minted)
    except OSError as error:
        error.add_note("no credentials were stored; DOCKER_CONFIG names another folder")
        raise
    _say(f"{where}: {minted}")
    minted.warn("'aioregistry logout' revokes them")
    return before


async def _save(store: Store, minted: Minted) -> tuple[str, list[str]]:
    """Store new credentials; they are revoked where that fails.

    Returns:
        Where, and the passwords that were stored there before.
    """
    try:
        with one_at_a_time(Logins.default().path.parent):
            # Others may have logged in, here or elsewhere, while the API made these.
            store = Store.open(store.path, store.host)
            before = store.passwords()
            return store.save(minted.credentials), before
    except (DockerConfigError, OSError):
        await revoke_at(minted.credentials.password, minted.api_url)
        raise


@app.command(epilog=epilog("aioregistry logout"))
@with_groups
def logout(
    access: Access = Access(),
) -> None:
    """Remove the credentials that `login` stored, and revoke them.

    Credentials that another program stored are removed and not revoked: they may be in use
    elsewhere.
    """

    async def work() -> int:
        settings = Settings.load(access)
        settings.check_origins()
        store = Store.open(docker_config_path(), settings.registry_host)
        before = store.passwords()
        left = store.remove()
        if left == store.config and not before:
            _say(f"{store.path}: no credentials for {store.host}")
        else:
            _say(f"{store.path}: removed the credentials for {store.host}")
        failed = not await _revoke(before, "the credentials")
        if store.helper == OWN_HELPER:
            from aioregistry.cli.docker.kept import drop

            failures = await drop(store.host)
            _say_unrevoked("credentials of the helper", failures)
            failed = failed or bool(failures)
        further = left.further_keys(store.host)
        if further:
            _say(
                f"{store.path}: kept {', '.join(further)}: some programs still use these"
                " credentials; edit the file to remove them"
            )
        _name_files_that_go_first(store.host)
        return SOME_FAILED if failed else DONE

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
            help="Merge the credentials into this Docker configuration, or give them to the"
            " credential store that it names, instead of printing them.",
        ),
    ] = None,
    access: Access = Access(),
) -> None:
    """Print a Docker configuration with new credentials. The output is a secret."""

    async def work() -> int:
        store = None
        if merge_into is not None:
            settings = Settings.load(access)
            settings.check_origins()
            store = Store.open(merge_into, settings.registry_host)
            if store.helper == OWN_HELPER:
                raise DockerConfigError(
                    f"{merge_into} has docker-credential-{OWN_HELPER} make the credentials of"
                    f" {store.host}: Docker would use no others"
                )
        minted = await _mint(access, registry, scope)
        if store is None:
            typer.echo(json.dumps(minted.credentials.config, indent=2))
        else:
            where, _ = await _save(store, minted)
            _say(f"{where}: {minted}")
        minted.warn(_CONTROL_PANEL)
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
        str | None,
        typer.Option(metavar="NAME", show_default="default", help="Namespace of the secret."),
    ] = None,
    all_namespaces: Annotated[
        bool,
        typer.Option(
            "--all-namespaces",
            help=f"Put the secret into {ALL_NAMESPACES}, with the annotation by which a"
            " DigitalOcean cluster copies it to all namespaces.",
        ),
    ] = False,
    scope: Scope = Scope(),
    access: Access = Access(),
) -> None:
    """Print a pull secret for `kubectl apply -f -`. The output is a secret.

    Its annotation aioregistry/expires-at has the time by which to apply a new one.
    """

    async def work(to: "Connection") -> int:
        if all_namespaces and namespace not in {None, ALL_NAMESPACES}:
            raise UsageError(
                f"--all-namespaces and --namespace {namespace} exclude each other: a cluster copies"
                f" secrets of {ALL_NAMESPACES} only"
            )
        if name is not None:
            check_secret_name(name)
        where = check_namespace(namespace or (ALL_NAMESPACES if all_namespaces else "default"))
        # What is wrong with an option is told before anything is sent.
        scope.seconds(to.settings)
        handle = await to.registry(registry)
        minted = await _mint_with(to, handle.name, scope)
        secret = pull_secret(
            minted.credentials.config,
            name or f"registry-{handle.name}",
            where,
            minted.expires_at,
            all_namespaces=all_namespaces,
        )
        typer.echo(secret, nl=False)
        minted.warn(_CONTROL_PANEL)
        return DONE

    run_connected("kubernetes-manifest", access, work, _interrupted)


async def _mint(access: Access, registry: str | None, scope: Scope) -> Minted:
    """Get new credentials from the API."""
    from aioregistry.cli.connection import Connection

    async with Connection.open(access) as to:
        return await _mint_with(to, registry or to.settings.registry, scope)


async def _mint_with(to: "Connection", registry: str | None, scope: Scope) -> Minted:
    seconds = scope.seconds(to.settings)
    if registry is not None:
        check_registry(registry)
    read_write = to.settings.read_write if scope.read_write is None else scope.read_write
    source = to.client if registry is None else to.client.registry(registry)
    begun = datetime.now(UTC)
    credentials = await source.docker_credentials(read_write, seconds)
    if to.settings.registry_url is not None:
        credentials = _known_as(to.settings.registry_host, credentials)
    expires_at = None if seconds is None else begun + timedelta(seconds=seconds)
    return Minted(credentials, to.settings.api_url, read_write, expires_at)


def _known_as(host: str, credentials: "DockerCredentials") -> "DockerCredentials":
    """Return credentials for the host that Docker, `logout` and the helper use."""
    config = {**credentials.config, "auths": {host: credentials.config["auths"][credentials.host]}}
    return evolve(credentials, host=host, config=config)


async def _revoke(passwords: Sequence[str], which: str) -> bool:
    """Revoke credentials that are no longer stored, and say so; return whether that succeeded.

    Args:
        passwords: Their passwords.
        which: What they are called.
    """
    done = await revoke(passwords, Logins.default())
    if done.revoked:
        _say(f"{which} are revoked")
    if done.foreign:
        _say(
            f"{which} are not revoked: 'aioregistry login' did not make them here, and others may"
            f" use them. They are valid until they expire; {_CONTROL_PANEL} sooner"
        )
    _say_unrevoked(which, done.failures)
    return not done.failures


def _say_unrevoked(which: str, failures: Sequence[str]) -> None:
    for failure in failures:
        _say(f"{which} could not be revoked; {failure}")


def _name_files_that_go_first(host: str) -> None:
    for path in files_that_go_first(host):
        _say(f"{path}: has credentials for {host}, which podman, skopeo and buildah use first")


def _check_helper() -> None:
    program = f"docker-credential-{OWN_HELPER}"
    if shutil.which(program) is None:
        raise DockerConfigError(f"{program} is not on the PATH; Docker runs it from there")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _interrupted() -> str:
    return "nothing was stored"
