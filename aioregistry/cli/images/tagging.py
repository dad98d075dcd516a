"""The work of ``aioregistry tag``."""

import typer

from aioregistry.api.names import check_tag
from aioregistry.cli.connection import Connection, check_names_image
from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.exit_codes import DONE, REFUSED
from aioregistry.cli.options import Access, Output
from aioregistry.cli.running import run_connected
from aioregistry.errors import TagExistsError
from aioregistry.oci.tagging import TagOutcome

__all__ = ["COLUMNS", "tag"]

_DIGEST = 71
COLUMNS: list[Column[TagOutcome]] = [
    Column("tag", lambda item: item.tag, width=24),
    Column("status", lambda item: item.status, width=8),
    Column("digest", lambda item: item.digest, kind="digest", width=_DIGEST),
    Column("previous", lambda item: item.previous, kind="digest", width=_DIGEST, shown=False),
    Column("repository", lambda item: item.repository, width=24, shown=False),
]


def tag(
    repo: str,
    names: list[str],
    registry: str | None,
    force: bool,
    dry_run: bool,
    registry_url: str | None,
    output: Output,
    access: Access,
) -> None:
    """Set tags on the image that ``repo`` names."""
    done: list[TagOutcome] = []

    async def work(to: Connection) -> int:
        printer = printer_for(COLUMNS, output)
        check_names_image(repo)
        for name in names:
            check_tag(name)
        target = await to.target(repo, registry)
        reference = target.reference.digest or target.reference.tag or ""
        repository = target.repository
        handle = to.client.registry(repository.registry_name)
        async with (
            to.writer(handle, registry_url) as writer,
            to.display.stage("Tag", len(names), "tags") as stage,
        ):

            def count(outcome: TagOutcome) -> None:
                done.append(outcome)
                stage.advance()

            try:
                outcomes = await writer.tag(
                    repository.name,
                    reference,
                    *names,
                    force=force,
                    dry_run=dry_run,
                    on_outcome=count,
                )
            except TagExistsError as error:
                for name, digest in error.tags.items():
                    where = f"{repository.name}:{name}"
                    typer.echo(f"{where}: exists, on {digest}; --force moves it", err=True)
                typer.echo(f"aioregistry tag: {_NOTHING}", err=True)
                return REFUSED
        printer.all(outcomes)
        typer.echo(_summary(outcomes, dry_run), err=True)
        return DONE

    def interrupted() -> str:
        some = [one for one in done if one.status != "present"]
        return f"{counted(len(some), 'tag')} set; the same command continues"

    run_connected("tag", access, work, interrupted)


_NOTHING = "no tag was set"


def _summary(outcomes: tuple[TagOutcome, ...], dry_run: bool) -> str:
    new = sum(one.status != "present" for one in outcomes)
    same = len(outcomes) - new
    existed = f"; {counted(same, 'tag')} existed on this image already" if same else ""
    if dry_run:
        return safe(f"a dry run: {counted(new, 'tag')} would be set{existed}")
    return safe(f"{counted(new, 'tag')} set{existed}")
