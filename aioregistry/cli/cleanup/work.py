"""The work of the clean-up commands."""

import json
import shlex
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.file import PolicyFileError
from aioregistry.cli.asking import ask
from aioregistry.cli.cleanup.job import CleanupJob
from aioregistry.cli.cleanup.notifying import Notifications
from aioregistry.cli.cleanup.options import Applying, PlanFormat, Planning, Reading
from aioregistry.cli.cleanup.planning import NOTHING, check_planning, load_policy, make, save
from aioregistry.cli.cleanup.uses import read_uses
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.cleanup_output import CleanupOutput
from aioregistry.cli.display.plan_documents import csv_of_plan, document_of_plan, markdown_of_plan
from aioregistry.cli.display.text import counted, reason_of, safe
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import (
    CHANGES,
    DONE,
    DRIFT_ONLY,
    INTERRUPTED,
    REFUSED,
    SOME_FAILED,
    WRONG_USAGE,
)
from aioregistry.cli.options import Access, ReportFormat
from aioregistry.cli.running import check_file, refuse, run_connected
from aioregistry.cli.runs import (
    as_argument,
    check_not_begun,
    clean_up_alone,
    find_plan,
)
from aioregistry.cli.settings.settings import Settings
from aioregistry.cli.undo.holds import (
    check_restored,
    end_holds,
    end_needless_holds,
)
from aioregistry.client.registry import RegistryHandle
from aioregistry.errors import AuthenticationError, RegistryError
from aioregistry.files import write_file
from aioregistry.report.plan_page import plan_page

__all__ = ["apply", "plan", "plan_and_apply", "show"]

_WORST_FIRST = (SOME_FAILED, WRONG_USAGE, REFUSED, DRIFT_ONLY, CHANGES)


def plan(
    planning: Planning,
    form: ReportFormat,
    detailed: bool,
    reading: Reading,
    access: Access,
) -> None:
    """Make a plan, write it to a file and show it."""
    command = "cleanup plan"
    printer = CleanupOutput(form, several=planning.all_registries)
    with _usage(command):
        rules, uses = load_policy(command, planning.policy), read_uses(reading, access)
        check_planning(planning)

    async def one(to: Connection, handle: RegistryHandle) -> int:
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            made = await make(to, handle, contents, rules, uses, planning, reading)
        path = save(command, made, planning, to)
        if planning.after_undo:
            end_needless_holds(made, to.settings, rules, planning.repository)
        printer.show_plan(made)
        printer.say_recalled(made)
        problems = list(Caps().exceeded(made))
        for problem in problems:
            printer.say(f"apply refuses this plan: {problem}")
        again = reading.in_use_again()
        carry_out = f"aioregistry cleanup apply {as_argument(path)} {shlex.join(again)}".rstrip()
        deletes = next(made.condemned, None) is not None
        printer.say(f"plan written to {path}")
        if deletes:
            printer.say(_items_of(path))
        if deletes and not problems:
            printer.say(f"to carry it out: {carry_out}")
        printer.finish(made, path)
        if made.left_alone:
            return SOME_FAILED
        return CHANGES if detailed and deletes else DONE

    async def work(to: Connection) -> int:
        return await _for_each(command, to, planning, printer, one)

    run_connected(command, access, work, lambda: NOTHING)


def show(name: str | None, form: PlanFormat, page: Path | None = None) -> None:
    """Print a plan, and write its page."""
    command = "cleanup show"
    if page is not None:
        check_file(command, "--html", page, "jinja2", "report")
    with _usage(command):
        path = find_plan(name, Access())
        made = Plan.load(path)
        if page is not None:
            write_file(page, plan_page(made))
    match form:
        case PlanFormat.TABLE:
            printer = CleanupOutput(ReportFormat.TABLE)
            printer.say(_name_of(path, made))
            printer.show_plan(made)
        case PlanFormat.MARKDOWN:
            typer.echo(markdown_of_plan(made), nl=False)
        case PlanFormat.CSV:
            typer.echo(csv_of_plan(made), nl=False)
        case PlanFormat.JSON:
            typer.echo(json.dumps(document_of_plan(made, path), indent=2))


def apply(
    name: str | None,
    resume: bool,
    yes: bool,
    form: ReportFormat,
    applying: Applying,
    reading: Reading,
    access: Access,
    notes: Notifications,
) -> None:
    """Carry out a plan."""
    command = "cleanup apply"
    with _usage(command):
        if name is None and yes:
            raise UsageError("--yes needs PLAN: another run may have made the newest plan")
        path = find_plan(name, access)
        made = Plan.load(path)
        job = CleanupJob.of(command, path, form, applying, reading, access, made.in_use)
        job.output.on_finish = notes.add
        check_restored(made, Settings.load(access))
        if not resume:
            check_not_begun(path, made)
        _check_in_use(made, job)
    job.output.say(_name_of(path, made))
    job.output.show_plan(made)
    if job.uses is not None:
        job.output.say(
            f"in use now: {counted(len({str(one.reference) for one in job.uses}), 'image')}"
        )
    job.check(made)
    if not job.counts.total:
        job.output.finish(made, path)
        raise typer.Exit(DONE)
    with _usage(command):
        # Nobody is asked a question whose answer could not be carried out.
        Settings.load(access).check_token()
    if not yes and (question := job.question(made, resume=resume)):
        from_stdin = "-" in (reading.in_use or ())
        nothing = "nothing more was deleted" if resume else NOTHING
        job.output.say(_items_of(path))
        ask(command, question, nothing, api_url=made.api_url, stdin_is_data=from_stdin)

    async def work(to: Connection) -> int:
        handle = to.client.registry(made.registry)
        with clean_up_alone(command, handle):
            # Since the question an undo may have come to its end.
            check_restored(made, to.settings)
            async with to.contents(
                handle, reading.registry_url, cache=not reading.no_cache
            ) as contents:
                report = await job.apply(to, handle, made, contents, resume)
            if report.done:
                end_holds(made, to.settings)
            return await job.finish(to, handle, made, report)

    run_connected(command, access, work, job.interrupted)


