"""The work of ``aioregistry deploy``: reads the options and the policy, and writes files."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from aioregistry.api.names import check_registry
from aioregistry.cleanup.in_use.kinds import parse_kind
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.file import PolicyFileError
from aioregistry.cli.cleanup.rules import read_rules
from aioregistry.cli.deploy.dockerfile import dockerfile_of
from aioregistry.cli.deploy.github import workflow_of
from aioregistry.cli.deploy.kubernetes import Cluster, manifests_of
from aioregistry.cli.deploy.machine import crontab_of, units_of
from aioregistry.cli.deploy.options import Deploying
from aioregistry.cli.deploy.plan import Deployment, When, checked
from aioregistry.cli.deploy.source import Source
from aioregistry.cli.display.text import reason_of, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.running import refuse
from aioregistry.files import read_text

__all__ = ["cron", "dockerfile", "github", "kubernetes", "systemd"]

_IN_CLUSTER = "in-cluster"


def kubernetes(
    deploying: Deploying,
    namespace: str,
    image: str,
    secrets: tuple[str, str | None],
    to: Path | None,
) -> NoReturn:
    """Print a CronJob and what it needs, and exit.

    Args:
        deploying: Options.
        namespace: The namespace.
        image: The image.
        secrets: The name of that with the token, and of that which the image is pulled with.
        to: A folder; None to print.
    """

    def files() -> dict[str, str]:
        secret, pull_secret = secrets
        cluster = Cluster(
            checked("--namespace", namespace),
            checked("--image", image),
            checked("--secret", secret),
            _IN_CLUSTER in (deploying.in_use or ()),
            None if pull_secret is None else checked("--pull-secret", pull_secret),
        )
        deployment = _deployment("deploy kubernetes", deploying)
        return {f"{deployment.name}.yaml": manifests_of(deployment, cluster)}

    _write("deploy kubernetes", files, to)


def github(
    deploying: Deploying,
    branch: str,
    token_secret: str,
    package: str | None,
    to: Path | None,
) -> NoReturn:
    """Print a workflow, and exit.

    Args:
        deploying: Options.
        branch: The branch whose policy is carried out.
        token_secret: The name of the secret with the token.
        package: What pip installs; None for what this program was installed from.
        to: A folder; None to print.
    """
    command = "deploy github"

    def files() -> dict[str, str]:
        _refuse_in_cluster(deploying)
        branch_name, secret = checked("--branch", branch), checked("--token-secret", token_secret)
        if deploying.policy.is_absolute() or ".." in deploying.policy.parts:
            raise UsageError("--policy: name the file as it is called in the repository")
        checked("--policy", deploying.policy.as_posix())
        source = Source.installed() if package is None else Source.given(package)
        deployment = _deployment(command, deploying, deploying.policy.as_posix())
        _warn(command, source, "--package names its wheel in the repository, or an address")
        return {f"{deployment.name}.yml": workflow_of(deployment, branch_name, secret, source)}

    _write(command, files, to)


def systemd(deploying: Deploying, program: str, to: Path | None) -> NoReturn:
    """Print a service and its timer, and exit."""

    def files() -> dict[str, str]:
        _refuse_in_cluster(deploying)
        path = checked("--program", program)
        return units_of(_deployment("deploy systemd", deploying), path)

    _write("deploy systemd", files, to)


def cron(deploying: Deploying, program: str, user: str, to: Path | None) -> NoReturn:
    """Print a crontab, and exit."""

    def files() -> dict[str, str]:
        _refuse_in_cluster(deploying)
        path, who = checked("--program", program), checked("--user", user)
        deployment = _deployment("deploy cron", deploying)
        return {deployment.name: crontab_of(deployment, path, who)}

    _write("deploy cron", files, to)


def dockerfile(base: str, to: Path | None) -> NoReturn:
    """Print a Dockerfile, and exit."""
    command = "deploy dockerfile"

    def files() -> dict[str, str]:
        source = Source.installed()
        made = dockerfile_of(checked("--base", base), source)
        _warn(command, source, "'docker build --build-arg PACKAGE=...' names another source")
        return {"Dockerfile": made}

    _write(command, files, to)


def _warn(command: str, source: Source, otherwise: str) -> None:
    """Say where pip may not find this program on other machines."""
    if source.only_here:
        typer.echo(
            f"aioregistry {command}: warning: this program was installed from"
            f" {safe(source.only_here)}: pip finds it elsewhere only if its index has"
            f" {source.requirement('cli')!r}; {otherwise}",
            err=True,
        )


def _deployment(command: str, deploying: Deploying, policy_name: str = "") -> Deployment:
    """Return what is deployed; refuse a policy with mistakes, and exit."""
    read_rules(command, deploying.policy)
    limits = ["--deadline", _length("--deadline", deploying.deadline)]
    if deploying.gc:
        limits.append("--gc")
    if deploying.undo_window is not None:
        if not deploying.gc:
            raise UsageError("--undo-window is for --gc: without it no garbage is collected")
        limits += ["--undo-window", _length("--undo-window", deploying.undo_window)]
    if (deploying.in_use_kind or deploying.in_use_ignore) and not deploying.in_use:
        raise UsageError("--in-use-kind and --in-use-ignore are for --in-use")
    kinds = [checked("--in-use-kind", kind) for kind in deploying.in_use_kind or ()]
    try:
        for kind in kinds:
            parse_kind(kind)
    except InUseError as error:
        raise UsageError(f"--in-use-kind: {error}") from None
    return Deployment(
        checked("--name", deploying.name),
        None if deploying.registry is None else check_registry(deploying.registry),
        [checked("--in-use", source) for source in deploying.in_use or ()],
        limits,
        read_text(deploying.policy),
        policy_name or f"policy{deploying.policy.suffix.lower()}",
        When.of(deploying.at, deploying.on),
        kinds,
        [checked("--in-use-ignore", one) for one in deploying.in_use_ignore or ()],
    )


def _length(option: str, text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    return "".join(text.split())


def _refuse_in_cluster(deploying: Deploying) -> None:
    if _IN_CLUSTER in (deploying.in_use or ()):
        raise UsageError("--in-use in-cluster is for `deploy kubernetes`: elsewhere is no cluster")


def _write(command: str, make: Callable[[], dict[str, str]], to: Path | None) -> NoReturn:
    """Print files, or write them into a folder, and exit."""
    try:
        files = make()
    except (ValueError, PolicyFileError, ModuleNotFoundError) as error:
        refuse(command, error)
    except OSError as error:
        refuse(command, reason_of(error))
    if to is None:
        typer.echo("\n".join(files.values()), nl=False)
        raise typer.Exit(DONE)
    for name, text in files.items():
        try:
            _write_new(to / name, text)
        except OSError as error:
            refuse(command, reason_of(error, to / name), SOME_FAILED)
        typer.echo(f"written: {safe(str(to / name))}", err=True)
    raise typer.Exit(DONE)


def _write_new(path: Path, text: str) -> None:
    """Write a file that is new: none of somebody else's is overwritten, and no part is left."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise
