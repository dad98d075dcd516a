"""What commands on a registry have in common: options, the client, errors, exit codes."""

import asyncio
import gc
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from attrs import frozen
from rich.console import Console

from aioregistry.cleanup.manifests.cache import ContentCache, default_cache_path
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.progress import Display
from aioregistry.cli.display.text import safe
from aioregistry.cli.options import Access
from aioregistry.cli.process import interruptible
from aioregistry.cli.settings.settings import Settings, SettingsError
from aioregistry.client.client import RegistryClient
from aioregistry.client.registry import RegistryHandle
from aioregistry.client.repository import RepositoryHandle
from aioregistry.errors import (
    AuthenticationError,
    InvalidNameError,
    InvalidTokenError,
    NotFoundError,
    RegistryError,
)
from aioregistry.oci.distribution import Distribution
from aioregistry.oci.references import Reference
from aioregistry.ratelimit.limits import RateLimit

__all__ = [
    "Connection",
    "Target",
    "ask",
    "read_text",
    "refuse",
    "relax_garbage_collector",
    "run",
    "wait_in_words",
]

DONE, SOME_FAILED, WRONG_USAGE, DRIFT_ONLY, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


@frozen
class Target:
    """A repository, and what of it is meant.

    Attributes:
        repository: The repository.
        reference: The reference that was given; its tag and digest are often None.
    """

    repository: RepositoryHandle
    reference: Reference


@frozen
class Connection:
    """An open client, and where things are shown.

    Attributes:
        client: The client.
        settings: Whose account it is, and where.
        limiter: Its limiter.
        display: Shows progress, on stderr.
    """

    client: RegistryClient
    settings: Settings
    limiter: CountingLimiter
    display: Display

    @classmethod
    @asynccontextmanager
    async def open(cls, access: Access) -> "AsyncGenerator[Connection]":
        """Open a client as options, environment and configuration say.

        Raises:
            SettingsError: They make no sense, or name no token.
        """
        settings = Settings.load(access)
        limiter = CountingLimiter(RateLimit())
        display = Display(Console(stderr=True), progress=not access.no_progress, lines=False)
        token = settings.token
        try:
            client = RegistryClient(
                token.value,
                base_url=settings.api_url,
                # These paths serve accounts with one registry and with several.
                api="registries",
                rate_limit=limiter,
                concurrency=32,
                trust_env=True,
            )
        except InvalidTokenError as error:
            raise SettingsError(f"{token.source}: {error}") from None
        async with client:
            try:
                yield cls(client, settings, limiter, display)
            except AuthenticationError as error:
                # Where the registry refuses its own credentials, the error says so.
                if error.hint == AuthenticationError.hint:
                    error.hint = f"Check the token: it comes from {token.source}"
                raise

    async def registry(self, name: str | None) -> RegistryHandle:
        """Return a registry; without a name, the configured one, or the account's only one."""
        name = name or self.settings.registry
        if name is None:
            name = _the_only([each.name for each in await self.client.registries()])
        return self.client.registry(name)

    async def target(self, text: str, registry: str | None = None) -> Target:
        """Return what a text means: ``REPO``, ``REGISTRY/REPO``, or the same with the host.

        Where no registry is known, the account's registries are listed.

        Raises:
            InvalidNameError: It is no reference, or one of another host.
            NotFoundError: The account has no registry that it could mean.
        """
        reference = Reference.parse(text)
        if not reference.path:
            raise InvalidNameError(f"{text!r} names no repository: write REPOSITORY@DIGEST")
        first, _, rest = reference.path.partition("/")
        known = registry or self.settings.registry
        if reference.host is not None:
            if not self.settings.is_registry_host(reference.host):
                own = self.settings.registry_host
                raise InvalidNameError(f"{reference.host!r} is another host, not {own}")
            if not rest:
                raise InvalidNameError(f"{text!r} names no repository after the host and registry")
            handle = self.client.registry(first)
            if registry not in {None, first}:
                raise InvalidNameError(f"{text!r} is not in the registry {registry!r}")
            return Target(handle.repository(rest), reference)
        if known is None:
            names = [each.name for each in await self.client.registries()]
            known = first if first in names and rest else _the_only(names)
        repository = rest if rest and first == known else reference.path
        return Target(self.client.registry(known).repository(repository), reference)

    @asynccontextmanager
    async def contents(
        self, registry: RegistryHandle, url: str | None, *, cache: bool
    ) -> AsyncGenerator[ContentReader]:
        """Open what reads contents from the registry itself."""
        async with AsyncExitStack() as stack:
            kept = stack.enter_context(ContentCache(default_cache_path())) if cache else None
            where = self.settings.contents_url(url)
            distribution = Distribution(registry, base_url=where, concurrency=32, trust_env=True)
            yield ContentReader(await stack.enter_async_context(distribution), kept)


