"""The work of the commands on a fleet."""

import asyncio
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from aioregistry.cli.asking import ask
from aioregistry.cli.display.rows import printer_for
from aioregistry.cli.display.text import counted
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.fleet.holds import hold, tell_held
from aioregistry.cli.fleet.joining import joined, load_chosen
from aioregistry.cli.fleet.options import Joining
from aioregistry.cli.fleet.watching import (
    check_tokens,
    described,
    look_again,
    told_of_failures,
    work_to_the_end,
)
from aioregistry.cli.options import Access, Output
from aioregistry.cli.process import hangups
from aioregistry.cli.running import check_file, run
from aioregistry.errors import NotFoundError, RegistryError
from aioregistry.files import write_file
from aioregistry.fleet.file import Fleet

if TYPE_CHECKING:
    from aioregistry.fleet.engine import FleetEngine
    from aioregistry.fleet.state import Run, StateError
    from aioregistry.fleet.store import Progress

__all__ = [
    "approve",
    "archive",
    "cancel",
    "clean",
    "plan",
    "status",
    "work",
]

_CLEAR = "\x1b[H\x1b[2J"
_CONTINUED = (
    "a worker of the same server continues what was begun, or 'aioregistry fleet run' does;"
    " 'aioregistry fleet cancel' ends it; without a server it ends, and the next run begins anew"
)


def clean(
    file: Path,
    names: Sequence[str],
    yes: bool,
    at_any_time: bool,
    joining: Joining,
    access: Access,
) -> None:
    """Clean registries now."""
    command = "fleet run"

    async def work() -> int:
        fleet, chosen = load_chosen(file, names)
        if not at_any_time:
            _check_windows(fleet, chosen)
        await check_tokens(fleet, chosen)
        if not yes:
            question = f"Delete what the policies of {counted(len(chosen), 'registry')} select?"
            ask(command, question, "nothing was deleted")
        # Garbage is collected after this command has ended.
        collects_later = any(
            fleet.registries[name].gc and fleet.registries[name].undo_window for name in chosen
        )
        async with joined(fleet, joining, access, needs_server=collects_later) as engine:
            begun = await engine.begin(chosen, at_any_time=at_any_time)
            for name in chosen:
                if name not in begun:
                    typer.echo(f"{name}: an earlier run has not ended, and is continued", err=True)
            return await work_to_the_end(engine, chosen)

    run(command, access, work(), lambda: _CONTINUED)


def plan(file: Path, names: Sequence[str], joining: Joining, access: Access) -> None:
    """Plan for registries, and delete nothing."""

    async def work() -> int:
        fleet, chosen = load_chosen(file, names)
        await check_tokens(fleet, chosen)
        async with joined(fleet, joining, access, needs_server=False) as engine:
            _check_none_is_under_way(await engine.runs(), chosen)
            begun = await engine.begin(chosen, plan_only=True, at_any_time=True)
            # Somebody has begun one just now.
            _check_none_is_under_way(await engine.runs(), set(chosen) - set(begun))
            return await work_to_the_end(engine, chosen, plan_only=True)

    run("fleet plan", access, work(), lambda: "this command deletes nothing")


def _check_none_is_under_way(
    runs: "Mapping[str, Run | StateError | None]", names: Iterable[str]
) -> None:
    """Refuse to plan for a registry while another run of it is under way."""
    from aioregistry.fleet.state import Run

    for name in names:
        found = runs[name]
        if isinstance(found, Run) and (found.phase == "ended" or found.plan_only):
            continue
        if isinstance(found, Run):
            raise RegistryError(
                f"{name}: its run {found.id} has not ended ({found.phase}); nothing was planned:"
                " 'aioregistry fleet run' continues it, 'aioregistry fleet cancel' ends it"
            )
        if found is not None:
            raise RegistryError(f"{name}: {found.message}; nothing was planned")


def approve(
    file: Path,
    names: Sequence[str],
    yes: bool,
    at_any_time: bool,
    joining: Joining,
    access: Access,
) -> None:
    """Carry out the plans that were made last."""
    from aioregistry.fleet.state import Run

    command = "fleet approve"

    async def work() -> int:
        fleet, chosen = load_chosen(file, names)
        async with joined(fleet, joining, access, needs_server=True) as engine:
            runs = await engine.runs()
            waiting = [
                run
                for name in chosen
                if isinstance(run := runs[name], Run) and run.result == "planned"
            ]
            if not waiting:
                raise NotFoundError(
                    "no plan waits for approval: 'aioregistry fleet plan' makes one"
                )
            if not at_any_time:
                _check_windows(fleet, [run.registry for run in waiting])
            await check_tokens(fleet, [run.registry for run in waiting])
            for run in waiting:
                typer.echo(described(run))
            if not yes:
                items = sum(run.items for run in waiting)
                question = (
                    f"Send {counted(items, 'DELETE')} to {counted(len(waiting), 'registry')}?"
                )
                ask(command, question, "nothing was deleted")
            for run in waiting:
                await engine.approve(run.registry, run.id, at_any_time=at_any_time)
            return await work_to_the_end(engine, [run.registry for run in waiting])

    run(command, access, work(), lambda: _CONTINUED)


