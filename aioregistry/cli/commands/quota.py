"""``aioregistry quota``: what is left of the API's quota."""

from contextlib import suppress
from datetime import UTC, datetime

import typer
from attrs import frozen

from aioregistry.cli.connection import DONE, Connection, run
from aioregistry.cli.display.listing import printer_of
from aioregistry.cli.display.rows import Column
from aioregistry.cli.options import Access, Output, with_groups
from aioregistry.errors import PermissionDeniedError, RateLimitedError
from aioregistry.ratelimit.headers import RateLimitHeaders

__all__ = ["app"]

app = typer.Typer(rich_markup_mode="markdown")


@frozen
class _Quota:
    limit: int | None
    remaining: int | None
    frees_at: datetime | None
    frees_in: int | None


_COLUMNS: list[Column[_Quota]] = [
    Column("remaining", lambda item: item.remaining, kind="count", width=9),
    Column("limit", lambda item: item.limit, kind="count", width=7),
    Column("frees_at", lambda item: item.frees_at, width=25),
    Column("frees_in", lambda item: item.frees_in, kind="count", width=8),
]


@app.command(epilog="Exit codes: 0, done; 1, not so; 2, wrong usage; 130 or 143, interrupted.")
@with_groups
def quota(
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """Show what the server says is left of the token's quota, and when the next request frees.

    Asking is one request itself. `frees_in` is in seconds.
    """
    printer = printer_of("quota", _COLUMNS, output)

    async def work() -> int:
        async with Connection.open(access) as to:
            # Any answer tells it, a refusal too.
            with suppress(PermissionDeniedError, RateLimitedError):
                await to.client.registries()
            word = to.limiter.status.server
        printer.begin()
        printer.rows([_quota(word)])
        printer.end()
        return DONE

    run("quota", access, work())


def _quota(word: RateLimitHeaders | None) -> _Quota:
    if word is None:
        return _Quota(None, None, None, None)
    at = None if word.reset_at is None else datetime.fromtimestamp(word.reset_at, UTC)
    after = word.retry_after if word.retry_after is not None else word.reset_after
    return _Quota(word.limit, word.remaining, at, None if after is None else round(after))
