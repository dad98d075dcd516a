"""The work of ``aioregistry usage``."""

import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import typer
from attrs import Factory, define

from aioregistry.api.models import Registry, RegistryList
from aioregistry.cleanup.plan.make import make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.file import PolicyFileError
from aioregistry.cleanup.policy.patterns import Glob
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cli.cleanup.rules import read_rules
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.rows import printer_for
from aioregistry.cli.display.text import reason_of, safe
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.options import Access, Format, Output
from aioregistry.cli.running import check_file, refuse, run_connected
from aioregistry.cli.settings.settings import Settings
from aioregistry.cli.undo.holds import leave_restored
from aioregistry.cli.usage.money import cost_sentences, forecast, saving, trend_lines
from aioregistry.cli.usage.options import Counting, Group, Money
from aioregistry.cli.usage.rows import columns_by, rows_of, sentences
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import NotFoundError, PermissionDeniedError, PreconditionFailedError
from aioregistry.files import write_file
from aioregistry.report.usage_page import GROUPS
from aioregistry.usage.cost import Cost, Growth, growth_by_push, growth_of_records
from aioregistry.usage.history import UsageRecord, read_records, record_usage
from aioregistry.usage.measuring import measure_usage
from aioregistry.usage.metrics import RegistryFigures
from aioregistry.usage.model import By, RegistryUsage

__all__ = ["usage"]

_COMMAND = "usage"
_NOT_ANSWERED = (NotFoundError, PermissionDeniedError, PreconditionFailedError)


def usage(
    registry: str | None,
    every: bool,
    counting: Counting,
    money: Money,
    output: Output,
    access: Access,
) -> None:
    """Count the bytes of registries, and print them."""
    matches = _matches(counting.match)
    policy = None if money.policy is None else _policy(money.policy)
    _check(money, counting, output)

    async def work(to: Connection) -> int:
        handles = await to.registries(registry, every=every)
        if money.trend:
            _show_trend([handle.name for handle in handles], to.settings)
            return DONE
        printer = printer_for(columns_by(counting.by, several=every), output)
        counted = _Counted(to, await _reported(to), record=money.record)
        printer.begin()
        for handle in handles:
            begun = time.monotonic()
            try:
                found = await _measure(
                    to, handle, counting, matches, for_page=money.html is not None
                )
            except NotFoundError as error:
                if not every:
                    raise
                counted.notes.append(f"{handle.name}: {error}")
                counted.failed = True
                continue
            known = counted.registries.get(handle.name)
            printer.rows(rows_of(found, known, counting.by))
            counted.notes += sentences(found, known, read=not counting.lists_only)
            counted.add(found, time.monotonic() - begun)
        printer.end()
        await counted.add_cost()
        if money.openmetrics is not None:
            counted.write(money.openmetrics, per_repository=money.per_repository)
        if policy is not None:
            for handle in handles:
                await counted.add_saving(handle, policy)
        if money.html is not None:
            counted.write_page(money.html)
        _say(counted.notes, output)
        return SOME_FAILED if counted.failed else DONE

    run_connected(_COMMAND, access, work)


def _check(money: Money, counting: Counting, output: Output) -> None:
    """Refuse options that exclude each other, and a missing package."""
    if money.trend and (money.record or money.policy or money.openmetrics or money.html):
        others = "--record, --policy, --openmetrics and --html"
        refuse(_COMMAND, f"--trend shows what is recorded: it excludes {others}")
    if money.trend and output.output in {Format.JSON, Format.NDJSON, Format.CSV}:
        where = "the records are lines of JSON, in the file 'usage' of a registry's state folder"
        refuse(_COMMAND, f"--trend draws for people, and has no {output.output}: {where}")
    if money.per_repository and (not money.openmetrics or counting.by is not Group.REPOSITORY):
        refuse(_COMMAND, "--per-repository is for --openmetrics FILE, with --by repository")
    if money.openmetrics is not None:
        check_file(_COMMAND, "--openmetrics", money.openmetrics, "prometheus_client", "metrics")
    if money.html is not None:
        check_file(_COMMAND, "--html", money.html, "jinja2", "report")


def _show_trend(registries: list[str], settings: Settings) -> None:
    width = shutil.get_terminal_size().columns
    for name in registries:
        for line in trend_lines(name, read_records(_folder(name, settings)), width):
            typer.echo(safe(line))


def _matches(glob: str | None) -> Callable[[str], bool]:
    if glob is None:
        return lambda _: True
    try:
        return Glob(glob).matches
    except ValueError as error:
        refuse(_COMMAND, f"--match: {error}")


def _policy(path: Path) -> Policy:
    try:
        return read_rules(_COMMAND, path)
    except OSError as error:
        refuse(_COMMAND, reason_of(error))
    except (PolicyFileError, ModuleNotFoundError) as error:
        refuse(_COMMAND, error)


def _folder(registry: str, settings: Settings) -> StateFolder:
    return StateFolder.of(registry, api_url=settings.api_url)


async def _reported(to: Connection) -> RegistryList:
    """Return what the API says of each registry; nothing where it may not be asked."""
    try:
        return await to.client.registries()
    except _NOT_ANSWERED:
        return RegistryList()


