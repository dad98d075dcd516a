"""``aioregistry deploy``: what lets a clean-up run by itself, ready to apply."""

from typing import Annotated

import typer

from aioregistry.cli.deploy.options import Deploying, To
from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import with_groups

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Print what lets a clean-up run by itself: for Kubernetes, GitHub, systemd or cron."
    " Nothing is sent.",
)

Program = Annotated[str, typer.Option(metavar="PATH", help="Path of the program on that machine.")]
_PROGRAM = "/usr/local/bin/aioregistry"


@app.command(
    epilog=epilog(
        "aioregistry deploy kubernetes example --policy policy.toml --in-use in-cluster",
        interrupts=False,
    )
)
@with_groups
def kubernetes(
    deploying: Deploying,
    image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE", help="Image that the Dockerfile of `aioregistry deploy` makes."
        ),
    ] = "aioregistry:latest",
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Namespace that it runs in.")
    ] = "default",
    secret: Annotated[
        str, typer.Option(metavar="NAME", help="Secret with the API token, at the key `token`.")
    ] = "aioregistry",  # noqa: S107, its name
    pull_secret: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="Secret that the image is pulled with, as `aioregistry kubernetes-manifest` makes"
            " one. The account of the run has none of its own, other than `default` may have.",
        ),
    ] = None,
    to: To = None,
) -> None:
    """Print a CronJob with service account, role, policy and volume.

    The role, to list what runs, comes with `--in-use in-cluster`.
    """
    from aioregistry.cli.deploy import work

    work.kubernetes(deploying, namespace, image, (secret, pull_secret), to)


@app.command(
    epilog=epilog("aioregistry deploy github example --policy policy.toml", interrupts=False)
)
@with_groups
def github(
    deploying: Deploying,
    branch: Annotated[
        str, typer.Option(metavar="NAME", help="Branch whose policy is carried out.")
    ] = "main",
    token_secret: Annotated[
        str, typer.Option(metavar="NAME", help="Secret of the repository with the API token.")
    ] = "DIGITALOCEAN_TOKEN",  # noqa: S107, its name
    package: Annotated[
        str | None,
        typer.Option(
            metavar="WHEEL|URL",
            show_default="what this program was installed from",
            help="What pip installs: this program's wheel in the repository, or the address of one"
            " or of a git repository (git+https://...).",
        ),
    ] = None,
    to: To = None,
) -> None:
    """Print a workflow: the plan as a comment on a changed policy, the clean-up after the merge."""
    from aioregistry.cli.deploy import work

    work.github(deploying, branch, token_secret, package, to)


@app.command(
    epilog=epilog("aioregistry deploy systemd example --policy policy.toml", interrupts=False)
)
@with_groups
def systemd(deploying: Deploying, program: Program = _PROGRAM, to: To = None) -> None:
    """Print a service and its timer; with --to DIR they are two files."""
    from aioregistry.cli.deploy import work

    work.systemd(deploying, program, to)


@app.command(
    epilog=epilog("aioregistry deploy cron example --policy policy.toml", interrupts=False)
)
@with_groups
def cron(
    deploying: Deploying,
    program: Program = _PROGRAM,
    user: Annotated[str, typer.Option(metavar="NAME", help="User that runs it.")] = "aioregistry",
    to: To = None,
) -> None:
    """Print a file for /etc/cron.d."""
    from aioregistry.cli.deploy import work

    work.cron(deploying, program, user, to)


@app.command(epilog=epilog("aioregistry deploy dockerfile --to .", interrupts=False))
@with_groups
def dockerfile(
    base: Annotated[
        str, typer.Option(metavar="IMAGE", help="Image with Python 3.11 or newer, with venv.")
    ] = "docker.io/library/python:3.13-slim",
    to: To = None,
) -> None:
    """Print a Dockerfile of the program alone; the policy is mounted."""
    from aioregistry.cli.deploy import work

    work.dockerfile(base, to)