def plan_and_apply(
    planning: Planning,
    form: ReportFormat,
    yes: bool,
    applying: Applying,
    reading: Reading,
    access: Access,
    notes: Notifications,
) -> None:
    """Make a plan, ask, and carry it out."""
    command = "cleanup run"
    with _usage(command):
        rules = load_policy(command, planning.policy)
        job = CleanupJob.of(command, planning.plan_file, form, applying, reading, access)
        job.output.several = planning.all_registries
        job.output.on_finish, job.output.on_problem = notes.add, notes.add_problem
        check_planning(planning)
        if planning.all_registries and applying.archive is not None:
            raise UsageError("--archive is for one registry, not for --all-registries")

    async def one(to: Connection, handle: RegistryHandle) -> int:
        nonlocal job
        job = job.next()
        with ExitStack() as others:
            others.enter_context(clean_up_alone(command, handle))
            if not await job.may_delete(to, handle):
                return DONE
            return await plan_ask_and_apply(to, handle, others)

    async def plan_ask_and_apply(to: Connection, handle: RegistryHandle, others: ExitStack) -> int:
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            made = await make(to, handle, contents, rules, job.uses, planning, reading)
            job.path = save(command, made, planning, to)
            if planning.after_undo:
                end_needless_holds(made, to.settings, rules, planning.repository)
            job.output.show_plan(made)
            job.output.say_recalled(made)
            job.output.say(f"plan written to {job.path}")
            job.check(made)
            if not job.counts.total and not applying.gc:
                job.output.finish(made, job.path)
                return SOME_FAILED if made.left_alone else DONE
            if not yes and (question := job.question(made)):
                # One that is forgotten on a terminal keeps nobody away.
                others.close()
                from_stdin = "-" in (reading.in_use or ())
                job.output.say(_items_of(job.path))
                ask(command, question, NOTHING, api_url=made.api_url, stdin_is_data=from_stdin)
                others.enter_context(clean_up_alone(command, handle))
                # Meanwhile an undo may have come to its end.
                check_restored(made, to.settings)
            report = await job.apply(to, handle, made, contents, resume=False)
            if report.done:
                end_holds(made, to.settings)
        code = await job.finish(to, handle, made, report)
        return SOME_FAILED if made.left_alone and code in {DONE, DRIFT_ONLY} else code

    async def work(to: Connection) -> int:
        return await _for_each(command, to, planning, job.output, one)

    run_connected(command, access, work, lambda: job.interrupted())  # noqa: PLW0108, it changes


def _name_of(path: Path, made: Plan) -> str:
    return f"plan {as_argument(path)}, made at {made.made_at:%Y-%m-%d %H:%M} UTC"


def _items_of(path: Path) -> str:
    """Return how all that a plan deletes is shown."""
    return f"every item, with its reason: aioregistry cleanup show {as_argument(path)} -o csv"


async def _for_each(
    command: str,
    to: Connection,
    planning: Planning,
    output: CleanupOutput,
    one: Callable[[Connection, RegistryHandle], Awaitable[int]],
) -> int:
    """Do the work for one registry, or for each of the account, and return the exit code.

    With several, an error or a no for one does not stop work on the others.
    """
    handles = await to.registries(planning.registry, every=planning.all_registries)
    if not planning.all_registries:
        return await one(to, handles[0])
    codes = []
    try:
        for handle in handles:
            output.say(f"registry {handle.name}")
            try:
                codes.append(await one(to, handle))
            except AuthenticationError:
                raise
            except RegistryError as error:
                typer.echo(f"aioregistry {command}: {handle.name}: {safe(str(error))}", err=True)
                output.on_problem(handle.name, safe(str(error)))
                codes.append(SOME_FAILED)
            except typer.Exit as ended:
                if ended.exit_code == INTERRUPTED:
                    raise
                output.on_problem(handle.name, getattr(ended, "problem", ""))
                codes.append(ended.exit_code)
    finally:
        output.end()
    return next((code for code in _WORST_FIRST if code in codes), DONE)


@contextmanager
def _usage(command: str) -> Iterator[None]:
    """Turn errors of files and options into one line, and exit."""
    try:
        yield
    except (PolicyFileError, PlanFileError, InUseError, ModuleNotFoundError) as error:
        refuse(command, error)
    except OSError as error:
        refuse(command, reason_of(error))
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