def _the_only(registries: list[str]) -> str:
    if len(registries) != 1:
        there = ", ".join(registries) or "none"
        raise NotFoundError(f"which registry? Name one, as in REGISTRY/REPOSITORY; there: {there}")
    return registries[0]


def relax_garbage_collector() -> None:
    """Let Python look for cycles less often.

    A plan of a million tags is millions of objects that all stay; looking through them again and
    again while they come takes a third of the time.
    """
    gc.set_threshold(50_000, 20, 100)


def run(
    command: str,
    access: Access,
    work: Coroutine[Any, Any, int],
    interrupted: Callable[[], str] = lambda: "nothing was changed",
) -> NoReturn:
    """Run a command to its end, and exit with its code; every error becomes one line.

    Args:
        command: What it is called in errors.
        access: Its options; ``--debug`` shows tracebacks.
        work: Does it, and returns the exit code.
        interrupted: Tells what was done when Ctrl-C or SIGTERM ends it.
    """
    relax_garbage_collector()
    try:
        code = asyncio.run(work)
    except BrokenPipeError:
        # Whoever reads a list has had enough.
        code = DONE
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            # Over the ^C that the terminal echoes.
            typer.echo("\r", err=True, nl=False)
        _complain(command, f"interrupted; {interrupted()}", access)
        code = INTERRUPTED
    except (InvalidNameError, InvalidTokenError, SettingsError) as error:
        _complain(command, error, access)
        code = WRONG_USAGE
    except RegistryError as error:
        _complain(command, error, access)
        code = SOME_FAILED
    except OSError as error:
        _complain(command, f"{error.filename or 'output'}: {error.strerror or error}", access)
        code = SOME_FAILED
    raise typer.Exit(code)


def _complain(command: str, problem: object, access: Access) -> None:
    if access.debug:
        for line in traceback.format_exc().splitlines():
            typer.echo(safe(line), err=True)
    typer.echo(f"aioregistry {command}: {safe(str(problem))}", err=True)


def refuse(command: str, problem: object, code: int = WRONG_USAGE) -> NoReturn:
    """Say what is wrong with what was asked for, and exit."""
    typer.echo(f"aioregistry {command}: {safe(str(problem))}", err=True)
    raise typer.Exit(code)


def ask(command: str, question: str, nothing: str) -> None:
    """Ask on the terminal, and exit unless the answer is yes; without a terminal, refuse.

    Args:
        command: What is asking.
        question: What is asked.
        nothing: What has not been done.
    """
    if not typer.get_text_stream("stdin").isatty():
        refuse(command, f"{nothing}: there is no terminal to ask on; give --yes to go on")
    try:
        with interruptible():
            agreed = _is_agreed(question)
    except KeyboardInterrupt:
        typer.echo(err=True)
        refuse(command, f"interrupted; {nothing}", INTERRUPTED)
    if not agreed:
        refuse(command, nothing, REFUSED)


def _is_agreed(question: str) -> bool:
    if _is_cancelled():
        raise KeyboardInterrupt
    while True:
        typer.echo(f"{question} [y/N]: ", err=True, nl=False)
        line = typer.get_text_stream("stdin").readline()
        if not line:
            # Ctrl-D, which leaves the cursor where it is.
            typer.echo(err=True)
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False


def _is_cancelled() -> bool:
    """Return whether Ctrl-C came already, which asyncio would tell only after the answer."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


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
        try:
            with interruptible():
                return typer.get_text_stream("stdin").read()
        except OSError as error:
            error.filename = "stdin"
            raise
    return path.read_text(encoding="utf-8")
