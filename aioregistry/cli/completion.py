"""What a shell completes besides commands and options: names of registries, repositories, runs.

Names are asked of the API at most once in five minutes. Where that fails, nothing is completed: a
shell shows no errors while somebody types. What installs completion is Typer's, mended for two
shells.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import platformdirs
from attrs import frozen

from aioregistry.cli.options import Access
from aioregistry.files import write_file

__all__ = ["complete_names", "install"]

_FRESH_SECONDS = 300
_TIMEOUT_SECONDS = 3
_OWNER_ONLY = 0o600
_FOLDER_MODE = 0o700
# zsh reads the script at the first Tab, as the function of this name; the script defines another
# one, and leaves that Tab without an answer.
_FIRST_TAB = """
if [[ ${funcstack[1]} = _aioregistry ]]; then
  _aioregistry_completion "$@"
fi
"""


@frozen
class _Item:
    """What a shell's script needs to know of a completion."""

    value: str
    type: str = "plain"
    help: str | None = None


def install(shell: str | None = None) -> tuple[str, Path]:
    """Install completion, and return the shell and the file of its script.

    Args:
        shell: Name of the shell; None for the one that runs this program.
    """
    from typer.completion import install as install_script  # type: ignore[attr-defined]

    shell, path = install_script(shell=shell)
    if shell == "zsh":
        path.write_text(path.read_text(encoding="utf-8") + _FIRST_TAB, encoding="utf-8")
    elif shell == "fish" and (configuration := os.environ.get("XDG_CONFIG_HOME")):
        # Of fish, the place where it looks first; where it is not set, that is ~/.config.
        folder = Path(configuration, "fish", "completions")
        folder.mkdir(parents=True, exist_ok=True)
        # Either may be on a file system of its own.
        path = Path(shutil.move(path, folder / path.name))
    return shell, path


def complete_names(command: Any) -> None:
    """Let the arguments and options of a command, or of each in a group, complete their values."""
    for each in getattr(command, "commands", {}).values():
        complete_names(each)
    for parameter in command.params:
        values = _VALUES.get(parameter.name)
        if parameter.name == "columns":
            values = _columns_of(command)
        if values is not None:
            parameter.shell_complete = _completer(values)


def _completer(values: Callable[[Access], Iterable[str]]) -> Callable[[Any, str], list[Any]]:
    def complete(context: Any, incomplete: str) -> list[Any]:
        # Of one of several names, the last is completed.
        before, comma, last = incomplete.rpartition(",")
        try:
            found = sorted(values(_access_of(context)))
        except Exception:  # noqa: BLE001, whatever it is: somebody is typing
            return []
        return [_Item(before + comma + each) for each in found if each.startswith(last)]

    return complete


def _access_of(context: Any) -> Access:
    """Return the options that are on the line already."""
    given = context.params
    return Access(
        profile=given.get("profile"),
        token_file=given.get("token_file"),
        api_url=given.get("api_url"),
    )


def _columns_of(command: Any) -> Callable[[Access], Iterable[str]]:
    columns = getattr(command.callback, "columns", tuple)
    return lambda _: [*columns(), "all"]


def _profiles(_: Access) -> Iterable[str]:
    from aioregistry.cli.settings.config_file import config_path, read_config

    return read_config(config_path(os.environ)).profiles


def _runs(access: Access) -> Iterable[str]:
    from aioregistry.cli.runs import runs_of
    from aioregistry.cli.settings.settings import Settings

    return [run.name for _, run in runs_of(Settings.load(access))]


def _registries(access: Access) -> Iterable[str]:
    return _names(access)


def _repositories(access: Access) -> Iterable[str]:
    """Return names of repositories: with the registry's name where there are several."""
    from aioregistry.cli.settings.settings import Settings

    known, names = Settings.load(access).registry, _names(access)
    one = known or (next(iter(names)) if len(names) == 1 else None)
    if one is not None:
        return names.get(one, [])
    return [f"{registry}/{each}" for registry, found in names.items() for each in found]


_VALUES: dict[str, Callable[[Access], Iterable[str]]] = {
    "profile": _profiles,
    "registry": _registries,
    "repo": _repositories,
    "repository": _repositories,
    "image": _repositories,
    "images": _repositories,
    "target": _repositories,
    "plan": _runs,
    "source": _runs,
}


def _names(access: Access) -> dict[str, list[str]]:
    """Return the repositories of each registry, as they were five minutes ago at most."""
    from aioregistry.cli.settings.settings import Settings

    settings = Settings.load(access)
    of = hashlib.sha256(f"{settings.api_url} {settings.token.value}".encode()).hexdigest()[:32]
    folder = platformdirs.user_cache_path("aioregistry", appauthor=False)
    path = folder / f"names-{of}.json"
    kept = _kept(path)
    if kept is None:
        import asyncio

        kept = asyncio.run(_ask(access))
        folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
        for old in folder.glob("names-*.json"):
            # Of tokens and sandboxes that are in use no more, or again after a while.
            if _kept(old) is None:
                old.unlink(missing_ok=True)
        write_file(path, json.dumps(kept), mode=_OWNER_ONLY)
    return kept


def _kept(path: Path) -> dict[str, list[str]] | None:
    try:
        if not 0 <= time.time() - path.stat().st_mtime < _FRESH_SECONDS:
            return None
        kept: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept


async def _ask(access: Access) -> dict[str, list[str]]:
    import asyncio

    from aioregistry.cli.connection import Connection

    async with asyncio.timeout(_TIMEOUT_SECONDS), Connection.open(access) as to:
        found = {}
        for registry in await to.client.registries():
            repositories = await to.client.registry(registry.name).repositories().collect()
            found[registry.name] = [each.name for each in repositories]
        return found
