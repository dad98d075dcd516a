"""The runs of clean-ups whose files are kept."""

from datetime import UTC, datetime

from attrs import frozen

from aioregistry.cleanup.state_folder import RunFiles
from aioregistry.cli.display.listing import Listing, show_all
from aioregistry.cli.display.rows import Column
from aioregistry.cli.display.selection import Facts
from aioregistry.cli.exit_codes import DONE
from aioregistry.cli.options import Access, Filters, Output
from aioregistry.cli.running import run
from aioregistry.cli.runs import runs_of
from aioregistry.cli.settings.settings import Settings

__all__ = ["COLUMNS", "list_runs"]


@frozen
class _PastRun:
    registry: str
    files: RunFiles
    written: datetime
    begun: bool
    archive: int | None


COLUMNS: list[Column[_PastRun]] = [
    Column("run", lambda item: item.files.name, width=36),
    Column("registry", lambda item: item.registry, width=20),
    Column("planned", lambda item: item.written, kind="time", width=25),
    Column("begun", lambda item: "yes" if item.begun else "no", width=5),
    Column("archive", lambda item: item.archive, kind="bytes", width=12),
    Column("plan", lambda item: str(item.files.plan), width=60, shown=False),
]
_FACTS: Facts[_PastRun] = Facts(
    lambda item: (item.files.name,), lambda item: item.written, lambda item: item.archive
)

_NONE = "no runs yet: 'aioregistry cleanup plan --policy policy.toml' begins the first"


def list_runs(filters: Filters, output: Output, access: Access) -> None:
    """Print the runs that are kept, the newest first."""

    async def work() -> int:
        listing = Listing.of("runs", COLUMNS, _FACTS, filters, output, none=_NONE)
        show_all(listing, [_past(name, each) for name, each in runs_of(Settings.load(access))])
        return DONE

    run("cleanup runs", access, work())


def _past(registry: str, files: RunFiles) -> _PastRun:
    written = datetime.fromtimestamp(files.plan.stat().st_mtime, UTC)
    archive = files.archive.stat().st_size if files.archive.exists() else None
    return _PastRun(registry, files, written, files.journal.exists(), archive)
