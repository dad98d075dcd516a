"""The runs of a fleet's registries as rows."""

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import frozen

from aioregistry.cli.display.rows import Column, Value
from aioregistry.fleet.file import FleetRegistry
from aioregistry.fleet.state import Run, StateError
from aioregistry.fleet.store import Progress

__all__ = ["COLUMNS", "Row", "describe"]


@frozen
class Row:
    """What is known of one registry.

    Attributes:
        registry: The registry.
        run: Its newest run; None where it has none, or one that cannot be read.
        progress: How far the slice is that is being carried out; None where none is.
        error: Why the run cannot be read; empty where it can.
    """

    registry: FleetRegistry
    run: Run | None
    progress: Progress | None
    error: str = ""

    @classmethod
    def of(
        cls, registry: FleetRegistry, found: Run | StateError | None, progress: Progress | None
    ) -> "Row":
        """Return the row of a registry."""
        if isinstance(found, StateError):
            return cls(registry, None, None, found.message)
        is_under_way = found is not None and found.phase == "apply"
        return cls(registry, found, progress if is_under_way else None)

    def count(self, *statuses: str) -> int | None:
        """Return how many items came to some statuses; None without a run."""
        if self.run is None:
            return None
        return sum(self.run.counts.get(status, 0) for status in statuses)

    @property
    def state(self) -> str:
        """The phase of the run, or its result."""
        if self.error:
            return "unreadable"
        if self.run is None:
            return "none"
        return self.run.result if self.run.phase == "ended" else self.run.phase


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _settled(row: Row) -> int | None:
    if row.progress is not None:
        return row.progress.done
    return None if row.run is None else row.run.settled


def _of_run(value: Callable[[Run], Value]) -> Callable[[Row], Value]:
    """Return what returns a value of a row's run; None where it has no run."""
    return lambda row: None if row.run is None else value(row.run)


def _next(row: Row) -> datetime | None:
    schedule = row.registry.schedule
    return None if schedule is None else schedule.next(datetime.now(UTC))


COLUMNS: list[Column[Row]] = [
    Column("registry", lambda row: row.registry.name, width=24),
    Column("state", lambda row: row.state, width=10),
    Column("run", _of_run(lambda run: run.id), width=16),
    Column("items", _of_run(lambda run: run.items), kind="count", width=9),
    Column("done", _settled, kind="count", width=9),
    Column("deleted", lambda row: row.count("deleted"), kind="count", width=9, shown=False),
    Column("absent", lambda row: row.count("absent"), kind="count", width=9, shown=False),
    Column("drift", lambda row: row.count("drift"), kind="count", width=9, shown=False),
    Column(
        "left",
        lambda row: row.count("failed", "unknown", "not_attempted"),
        kind="count",
        width=9,
        shown=False,
    ),
    Column("frees", _of_run(lambda run: run.frees), width=12),
    Column("freed", _of_run(lambda run: run.freed_bytes), kind="bytes", width=15),
    Column("slices", _of_run(lambda run: run.slices), kind="count", width=6, shown=False),
    Column("attempt", _of_run(lambda run: run.attempt), kind="count", width=7, shown=False),
    Column("begun", _of_run(lambda run: _moment(run.begun_at)), kind="time", width=25),
    Column(
        "ended",
        _of_run(lambda run: _moment(run.ended_at)),
        kind="time",
        width=25,
        shown=False,
    ),
    Column("next", _next, kind="time", width=25),
    Column(
        "worker", lambda row: row.progress.worker if row.progress else None, width=20, shown=False
    ),
    Column("error", lambda row: (row.run.error if row.run else "") or row.error, width=10),
]


def describe(run: Run) -> str:
    """Return what came of a run, in a line."""
    counted = ", ".join(f"{count:,} {name}" for name, count in run.counts.items())
    parts = [run.result or run.phase, counted, run.error]
    if run.result == "planned":
        parts[1] = f"{run.items:,} DELETEs, {run.requests:,} requests, frees {run.frees}"
    if run.freed_bytes is not None:
        parts[1] += f"; {run.freed_bytes:,} bytes freed"
    if run.phase == "gc":
        at = f"{datetime.fromtimestamp(run.not_before, UTC):%Y-%m-%d %H:%M} UTC"
        parts[1] += f"; garbage is collected after {at}, by a worker or by 'aioregistry fleet run'"
    return f"{run.registry}: {'; '.join(part for part in parts if part)}"
