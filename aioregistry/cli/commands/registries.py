"""``aioregistry registry``, ``options``, ``subscription`` and ``validate-name``."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer

from aioregistry.api import names
from aioregistry.api.models import Registry, Subscription, SubscriptionTier
from aioregistry.cli.connection import DONE, SOME_FAILED, Connection, ask, run
from aioregistry.cli.display.listing import Listing, printer_of, show_all
from aioregistry.cli.display.rows import Column, Printer
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.options import Access, Filters, Output, RegistryName, Yes, with_groups
from aioregistry.errors import ConflictError, InvalidNameError

__all__ = ["app"]

T = TypeVar("T")

_EXIT_CODES = "Exit codes: 0, done; 1, not so; 2, wrong usage; 130 or 143, interrupted."
_EXIT_CODES_OF_ASKING = (
    "Exit codes: 0, done; 1, not so; 2, wrong usage; 4, the answer was no, nothing was changed;"
    " 130 or 143, interrupted."
)

app = typer.Typer(rich_markup_mode="markdown")
registry_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show, create and delete registries.",
)
options_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What a registry can be created with.",
)
app.add_typer(registry_app, name="registry")
app.add_typer(options_app, name="options")


def _tier_slug(subscription: Subscription | None) -> str | None:
    tier = None if subscription is None else subscription.tier
    return None if tier is None else tier.slug


_REGISTRIES: list[Column[Registry]] = [
    Column("name", lambda item: item.name, width=24),
    Column("region", lambda item: item.region, width=6),
    Column("tier", lambda item: _tier_slug(item.subscription), width=12),
    Column("storage", lambda item: item.storage_usage_bytes, kind="bytes", width=15),
    Column("created", lambda item: item.created_at, width=25),
    Column("measured", lambda item: item.storage_usage_bytes_updated_at, width=25, shown=False),
]
_FACTS: Facts[Registry] = Facts(
    lambda item: (item.name,),
    lambda item: item.created_at,
    lambda item: item.storage_usage_bytes,
)
_TIERS: list[Column[SubscriptionTier]] = [
    Column("slug", lambda item: item.slug, width=14),
    Column("name", lambda item: item.name, width=14),
    Column("cents_a_month", lambda item: item.monthly_price_in_cents, kind="count", width=13),
    Column("repositories", lambda item: item.included_repositories, kind="count", width=12),
    Column("storage", lambda item: item.included_storage_bytes, kind="bytes", width=15),
    Column("bandwidth", lambda item: item.included_bandwidth_bytes, kind="bytes", width=15),
    Column("eligible", lambda item: _yes_or_no(item.eligible), width=8),
    Column("reasons", lambda item: item.eligibility_reasons, width=20, shown=False),
    Column("overage", lambda item: _yes_or_no(item.allow_storage_overage), width=7, shown=False),
]
_SUBSCRIPTIONS: list[Column[Subscription]] = [
    Column("tier", _tier_slug, width=14),
    Column("created", lambda item: item.created_at, width=25),
    Column("updated", lambda item: item.updated_at, width=25),
    Column(
        "storage",
        lambda item: None if item.tier is None else item.tier.included_storage_bytes,
        kind="bytes",
        width=15,
    ),
    Column(
        "cents_a_month",
        lambda item: None if item.tier is None else item.tier.monthly_price_in_cents,
        kind="count",
        width=13,
    ),
]
_REGIONS: list[Column[str]] = [Column("region", lambda item: item, width=6)]


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else ("yes" if value else "no")


@registry_app.command(epilog=_EXIT_CODES)
@with_groups
def get(
    registry: RegistryName = None,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show a registry."""
    printer = printer_of("registry get", _REGISTRIES, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            name = (await to.registry(registry)).name
            _show(printer, [await to.client.get_registry(name)])
        return DONE

    run("registry get", access, work())


@registry_app.command(name="list", epilog=_EXIT_CODES)
@with_groups
def list_(
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the account's registries."""
    listing = Listing.of("registry list", _REGISTRIES, _FACTS, filters, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            show_all(listing, await to.client.registries())
        return DONE

    run("registry list", access, work())


@registry_app.command(epilog=_EXIT_CODES)
@with_groups
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, unique in all accounts.")],
    tier: Annotated[
        str, typer.Option(metavar="SLUG", help="The tier: see `aioregistry options tiers`.")
    ],
    region: Annotated[
        str | None,
        typer.Option(
            metavar="SLUG",
            show_default="the API chooses",
            help="The region: see `aioregistry options regions`.",
        ),
    ] = None,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Create a registry. It costs what its tier says."""
    printer = printer_of("registry create", _REGISTRIES, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            made = await to.client.create_registry(name, subscription_tier=tier, region=region)
        _show(printer, [made])
        return DONE

    run("registry create", access, work(), lambda: "it may have been created: 'registry list'")


@registry_app.command(epilog=_EXIT_CODES_OF_ASKING)
@with_groups
def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The registry.")],
    yes: Yes = False,
    access: Access = Access(),
) -> None:
    """Delete a registry with all that it holds. There is no way back."""
    command = "registry delete"

    async def work() -> int:
        names.check_registry(name)
        if not yes:
            question = f"Delete the registry {name} with all its repositories, for good?"
            ask(command, question, "nothing was deleted")
        async with Connection.open(access) as to:
            await to.client.delete_registry(name)
        typer.echo(f"{name} is deleted", err=True)
        return DONE

    run(command, access, work(), lambda: "it may be deleted: look with 'registry list'")


@options_app.command(epilog=_EXIT_CODES)
@with_groups
def tiers(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the subscription tiers, and whether the account may have them."""
    printer = printer_of("options tiers", _TIERS, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            _show(printer, (await to.client.options()).subscription_tiers)
        return DONE

    run("options tiers", access, work())


@options_app.command(epilog=_EXIT_CODES)
@with_groups
def regions(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the regions that a registry can be in."""
    printer = printer_of("options regions", _REGIONS, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            _show(printer, (await to.client.options()).available_regions)
        return DONE

    run("options regions", access, work())


@app.command(epilog=_EXIT_CODES_OF_ASKING)
@with_groups
def subscription(
    change_to: Annotated[
        str | None,
        typer.Option(metavar="SLUG", show_default=False, help="Change to this tier first."),
    ] = None,
    yes: Yes = False,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show the account's subscription, or change its tier."""
    command = "subscription"
    printer = printer_of(command, _SUBSCRIPTIONS, output)

    async def work() -> int:
        if change_to is not None and not yes:
            question = f"Change to the tier {change_to}, at its price?"
            ask(command, question, "nothing was changed")
        async with Connection.open(access) as to:
            if change_to is None:
                found = await to.client.subscription()
            else:
                found = await to.client.update_subscription(change_to)
        _show(printer, [found])
        return DONE

    run(command, access, work(), lambda: "look with 'aioregistry subscription'")


@app.command(epilog="Exit codes: 0, free; 1, taken, or not to be had; 2, wrong usage.")
@with_groups
def validate_name(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A registry's name.")],
    access: Access = Access(),
) -> None:
    """Ask whether a registry could be created under a name."""

    async def work() -> int:
        async with Connection.open(access) as to:
            try:
                await to.client.validate_name(name)
            except ConflictError:
                typer.echo(f"{name} is taken")
                return SOME_FAILED
            except InvalidNameError as error:
                typer.echo(str(error))
                return SOME_FAILED
        typer.echo(f"{name} is free")
        return DONE

    run("validate-name", access, work())


def _show(printer: Printer[T], items: Sequence[T]) -> None:
    printer.begin()
    printer.rows(items)
    printer.end()
