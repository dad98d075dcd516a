"""The commands ``aioregistry`` and ``docker-credential-aioregistry``, from the extra ``cli``."""

import os
import sys

# As in `typing`, which takes longer to load than all that is loaded here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["answer_docker", "main"]

_EXTRA = ("attrs", "filelock", "platformdirs", "re2", "rich", "typer", "yaml")
_INTERRUPTED = 130


def main() -> "NoReturn":
    """Run the command with the arguments of this process, and exit."""
    _run("aioregistry", _run_command)


def answer_docker() -> "NoReturn":
    """Answer Docker, which runs this as a credential helper, and exit."""
    _run("docker-credential-aioregistry", _answer_docker)


def _run(name: str, program: "Callable[[], object]") -> "NoReturn":
    """Run a program as `run_program` does; while that is being loaded, Ctrl-C is one line, too.

    Earlier, while Python itself starts, Ctrl-C has Python's own effect.
    """
    _give_home()
    try:
        from aioregistry.cli.process import run_program
    except KeyboardInterrupt:
        if sys.stderr is not None:
            # On a terminal, over the ^C that it echoes.
            begin = "\r" if sys.stderr.isatty() else ""
            sys.stderr.write(f"{begin}{name}: interrupted\n")
        sys.exit(_INTERRUPTED)
    run_program(name, program)


def _give_home() -> None:
    """Give a user a home who has none, as one whom no list of users has: ``/``, as Docker does.

    There is no file of theirs to read then, and one that cannot be written is told by its path.
    """
    home = os.environ.get("HOME", os.path.expanduser("~"))  # noqa: PTH111  (an error is none here)
    if os.name == "posix" and not os.path.isabs(home):  # noqa: PTH117
        os.environ["HOME"] = "/"


def _run_command() -> None:
    try:
        from aioregistry.cli.app import app

        app(prog_name="aioregistry")
    except ModuleNotFoundError as error:
        _tell(error)


def _answer_docker() -> None:
    try:
        from aioregistry.cli.docker import credential_helper
    except ModuleNotFoundError as error:
        _tell(error)
    credential_helper.main()


def _tell(error: ModuleNotFoundError) -> "NoReturn":
    if (error.name or "").partition(".")[0] not in _EXTRA:
        raise error
    sys.stderr.write(
        f"aioregistry: the command needs {error.name}: pip install 'aioregistry-do[cli]',"
        " or from a checkout: pip install '.[cli]'\n"
    )
    sys.exit(2)
