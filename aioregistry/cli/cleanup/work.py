"""The work of the clean-up commands."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.in_use.references import InUse, InUseError
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cli.asking import ask
from aioregistry.cli.cleanup.job import CleanupJob, journal_of, read_uses
from aioregistry.cli.cleanup.options import Applying, PlanFormat, Reading
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.cleanup_output import CleanupOutput
from aioregistry.cli.display.plan_documents import csv_of_plan, document_of_plan, markdown_of_plan
from aioregistry.cli.display.text import counted
from aioregistry.cli.exit_codes import CHANGES, DONE, DRIFT_ONLY, SOME_FAILED
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.running import refuse, run_connected
from aioregistry.client.registry import RegistryHandle

__all__ = ["apply", "plan", "plan_and_apply", "show"]

_NOTHING = "nothing was deleted"


def plan(
    policy: Path,
    registry: str | None,
    repositories: list[str] | None,
    output: Path,
    detailed: bool,
    form: ReportFormat,
    reading: Reading,
    access: Access,
) -> None:
    """Make a plan, write it to a file and show it."""
    printer = CleanupOutput(form)
    command = "cleanup plan"
    with _usage(command):
        rules, uses = _load_policy(policy), read_uses(reading)
        _check_output(output)

    async def work(to: Connection) -> int:
        handle = await to.registry(registry)
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            made = await _plan(to, handle, contents, rules, uses, repositories)
        _save(command, made, output)
        printer.show_plan(made)
        for problem in Caps().exceeded(made):
            printer.say(f"apply refuses this plan: {problem}")
        again = [word for name in reading.in_use or () for word in ("--in-use", name)]
        carry_out = shlex.join(["aioregistry", "cleanup", "apply", str(output), *again])
        deletes = next(made.condemned, None) is not None
        then = f"; to carry it out: {carry_out}" if deletes else ""
        printer.say(f"plan written to {output}{then}")
        printer.finish(made, output)
        if made.left_alone:
            return SOME_FAILED
        return CHANGES if detailed and deletes else DONE

    run_connected(command, access, work, lambda: _NOTHING)


def show(path: Path, form: PlanFormat) -> None:
    """Print the plan in a file."""
    with _usage("cleanup show"):
        made = Plan.load(path)
    match form:
        case PlanFormat.TABLE:
            CleanupOutput(ReportFormat.TABLE).show_plan(made)
        case PlanFormat.MARKDOWN:
            typer.echo(markdown_of_plan(made), nl=False)
        case PlanFormat.CSV:
            typer.echo(csv_of_plan(made), nl=False)
        case PlanFormat.JSON:
            typer.echo(json.dumps(document_of_plan(made, path), indent=2))


def apply(
    path: Path,
    resume: bool,
    yes: bool,
    form: ReportFormat,
    applying: Applying,
    reading: Reading,
    access: Access,
) -> None:
    """Carry out the plan in a file."""
    command = "cleanup apply"
    with _usage(command):
        made = Plan.load(path)
        job = CleanupJob.of(command, path, form, applying, reading, access, made.in_use)
        job.check_begun(resume)
        _check_in_use(made, job)
    job.output.show_plan(made)
    if job.uses is not None:
        job.output.say(
            f"in use now: {counted(len({str(one.reference) for one in job.uses}), 'image')}"
        )
    job.check(made)
    if not job.counts.total:
        job.output.finish(made, path)
        raise typer.Exit(DONE)
    if not yes and (question := job.question(made, resume=resume)):
        ask(command, question, _NOTHING)

    async def work(to: Connection) -> int:
        handle = to.client.registry(made.registry)
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            report = await job.apply(to, handle, made, contents, resume)
        return await job.finish(to, handle, made, report)

    run_connected(command, access, work, job.interrupted)


def plan_and_apply(
    policy: Path,
    registry: str | None,
    yes: bool,
    repositories: list[str] | None,
    output: Path | None,
    form: ReportFormat,
    applying: Applying,
    reading: Reading,
    access: Access,
) -> None:
    """Make a plan, ask, and carry it out."""
    command = "cleanup run"
    with _usage(command):
        rules = _load_policy(policy)
        job = CleanupJob.of(command, output, form, applying, reading, access)
        if output is not None:
            _check_output(output)

    async def work(to: Connection) -> int:
        handle = await to.registry(registry)
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            made = await _plan(to, handle, contents, rules, job.uses, repositories)
            path = output or Path(f"cleanup-{handle.name}-{made.made_at:%Y%m%d-%H%M%S}.json")
            _save(command, made, path)
            job.path = path
            job.output.show_plan(made)
            job.output.say(f"plan written to {path}")
            job.check(made)
            if not yes and (question := job.question(made)):
                ask(command, question, _NOTHING)
            report = await job.apply(to, handle, made, contents, resume=False)
        code = await job.finish(to, handle, made, report)
        return SOME_FAILED if made.left_alone and code in {DONE, DRIFT_ONLY} else code

    run_connected(command, access, work, job.interrupted)


async def _plan(
    to: Connection,
    registry: RegistryHandle,
    contents: ContentReader,
    policy: Policy,
    uses: InUse | None,
    repositories: list[str] | None,
) -> Plan:
    async with to.display.stage("Plan", 0, "repositories") as stage:

        def show(progress: PlanProgress) -> None:
            stage.total, stage.done = progress.of, progress.repositories

        return await make_plan(
            registry,
            policy,
            contents,
            in_use=uses,
            repositories=repositories,
            now=datetime.now(UTC),
            on_progress=show,
        )


@contextmanager
def _usage(command: str) -> Iterator[None]:
    """Turn errors of files and options into one line, and exit."""
    try:
        yield
    except (PolicyFileError, PlanFileError, InUseError, ModuleNotFoundError) as error:
        refuse(command, error)
    except OSError as error:
        refuse(command, f"{error.filename}: {error.strerror}")
    except ValueError as error:
        refuse(command, error)


def _check_in_use(plan: Plan, job: CleanupJob) -> None:
    """Refuse to carry out a plan without asking again what is in use, unless told so."""
    asked, is_empty = plan.in_use, next(plan.condemned, None) is None
    if job.uses is not None or asked is None or not asked.read or is_empty:
        return
    raise ValueError(
        f"the plan of {plan.made_at:%Y-%m-%d %H:%M} was made with images in use"
        f" ({len(asked.references):,} of this registry), which may have changed: give --in-use"
        " again, or --in-use plan if they have not"
    )


def _load_policy(path: Path) -> Policy:
    policy = load_policy(path)
    if not policy.deletes:
        typer.echo(
            f"{path}: no rule deletes anything, and tags that match no rule are kept; to delete"
            " the rest, end the policy with a rule of delete = true",
            err=True,
        )
    return policy


def _check_output(path: Path) -> None:
    if str(path) == "-":
        raise ValueError("a plan cannot be written to stdout: its journal is kept beside the file")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: cannot be written: not a file in an existing folder")
    if journal_of(path).exists():
        raise ValueError(
            f"{journal_of(path)} exists: the plan {path} was begun. Continue with"
            f" 'aioregistry cleanup apply {shlex.quote(str(path))} --resume', or name another file"
            " with --output"
        )


def _save(command: str, plan: Plan, path: Path) -> None:
    try:
        plan.save(path)
    except OSError as error:
        refuse(command, f"{path}: {error.strerror}")
