"""The images in use that options name."""

from pathlib import Path

import typer

from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.references import InUse, Use
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cli.asking import read_text
from aioregistry.cli.cleanup.options import Reading
from aioregistry.cli.display.text import safe

__all__ = ["read_uses"]


def read_uses(reading: Reading, recorded: InUseSummary | None = None) -> InUse | None:
    """Return the images in use that the options name; None where they name none.

    Args:
        reading: The options.
        recorded: What was in use for the plan, when there is a plan already.

    Raises:
        InUseError: A file is invalid, or may not name all that runs.
        OSError: A file cannot be read.
        ValueError: ``none`` or ``plan`` is given beside files, or there is no plan yet.
    """
    given = reading.in_use or []
    for word in ("none", "plan"):
        if word in given and len(given) > 1:
            raise ValueError(f"--in-use {word} and other --in-use exclude each other")
    if not given:
        return None
    if given == ["none"]:
        return InUse()
    if given == ["plan"]:
        if recorded is None:
            raise ValueError("--in-use plan: no plan that recorded what is in use")
        return InUse(recorded.references)
    uses: list[Use] = []
    notes: list[str] = []
    ignored = reading.in_use_ignore or ()
    for name in given:
        source, _, context = name.partition(":")
        if source == "kubernetes":
            uses += ask_kubernetes(context or None, ignore_kinds=ignored, notes=notes)
        else:
            uses += read_in_use(read_text(Path(name)), name, ignore_kinds=ignored, notes=notes)
    for note in notes:
        typer.echo(f"in use: {safe(note)}", err=True)
    return InUse(uses)
