"""The work of ``aioregistry inspect``."""

import json
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from aioregistry.cleanup.in_use.references import InUse, InUseError
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cli.cleanup.options import Reading
from aioregistry.cli.cleanup.uses import read_uses
from aioregistry.cli.connection import Connection, check_names_image
from aioregistry.cli.display.text import reason_of
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.images.facts import Node, document_of, nodes_of
from aioregistry.cli.options import Access
from aioregistry.cli.running import refuse, run_connected
from aioregistry.cli.undo.holds import leave_restored
from aioregistry.images.inspecting import inspect_image
from aioregistry.images.inspection import ImageInspection

__all__ = ["inspect"]

_COMMAND = "inspect"
_WIDTH = 10_000


def inspect(
    repo: str,
    registry: str | None,
    policy: Path | None,
    all_repositories: bool,
    show_env: bool,
    form: str | None,
    no_trunc: bool,
    utc: bool,
    reading: Reading,
    access: Access,
) -> None:
    """Show what the image that ``repo`` names is made of."""
    rules, uses = _policy(policy, reading, access)

    async def work(to: Connection) -> int:
        check_names_image(repo)
        target = await to.target(repo, registry)
        reference = target.reference.digest or target.reference.tag or ""
        handle = to.client.registry(target.repository.registry_name)
        async with (
            to.reading(handle, reading.registry_url, cache=not reading.no_cache) as (
                distribution,
                contents,
            ),
            to.display.stage("Read", 0, "manifests", items_a_request=200) as stage,
        ):

            def count(listed: int) -> None:
                stage.done = stage.total = listed

            found = await inspect_image(
                handle,
                distribution,
                target.repository.name,
                reference,
                all_repositories=all_repositories,
                policy=rules,
                contents=contents,
                in_use=uses,
                leave=None if rules is None else leave_restored(handle.name, to.settings),
                on_progress=count,
            )
        _show(found, form, show_env, no_trunc, utc)
        return DONE

    run_connected(_COMMAND, access, work)


def _policy(
    policy: Path | None, reading: Reading, access: Access
) -> tuple[Policy | None, InUse | None]:
    if policy is None:
        if reading.in_use or reading.in_use_ignore:
            refuse(_COMMAND, "--in-use is for --policy: add --policy FILE")
        return None, None
    try:
        return load_policy(policy), read_uses(reading, access)
    except OSError as error:
        refuse(_COMMAND, reason_of(error))
    except (PolicyFileError, InUseError, ModuleNotFoundError, ValueError) as error:
        refuse(_COMMAND, error)


def _show(
    found: ImageInspection, form: str | None, show_env: bool, no_trunc: bool, utc: bool
) -> None:
    form = form or ("tree" if sys.stdout.isatty() else "plain")
    if form == "json":
        typer.echo(json.dumps(document_of(found, show_env=show_env), indent=2))
        return
    is_tree = form == "tree"
    root = nodes_of(found, show_env=show_env, short=is_tree and not no_trunc, utc=utc)
    if is_tree:
        # Wide: no tag or digest is cut off or broken. A terminal wraps by itself.
        Console(width=_WIDTH).print(_tree(root), highlight=False)
    else:
        typer.echo("\n".join(_lines(root)))


def _tree(node: Node) -> Tree:
    tree = Tree(Text(node.text, "bold" if node.children else ""))
    for child in node.children:
        tree.children.append(_tree(child))
    return tree


def _lines(node: Node, depth: int = 0) -> list[str]:
    lines = [f"{'  ' * depth}{node.text}"]
    for child in node.children:
        lines += _lines(child, depth + 1)
    return lines
