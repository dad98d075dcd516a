"""The commands, put together: each group has a file of its own."""

from typing import Annotated

import typer

from aioregistry.cli.cleanup import app as cleanup
from aioregistry.cli.demo import demo
from aioregistry.cli.gc import app as gc
from aioregistry.cli.sandbox import sandbox
from aioregistry.version import VERSION

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    # Its tracebacks show local variables, and one of them could be a token.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cleanup, name="cleanup")
app.add_typer(gc, name="gc")
app.command("demo")(demo)
app.command("sandbox")(sandbox)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aioregistry-do {VERSION}")
        raise typer.Exit


@app.callback()
def _aioregistry(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Work with DigitalOcean's container registry."""
