"""The commands, put together: each group has a file of its own, loaded when it is asked for."""

import importlib
from typing import Annotated, Any

import typer
from attrs import frozen
from typer.core import TyperCommand, TyperGroup

from aioregistry.version import VERSION

__all__ = ["app"]

_CONTENT = "What a registry holds"
_CREDENTIALS = "Credentials"
_CLEAN = "Cleaning up"
_ACCOUNT = "The account"
_PROGRAM = "This program"


@frozen
class _Command:
    module: str
    panel: str
    help: str


# Loading a command loads the client, which takes longer than all the help does.
_COMMANDS = {
    "repositories": _Command("lists", _CONTENT, "List the repositories of a registry."),
    "tags": _Command("lists", _CONTENT, "List the tags of a repository."),
    "manifests": _Command("lists", _CONTENT, "List the manifests of a repository."),
    "delete-tags": _Command("deletes", _CONTENT, "Delete tags."),
    "delete-manifests": _Command("deletes", _CONTENT, "Delete manifests, and all tags on them."),
    "delete-repository": _Command("deletes", _CONTENT, "Delete a repository with all it holds."),
    "cleanup": _Command(
        "cleanup",
        _CLEAN,
        "Delete what a policy condemns, and nothing that is needed, in use or has moved.",
    ),
    "gc": _Command("gc", _CLEAN, "Garbage collections, which free what nothing needs any more."),
    "login": _Command(
        "credentials", _CREDENTIALS, "Let Docker pull; with `--read-write`, push, too."
    ),
    "logout": _Command("credentials", _CREDENTIALS, "Take Docker's credentials away again."),
    "credentials": _Command("credentials", _CREDENTIALS, "Print a Docker configuration."),
    "kubernetes-manifest": _Command(
        "credentials", _CREDENTIALS, "Print a pull secret for `kubectl apply -f -`."
    ),
    "registry": _Command("registries", _ACCOUNT, "Show, create and delete registries."),
    "options": _Command("registries", _ACCOUNT, "What a registry can be created with."),
    "subscription": _Command("registries", _ACCOUNT, "The account's subscription."),
    "validate-name": _Command("registries", _ACCOUNT, "Ask whether a registry's name is free."),
    "quota": _Command("quota", _ACCOUNT, "What is left of the API's quota, and when it frees."),
    "config": _Command("config", _PROGRAM, "Show the configuration, and where it comes from."),
    "demo": _Command(
        "demo",
        _PROGRAM,
        "Clean up a registry of thousands of tags: plan, apply, collect, and check what is left.",
    ),
    "sandbox": _Command(
        "sandbox", _PROGRAM, "Run a registry of your own, for this machine only, until Ctrl-C."
    ),
}


class _Commands(TyperGroup):
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
        return found

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._listing = True
        return super().shell_complete(ctx, incomplete)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # Its tracebacks show local variables, and one of them could be a token.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
