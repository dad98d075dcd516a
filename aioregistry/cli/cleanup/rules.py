"""The policy of a command, read from a file."""

from pathlib import Path

import typer

from aioregistry.cleanup.policy.check import check_policy
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cli.display.text import counted, safe
from aioregistry.cli.running import refuse
from aioregistry.files import read_text

__all__ = ["read_rules"]


def read_rules(command: str, path: Path) -> Policy:
    """Return the policy in a file; print all of its mistakes, and exit, if there are any.

    Args:
        command: The command's name.
        path: The file.

    Raises:
        PolicyFileError: It is no document of the kind that its name says.
        OSError: It cannot be read.
        ModuleNotFoundError: It needs a package that is missing.
    """
    try:
        return load_policy(path)
    except PolicyFileError:
        found = check_policy(read_text(path), str(path))
        mistakes = [one for one in found if one.is_error]
        if len(mistakes) > 1:
            for one in mistakes:
                typer.echo(safe(f"{path}: {one}"), err=True)
            refuse(command, f"{path}: {counted(len(mistakes), 'mistake')}")
        raise
