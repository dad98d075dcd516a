"""The manual page of the commands, in the language of man(7)."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["manual_page"]

_WIDTH = 78
_SENTENCE = re.compile(r"(?<=[.:]) (?=[A-Z`])")
_CODE = re.compile(r"`([^`]+)`")
_REQUEST = re.compile(r"^(?=[.'])")
_DEFAULT = re.compile(r"\[default: \(?(.*?)\)?(?:; [^\]]*)?\]$")
_INTRODUCTION = (
    "Work with DigitalOcean's container registry: list, delete and clean up images, and collect"
    " garbage, within the limits of the API. Nothing is deleted before a question is answered, or"
    " --yes is given."
)


def manual_page(
    program: str,
    version: str,
    commands: Iterable[tuple[Sequence[str], Any]],
    environment: Mapping[str, str],
    files: Mapping[str, str],
    on: date,
) -> str:
    """Return the manual page.

    Args:
        program: The program's name.
        version: Its version.
        commands: The words of each command, and the command of typer.
        environment: What each variable of the environment does.
        files: What each file is for.
        on: The date of the page.
    """
    commands = list(commands)
    lines = [
        f'.TH {program.upper()} 1 "{on:%Y-%m-%d}" "{_plain(version)}"',
        ".SH NAME",
        rf"{program} \- work with DigitalOcean's container registry",
        ".SH SYNOPSIS",
        f".B {program}",
        r".I COMMAND",
        r"[\fIOPTION\fR ...]",
        r"[\fIARGUMENT\fR ...]",
        ".SH DESCRIPTION",
        *_text(_INTRODUCTION),
        ".SH COMMANDS",
    ]
    shared: dict[str, dict[str, Any]] = {}
    for words, command in commands:
        lines += _command(words, command, shared)
    for panel, parameters in shared.items():
        lines += [f".SH {panel.upper()} OPTIONS"]
        for parameter in parameters.values():
            lines += _parameter(parameter)
    for title, things in (("ENVIRONMENT", environment), ("FILES", files)):
        lines.append(f".SH {title}")
        for name, use in things.items():
            lines += [".TP", f".B {_plain(name)}", *_text(use)]
    return "\n".join(lines) + "\n"


def _command(
    words: Sequence[str], command: Any, shared: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Yield a command, and put the options that it shares with others into their group."""
    own, panels = [], []
    for parameter in command.params:
        panel = getattr(parameter, "rich_help_panel", None)
        if panel is None:
            own.append(parameter)
            continue
        if panel not in panels:
            panels.append(panel)
        shared.setdefault(panel, {}).setdefault(parameter.name, parameter)
    arguments = [_argument(each) for each in own if each.param_type_name == "argument"]
    yield f".SS {_plain(' '.join([*words, *arguments]))}"
    yield from _text(command.help or "")
    for parameter in own:
        if parameter.name != "help" and getattr(parameter, "help", None):
            yield from _parameter(parameter)
    if panels:
        yield ".PP"
        yield from _text(f"Also: the options of {', '.join(panels)}, below.")
    for paragraph in (command.epilog or "").split("\n\n"):
        yield ".PP"
        yield from _text(paragraph)


def _parameter(parameter: Any) -> Iterator[str]:
    record = parameter.get_help_record(typer.Context(TyperCommand("")))
    if record is not None:
        names, text = record
        if parameter.param_type_name == "argument":
            names = _argument(parameter)
        text = _DEFAULT.sub(r"Default: \1.", text).removesuffix(" [required]")
        yield ".TP"
        yield f".B {_plain(names)}"
        yield from _text(text)


def _argument(parameter: Any) -> str:
    return str(parameter.metavar) if parameter.nargs == 1 else f"{parameter.metavar} ..."


def _text(text: str) -> list[str]:
    """Return lines of running text: a new line for each sentence, code in bold."""
    lines: list[str] = []
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            lines.append(".PP")
        for sentence in _SENTENCE.split(" ".join(paragraph.split())):
            marked = _CODE.sub(lambda found: f"\\fB{found[1]}\\fR", _plain(sentence))
            wrapped = textwrap.wrap(marked, _WIDTH, break_long_words=False, break_on_hyphens=False)
            # At the beginning of a line, a dot or an apostrophe is a request.
            lines += [_REQUEST.sub(r"\\&", line) for line in wrapped]
    return lines


def _plain(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")
