"""Runs a command to its exit code, and turns every error into one line."""

import gc
import importlib.util
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from aioregistry.cli.display.text import reason_of, safe, time_in_words
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, INTERRUPTED, SOME_FAILED, WRONG_USAGE
from aioregistry.cli.options import Access
from aioregistry.errors import (
    InvalidNameError,
    InvalidTokenError,
    NotFoundError,
    RegistryConnectionError,
    RegistryError,
)
from aioregistry.files import NotTextError

if TYPE_CHECKING:
    from aioregistry.cli.connection import Connection
    from aioregistry.cli.display.counting import CountingLimiter

__all__ = ["EndedError", "refuse", "relax_garbage_collector", "run", "run_connected"]

# As session/hints.py begins to name what an answer of 404 is about.
_NOTHING_THERE = "There is no "
_SILENCE_SECONDS = 5.0
_TICK_SECONDS = 0.5


class EndedError(typer.Exit):
    """A command has ended.

    Attributes:
        exit_code: Its exit code.
        problem: What was printed of why, without the command's name; empty for nothing.
    """

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(code)
        self.problem = problem


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
    quota_seconds: Callable[[], float] = lambda: 0.0,
) -> NoReturn:
    """Run a command to its end, and exit with its code; every error becomes one line.

    Args:
        command: Its name in errors.
        access: Its options; ``--debug`` shows tracebacks.
        work: Does it, and returns the exit code.
        interrupted: Says what was done when Ctrl-C or SIGTERM ends it.
        quota_seconds: Returns for how long it has waited for quota.
    """
    relax_garbage_collector()
    problem = ""
    try:
        code = _run_to_its_end(work, access)
    except _TimeUpError:
        late = f"not finished after {access.timeout}{_for_quota(quota_seconds())}"
        problem = _complain(command, f"{late}; {interrupted()}", access)
        code = SOME_FAILED
    except BrokenPipeError:
        # The reader of a list has closed the pipe.
        code = DONE
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            # Over the ^C that the terminal echoes.
            typer.echo("\r", err=True, nl=False)
        problem = _complain(command, f"interrupted; {interrupted()}", access)
        code = INTERRUPTED
    except (InvalidNameError, InvalidTokenError, NotTextError, UsageError) as error:
        problem = _complain(command, error, access)
        code = WRONG_USAGE
    except RegistryError as error:
        problem = _complain(command, _described(error), access)
        code = SOME_FAILED
    except OSError as error:
        # A note of it says what to do next.
        parts = [reason_of(error, "output"), *getattr(error, "__notes__", ())]
        problem = _complain(command, "; ".join(parts), access)
        code = SOME_FAILED
    raise EndedError(code, problem)


def _run_to_its_end(work: Coroutine[Any, Any, int], access: Access) -> int:
    """Run work in an event loop; raise KeyboardInterrupt for whatever Ctrl-C made of it."""
    begun = [work]
    try:
        import asyncio

        begun.append(_in_time(work, access.timeout))
        begun.append(whole := _until_interrupted(begun[-1], debug=access.debug))
        try:
            return asyncio.run(whole)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    finally:
        # Ctrl-C may come before it begins.
        for each in reversed(begun):
            each.close()


async def _until_interrupted(work: Coroutine[Any, Any, int], *, debug: bool) -> int:
    """Do work; once it is interrupted, neither its errors nor those of its tasks are told."""
    import asyncio

    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def is_interrupted() -> bool:
        return task is None or task.done() or task.cancelling() > 0

    def on_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if debug or not is_interrupted():
            loop.default_exception_handler(context)

    loop.set_exception_handler(on_error)
    try:
        return await work
    except typer.Exit:
        raise
    except Exception as error:
        if is_interrupted():
            raise asyncio.CancelledError from error
        raise
    finally:
        work.close()


def _described(error: RegistryError) -> str:
    """Return what went wrong; of something that does not exist, its name alone."""
    if isinstance(error, RegistryConnectionError) and not error.hint:
        return f"{error}; check the network and the address of the server"
    if not isinstance(error, NotFoundError) or not error.hint.startswith(_NOTHING_THERE):
        return str(error)
    missing = f"{error.hint[0].lower()}{error.hint[1:]}"
    return f"{missing} (request id {error.request_id})" if error.request_id else missing


def _for_quota(seconds: float) -> str:
    """Return how much of a time was spent waiting for quota, where that can be told."""
    return f", {time_in_words(seconds)} of which it waited for quota" if seconds >= 1 else ""


class _TimeUpError(Exception):
    """The time for a command is over."""


