"""Options of ``delete-tags``, ``delete-manifests`` and ``delete-repository``."""

from pathlib import Path
from typing import Annotated

import typer
from attrs import frozen

__all__ = ["Deleting", "Keeping"]


@frozen
class Keeping:
    """Options on what is kept of what is deleted."""

    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="FILE",
            show_default="a new file in the state directory",
            help="File that keeps what is deleted for `cleanup undo`; it grows.",
        ),
    ] = None
    no_archive: Annotated[
        bool,
        typer.Option("--no-archive", help="Keep nothing: what is deleted cannot be restored."),
    ] = False


@frozen
class Deleting(Keeping):
    """Options on how names are deleted."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")] = (
        False
    )
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")
    ] = False
    no_check: Annotated[
        bool,
        typer.Option(
            "--no-check",
            help="Delete without listing the repository first: names that do not exist may be"
            " reported as deleted, manifests that an image needs are deleted as well, and nothing"
            " is archived without --archive.",
        ),
    ] = False
