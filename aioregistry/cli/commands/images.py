"""``aioregistry inspect``, ``tag``, ``untag`` and ``copy``: the commands on one image."""

import importlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from aioregistry.cli.cleanup.options import Reading
from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.options import Access, InRegistry, Output, Yes, shows, with_groups

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_REFUSED = "refused: a tag is on another image, and `--force` is missing (nothing was changed)"

ImageReference = Annotated[
    str,
    typer.Argument(
        metavar="REPO:TAG|REPO@DIGEST",
        help="The image: REPOSITORY, REGISTRY/REPOSITORY or HOST/REGISTRY/REPOSITORY, with :TAG or"
        " @DIGEST.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Move tags that are on other images.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be changed, and change nothing.")
]
RegistryUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        show_default="the host in the credentials",
        help="Address of the registry itself (AIOREGISTRY_REGISTRY_URL).",
    ),
]


class InspectFormat(StrEnum):
    """Formats in which an image is shown."""

    TREE = "tree"
    PLAIN = "plain"
    JSON = "json"


def _columns_of(module: str) -> Sequence[Any]:
    """Return the columns of a command, which is loaded for its completion alone."""
    columns: Sequence[Any] = importlib.import_module(f"aioregistry.cli.images.{module}").COLUMNS
    return columns


@app.command(epilog=epilog("aioregistry inspect web:v1.0 --policy policy.toml"))
@with_groups
def inspect(
    image: ImageReference,
    registry: InRegistry = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Also explain what keeps the image, or deletes it, under this policy.",
        ),
    ] = None,
    all_repositories: Annotated[
        bool,
        typer.Option(
            "--all-repositories",
            help="Look for shared layers in all repositories of the registry: at least a request"
            " for each.",
        ),
    ] = False,
    show_env: Annotated[
        bool,
        typer.Option(
            "--show-env", help="Show the values of environment variables, which may be secrets."
        ),
    ] = False,
    output: Annotated[
        InspectFormat | None,
        typer.Option(
            "--output",
            "-o",
            show_default="tree on a terminal, else plain",
            help="Output format.",
        ),
    ] = None,
    no_trunc: Annotated[
        bool, typer.Option("--no-trunc", help="Print whole digests in a tree.")
    ] = False,
    utc: Annotated[
        bool, typer.Option("--utc", help="Print times in UTC instead of local time.")
    ] = False,
    reading: Reading = Reading(),
    access: Access = Access(),
) -> None:
    """Show what an image is made of: platforms, layers, config, signatures, attestations.

    For each layer, other images that have it. With `--policy`, what keeps the image or deletes it.
    Nothing is changed.
    """
    from aioregistry.cli.images import inspecting

    inspecting.inspect(
        image,
        registry,
        policy,
        all_repositories,
        show_env,
        None if output is None else output.value,
        no_trunc,
        utc,
        reading,
        access,
    )


@app.command(epilog=epilog("aioregistry tag web:v1.0 stable", {4: _REFUSED}))
@with_groups
@shows(lambda: _columns_of("tagging"))
def tag(
    image: ImageReference,
    new: Annotated[list[str], typer.Argument(metavar="NEW", help="Tags to set on the image.")],
    registry: InRegistry = None,
    force: Force = False,
    dry_run: DryRun = False,
    registry_url: RegistryUrl = None,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Set further tags on an image. No layer is pulled or pushed.

    All tags are looked up first: if one is on another image, none is set, unless `--force` moves
    it. Needs a token with registry:create.
    """
    from aioregistry.cli.images import tagging

    tagging.tag(image, new, registry, force, dry_run, registry_url, output, access)


@app.command(epilog=epilog("aioregistry untag web:v1.0 api:v1.0", asks=True))
@with_groups
@shows(lambda: _columns_of("untagging"))
def untag(
    images: Annotated[
        list[str], typer.Argument(metavar="REPO:TAG", help="Tags, each with its repository.")
    ],
    registry: InRegistry = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="FILE",
            show_default="a new file in the state directory",
            help="File that keeps what is deleted for `cleanup undo`; it grows.",
        ),
    ] = None,
    no_archive: Annotated[
        bool,
        typer.Option("--no-archive", help="Keep nothing: what is deleted cannot be restored."),
    ] = False,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Delete tags, in any number of repositories. The images that they are on stay.

    Says which manifests are left without a tag. Those can be pulled by digest, and take up storage
    until they are deleted as well. `aioregistry cleanup undo` restores the tags from the archive
    that is named at the end.
    """
    from aioregistry.cli.images import untagging

    untagging.untag(images, registry, yes, dry_run, archive, no_archive, output, access)


@app.command(
    epilog=epilog(
        "aioregistry copy web:v1.0 production/web",
        {1: "failure, or something that belongs to the image was not copied", 4: _REFUSED},
    )
)
@with_groups
@shows(lambda: _columns_of("copying"))
def copy(
    image: ImageReference,
    target: Annotated[
        str,
        typer.Argument(
            metavar="OTHER-REPO[:TAG]",
            help="Repository to copy to; without a tag, that of the image.",
        ),
    ],
    registry: InRegistry = None,
    force: Force = False,
    referrers: Annotated[
        bool,
        typer.Option(
            "--referrers/--no-referrers", help="Copy signatures, attestations and SBOMs, too."
        ),
    ] = True,
    dry_run: DryRun = False,
    registry_url: RegistryUrl = None,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Copy an image to another repository of its registry. No layer is pulled or pushed.

    All platforms are copied, with signatures, attestations and SBOMs. Blobs are mounted; if the
    registry does not do that, nothing is uploaded. Needs a token with registry:create.
    """
    from aioregistry.cli.images import copying

    copying.copy(image, target, registry, force, referrers, dry_run, registry_url, output, access)