async def _in_time(work: Coroutine[Any, Any, int], limit: str | None) -> int:
    import asyncio

    if limit is None:
        return await work
    from aioregistry.cleanup.policy.durations import parse_duration

    try:
        seconds = parse_duration(limit).total_seconds()
    except ValueError as error:
        work.close()
        raise UsageError(f"--timeout: {error}") from None
    try:
        async with asyncio.timeout(seconds) as timeout:
            return await work
    except TimeoutError:
        if timeout.expired():
            raise _TimeUpError from None
        raise


async def _break_silence(to: "Connection") -> None:
    """Say on a terminal what a command waits for when it has shown nothing for some seconds."""
    import asyncio

    silent = 0.0
    while sys.stderr.isatty():
        begun = time.monotonic()
        await asyncio.sleep(_TICK_SECONDS)
        # Nothing else runs while a question waits for its answer, and that is no silence.
        is_late = time.monotonic() - begun > 2 * _TICK_SECONDS
        silent = 0.0 if is_late else silent + _TICK_SECONDS
        if silent >= _SILENCE_SECONDS and not to.display.is_in_stage:
            cause = to.display.waits_for or f"an answer from {to.settings.api_url}"
            if to.limiter.status.waiting:
                cause = "quota"
            to.display.say(f"waiting for {cause}; Ctrl-C stops the wait")
            return


@contextmanager
def _telling_retries(to: "Connection") -> Iterator[None]:
    """Say on a terminal that requests are sent again: at most a line in some seconds."""
    if not sys.stderr.isatty():
        yield
        return
    import logging

    class Teller(logging.Handler):
        silent_until = 0.0

        def emit(self, record: logging.LogRecord) -> None:
            # A wait for quota is shown as such.
            is_retry = hasattr(record, "wait") and getattr(record, "status", None) != 429
            is_due = is_retry and time.monotonic() >= self.silent_until
            if is_due or record.levelno >= logging.WARNING:
                self.silent_until = time.monotonic() + _SILENCE_SECONDS
                to.display.say(safe(record.getMessage()))

    logger, teller = logging.getLogger("aioregistry"), Teller()
    level = logger.level
    logger.addHandler(teller)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(teller)


def run_connected(
    command: str,
    access: Access,
    work: "Callable[[Connection], Coroutine[Any, Any, int]]",
    interrupted: Callable[[], str] = lambda: "nothing was changed",
) -> NoReturn:
    """Run a command that needs a client, as `run` does.

    Args:
        command: Its name in errors.
        access: Its options.
        work: Does it with a connection, and returns the exit code.
        interrupted: Says what was done when Ctrl-C or SIGTERM ends it.
    """
    limiters: list[CountingLimiter] = []

    async def connected() -> int:
        import asyncio

        from aioregistry.cli.connection import Connection

        async with Connection.open(access) as to:
            limiters.append(to.limiter)
            watching = asyncio.create_task(_break_silence(to))
            try:
                with _telling_retries(to):
                    return await work(to)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    def quota_seconds() -> float:
        return sum(limiter.waited for limiter in limiters)

    run(command, access, connected(), interrupted, quota_seconds)


def _complain(command: str, problem: object, access: Access) -> str:
    """Print a problem on stderr, and return what was printed, without the command's name."""
    if access.debug:
        for line in traceback.format_exc().splitlines():
            typer.echo(safe(line), err=True)
    text = safe(str(problem))
    typer.echo(f"aioregistry {command}: {text}", err=True)
    return text


def refuse(command: str, problem: object, code: int | None = None) -> NoReturn:
    """Print a problem on stderr, and exit.

    Args:
        command: The command's name.
        problem: Why it ends.
        code: The exit code; None, the default, for that of wrong usage, or of a failure where what
            is in use was asked and is not known.
    """
    if code is None:
        code = SOME_FAILED if getattr(problem, "is_unknown", False) else WRONG_USAGE
    text = safe(str(problem))
    typer.echo(f"aioregistry {command}: {text}", err=True)
    raise EndedError(code, text)


def check_file(command: str, option: str, path: Path, package: str, extra: str) -> None:
    """Refuse a file that cannot be written, or whose extra is not installed.

    Args:
        command: The command's name.
        option: The option that names the file.
        path: The file.
        package: A package that is needed.
        extra: The extra that has it.
    """
    if importlib.util.find_spec(package) is None:
        needed = f"needs the extra '{extra}': pip install 'aioregistry-do[{extra}]'"
        refuse(command, f"{option} {needed}")
    if not path.parent.is_dir():
        refuse(command, f"{option}: {path.parent} is no folder")
