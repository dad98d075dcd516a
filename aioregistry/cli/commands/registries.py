"""``aioregistry registry``, ``options``, ``subscription``, ``validate-name`` and ``quota``."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import frozen

from aioregistry.api import names
from aioregistry.cli.asking import ask
from aioregistry.cli.display.listing import Listing, show_all
from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.display.text import counted, size_in_words
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED, epilog
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import Access, Filters, Output, RegistryName, Yes, shows, with_groups
from aioregistry.cli.running import run_connected
from aioregistry.errors import (
    ConflictError,
    InvalidNameError,
    PermissionDeniedError,
    RateLimitedError,
)

if TYPE_CHECKING:
    from aioregistry.api.models import Registry, Subscription, SubscriptionTier
    from aioregistry.cli.connection import Connection
    from aioregistry.ratelimit.headers import RateLimitHeaders

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")
registry_app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show, create and delete registries.",
)
options_app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="List the subscription tiers and the regions for new registries.",
)
app.add_typer(registry_app, name="registry")
app.add_typer(options_app, name="options")


@frozen
class _Quota:
    limit: int | None
    remaining: int | None
    frees_at: datetime | None
    frees_in: int | None


def _tier_slug(subscription: "Subscription | None") -> str | None:
    tier = None if subscription is None else subscription.tier
    return None if tier is None else tier.slug


_REGISTRIES: "list[Column[Registry]]" = [
    Column("name", lambda item: item.name, width=24),
    Column("region", lambda item: item.region, width=6),
    Column("tier", lambda item: _tier_slug(item.subscription), width=12),
    Column("storage", lambda item: item.storage_usage_bytes, kind="bytes", width=15),
    Column("created", lambda item: item.created_at, kind="time", width=25),
    Column(
        "measured",
        lambda item: item.storage_usage_bytes_updated_at,
        kind="time",
        width=25,
        shown=False,
    ),
]
_FACTS: "Facts[Registry]" = Facts(
    lambda item: (item.name,),
    lambda item: item.created_at,
    lambda item: item.storage_usage_bytes,
)
_TIERS: "list[Column[SubscriptionTier]]" = [
    Column("slug", lambda item: item.slug, width=14),
    Column("name", lambda item: item.name, width=14, shown=False),
    Column("cents_a_month", lambda item: item.monthly_price_in_cents, kind="count", width=13),
    Column("repositories", lambda item: item.included_repositories, kind="count", width=12),
    Column("storage", lambda item: item.included_storage_bytes, kind="bytes", width=15),
    Column("bandwidth", lambda item: item.included_bandwidth_bytes, kind="bytes", width=15),
    Column("eligible", lambda item: _yes_or_no(item.eligible), width=8),
    Column("reasons", lambda item: item.eligibility_reasons, width=20, shown=False),
    Column("overage", lambda item: _yes_or_no(item.allow_storage_overage), width=7, shown=False),
]
_SUBSCRIPTIONS: "list[Column[Subscription]]" = [
    Column("tier", _tier_slug, width=14),
    Column("created", lambda item: item.created_at, kind="time", width=25),
    Column("updated", lambda item: item.updated_at, kind="time", width=25),
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
_NOTHING_DELETED = "nothing was deleted"
_REGIONS: list[Column[str]] = [Column("region", lambda item: item, width=6)]
_QUOTAS: list[Column[_Quota]] = [
    Column("remaining", lambda item: item.remaining, kind="count", width=9),
    Column("limit", lambda item: item.limit, kind="count", width=7),
    Column("frees_at", lambda item: item.frees_at, kind="time", width=25),
    Column("frees_in", lambda item: item.frees_in, kind="seconds", width=8),
]


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else ("yes" if value else "no")


@registry_app.command(epilog=epilog("aioregistry registry get example"))
@with_groups
@shows(lambda: _REGISTRIES)
def get(
    registry: RegistryName = None,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show a registry."""

    async def work(to: "Connection") -> int:
        printer = printer_for(_REGISTRIES, output)
        name = (await to.registry(registry)).name
        printer.all([await to.client.get_registry(name)])
        return DONE

    run_connected("registry get", access, work)


