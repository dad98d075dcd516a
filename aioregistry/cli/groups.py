"""Groups of commands that load quickly; help that fits the terminal, and plain errors of usage."""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["CommandGroup", "adapt"]

# The base of all that is wrong with a command line; typer has no name for it.
_UsageError: Any = typer.BadParameter.__base__
# Of a group without a command.
_HELP_INSTEAD = "NoArgsIsHelpError"
# How pydantic begins what it says of a value.
_REFUSED, _EXPECTED = "Value error, ", "Input should be "


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
            left: list[str] = _parsed(super().parse_args, ctx, args)
        finally:
            self._reads_options = True
        return left

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments begin with; tell one that there is not."""
        name = args[0]
        if ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name):
            return super().resolve_command(ctx, args)
        from aioregistry.cli.mistakes import as_exit

        raise as_exit(ctx.command_path, f"no such command: {name}", _meant(ctx, name))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that are read."""
        return super().get_params(ctx) if self._reads_options else []

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command whose help fits the terminal."""
        found = super().get_command(ctx, cmd_name)
        return None if found is None else adapt(found)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help as wide as the terminal is."""
        _format_help(self, ctx, formatter, super().format_help)


def adapt(command: Any) -> Any:
    """Have a command print plain help, as wide as the terminal, and plain errors; return it."""
    if not isinstance(command, CommandGroup):
        usual = type(command).format_help.__get__(command)
        command.format_help = lambda ctx, formatter: _format_help(command, ctx, formatter, usual)
        parse = type(command).parse_args.__get__(command)
        command.parse_args = lambda ctx, args: _parsed(parse, ctx, args)
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            pieces = [_in_usage(parameter)]
            parameter.get_usage_pieces = lambda ctx, pieces=pieces: pieces  # noqa: ARG005
    return command


def _in_usage(argument: Any) -> str:
    """Return an argument as a line of usage shows it: `REPO`, `[REPO]`, `TAG...`."""
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return name if argument.nargs == 1 else f"{name}..."


def _parsed(parse: Callable[[Any, Any], Any], ctx: Any, args: list[str]) -> Any:
    """Read arguments; an error is one line, which says in plain words what is wrong."""
    try:
        return parse(ctx, args)
    except _UsageError as error:
        if ctx.resilient_parsing or type(error).__name__ == _HELP_INSTEAD:
            raise
        from aioregistry.cli.mistakes import as_exit, describe

        error.message = _plain(error.message, error.__cause__)
        options = [name for each in ctx.command.get_params(ctx) for name in each.opts]
        raise as_exit(ctx.command_path, *describe(error, options)) from None


def _meant(ctx: Any, name: str) -> list[str]:
    """Return the commands that may be meant by the name of one that there is not."""
    from aioregistry.cli.mistakes import alike, renamed

    root = ctx.find_root()
    if ctx is not root and (found := alike(name, ctx.command.commands)):
        return [f"'{ctx.command_path} {each}'" for each in found]
    commands = root.command.commands
    found = [name] if name in commands else renamed(name) or alike(name, commands)
    if not found:
        for group in commands:
            known = getattr(root.command.get_command(root, group), "commands", {})
            found += [f"{group} {name}"] if name in known else []
    return [f"'{root.command_path} {each}'" for each in found]


def _plain(message: str, cause: Any) -> str:
    if message.startswith(_EXPECTED) and hasattr(cause, "errors"):
        expected = message.removeprefix(_EXPECTED).partition(",")[0]
        return f"{cause.errors()[0]['input']!r} should be {expected}."
    return message.removeprefix(_REFUSED)


def _format_help(command: Any, ctx: Any, formatter: Any, usual: Any) -> None:
    from aioregistry.cli.help import fits, print_help

    for parameter in command.get_params(ctx):
        # No type of Python is shown: a flag takes no value, and an argument's text says what it is.
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: ""  # noqa: ARG005
        elif parameter.is_flag:
            parameter.metavar = ""
    if fits(command):
        usual(ctx, formatter)
    else:
        print_help(command, ctx)