async def _measure(
    to: Connection,
    handle: RegistryHandle,
    counting: Counting,
    matches: Callable[[str], bool],
    *,
    for_page: bool,
) -> RegistryUsage:
    by = By.REPOSITORY if counting.by is Group.REGISTRY else By(counting.by.value)
    async with to.display.stage("Read", 0, "manifests", items_a_request=200) as stage:

        def count(listed: int) -> None:
            stage.done = stage.total = listed

        measure = partial(
            measure_usage,
            handle,
            by=by,
            top=counting.top,
            matches=matches,
            also=GROUPS if for_page else None,
            on_progress=count,
        )
        if counting.lists_only:
            return await measure()
        async with to.contents(handle, None, cache=True) as contents:
            return await measure(contents)


@define
class _Counted:
    """What was counted of an account, and what is said of it."""

    to: Connection
    reported: RegistryList
    record: bool
    notes: list[str] = Factory(list)
    account: list[str] = Factory(list)
    failed: bool = False
    cost: Cost | None = None
    plans: dict[str, Plan] = Factory(dict)
    _found: list[tuple[RegistryUsage, list[UsageRecord], float]] = Factory(list)
    _growths: list[Growth] = Factory(list)
    _bytes: int = 0

    @property
    def registries(self) -> dict[str, Registry]:
        return {each.name: each for each in self.reported}

    def add(self, found: RegistryUsage, seconds: float) -> None:
        """Take in a registry; its growth is of its records, if there are enough of them."""
        folder = _folder(found.registry, self.to.settings)
        known = self.registries.get(found.registry)
        stored = None if known is None else known.storage_usage_bytes
        total = found.total
        try:
            if self.record:
                line = UsageRecord(
                    at=datetime.now(UTC),
                    cause=_COMMAND,
                    stored_bytes=stored,
                    bytes=total.bytes,
                    untagged_bytes=total.untagged_bytes,
                    tags=total.tags,
                    manifests=total.manifests,
                    seconds=round(seconds),
                )
                record_usage(folder, line)
            records = read_records(folder)
        except OSError as error:
            error.filename = error.filename or str(folder.usage)
            raise
        sizes = [(each.at, each.stored_bytes) for each in records if each.stored_bytes is not None]
        self._found.append((found, records, seconds))
        self._growths.append(growth_of_records(sizes) or growth_by_push(found.grown))
        self._bytes += total.bytes

    async def add_cost(self) -> None:
        """Say what the account's tier includes, and when that will be full."""
        try:
            tier = (await self.to.client.subscription()).tier
        except _NOT_ANSWERED:
            return
        if tier is None or not self._growths:
            return
        self.cost = Cost(self._stored(), tier)
        self.account += cost_sentences(self.cost)
        growth = sum(self._growths[1:], self._growths[0])
        self.account.append(
            forecast(
                self.cost,
                growth,
                counted_registries=len(self._growths),
                registries=max(len(self.reported), len(self._growths)),
            )
        )
        self.notes += [f"account: {sentence}" for sentence in self.account]

    def _stored(self) -> int:
        """Return what all registries of the account store: they share one subscription."""
        known = self.reported.total_storage_usage_bytes
        if known is None:
            sizes = [each.storage_usage_bytes for each in self.reported]
            if not sizes or None in sizes:
                return self._bytes
            return sum(size for size in sizes if size is not None)
        return known

    def write(self, path: Path, *, per_repository: bool) -> None:
        """Write the figures for Prometheus."""
        from aioregistry.usage.metrics import openmetrics

        figures = self._figures(per_repository=per_repository)
        text = openmetrics(figures, cost=self.cost, quota=self.to.limiter.status)
        # A collector may read it at any time; it runs as another user.
        write_file(path, text, mode=0o644)

    def write_page(self, path: Path) -> None:
        """Write the page, unless there is nothing to show."""
        from aioregistry.report.usage_page import usage_page

        if self._found:
            write_file(path, usage_page(self._figures(), account=self.account, plans=self.plans))

    def _figures(self, *, per_repository: bool = False) -> list[RegistryFigures]:
        return [
            RegistryFigures(
                usage=found,
                reported=self.registries.get(found.registry),
                records=records,
                seconds=seconds,
                by_repository=per_repository,
            )
            for found, records, seconds in self._found
        ]

    async def add_saving(self, handle: RegistryHandle, policy: Policy) -> None:
        """Say what a policy would free and save."""
        leave = leave_restored(handle.name, self.to.settings)
        async with self.to.contents(handle, None, cache=True) as contents:
            plan = await make_plan(handle, policy, contents, leave=leave)
        self.notes.append(saving(handle.name, plan.frees, self.cost))
        self.notes += (
            f"not counted, as a clean-up leaves it alone: {one.repository}: {one.reason}"
            for one in plan.left_alone
        )
        self.plans[handle.name] = plan


def _say(notes: list[str], output: Output) -> None:
    """Print sentences: below a table, and where programs read the rows, on stderr."""
    is_table = not output.quiet and (
        output.output is Format.TABLE or (output.output is None and sys.stdout.isatty())
    )
    for note in notes:
        typer.echo(safe(note), err=not is_table)