@registry_app.command(name="list", epilog=epilog("aioregistry registry list"))
@with_groups
@shows(lambda: _REGISTRIES)
def list_(
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the account's registries."""

    async def work(to: "Connection") -> int:
        listing = Listing.of("registries", _REGISTRIES, _FACTS, filters, output)
        show_all(listing, await to.client.registries())
        return DONE

    run_connected("registry list", access, work)


@registry_app.command(
    epilog=epilog("aioregistry registry create example --tier basic --region fra1", asks=True)
)
@with_groups
@shows(lambda: _REGISTRIES)
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name, unique among all accounts of the vendor.")
    ],
    tier: Annotated[
        str, typer.Option(metavar="SLUG", help="Tier; `aioregistry options tiers` lists them.")
    ],
    region: Annotated[
        str | None,
        typer.Option(
            metavar="SLUG",
            show_default="the API's choice",
            help="Region, for good; `aioregistry options regions` lists them.",
        ),
    ] = None,
    yes: Yes = False,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Create a registry. The account pays for its tier by the month."""
    command = "registry create"

    async def work(to: "Connection") -> int:
        printer = printer_for(_REGISTRIES, output)
        names.check_registry(name)
        if not yes:
            price = await _price(to, tier, region)
            question = f"Create {name!r} in tier {tier}, {price}?"
            ask(command, question, "nothing was created", api_url=to.settings.api_url)
        made = await to.client.create_registry(name, subscription_tier=tier, region=region)
        printer.all([made])
        return DONE

    run_connected(
        command,
        access,
        work,
        lambda: "the registry may have been created: check with 'aioregistry registry list'",
    )


@registry_app.command(epilog=epilog("aioregistry registry delete example", asks=True))
@with_groups
def delete(
    registry: Annotated[str, typer.Argument(metavar="NAME", help="Name of the registry.")],
    yes: Yes = False,
    access: Access = Access(),
) -> None:
    """Delete a registry with all its repositories. This cannot be undone."""
    command = "registry delete"

    async def work(to: "Connection") -> int:
        names.check_registry(registry)
        if not yes:
            size = await _size(to, registry)
            question = f"Delete the registry {registry!r} with {size}, for good?"
            ask(command, question, _NOTHING_DELETED, api_url=to.settings.api_url)
        await to.client.delete_registry(registry)
        typer.echo(f"{registry}: deleted", err=True)
        return DONE

    run_connected(
        command,
        access,
        work,
        lambda: "the registry may be deleted: check with 'aioregistry registry list'",
    )


async def _size(to: "Connection", name: str) -> str:
    """Return the number of repositories, tags and bytes of a registry, in words."""
    found = await to.client.get_registry(name)
    repositories = await to.client.registry(name).repositories().collect()
    tags = sum(each.tag_count or 0 for each in repositories)
    used = found.storage_usage_bytes
    stored = "an unknown number of bytes" if used is None else size_in_words(used)
    word = "repository" if len(repositories) == 1 else "repositories"
    return f"{len(repositories):,} {word}, {counted(tags, 'tag')} and {stored}"


async def _price(to: "Connection", slug: str, region: str | None = None) -> str:
    """Return the price of a tier in words.

    Raises:
        UsageError: There is no such tier, or no such region.
    """
    options = await to.client.options()
    regions = options.available_regions
    if region is not None and region not in regions:
        raise UsageError(f"no region {region!r}; the regions are {', '.join(regions)}")
    tiers = {tier.slug: tier for tier in options.subscription_tiers}
    if slug not in tiers:
        raise UsageError(f"no tier {slug!r}; the tiers are {', '.join(filter(None, tiers))}")
    cents = tiers[slug].monthly_price_in_cents
    return "at an unknown price" if cents is None else f"${cents / 100:,.2f} a month"


@options_app.command(epilog=epilog("aioregistry options tiers"))
@with_groups
@shows(lambda: _TIERS)
def tiers(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the subscription tiers, and which of them the account may choose."""

    async def work(to: "Connection") -> int:
        printer = printer_for(_TIERS, output)
        printer.all((await to.client.options()).subscription_tiers)
        return DONE

    run_connected("options tiers", access, work)


@options_app.command(epilog=epilog("aioregistry options regions"))
@with_groups
@shows(lambda: _REGIONS)
def regions(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List the regions for new registries."""

    async def work(to: "Connection") -> int:
        printer = printer_for(_REGIONS, output)
        printer.all((await to.client.options()).available_regions)
        return DONE

    run_connected("options regions", access, work)


@app.command(epilog=epilog("aioregistry subscription --change-to professional", asks=True))
@with_groups
@shows(lambda: _SUBSCRIPTIONS)
def subscription(
    change_to: Annotated[
        str | None,
        typer.Option(metavar="SLUG", show_default=False, help="Change to this tier."),
    ] = None,
    yes: Yes = False,
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show the account's subscription, or change its tier."""
    command = "subscription"

    async def work(to: "Connection") -> int:
        printer = printer_for(_SUBSCRIPTIONS, output)
        if change_to is None:
            found = await to.client.subscription()
        else:
            if not yes:
                price = await _price(to, change_to)
                question = f"Change to tier {change_to}, {price}?"
                ask(command, question, "nothing was changed", api_url=to.settings.api_url)
            found = await to.client.update_subscription(change_to)
        printer.all([found])
        return DONE

    run_connected(command, access, work, lambda: "check with 'aioregistry subscription'")


@app.command(
    epilog=epilog("aioregistry validate-name example", {1: "the name is taken or invalid"})
)
@with_groups
def validate_name(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name for a registry.")],
    access: Access = Access(),
) -> None:
    """Check whether a registry name is available."""

    async def work(to: "Connection") -> int:
        try:
            names.check_registry(name)
            await to.client.validate_name(name)
        except ConflictError:
            typer.echo(f"{name}: taken")
            return SOME_FAILED
        except InvalidNameError as error:
            typer.echo(str(error))
            return SOME_FAILED
        typer.echo(f"{name}: available")
        return DONE

    run_connected("validate-name", access, work)


@app.command(epilog=epilog("aioregistry quota -o json"))
@with_groups
@shows(lambda: _QUOTAS)
def quota(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show the token's remaining requests in this hour, and when the next one is freed.

    This sends one request. `frees_in` is in seconds.
    """

    async def work(to: "Connection") -> int:
        printer = printer_for(_QUOTAS, output)
        # Every answer has the headers, refusals included: nobody is to wait for quota to ask how
        # much is left.
        to.limiter.waits_when_refused = False
        with suppress(PermissionDeniedError, RateLimitedError):
            await to.client.registries()
        printer.all([_quota(to.limiter.status.server)])
        return DONE

    run_connected("quota", access, work)


def _quota(reported: "RateLimitHeaders | None") -> _Quota:
    if reported is None:
        return _Quota(None, None, None, None)
    at = None if reported.reset_at is None else datetime.fromtimestamp(reported.reset_at, UTC)
    after = reported.retry_after if reported.retry_after is not None else reported.reset_after
    return _Quota(reported.limit, reported.remaining, at, None if after is None else round(after))