def cancel(file: Path, names: Sequence[str], joining: Joining, access: Access) -> None:
    """End the runs of registries, wherever they are carried out."""
    from aioregistry.fleet.state import Run

    async def work() -> int:
        fleet, chosen = load_chosen(file, names)
        async with joined(fleet, joining, access, needs_server=True) as engine:
            runs = await engine.runs()
            for name in chosen:
                found = runs[name]
                if isinstance(found, Run) and found.phase != "ended":
                    await engine.cancel(name, found.id)
                    typer.echo(f"{name}: the run {found.id} ends within seconds")
        return DONE

    run("fleet cancel", access, work(), lambda: "to see their states: aioregistry fleet status")


def work(file: Path, joining: Joining, access: Access) -> None:
    """Carry out runs, and begin those that are due, until SIGTERM or Ctrl-C."""

    async def until_stopped() -> int:
        fleet, _ = load_chosen(file, ())
        async with joined(fleet, joining, access, needs_server=True) as engine:
            loop = asyncio.get_running_loop()

            def stop() -> None:
                for number in (signal.SIGINT, signal.SIGTERM):
                    # A second one ends it at once; a terminal that is closed sends two SIGHUPs.
                    loop.remove_signal_handler(number)
                engine.stop()

            for number in (signal.SIGINT, signal.SIGTERM, *hangups()):
                with suppress(NotImplementedError):
                    loop.add_signal_handler(number, stop)
            scheduled = sum(one.schedule is not None for one in fleet.registries.values())
            typer.echo(
                f"worker {engine.worker}: {counted(len(fleet.registries), 'registry')},"
                f" {scheduled} with a schedule",
                err=True,
            )
            async with told_of_failures(engine, list(fleet.registries)):
                await engine.work()
        return DONE

    run("fleet worker", access, until_stopped(), lambda: "other workers continue")


def status(
    file: Path,
    names: Sequence[str],
    watch: bool,
    metrics: Path | None,
    joining: Joining,
    output: Output,
    access: Access,
) -> None:
    """Show the newest run of each registry."""
    from aioregistry.cli.fleet.rows import COLUMNS, Row

    command = "fleet status"
    if metrics is not None:
        check_file(command, "--openmetrics", metrics, "prometheus_client", "metrics")

    async def work() -> int:
        fleet, chosen = load_chosen(file, names)
        async with joined(fleet, joining, access, needs_server=True) as engine:
            runs, progress = await engine.runs(), await engine.progress()
            while True:
                rows = [
                    Row.of(fleet.registries[name], runs[name], progress.get(name))
                    for name in chosen
                ]
                if watch and sys.stdout.isatty():
                    typer.echo(_CLEAR, nl=False)
                printer_for(COLUMNS, output).all(rows)
                if metrics is not None:
                    _write_metrics(metrics, {name: runs[name] for name in chosen}, progress)
                if not watch:
                    await tell_held(engine, chosen)
                    break
                runs, progress = await look_again(engine, command)
        bad = {"unfinished", "damaged", "refused", "failed", "unreadable"}
        return SOME_FAILED if any(row.state in bad for row in rows) else DONE

    run(command, access, work(), lambda: "the fleet works on")


def _write_metrics(
    path: Path, runs: "Mapping[str, Run | StateError | None]", progress: "Mapping[str, Progress]"
) -> None:
    from aioregistry.fleet.metrics import openmetrics

    # A collector may read it at any time; it runs as another user.
    write_file(path, openmetrics(runs, progress), mode=0o644)


def archive(
    file: Path,
    name: str,
    to: Path,
    run_id: str | None,
    holds: bool,
    joining: Joining,
    access: Access,
) -> None:
    """Write what a run deleted to a file, from which `cleanup undo` restores it."""
    from aioregistry.cleanup.undo.summary import summarize_archive

    async def work() -> int:
        fleet, _ = load_chosen(file, (name,))
        async with joined(fleet, joining, access, needs_server=True) as engine:
            found = await _run_of(engine, name, run_id)
            parts = await engine.store.archive(found)
            if not parts:
                raise NotFoundError(
                    f"the run {found.id} of {name} has no archive, or none any more"
                )
            write_file(to, parts, mode=0o600)
            while holds:
                # What is restored would be the newest there is.
                await hold(engine, name, list(summarize_archive(to).repositories))
                known, parts = len(parts), await engine.store.archive(found)
                if len(parts) <= known:
                    break
                # A step that was waited for has deleted more.
                write_file(to, parts, mode=0o600)
        typer.echo(f"to restore it: aioregistry cleanup undo {to}", err=True)
        return DONE

    run("fleet archive", access, work(), lambda: "no repository is held, or not all of them")


async def _run_of(engine: "FleetEngine", name: str, run_id: str | None) -> "Run":
    from aioregistry.fleet.state import Run

    newest = (await engine.runs())[name]
    runs = [*await engine.store.history(name), *([newest] if isinstance(newest, Run) else [])]
    for one in reversed(runs):
        if run_id in {None, one.id}:
            return one
    raise NotFoundError(f"{name} has no run {run_id or ''}".rstrip())


def _check_windows(fleet: Fleet, names: Sequence[str]) -> None:
    """Refuse to wait for hours until the window of a registry opens."""
    now = datetime.now(UTC)
    for name in names:
        window = fleet.registries[name].window
        if window is not None and window.closes(now) is None:
            raise UsageError(
                f"{name}: its window opens at {window.opens(now):%Y-%m-%d %H:%M} UTC;"
                " --any-time ignores windows"
            )
