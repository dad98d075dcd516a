"""The work of ``aioregistry copy``."""

import typer

from aioregistry.cli.connection import Connection, Target, check_names_image
from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.display.text import counted, safe, size_in_words
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, REFUSED, SOME_FAILED
from aioregistry.cli.options import Access, Output
from aioregistry.cli.running import run_connected
from aioregistry.errors import TagExistsError
from aioregistry.images.copying import copy_image
from aioregistry.images.report import CopyOutcome, CopyReport
from aioregistry.oci.references import Reference

__all__ = ["COLUMNS", "copy"]

COLUMNS: list[Column[CopyOutcome]] = [
    Column("name", lambda item: item.name, width=71),
    Column("status", lambda item: item.status, width=8),
    Column("blobs", lambda item: None if item.is_tag else item.blobs, kind="count", width=5),
    Column("size", lambda item: None if item.is_tag else item.size_bytes, kind="bytes", width=12),
    Column("reason", lambda item: item.reason or None, width=24),
    Column("digest", lambda item: item.digest, kind="digest", width=71, shown=False),
]


def copy(
    source: str,
    destination: str,
    registry: str | None,
    force: bool,
    with_referrers: bool,
    dry_run: bool,
    registry_url: str | None,
    output: Output,
    access: Access,
) -> None:
    """Copy the image that ``source`` names to the repository that ``destination`` names."""
    done: list[CopyOutcome] = []

    async def work(to: Connection) -> int:
        printer = printer_for(COLUMNS, output)
        check_names_image(source)
        if Reference.parse(destination).digest is not None:
            raise UsageError(f"{destination!r} has a digest; a copy has the digest of its source")
        image = await to.target(source, registry)
        target = await to.target(destination, registry)
        reference = image.reference.digest or image.reference.tag
        _check(source, destination, image, target)
        handle = to.client.registry(image.repository.registry_name)
        async with (
            to.writer(handle, registry_url) as writer,
            to.display.stage("Copy", 0, "manifests and tags") as stage,
        ):

            def begin(count: int) -> None:
                stage.total = count

            def count(outcome: CopyOutcome) -> None:
                done.append(outcome)
                stage.advance()

            try:
                report = await copy_image(
                    writer,
                    image.repository.name,
                    reference or "",
                    target.repository.name,
                    target.reference.tag,
                    force=force,
                    referrers=with_referrers,
                    dry_run=dry_run,
                    on_read=begin,
                    on_outcome=count,
                )
            except TagExistsError as error:
                for name, digest in error.tags.items():
                    where = f"{target.repository.name}:{name}"
                    typer.echo(f"{where}: exists, on {digest}; --force moves it", err=True)
                typer.echo("aioregistry copy: nothing was copied", err=True)
                return REFUSED
        printer.all(report.outcomes)
        for line in _summary(report, dry_run, target.repository.name):
            typer.echo(safe(line), err=True)
        return DONE if report.is_complete else SOME_FAILED

    def interrupted() -> str:
        some = [one for one in done if not one.is_tag and one.status == "copied"]
        return f"{counted(len(some), 'manifest')} copied; the same command continues"

    run_connected("copy", access, work, interrupted)


def _check(source: str, destination: str, image: Target, target: Target) -> None:
    """Refuse what cannot be copied.

    Raises:
        UsageError: It names two registries, or one repository.
    """
    if image.repository.registry_name != target.repository.registry_name:
        raise UsageError(
            f"{source!r} and {destination!r} are in two registries: blobs can be mounted within one"
            " alone; use skopeo copy, or docker pull and push"
        )
    if image.repository == target.repository:
        raise UsageError(f"{source!r} and {destination!r} are one repository: use aioregistry tag")


def _summary(report: CopyReport, dry_run: bool, repository: str) -> list[str]:
    new = report.having("copied", "moved")
    tags = [one for one in new if one.is_tag]
    size = size_in_words(report.mounted_bytes)
    blobs = counted(report.mounted_blobs, "blob")
    what = f"{counted(len(new) - len(tags), 'manifest')} and {counted(len(tags), 'tag')}"
    if dry_run:
        lines = [f"a dry run: {what} would be copied; {blobs} ({size}) would be mounted"]
    else:
        lines = [f"{what} copied; {blobs} ({size}) mounted, none uploaded"]
    if not any(one.is_tag for one in report.outcomes):
        lines.append(
            f"no tag is on it in {repository!r}, so a clean-up may delete it: REPO:TAG sets one"
        )
    for one in report.having("kept", "missing"):
        lines.append(f"{one.name}: {one.status}: {one.reason}")
    return lines
