"""What commands on a registry have in common: options, the client, errors, exit codes."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from attrs import frozen
from rich.console import Console

from aioregistry.cleanup.contents import ContentCache, ContentReader, default_cache_path
from aioregistry.cli.meter import Meter
from aioregistry.cli.render import Display
from aioregistry.client import RegistryClient
from aioregistry.errors import InvalidNameError, InvalidTokenError, RegistryError
from aioregistry.handles import RegistryHandle
from aioregistry.oci import Distribution
from aioregistry.ratelimit import RateLimit

__all__ = [
    "ApiUrl",
    "Connection",
    "NoProgress",
    "RegistryName",
    "RegistryUrl",
    "Yes",
    "ask",
    "read_text",
    "refuse",
    "relax_garbage_collector",
    "run",
    "wait_in_words",
]

DONE, SOME_FAILED, WRONG_USAGE, DRIFT_ONLY, OVER_CAPS, INTERRUPTED = 0, 1, 2, 3, 4, 130

RegistryName = Annotated[
    str | None,
    typer.Argument(metavar="REGISTRY", show_default="the account's only one", help="The registry."),
]
ApiUrl = Annotated[
    str,
    typer.Option(
        metavar="URL", envvar="AIOREGISTRY_API_URL", help="Where the API is, a sandbox for example."
    ),
]
RegistryUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="AIOREGISTRY_REGISTRY_URL",
        show_default="what the credentials name",
        help="Where the registry itself is, from which manifests are read.",
    ),
]
NoProgress = Annotated[
    bool, typer.Option("--no-progress", help="Print plain lines instead of a progress bar.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

API_URL = "https://api.digitalocean.com"


@frozen
class Connection:
    """An open client, and where things are shown.

    Attributes:
        client: The client.
        meter: Its limiter.
        display: Shows progress, on stderr.
    """

    client: RegistryClient
    meter: Meter
    display: Display

    @classmethod
    @asynccontextmanager
    async def open(cls, api_url: str, no_progress: bool) -> "AsyncGenerator[Connection]":
        """Open a client with the token of the environment."""
        meter = Meter(RateLimit())
        display = Display(Console(stderr=True), progress=not no_progress)
        async with RegistryClient(base_url=api_url, rate_limit=meter, concurrency=32) as client:
            yield cls(client, meter, display)

    async def registry(self, name: str | None) -> RegistryHandle:
        """Return a registry; without a name, the account's only one."""
        return self.client.registry(name or (await self.client.get_registry()).name)

    @asynccontextmanager
    async def contents(
        self, registry: RegistryHandle, url: str | None, *, cache: bool
    ) -> AsyncGenerator[ContentReader]:
        """Open what reads contents from the registry itself."""
        async with AsyncExitStack() as stack:
            kept = stack.enter_context(ContentCache(default_cache_path())) if cache else None
            distribution = Distribution(registry, base_url=url, concurrency=32)
            yield ContentReader(await stack.enter_async_context(distribution), kept)


def relax_garbage_collector() -> None:
    """Let Python look for cycles less often.

    A plan of a million tags is millions of objects that all stay; looking through them again and
    again while they come takes a third of the time.
    """
    gc.set_threshold(50_000, 20, 100)


def run(command: str, work: Coroutine[Any, Any, int], interrupted: Callable[[], str]) -> NoReturn:
    """Run a command to its end, and exit with its code; every error becomes one line.

    Args:
        command: What it is called in errors.
        work: Does it, and returns the exit code.
        interrupted: Tells what was done when Ctrl-C ends it.
    """
    relax_garbage_collector()
    try:
        code = asyncio.run(work)
    except (InvalidNameError, InvalidTokenError) as error:
        refuse(command, error)
    except RegistryError as error:
        typer.echo(f"aioregistry {command}: {error}", err=True)
        code = SOME_FAILED
    except KeyboardInterrupt:
        typer.echo(f"aioregistry {command}: interrupted; {interrupted()}", err=True)
        code = INTERRUPTED
    raise typer.Exit(code)


def refuse(command: str, problem: object, code: int = WRONG_USAGE) -> NoReturn:
    """Say what is wrong with what was asked for, and exit."""
    typer.echo(f"aioregistry {command}: {problem}", err=True)
    raise typer.Exit(code)


def ask(command: str, question: str, nothing: str) -> None:
    """Ask on the terminal, and exit when the answer is no; without a terminal, refuse.

    Args:
        command: What is asking.
        question: What is asked.
        nothing: What has not been done.
    """
    if not typer.get_text_stream("stdin").isatty():
        refuse(command, f"{nothing}: there is no terminal to ask on; give --yes to go on")
    if not typer.confirm(question, err=True):
        typer.echo(nothing, err=True)
        raise typer.Exit(DONE)


def wait_in_words(seconds: float) -> str:
    """Return a length of time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def read_text(path: Path) -> str:
    """Return the text of a file, or of stdin for ``-``."""
    if str(path) == "-":
        return typer.get_text_stream("stdin").read()
    return path.read_text(encoding="utf-8")
