"""Help in a narrow terminal: what an option does stands below its name, and no name is cut off."""

from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

__all__ = ["fits", "print_help"]

# Beside names, types and opposites of options, their texts would have fewer than 30 columns.
_LEAST_FOR_OPTIONS, _LEAST_FOR_COMMANDS = 100, 80
_LEFT = (0, 1, 0, 1)
_BELOW = (0, 1, 0, 6)
_NAME = "bold cyan"


def fits(command: Any) -> bool:
    """Return whether the terminal has room for a command's help in columns.

    Args:
        command: A command of typer, or a group of them.
    """
    is_group = hasattr(command, "list_commands")
    return Console().width >= (_LEAST_FOR_COMMANDS if is_group else _LEAST_FOR_OPTIONS)


def print_help(command: Any, context: Any) -> None:
    """Print the help of a command for a narrow terminal.

    Args:
        command: A command of typer, or a group of them.
        context: Its context.
    """
    console = Console(highlight=False)
    usage = " ".join(command.get_usage(context).split())
    console.print(Padding(Text(usage, style="bold"), (1, 1, 1, 1)))
    _print_text(console, command.help or "")
    for title, parameters in _panels(command, context).items():
        console.print(Padding(Text(title, style="bold yellow"), _LEFT))
        for names, text in parameters:
            console.print(Padding(Text(names, style=_NAME), (0, 1, 0, 3)))
            console.print(Padding(Markdown(text), _BELOW))
        console.print()
    _print_text(console, command.epilog or "")


def _print_text(console: Console, text: str) -> None:
    if text:
        console.print(Padding(Markdown(" ".join(_paragraphs(text))), _LEFT))
        console.print()


def _paragraphs(text: str) -> list[str]:
    """Return the lines of a text, with an empty one between paragraphs."""
    return [f"{line.strip()}\n" for line in text.partition("\f")[0].splitlines()]


def _panels(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    """Return the names and texts of arguments, options and commands, by the titles of panels."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        names, text = record
        is_argument = parameter.param_type_name == "argument"
        title = getattr(parameter, "rich_help_panel", None)
        title = title or ("Arguments" if is_argument else "Options")
        panels.setdefault(title, []).append((parameter.metavar if is_argument else names, text))
    first = {title: panels.pop(title) for title in ("Arguments", "Options") if title in panels}
    panels = first | panels
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        found = command.get_command(context, name)
        title = getattr(found, "rich_help_panel", None) or "Commands"
        text = (found.help or "").partition("\n\n")[0]
        panels.setdefault(title, []).append((name, text))
    return panels
