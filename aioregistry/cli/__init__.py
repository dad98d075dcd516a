"""The command ``aioregistry``; it needs the extra ``cli``."""

import sys

__all__ = ["main"]

_EXTRA = ("rich", "typer")


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        from aioregistry.cli.app import app  # noqa: PLC0415  (what it needs may be missing)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(
            "aioregistry: the command needs Typer and Rich: pip install 'aioregistry-do[cli]',"
            " or from a checkout: pip install '.[cli]'\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="aioregistry")
