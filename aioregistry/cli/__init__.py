"""The commands ``aioregistry`` and ``docker-credential-aioregistry``, from the extra ``cli``."""

import sys
from typing import NoReturn

__all__ = ["answer_docker", "main"]

_EXTRA = ("attrs", "filelock", "platformdirs", "re2", "rich", "typer", "yaml")


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        from aioregistry.cli.app import app  # noqa: PLC0415  (what it needs may be missing)
    except ModuleNotFoundError as error:
        _tell(error)
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        app(prog_name="aioregistry")
    except ModuleNotFoundError as error:
        _tell(error)


def answer_docker() -> None:
    """Answer Docker, which runs this as a credential helper, and exit."""
    try:
        from aioregistry.cli import credential_helper  # noqa: PLC0415
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
