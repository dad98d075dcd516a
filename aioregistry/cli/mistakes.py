"""What is wrong with a command line, as one line: what it is, and what may be meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import typer

from aioregistry.cli.exit_codes import WRONG_USAGE
from aioregistry.errors import printable

__all__ = ["alike", "as_exit", "describe", "renamed"]

_ALIKE = 0.7
_SHOWN = 3
_EXTRA = re.compile(r"Got unexpected extra argument.*? \((.*)\)")
# What other tools call a command.
_ELSEWHERE = {
    "digests": "manifests",
    "docker-config": "credentials",
    "garbage-collection": "gc",
    "help": "--help",
    "images": "tags",
    "ls": "repositories",
    "repository": "repositories",
    "rm": "delete-tags",
    "version": "--version",
}
# What other tools call an option.
_OPTIONS_ELSEWHERE = {"--force": "--yes", "--format": "--columns", "--json": "--output"}


def describe(error: Any, options: Iterable[str]) -> tuple[str, list[str]]:
    """Return what is wrong with arguments, and what may be meant instead.

    Args:
        error: The error of usage, of typer.
        options: The options that the command has.
    """
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if option is not None and hasattr(error, "possibilities"):
        here, known = _OPTIONS_ELSEWHERE.get(option), list(options)
        meant = [here] if here in known else alike(option, known)
        return f"no such option: {option}", meant
    if option is not None:
        wants = "needs a value" if "requires" in error.message else "takes no value"
        return f"{option} {wants}", []
    if parameter is not None:
        name = _name_of(parameter)
        message = error.message.removesuffix(".")
        return (f"{name}: {message}" if message else f"{name} is missing"), []
    if extra := _EXTRA.fullmatch(error.message):
        return f"too many arguments: {extra[1]}", []
    return error.message.removesuffix("."), []


def alike(name: str, known: Iterable[str]) -> list[str]:
    """Return those of some names that a wrong one may mean: that begin so, or look like it."""
    names = list(dict.fromkeys(known))
    begun = [each for each in names if len(name.strip("-")) > 1 and each.startswith(name)]
    return (begun or get_close_matches(name, names, n=_SHOWN, cutoff=_ALIKE))[:_SHOWN]


def renamed(name: str) -> list[str]:
    """Return the command that other tools call so, if any."""
    return [_ELSEWHERE[name]] if name in _ELSEWHERE else []


def as_exit(path: str, problem: str, meant: Iterable[str] = ()) -> typer.Exit:
    """Print a mistake on stderr, and return what ends the command.

    Args:
        path: The command: ``aioregistry gc``.
        problem: What is wrong.
        meant: What may be meant.
    """
    options = " or ".join(meant)
    remedy = f"did you mean {options}?" if options else f"see '{path} --help'"
    typer.echo(printable(f"{path}: {problem}; {remedy}"), err=True)
    return typer.Exit(WRONG_USAGE)


def _name_of(parameter: Any) -> str:
    """Return a parameter as a person types it: ``--limit``, ``REPO``."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    return str(max(parameter.opts, key=len))
