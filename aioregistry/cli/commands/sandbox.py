"""``aioregistry sandbox``: an embedded registry to use from elsewhere, until Ctrl-C."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import msgspec
import typer

from aioregistry.cli.demo.content import REGISTRY
from aioregistry.cli.demo.history import HistoryError, read_history
from aioregistry.sandbox import Faults, Limits, Sandbox, State
from aioregistry.sandbox.seed import generated_state, history_state
from aioregistry.sandbox.statefile import load_state

__all__ = ["app", "sandbox"]

app = typer.Typer(rich_markup_mode="markdown")

T = TypeVar("T")

_TAGS = 1000
_REPOSITORIES = 8


@app.command()
def sandbox(
    tags: Annotated[
        int | None,
        typer.Option(min=1, show_default=str(_TAGS), help="How many tags to make up."),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Fill the registry with a project's push history instead; see"
            " aioregistry demo --history-format.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Fill it with what aioregistry.sandbox.statefile.save_state has written.",
        ),
    ] = None,
    limits: Annotated[
        str,
        typer.Option(
            metavar="real|scaled:60|off",
            help="Limit requests as the API does; in a time that runs so many times faster;"
            " or not at all.",
        ),
    ] = "real",
    faults: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help='What goes wrong: {"seed": 0, "faults": [{"kind": "status", "chance": 0.1}]}.',
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, show_default="a free one", help="The port to listen on."),
    ] = 0,
) -> None:
    """Run a registry of your own, for this machine only, until Ctrl-C.

    It behaves like the API, and needs no account. The two lines that it prints are for pasting:
    the first into a shell, whose `aioregistry` commands then go to the sandbox; the second into
    `python -m asyncio` started from there.

    Exit codes: 0, ended by Ctrl-C; 2, wrong usage, a file that cannot be used, or a port that is
    taken.
    """
    if sum(option is not None for option in (tags, history, state)) > 1:
        _refuse("--tags, --history and --state exclude each other")
    try:
        running = Sandbox(
            _content(tags or _TAGS, history, state),
            limits=_parse_limits(limits),
            faults=None if faults is None else _load(Faults.load, faults),
            port=port,
        )
        asyncio.run(_serve(running, limits))
    except KeyboardInterrupt:
        return


async def _serve(sandbox: Sandbox, limits: str) -> None:
    try:
        await sandbox.start()
    except OSError as error:
        _refuse(error.strerror or str(error))
    try:
        # What is to be pasted stands alone on the one stream, what is said of it on the other.
        typer.echo(f"{_describe(sandbox.state)}; limits: {limits}. Ctrl-C ends it.", err=True)
        typer.echo(
            f"export DIGITALOCEAN_TOKEN={sandbox.token}"
            f" AIOREGISTRY_API_URL={sandbox.url} AIOREGISTRY_REGISTRY_URL={sandbox.url}"
        )
        typer.echo(
            "from aioregistry import RegistryClient;"
            f' client = await RegistryClient(base_url="{sandbox.url}").open()'
        )
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()


def _describe(state: State) -> str:
    registries = [
        f"Registry {registry.name} (repositories: {len(registry.repositories):,},"
        f" tags: {sum(len(each.tags) for each in registry.repositories.values()):,})"
        for registry in state.registries.values()
    ]
    return ", ".join(registries) or "No registry"


def _content(tags: int, history: Path | None, state: Path | None) -> State:
    if state is not None:
        return _load(load_state, state)
    if history is None:
        return generated_state(tags, min(tags, _REPOSITORIES), registry=REGISTRY)
    try:
        return history_state(msgspec.to_builtins(read_history(history)), REGISTRY)
    except HistoryError as error:
        _refuse(str(error))


def _parse_limits(text: str) -> Limits | None:
    known = re.fullmatch(r"off|real|scaled:(\d{1,4}(?:\.\d+)?)", text)
    scale = float(known[1] or 1) if known else 0.0
    if not scale:
        _refuse(f"--limits is real, off, or scaled:60 with any positive number, not {text}")
    return None if text == "off" else Limits(scale=scale)


def _load(read: Callable[[Path], T], path: Path) -> T:
    try:
        return read(path)
    except OSError as error:
        _refuse(f"{path}: {error.strerror or error}")
    except (ValueError, RecursionError) as error:
        _refuse(f"{path}: {error}")


def _refuse(message: str) -> NoReturn:
    typer.echo(f"aioregistry sandbox: {message}", err=True)
    raise typer.Exit(2)
