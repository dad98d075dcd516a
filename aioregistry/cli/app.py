"""The root of the commands; each group is in a file of its own, loaded when it is used."""

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from attrs import frozen
from typer.core import TyperCommand

from aioregistry.cli.exit_codes import INTERRUPTED
from aioregistry.cli.groups import CommandGroup, adapt
from aioregistry.version import VERSION

__all__ = ["app"]

_CONTENT = "Registry content"
_CREDENTIALS = "Credentials"
_CLEAN = "Clean-up"
_ACCOUNT = "Account"
_PROGRAM = "This program"


@frozen
class _Command:
    module: str
    panel: str
    help: str


# Set by a shell that asks for completions.
_COMPLETES = "_AIOREGISTRY_COMPLETE"
# Loading all commands takes longer than printing the help.
_COMMANDS = {
    "repositories": _Command("lists", _CONTENT, "List the repositories of a registry."),
    "tags": _Command("lists", _CONTENT, "List the tags of a repository."),
    "manifests": _Command("lists", _CONTENT, "List the manifests of a repository."),
    "inspect": _Command(
        "images", _CONTENT, "Show what an image is made of, and what shares its layers."
    ),
    "usage": _Command("usage", _CONTENT, "Show where the bytes are, and what deleting would free."),
    "tag": _Command("images", _CONTENT, "Set further tags on an image, without pulling it."),
    "untag": _Command("images", _CONTENT, "Delete tags; the images that they are on stay."),
    "copy": _Command(
        "images", _CONTENT, "Copy an image to another repository, without pulling it."
    ),
    "delete-tags": _Command("deletes", _CONTENT, "Delete tags."),
    "delete-manifests": _Command("deletes", _CONTENT, "Delete manifests with all their tags."),
    "delete-repository": _Command(
        "deletes", _CONTENT, "Delete a repository with all its tags and manifests."
    ),
    "cleanup": _Command(
        "cleanup",
        _CLEAN,
        "Delete the tags and manifests that a policy selects; keep what is needed or in use.",
    ),
    "fleet": _Command("fleet", _CLEAN, "Clean many registries by themselves, with many workers."),
    "deploy": _Command(
        "deploy", _CLEAN, "Print what lets a clean-up run by itself, ready to apply."
    ),
    "gc": _Command("gc", _CLEAN, "Start, watch and cancel garbage collections."),
    "login": _Command(
        "credentials",
        _CREDENTIALS,
        "Let Docker pull from a registry; with `--read-write`, also push.",
    ),
    "logout": _Command("credentials", _CREDENTIALS, "Remove Docker's credentials again."),
    "credentials": _Command(
        "credentials", _CREDENTIALS, "Print a Docker configuration with new credentials."
    ),
    "kubernetes-manifest": _Command(
        "credentials", _CREDENTIALS, "Print a pull secret for `kubectl apply -f -`."
    ),
    "registry": _Command("registries", _ACCOUNT, "Show, create and delete registries."),
    "options": _Command("registries", _ACCOUNT, "List tiers and regions for new registries."),
    "subscription": _Command("registries", _ACCOUNT, "Show or change the account's subscription."),
    "validate-name": _Command(
        "registries", _ACCOUNT, "Check whether a registry name is available."
    ),
    "quota": _Command("registries", _ACCOUNT, "Show the remaining requests of the API's quota."),
    "config": _Command("config", _PROGRAM, "Show and edit the configuration."),
    "man": _Command("man", _PROGRAM, "Print the manual page."),
    "demo": _Command(
        "demo", _PROGRAM, "Clean up an embedded registry of thousands of tags, and verify."
    ),
    "sandbox": _Command(
        "sandbox", _PROGRAM, "Run a local registry for tests and rehearsals, until Ctrl-C."
    ),
}


class _Commands(CommandGroup):
    """Lists commands without loading them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = {
            name: TyperCommand(name, help=command.help, rich_help_panel=command.panel)
            for name, command in _COMMANDS.items()
        }
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._listing or cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"aioregistry.cli.commands.{_COMMANDS[cmd_name].module}")
        loaded: Any = typer.main.get_command(module.app)
        # A module has one command, a group of its own name, or several commands.
        found = getattr(loaded, "commands", {}).get(cmd_name, loaded)
        found.name = cmd_name
        if _COMPLETES in os.environ:
            from aioregistry.cli.completion import complete_names

            complete_names(found)
        return adapt(found)

    def get_params(self, ctx: Any) -> list[Any]:
        found = super().get_params(ctx)
        for parameter in found:
            if parameter.name == "install_completion":
                parameter.callback = _install_completion
        return found

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # While a command is being loaded. Typer would end it without a word.
            # On a terminal, over the ^C that it echoes.
            begin = "\r" if sys.stderr.isatty() else ""
            typer.echo(f"{begin}aioregistry: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._listing = True
        return super().shell_complete(ctx, incomplete)


app: typer.Typer = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # Its tracebacks show local variables, and one of them could be a token.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _install_completion(ctx: Any, _: Any, value: Any) -> None:
    """Install completion for a shell; True stands for the one that runs this."""
    if not value or ctx.resilient_parsing:
        return
    from aioregistry.cli.completion import install

    shell, path = install(value if isinstance(value, str) else None)
    typer.echo(f"{path}: completion of {shell}; it takes effect in the next shell")
    raise typer.Exit


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aioregistry-do {VERSION}")
        raise typer.Exit


@app.callback()
def _aioregistry(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Work with DigitalOcean's container registry."""
