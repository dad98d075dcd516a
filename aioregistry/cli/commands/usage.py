"""``aioregistry usage``: where the bytes of a registry are."""

from typing import TYPE_CHECKING

import typer

from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.options import (
    Access,
    AllRegistries,
    Output,
    RegistryName,
    shows,
    with_groups,
)
from aioregistry.cli.usage.options import Counting, Group, Money

if TYPE_CHECKING:
    from aioregistry.cli.display.rows import Column
    from aioregistry.cli.usage.rows import Shown

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")


def _columns() -> "list[Column[Shown]]":
    from aioregistry.cli.usage.rows import columns_by

    return columns_by(Group.REPOSITORY)


@app.command(epilog=epilog("aioregistry usage example --by tag --top 10"))
@with_groups
@shows(_columns)
def usage(
    registry: RegistryName = None,
    all_registries: AllRegistries = False,
    counting: Counting = Counting(),
    money: Money = Money(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show where the bytes of a registry are, and what deleting would free.

    `bytes` counts each blob once. `exclusive` is what a garbage collection would free if this and
    all that only this needs was deleted; `shared` stays, as something else needs it. All lists are
    read once; the registry itself is asked for indexes, which costs none of the quota. Then it says
    what the account's tier includes, what is stored beyond it, and when that will be full.
    """
    from aioregistry.cli.usage import work

    work.usage(registry, all_registries, counting, money, output, access)
