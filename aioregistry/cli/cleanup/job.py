"""The carrying out of one clean-up plan by a command."""

import shlex
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from attrs import frozen

from aioregistry.api.models import GarbageCollection
from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError, Caps
from aioregistry.cleanup.garbage import READ_ONLY, CollectedGarbage, collect_garbage
from aioregistry.cleanup.in_use.references import InUse, InUseError
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.memory.memory import ListMemory
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.records.journal import JournalError, PlanLockedError
from aioregistry.cleanup.records.report import CleanupReport, ItemOutcome
from aioregistry.cleanup.state_folder import RunFiles, StateFolder
from aioregistry.cli.cleanup.options import Applying, Reading, resume_line
from aioregistry.cli.cleanup.uses import AskedUses, GivenUses, read_uses
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.cleanup_output import CleanupOutput
from aioregistry.cli.display.garbage import show_status_of
from aioregistry.cli.display.plan_tables import DeleteCounts
from aioregistry.cli.display.text import counted
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import DONE, DRIFT_ONLY, REFUSED, SOME_FAILED
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.running import refuse
from aioregistry.cli.runs import as_argument, finished_items, record_cleanup
from aioregistry.cli.undo.record import note_collection, record_of
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import RegistryTimeoutError

__all__ = ["CleanupJob", "open_memory", "read_uses"]


@frozen
class _Inputs:
    """What an apply is given besides the plan."""

    caps: Caps
    uses: InUse | None
    given: GivenUses | None
    seconds: float | None
    window: float | None


