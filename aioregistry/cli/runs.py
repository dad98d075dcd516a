"""Runs of clean-ups: the plan that an argument names, and what is kept of past ones."""

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import typer

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.records.report import CleanupReport
from aioregistry.cleanup.state_folder import RunFiles, StateFolder, order_of_run, state_root
from aioregistry.cli.display.text import reason_of
from aioregistry.cli.errors import UsageError
from aioregistry.cli.options import Access
from aioregistry.cli.settings.settings import Settings
from aioregistry.client.registry import RegistryHandle
from aioregistry.usage.history import RESULTS, UsageRecord, record_usage

__all__ = [
    "as_argument",
    "check_not_begun",
    "clean_up_alone",
    "find_plan",
    "finished_items",
    "record_cleanup",
    "runs_of",
    "save_plan",
]

_DEPTH = 4


def runs_of(settings: Settings) -> list[tuple[str, RunFiles]]:
    """Return the runs that are kept of an API's registries, each with its registry; newest first.

    Raises:
        OSError: The state directory cannot be read.
    """
    folders = StateFolder.every(api_url=settings.api_url)
    found = [(folder.registry, run) for folder in folders for run in folder.runs()]
    return sorted(found, key=lambda each: order_of_run(each[1].name), reverse=True)


def find_plan(text: str | None, access: Access) -> Path:
    """Return the file of the plan that an argument names.

    Args:
        text: A path, or the name of a run in the state directory; None means the newest run, of
            the configured registry if there is one.
        access: The options that choose the API and the registry.

    Raises:
        UsageError: No run is kept, or none or several have this name.
        OSError: The state directory cannot be read.
    """
    if text is None:
        settings = Settings.load(access)
        known = settings.registry
        found = [run for name, run in runs_of(settings) if known in {None, name}]
        if not found:
            raise UsageError(
                f"no plan in {state_root()}: 'aioregistry cleanup plan' makes one, or name a file"
            )
        return found[0].plan
    path = Path(text)
    if path.exists() or path.name != text:
        return path
    plans = [run.plan for run in _all_runs() if run.name == text]
    if len(plans) > 1:
        raise UsageError(
            f"several runs are called {text}: name one of {', '.join(map(str, plans))}"
        )
    if not plans:
        raise UsageError(
            f"{text}: neither a file nor a run that is kept; 'aioregistry cleanup runs' lists runs"
        )
    return plans[0]


def check_not_begun(path: Path, plan: Plan) -> None:
    """Refuse a plan that an earlier run has begun.

    Raises:
        UsageError: It has; the text says whether anything is left to do.
    """
    journal, name = RunFiles(path).journal, as_argument(path)
    if not _is_begun(journal):
        return
    if len(finished_items(journal)) >= sum(len(one.condemned) for one in plan.repositories):
        raise UsageError(
            f"{journal} exists: this plan was carried out, and nothing of it is left to delete;"
            f" make a new plan. 'aioregistry cleanup undo {name}' restores what it deleted"
        )
    raise UsageError(
        f"{journal} exists: this plan was begun before; continue with 'aioregistry cleanup apply"
        f" {name} --resume', or make a new plan"
    )


def _is_begun(journal: Path) -> bool:
    """Return whether a journal has more than its first line."""
    try:
        with journal.open("rb") as file:
            file.readline()
            return bool(file.read(1))
    except OSError:
        # The apply itself reports what is wrong with it.
        return False


def finished_items(journal: Path) -> set[tuple[str, str, str]]:
    """Return the items that a journal says are deleted: repository, kind and name of each."""
    done = set()
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        # The apply itself reports what is wrong with it.
        return set()
    for line in lines:
        try:
            entry = json.loads(line)
            if entry.get("state") in {"deleted", "absent"}:
                done.add((entry["repository"], entry["delete"], entry["name"]))
        except (ValueError, KeyError, AttributeError):
            continue
    return done


def as_argument(plan: Path) -> str:
    """Return what a command line names a plan by: a run's name where it is enough, or a path."""
    run = RunFiles(plan)
    if plan.is_relative_to(state_root()) and len(plan.relative_to(state_root()).parts) == _DEPTH:
        return run.name
    return shlex.quote(str(plan))


def save_plan(plan: Plan, path: Path | None, settings: Settings, keep: int | None) -> RunFiles:
    """Write a plan, and return the paths of its run.

    Args:
        plan: The plan.
        path: Its file; None means a new run in the state directory, where the oldest runs are
            then deleted.
        settings: The address of the API.
        keep: The number of runs to keep of the registry; None means the configured one.

    Raises:
        OSError: It cannot be written.
    """
    if path is not None:
        plan.save(path)
        return RunFiles(path)
    folder = StateFolder.of(plan.registry, api_url=settings.api_url)
    run = folder.new_run(plan.made_at)
    try:
        plan.save(run.plan)
    except OSError:
        with suppress(OSError):
            run.plan.parent.rmdir()
        raise
    # The new one is one of them.
    folder.forget_runs(max(1, settings.keep if keep is None else keep))
    return run


@contextmanager
def clean_up_alone(command: str, registry: RegistryHandle) -> Iterator[None]:
    """Keep other clean-ups of a registry on this machine away, as long as the block runs.

    Args:
        command: The command's name, which the others are told.
        registry: The registry.

    Raises:
        CleanupUnderWayError: Another one is under way.
    """
    folder = StateFolder.of(registry.name, api_url=registry.api_url)
    with ExitStack() as stack:
        try:
            stack.enter_context(folder.alone(f"aioregistry {command}"))
        except OSError as error:
            # A guard against mistakes: each item is looked at before its DELETE all the same.
            typer.echo(
                f"other clean-ups of {registry.name} are not kept away: {reason_of(error)}",
                err=True,
            )
        yield


def record_cleanup(
    plan: Plan, report: CleanupReport, settings: Settings, *, seconds: float
) -> None:
    """Keep what a clean-up deleted among the registry's figures over time.

    Args:
        plan: Its plan.
        report: What became of its items.
        settings: The address of the API.
        seconds: How long it took.
    """
    record = UsageRecord(
        at=datetime.now(UTC),
        cause="cleanup",
        freed_bytes=plan.frees.bytes,
        seconds=round(seconds),
        plan=plan.id,
        **{result: len(getattr(report, result)) for result in RESULTS},
    )
    try:
        record_usage(StateFolder.of(plan.registry, api_url=settings.api_url), record)
    except OSError as error:
        typer.echo(f"'usage --trend' will not have this clean-up: {reason_of(error)}", err=True)


def _all_runs() -> Iterator[RunFiles]:
    try:
        folders = list(state_root().iterdir())
    except FileNotFoundError:
        return
    for folder in filter(Path.is_dir, folders):
        yield from StateFolder(folder, "").runs()
