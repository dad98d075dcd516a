"""``aioregistry quota``: what is left of the API's quota."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from attrs import frozen

from aioregistry.cli.display.rows import Column, printer_for
from aioregistry.cli.exit_codes import DONE, epilog
from aioregistry.cli.options import Access, Output, shows, with_groups
from aioregistry.cli.running import run_connected
from aioregistry.errors import PermissionDeniedError, RateLimitedError

if TYPE_CHECKING:
    from aioregistry.cli.connection import Connection
    from aioregistry.ratelimit.headers import RateLimitHeaders

__all__ = ["app"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@frozen
class _Quota:
    limit: int | None
    remaining: int | None
    frees_at: datetime | None
    frees_in: int | None


_COLUMNS: list[Column[_Quota]] = [
    Column("remaining", lambda item: item.remaining, kind="count", width=9),
    Column("limit", lambda item: item.limit, kind="count", width=7),
    Column("frees_at", lambda item: item.frees_at, kind="time", width=25),
    Column("frees_in", lambda item: item.frees_in, kind="count", width=8),
]


@app.command(epilog=epilog("aioregistry quota -o json"))
@with_groups
@shows(lambda: _COLUMNS)
def quota(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show the token's remaining requests in this hour, and when the next one is freed.

    This sends one request. `frees_in` is in seconds.
    """

    async def work(to: "Connection") -> int:
        printer = printer_for(_COLUMNS, output)
        # Every answer has the headers, refusals included.
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
