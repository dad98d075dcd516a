"""Groups of commands that load quickly, and help that fits the terminal."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["CommandGroup", "fit_help"]


class CommandGroup(TyperGroup):
    """A group that reads no options of its own where a command follows.

    It has none there, and reading them would load pydantic, which takes as long as the rest of a
    command's help.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._reads_options = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options, unless a command comes first."""
        self._reads_options = not args or args[0] not in self.commands
        try:
            return super().parse_args(ctx, args)
        finally:
            self._reads_options = True

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that are read."""
        return super().get_params(ctx) if self._reads_options else []

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command whose help fits the terminal."""
        found = super().get_command(ctx, cmd_name)
        return None if found is None else fit_help(found)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help as wide as the terminal is."""
        _format_help(self, ctx, formatter, super().format_help)


def fit_help(command: Any) -> Any:
    """Have a command print its help as wide as the terminal is, and return it."""
    if not isinstance(command, CommandGroup):
        usual = type(command).format_help.__get__(command)
        command.format_help = lambda ctx, formatter: _format_help(command, ctx, formatter, usual)
    return command


def _format_help(command: Any, ctx: Any, formatter: Any, usual: Any) -> None:
    from aioregistry.cli.help import fits, print_help

    if fits(command):
        usual(ctx, formatter)
    else:
        print_help(command, ctx)
