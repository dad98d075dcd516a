"""Questions to the person at the terminal, and text from stdin."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer

from aioregistry import files
from aioregistry.cli.exit_codes import INTERRUPTED, REFUSED
from aioregistry.cli.process import interruptible, until_readable
from aioregistry.cli.running import refuse
from aioregistry.session.origins import API_URL

__all__ = ["ask", "read_text"]


def ask(
    command: str,
    question: str,
    nothing: str,
    *,
    api_url: str | None = None,
    stdin_is_data: bool = False,
) -> None:
    """Ask a question, and exit unless the answer is yes; without a terminal, refuse.

    Args:
        command: The command's name.
        question: The question.
        nothing: What has not been done, for a no: ``nothing was deleted``.
        api_url: Where it would be done; told unless that is the vendor's API. None for nowhere.
        stdin_is_data: Whether names were read from stdin: the answer then comes from the
            terminal itself.
    """
    if api_url not in {None, API_URL}:
        # Who rehearses sees it, and who believes to rehearse does not.
        question = f"{api_url}: {question}"
    try:
        with _terminal(stdin_is_data) as terminal, interruptible():
            agreed = _is_agreed(question, terminal)
    except OSError:
        refuse(command, f"{nothing}: no terminal to ask on; add --yes to continue")
    except KeyboardInterrupt:
        typer.echo(err=True)
        refuse(command, f"interrupted; {nothing}", INTERRUPTED)
    if not agreed:
        refuse(command, nothing, REFUSED)


@contextmanager
def _terminal(stdin_is_data: bool) -> Iterator[TextIO]:
    # What is no text is no answer. A reader that raises is stuck where the text ends within one.
    stdin = typer.get_text_stream("stdin", errors="replace")
    if stdin.isatty():
        yield stdin
    elif stdin_is_data:
        with Path("/dev/tty").open(encoding="utf-8", errors="replace") as terminal:
            yield terminal
    else:
        raise OSError


def _is_agreed(question: str, terminal: TextIO) -> bool:
    if _is_cancelled():
        raise KeyboardInterrupt
    while True:
        typer.echo(f"{question} [y/N]: ", err=True, nl=False)
        until_readable(terminal)
        line = terminal.readline()
        if not line:
            # Ctrl-D, which leaves the cursor where it is.
            typer.echo(err=True)
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False


def _is_cancelled() -> bool:
    """Return whether Ctrl-C came already, which asyncio would report only after the answer."""
    import asyncio

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def read_text(path: Path) -> str:
    """Return the text of a file, or of stdin for ``-``.

    Raises:
        NotTextError: It is no text in UTF-8.
        OSError: It cannot be read; ``filename`` is set.
    """
    if str(path) == "-":
        try:
            with interruptible():
                return typer.get_text_stream("stdin").read().removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise files.NotTextError("stdin: not a text in UTF-8") from None
        except OSError as error:
            error.filename = "stdin"
            raise
    return files.read_text(path)
