"""The commands ``aioregistry`` and ``docker-credential-aioregistry``, from the extra ``cli``."""

import os
import signal
import sys

# As in `typing`, which takes longer to load than all that is loaded here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

__all__ = ["answer_docker", "main"]

_EXTRA = ("attrs", "filelock", "platformdirs", "re2", "rich", "typer", "yaml")
_INTERRUPTED = 128 + signal.SIGINT


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

    def end(number: int, frame: "FrameType | None") -> None:  # noqa: ARG001
        os.write(2, f"{name}: interrupted\n".encode())
        os._exit(_INTERRUPTED)

    def begin() -> None:
        if signal.getsignal(signal.SIGINT) is end:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        program()

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        try:  # noqa: SIM105, contextlib takes longer to load than all of this
            signal.signal(signal.SIGINT, end)
        except ValueError:
            # Python interrupts its main thread only.
            pass
    from aioregistry.cli.process import run_program

    run_program(name, begin)


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
