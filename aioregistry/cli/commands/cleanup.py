"""``aioregistry cleanup``: plan, apply, run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from aioregistry.cleanup.apply.apply import apply_plan
from aioregistry.cleanup.apply.caps import CapExceededError, Caps
from aioregistry.cleanup.apply.journal import JournalError, PlanLockedError
from aioregistry.cleanup.apply.report import CleanupReport, ItemOutcome
from aioregistry.cleanup.garbage import READ_ONLY, collect_garbage
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.references import InUse, InUseError, Use
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.file import PlanFileError
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.file import PolicyFileError, load_policy
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cli.connection import (
    DONE,
    DRIFT_ONLY,
    REFUSED,
    SOME_FAILED,
    Connection,
    ask,
    read_text,
    refuse,
    run,
)
from aioregistry.cli.display.plan_tables import (
    DeleteCounts,
    lines_of_plan,
    problems_of,
    table_of_plan,
    table_of_report,
)
from aioregistry.cli.display.text import counted
from aioregistry.cli.options import Access, RegistryName, Yes, with_groups
from aioregistry.client.registry import RegistryHandle

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Delete what a policy condemns, and nothing that is needed, in use or has moved.",
)

_EXIT_CODES = (
    "Exit codes: 0, done; 1, some could not be deleted, a repository was left alone, or one that"
    " was named, or the registry, is not there;"
    " 2, wrong usage; 3, all done but what changed since the plan was made, which was left alone;"
    " 4, refused, by a cap or by the answer, and nothing was deleted; 130 or 143, interrupted, what"
    " was done is told."
)

PolicyFile = Annotated[
    Path, typer.Option("--policy", metavar="FILE", help="The policy: TOML, YAML or JSON.")
]
InUseFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--in-use",
        metavar="FILE",
        show_default=False,
        help="What runs somewhere: the output of `kubectl get pods -A -o json`, or references,"
        " one a line; `-` is stdin. May be given several times.",
    ),
]
Repositories = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        metavar="NAME",
        show_default=False,
        help="Only this one. May be given several times.",
    ),
]
PlanOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Where the plan is written.")
]
MaxDeletes = Annotated[
    int | None, typer.Option(min=0, show_default=False, help="Refuse a plan with more DELETEs.")
]
MaxFraction = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Refuse a plan that takes more of any repository's tags than this part."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Allow any part of a repository's tags.")]
Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", show_default=False, help="Begin nothing more after so long: 90m, 2h."
    ),
]
Collect = Annotated[
    bool, typer.Option("--gc", help="Collect garbage afterwards; the registry is read-only then.")
]
RegistryUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        show_default="what the credentials name",
        help="Where the registry itself is, from which manifests are read"
        " (AIOREGISTRY_REGISTRY_URL).",
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither keep manifests on disk nor use those there.")
]


@app.command(epilog=_EXIT_CODES)
@with_groups
def plan(
    policy: PolicyFile,
    registry: RegistryName = None,
    in_use: InUseFiles = None,
    repository: Repositories = None,
    output: PlanOutput = Path("plan.json"),
    no_cache: NoCache = False,
    access: Access = Access(),
    registry_url: RegistryUrl = None,
) -> None:
    """Look at a registry, and write down what is to be deleted and why. Nothing is deleted."""
    command = "cleanup plan"
    with _usage(command):
        rules, uses = _load_policy(policy), _read_in_use(in_use)
        _check_output(output)

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            async with to.contents(handle, registry_url, cache=not no_cache) as contents:
                made = await _plan(to, handle, contents, rules, uses, repository)
        _save(command, made, output)
        _show_plan(made)
        typer.echo(f"the plan is in {output}; 'aioregistry cleanup apply {output}' carries it out")
        return SOME_FAILED if made.left_alone else DONE

    run(command, access, work(), lambda: "nothing was deleted")


@app.command(epilog=_EXIT_CODES)
@with_groups
def apply(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan's file.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier process was interrupted.")
    ] = False,
    yes: Yes = False,
    in_use: InUseFiles = None,
    max_deletes: MaxDeletes = None,
    max_fraction: MaxFraction = 0.5,
    force: Force = False,
    deadline: Deadline = None,
    gc: Collect = False,
    no_cache: NoCache = False,
    access: Access = Access(),
    registry_url: RegistryUrl = None,
) -> None:
    """Carry out a plan: look again at each item, and delete what has not changed.

    All is noted in PLAN.journal before it is done, so that a process that was killed can be
    resumed.
    """
    command = "cleanup apply"
    with _usage(command):
        made, uses = Plan.load(plan), _read_in_use(in_use)
        seconds = _seconds(deadline)
        caps = Caps(max_deletes=max_deletes, max_fraction=max_fraction)
    _show_plan(made)
    _check_caps(command, made, caps, force)
    applied = DeleteCounts(sum(1 for _ in made.condemned))
    if not applied.total:
        raise typer.Exit(DONE)
    if not yes:
        ask(command, _question(made, gc), "nothing was deleted")

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = to.client.registry(made.registry)
            async with to.contents(handle, registry_url, cache=not no_cache) as contents:
                applier = _Applier(command, to, handle, contents, plan, applied)
                report = await applier.apply(made, resume, caps, force, uses, seconds)
            return await _finish(to, handle, made, report, plan, gc)

    how = f"'aioregistry cleanup apply {plan} --resume' goes on"
    run(command, access, work(), lambda: f"{applied}; {how}")


@app.command(name="run", epilog=_EXIT_CODES)
@with_groups
def plan_and_apply(
    policy: PolicyFile,
    registry: RegistryName = None,
    yes: Yes = False,
    in_use: InUseFiles = None,
    repository: Repositories = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default="cleanup-REGISTRY-TIME.json",
            help="Where the plan is written; its journal is beside it.",
        ),
    ] = None,
    max_deletes: MaxDeletes = None,
    max_fraction: MaxFraction = 0.5,
    force: Force = False,
    deadline: Deadline = None,
    gc: Collect = False,
    no_cache: NoCache = False,
    access: Access = Access(),
    registry_url: RegistryUrl = None,
) -> None:
    """Plan, ask, and apply, in one go. Without a terminal to ask on it needs --yes."""
    command = "cleanup run"
    with _usage(command):
        rules, uses = _load_policy(policy), _read_in_use(in_use)
        seconds = _seconds(deadline)
        caps = Caps(max_deletes=max_deletes, max_fraction=max_fraction)
        if output is not None:
            _check_output(output)
    applied = DeleteCounts()
    written: list[Path] = []

    async def work() -> int:
        async with Connection.open(access) as to:
            handle = await to.registry(registry)
            async with to.contents(handle, registry_url, cache=not no_cache) as contents:
                made = await _plan(to, handle, contents, rules, uses, repository)
                path = output or Path(f"cleanup-{handle.name}-{made.made_at:%Y%m%d-%H%M%S}.json")
                _save(command, made, path)
                written.append(path)
                _show_plan(made)
                typer.echo(f"the plan is in {path}")
                _check_caps(command, made, caps, force)
                applied.total = sum(1 for _ in made.condemned)
                if applied.total and not yes:
                    ask(command, _question(made, gc), "nothing was deleted")
                applier = _Applier(command, to, handle, contents, path, applied)
                report = await applier.apply(made, False, caps, force, uses, seconds)
            code = await _finish(to, handle, made, report, path, gc)
        return SOME_FAILED if made.left_alone and code in {DONE, DRIFT_ONLY} else code

    def interrupted() -> str:
        resume = f"; 'aioregistry cleanup apply {written[0]} --resume' goes on" if written else ""
        return f"{applied}{resume}"

    run(command, access, work(), interrupted)


class _Applier:
    def __init__(
        self,
        command: str,
        to: Connection,
        registry: RegistryHandle,
        contents: ContentReader,
        path: Path,
        applied: DeleteCounts,
    ) -> None:
        self._command = command
        self._to = to
        self._registry = registry
        self._contents = contents
        self._journal = path.with_name(f"{path.name}.journal")
        self._applied = applied

    async def apply(
        self,
        plan: Plan,
        resume: bool,
        caps: Caps,
        force: bool,
        uses: list[Use],
        seconds: float | None,
    ) -> CleanupReport:
        total = self._applied.total
        async with self._to.display.stage("Delete", total, "DELETEs", self._to.limiter) as stage:

            def tell(settled: ItemOutcome) -> None:
                self._applied.add(settled)
                stage.advance()

            try:
                return await apply_plan(
                    self._registry,
                    plan,
                    self._contents,
                    journal=self._journal,
                    resume=resume,
                    caps=caps,
                    force=force,
                    in_use=InUse(uses),
                    deadline=seconds,
                    on_outcome=tell,
                )
            except PlanLockedError:
                raise
            except JournalError as error:
                if error.report is not None:
                    return error.report
                refuse(self._command, error)


async def _plan(
    to: Connection,
    registry: RegistryHandle,
    contents: ContentReader,
    policy: Policy,
    uses: list[Use],
    repositories: list[str] | None,
) -> Plan:
    async with to.display.stage("Plan", 0, "repositories", to.limiter) as stage:

        def tell(progress: PlanProgress) -> None:
            stage.total, stage.done = progress.of, progress.repositories

        return await make_plan(
            registry,
            policy,
            contents,
            in_use=InUse(uses),
            repositories=repositories,
            now=datetime.now(UTC),
            on_progress=tell,
        )


async def _finish(
    to: Connection,
    registry: RegistryHandle,
    plan: Plan,
    report: CleanupReport,
    path: Path,
    gc: bool,
) -> int:
    """Show what became of a plan, collect garbage if asked to, and return the exit code."""
    Console().print(table_of_report(report), highlight=False)
    for problem in problems_of(report):
        typer.echo(problem, err=True)
    if not report.done:
        typer.echo(f"'aioregistry cleanup apply {path} --resume' tries again", err=True)
        return SOME_FAILED
    if gc:
        to.display.say(READ_ONLY, begin="Collect")
        collected = await collect_garbage(
            registry,
            estimate=plan.frees,
            on_status=lambda run: to.display.say(run.status, begin="Collect"),
        )
        typer.echo(str(collected))
    elif report.deleted:
        typer.echo("nothing is freed before a garbage collection: 'aioregistry gc start'")
    return DRIFT_ONLY if report.drift else DONE


@contextmanager
def _usage(command: str) -> Iterator[None]:
    """Turn what is wrong with files and flags into one line, and exit."""
    try:
        yield
    except (PolicyFileError, PlanFileError, InUseError, ModuleNotFoundError) as error:
        refuse(command, error)
    except OSError as error:
        refuse(command, f"{error.filename}: {error.strerror}")
    except ValueError as error:
        refuse(command, error)


def _load_policy(path: Path) -> Policy:
    policy = load_policy(path)
    if not policy.deletes:
        typer.echo(
            f"{path}: no rule deletes anything, and what no rule decides on stays: end it with a"
            " rule of delete = true",
            err=True,
        )
    return policy


def _read_in_use(paths: list[Path] | None) -> list[Use]:
    return [use for path in paths or () for use in read_in_use(read_text(path), str(path))]


def _seconds(deadline: str | None) -> float | None:
    length: timedelta | None = None if deadline is None else parse_duration(deadline)
    return None if length is None else length.total_seconds()


def _check_output(path: Path) -> None:
    if str(path) == "-":
        raise ValueError("a plan goes to a file: what is applied is noted beside it")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: no file can be written there")
    journal = path.with_name(f"{path.name}.journal")
    if journal.exists():
        raise ValueError(
            f"{journal} is there: a plan of this name was begun; go on with"
            f" 'aioregistry cleanup apply {path} --resume', or write to another file"
        )


def _save(command: str, plan: Plan, path: Path) -> None:
    try:
        plan.save(path)
    except OSError as error:
        refuse(command, f"{path}: {error.strerror}")


def _check_caps(command: str, plan: Plan, caps: Caps, force: bool) -> None:
    for forced, how in (
        (True, "a larger --max-deletes"),
        (force, "--force, or a larger --max-fraction"),
    ):
        try:
            caps.check(plan, force=forced)
        except CapExceededError as error:
            refuse(command, f"{error} ({how})", REFUSED)


def _show_plan(plan: Plan) -> None:
    console = Console()
    if next(plan.condemned, None) is not None:
        console.print(table_of_plan(plan), highlight=False)
    else:
        typer.echo("nothing is to be deleted")
    for line in lines_of_plan(plan):
        typer.echo(line)


def _question(plan: Plan, gc: bool) -> str:
    tags = sum(len(item.tags) for _, item in plan.condemned)
    count = sum(1 for _ in plan.condemned)
    also = f", and collect garbage ({READ_ONLY})" if gc else ""
    take = f"{counted(count, 'DELETE')}, which {'takes' if count == 1 else 'take'}"
    return f"Send {take} {counted(tags, 'tag')} of {plan.registry!r}{also}?"