class CleanupJob:
    """The carrying out of one plan.

    Attributes:
        counts: How many items came to each status.
        path: The plan's file; None until it is known.
        output: Prints the plan and its outcome.
    """

    def __init__(
        self,
        command: str,
        path: Path | None,
        inputs: _Inputs,
        output: CleanupOutput,
        applying: Applying,
        reading: Reading,
        access: Access,
    ) -> None:
        self.counts: DeleteCounts = DeleteCounts()
        self.path = path
        self.uses: InUse | None = inputs.uses
        self.output = output
        self._command = command
        self._inputs = inputs
        self._applying = applying
        self._reading = reading
        self._access = access
        self._begun = time.monotonic()

    @classmethod
    def of(
        cls,
        command: str,
        path: Path | None,
        form: ReportFormat,
        applying: Applying,
        reading: Reading,
        access: Access,
        recorded: InUseSummary | None = None,
    ) -> "CleanupJob":
        """Read the options.

        Args:
            command: Its name in errors.
            path: The plan's file; None until it is known.
            form: The format of the report.
            applying: Options on the limits.
            reading: Options on what is read.
            access: Options on the account.
            recorded: What was in use for the plan, when there is a plan already.

        Raises:
            ValueError: An option or a file is invalid.
            OSError: A file cannot be read.
        """
        caps = Caps(max_deletes=applying.max_deletes, max_fraction=applying.max_fraction)
        given = GivenUses.read(reading, recorded)
        seconds = _seconds("--deadline", applying.deadline)
        if applying.undo_window is not None and not applying.gc:
            raise ValueError("--undo-window is for --gc: without it no garbage is collected")
        uses = None if given is None else given.now(access)
        window = _seconds("--undo-window", applying.undo_window)
        inputs = _Inputs(caps, uses, given, seconds, window)
        return cls(command, path, inputs, CleanupOutput(form), applying, reading, access)

    def next(self) -> "CleanupJob":
        """Return the job of another registry's plan, with the same options and deadline."""
        made = CleanupJob(
            self._command,
            self.path,
            self._inputs,
            self.output,
            self._applying,
            self._reading,
            self._access,
        )
        made._begun = self._begun
        return made

    def check(self, plan: Plan) -> None:
        """Refuse a plan that is over the limits; count its items."""
        for forced, how in (
            (True, "a larger --max-deletes allows it"),
            (self._applying.force, "--force or a larger --max-fraction allows it"),
        ):
            try:
                self._inputs.caps.check(plan, force=forced)
            except CapExceededError as error:
                refuse(self._command, f"{error}; {how}", REFUSED)
        self.counts.total = sum(len(repo.condemned) for repo in plan.repositories)

    def question(self, plan: Plan, *, resume: bool = False) -> str | None:
        """Return the question whether to delete the items of a plan; None if none is left.

        Args:
            plan: The plan.
            resume: Whether items that an earlier run has finished are left out.
        """
        done = finished_items(self._journal) if resume and self._journal else set()
        deletes = tags = manifests = 0
        for name, item in plan.condemned:
            if (name, item.delete, item.name) not in done:
                deletes += 1
                tags += len(item.tags)
                manifests += item.delete == "manifest"
        if not deletes:
            return f"Collect garbage ({READ_ONLY})?" if self._applying.gc and resume else None
        things = [
            counted(count, unit)
            for count, unit in ((tags, "tag"), (manifests, "manifest"))
            if count
        ]
        collects = self._applying.gc and self._window is None
        then = f", then collect garbage ({READ_ONLY})" if collects else ""
        return (
            f"Delete {' and '.join(things)} from {plan.registry!r}"
            f" ({counted(deletes, 'DELETE')}){then}?"
        )

    async def apply(
        self,
        to: Connection,
        registry: RegistryHandle,
        plan: Plan,
        contents: ContentReader,
        resume: bool,
    ) -> CleanupReport:
        """Delete the items of a plan, and show the progress."""
        if self._archive is not None and self.counts.total:
            to.note_archive(registry.name, self._archive)
        given = self._inputs.given
        uses: InUse | AskedUses | None = self.uses
        if given is not None and given.live and self.counts.total:
            # What was started since the plan was made, or will be meanwhile, is in use, too.
            uses = given.asked_by(to.client)
        async with to.display.stage("Delete", self.counts.total, "requests") as stage:

            def count(outcome: ItemOutcome) -> None:
                self.counts.add(outcome)
                stage.advance(outcome.status)

            try:
                with open_memory(registry, self._reading) as memory:
                    return await apply_plan(
                        registry,
                        plan,
                        contents,
                        journal=self._journal,
                        archive=self._archive,
                        resume=resume,
                        caps=self._inputs.caps,
                        force=self._applying.force,
                        in_use=uses,
                        deadline=self._seconds_left(),
                        memory=memory,
                        on_outcome=count,
                    )
            except PlanLockedError:
                raise
            except InUseError as error:
                if error.is_unknown:
                    raise
                raise UsageError(str(error)) from None
            except JournalError as error:
                if error.report is not None:
                    return error.report
                raise UsageError(str(error)) from None

    async def finish(
        self, to: Connection, registry: RegistryHandle, plan: Plan, report: CleanupReport
    ) -> int:
        """Show the outcomes, collect garbage if asked to, and return the exit code."""
        self.output.show_report(report)
        record_cleanup(plan, report, to.settings, seconds=time.monotonic() - self._begun)
        collected = None
        try:
            if not report.done:
                typer.echo(f"to try again: {self._resume_line}", err=True)
                return SOME_FAILED
            if self._window is not None and report.deleted:
                self._put_off_collection(to, registry)
            elif self._applying.gc and self._window is None:
                collected = await self.collect(to, registry, plan)
                self.output.say(str(collected))
            elif report.deleted:
                self.output.say(
                    "storage is freed by a garbage collection only: aioregistry gc start"
                    f" {plan.registry}"
                )
                self.output.say(
                    "until then, to restore what was deleted: aioregistry cleanup undo"
                    f" {self._undo_argument}"
                )
            return DRIFT_ONLY if report.drift else DONE
        finally:
            self.output.finish(plan, self.path, report, collected)

    async def may_delete(self, to: Connection, registry: RegistryHandle) -> bool:
        """Return whether the time to undo what was deleted before is over; then collect garbage.

        What is deleted within that time could not be restored for as long: the collection takes
        the blobs of all deletes.
        """
        due = record_of(registry.name, to.settings).collect_after
        if self._window is None or due is None:
            return True
        if datetime.now(UTC) < due:
            self.output.say(
                f"{registry.name}: what was deleted can be restored until {due:%Y-%m-%d %H:%M} UTC;"
                " this run deletes nothing, and the next one after that collects the garbage first"
            )
            return False
        self.output.say(str(await self.collect(to, registry)))
        return True

    def _put_off_collection(self, to: Connection, registry: RegistryHandle) -> None:
        due = datetime.now(UTC) + timedelta(seconds=self._window or 0.0)
        record_of(registry.name, to.settings).put_off_collection(due)
        self.output.say(
            f"until {due:%Y-%m-%d %H:%M} UTC, to restore what was deleted: aioregistry cleanup undo"
            f" {self._undo_argument}"
        )
        self.output.say("the next run after that collects the garbage")

    async def collect(
        self, to: Connection, registry: RegistryHandle, plan: Plan | None = None
    ) -> CollectedGarbage:
        """Collect garbage, and note that it was."""
        show_status = show_status_of(to.display)
        noted: set[str] = set()

        def on_status(run: GarbageCollection) -> None:
            if run.uuid not in noted:
                noted.add(run.uuid)
                note_collection(registry.name, to.settings, run.uuid)
            show_status(run)

        try:
            return await collect_garbage(
                registry,
                estimate=None if plan is None else plan.frees,
                timeout=self._seconds_left(),
                on_status=on_status,
            )
        except RegistryTimeoutError as error:
            error.hint = (
                "the deadline has passed and the garbage collection continues; to wait for it:"
                f" aioregistry gc wait {registry.name}"
            )
            raise

    def interrupted(self) -> str:
        """Return what was done until Ctrl-C, and how to continue."""
        if self.path is None or not self.counts.counts:
            return str(self.counts)
        undo = f"to restore: aioregistry cleanup undo {self._undo_argument}"
        return f"{self.counts}; {undo}; to continue: {self._resume_line}"

    @property
    def _window(self) -> float | None:
        return self._inputs.window

    @property
    def _journal(self) -> Path | None:
        return None if self.path is None else RunFiles(self.path).journal

    @property
    def _archive(self) -> Path | None:
        if self._applying.archive is not None:
            return Path(self._applying.archive)
        return None if self.path is None else RunFiles(self.path).archive

    @property
    def _undo_argument(self) -> str:
        if self._applying.archive is not None:
            return shlex.quote(self._applying.archive)
        return "" if self.path is None else as_argument(self.path)

    @property
    def _resume_line(self) -> str:
        plan = "" if self.path is None else as_argument(self.path)
        return resume_line(plan, self._applying, self._reading, self._access)

    def _seconds_left(self) -> float | None:
        if self._inputs.seconds is None:
            return None
        return max(0.001, self._inputs.seconds - (time.monotonic() - self._begun))


def open_memory(
    registry: RegistryHandle, reading: Reading
) -> AbstractContextManager[ListMemory | bool]:
    """Open the memory of a registry's lists in the state directory; False without a cache."""
    if reading.no_cache:
        return nullcontext(False)
    return ListMemory(StateFolder.of(registry.name, api_url=registry.api_url).memory)


def _seconds(option: str, length: str | None) -> float | None:
    try:
        return None if length is None else parse_duration(length).total_seconds()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
