"""The commands ``aioregistry`` and ``docker-credential-aioregistry``, from the extra ``cli``."""

import sys
from typing import NoReturn

from aioregistry.cli.process import run_program

__all__ = ["answer_docker", "main"]

_EXTRA = ("attrs", "filelock", "platformdirs", "re2", "rich", "typer", "yaml")


def main() -> NoReturn:
    """Run the command with the arguments of this process, and exit."""
    run_program("aioregistry", _run_command)


def answer_docker() -> NoReturn:
    """Answer Docker, which runs this as a credential helper, and exit."""
    run_program("docker-credential-aioregistry", _answer_docker)


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


def _tell(error: ModuleNotFoundError) -> NoReturn:
    if (error.name or "").partition(".")[0] not in _EXTRA:
        raise error
    sys.stderr.write(
        f"aioregistry: the command needs {error.name}: pip install 'aioregistry-do[cli]',"
        " or from a checkout: pip install '.[cli]'\n"
    )
    sys.exit(2)
