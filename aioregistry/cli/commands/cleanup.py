"""``aioregistry cleanup``: plan, apply, run, and the commands on policies."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aioregistry.cli.cleanup.options import (
    AfterUndo,
    Applying,
    PlanFormat,
    PlanName,
    Planning,
    PlanReport,
    PolicyFile,
    Reading,
    Report,
    Resume,
)
from aioregistry.cli.exit_codes import epilog
from aioregistry.cli.groups import CommandGroup
from aioregistry.cli.options import (
    Access,
    Filters,
    InRegistry,
    Output,
    ReportFormat,
    RepositoryReference,
    Yes,
    shows,
    with_groups,
)

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Delete the tags and manifests that a policy selects. Images that are needed, in use or"
    " changed are kept.",
)

_CODES = {
    1: "a delete failed, a repository was skipped, a named repository or the registry does not"
    " exist, what is in use cannot be known, or another clean-up of the registry is"
    " under way on this machine",
    2: "wrong usage, or an apply that asks less of `--in-use` than its plan (nothing was deleted)",
    3: "some items changed since the plan was made and were kept; all others are deleted",
    4: "refused by a limit or by the answer to the question (nothing was deleted)",
    130: "or 143 interrupted; 129 its terminal was closed",
}
_PLAN_CODES = {
    1: "failure, a repository was skipped, or what is in use cannot be known",
    5: "with `--detailed-exitcode`: there is something to delete",
}


def _columns_of_runs() -> "list[Any]":
    from aioregistry.cli.cleanup.past import COLUMNS

    return list(COLUMNS)


@app.command(epilog=epilog("aioregistry cleanup plan example --policy policy.toml", _PLAN_CODES))
@with_groups
def plan(
    planning: Planning,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit with 5 if there is something to delete."),
    ] = False,
    output: PlanReport = ReportFormat.TABLE,
    reading: Reading = Reading(),
    access: Access = Access(),
) -> None:
    """Read a registry, and write a plan: each tag and manifest to delete, with the reason.

    Nothing is deleted.
    """
    from aioregistry.cli.cleanup import work

    work.plan(*planning.with_output("cleanup plan", output), detailed_exitcode, reading, access)


@app.command(epilog=epilog("aioregistry cleanup show plan.json -o md", interrupts=False))
def show(
    plan: PlanName = None,
    output: Annotated[
        PlanFormat, typer.Option("--output", "-o", help="Format: md is Markdown for a comment.")
    ] = PlanFormat.TABLE,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            show_default=False,
            help="Also write a page to this file, with every item, its reason, and what stays."
            " Needs the extra `report`.",
        ),
    ] = None,
) -> None:
    """Print a plan for reviewers: its repositories and totals as a table, each item as CSV or JSON.

    As Markdown, for a comment, it has the reasons and the largest items. No token is needed, and
    nothing is sent.
    """
    from aioregistry.cli.cleanup import work

    work.show(plan, output, html)


@app.command(epilog=epilog("aioregistry cleanup apply plan.json", _CODES))
@with_groups
def apply(
    plan: PlanName = None,
    resume: Resume = False,
    yes: Yes = False,
    output: Report = ReportFormat.TABLE,
    applying: Applying = Applying(),
    reading: Reading = Reading(),
    access: Access = Access(),
) -> None:
    """Carry out a plan: check each item again, and delete those that have not changed.

    Every step is written to PLAN.journal first, so that `--resume` can continue after a crash.
    Without PLAN, the newest one in the state directory is shown before the question.
    """
    from aioregistry.cli.cleanup import work
    from aioregistry.cli.cleanup.notifying import notifications

    with notifications("cleanup apply", applying, access) as notes:
        work.apply(plan, resume, yes, output, applying, reading, access, notes)


@app.command(
    name="run", epilog=epilog("aioregistry cleanup run example --policy policy.toml", _CODES)
)
@with_groups
def plan_and_apply(
    planning: Planning,
    yes: Yes = False,
    output: PlanReport = ReportFormat.TABLE,
    applying: Applying = Applying(),
    reading: Reading = Reading(),
    access: Access = Access(),
) -> None:
    """Plan, ask, and apply. Without a terminal to ask on, `--yes` is required."""
    from aioregistry.cli.cleanup import work
    from aioregistry.cli.cleanup.notifying import notifications

    command = "cleanup run"
    with notifications(command, applying, access) as notes:
        chosen, form = planning.with_output(command, output)
        work.plan_and_apply(chosen, form, yes, applying, reading, access, notes)


@app.command(epilog=epilog("aioregistry cleanup runs --limit 5", interrupts=False))
@with_groups
@shows(_columns_of_runs)
def runs(
    filters: Filters = Filters(),
    output: Output = Output(),
    access: Access = Access(),
) -> None:
    """List past runs, whose plans, journals and archives are kept in the state directory."""
    from aioregistry.cli.cleanup import past

    past.list_runs(filters, output, access)


@app.command(
    epilog=epilog(
        "aioregistry cleanup undo plan.json --dry-run",
        {
            1: "a manifest or a tag did not come back",
            3: "all is back but tags that point elsewhere by now, which were kept",
        },
    )
)
@with_groups
def undo(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PLAN|ARCHIVE",
            show_default=False,
            help="Plan that was carried out, the name of a run, or an archive.",
        ),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            "--repository",
            metavar="NAME",
            show_default=False,
            help="Restore only this repository. Repeatable.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="TAG",
            show_default=False,
            help="Restore only this tag, with its manifest, the parts of that, and its signatures."
            " Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check what can be restored, blobs with it; write nothing."),
    ] = False,
    only_list: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Show the contents of the archive, or without one all that can be restored and"
            " since when; send nothing.",
        ),
    ] = False,
    output: Report = ReportFormat.TABLE,
    registry_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default="the host in the credentials",
            help="Address of the registry itself (AIOREGISTRY_REGISTRY_URL).",
        ),
    ] = None,
    access: Access = Access(),
) -> None:
    """Restore deleted manifests and tags from an archive, until the next garbage collection.

    A tag that points elsewhere by now is kept. Needs a token with registry:create.
    """
    from aioregistry.cli.undo import work

    work.undo(source, repository, tag, dry_run, only_list, output, registry_url, access)


@app.command(
    epilog=epilog(
        "aioregistry cleanup check policy.toml", {1: "a policy has mistakes"}, interrupts=False
    )
)
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Policy files: TOML, YAML or JSON.")
    ],
) -> None:
    """Check policy files: every mistake with its line, and rules that have no effect.

    No token is needed, and nothing is sent.
    """
    from aioregistry.cli.cleanup import policy as work

    work.check(files)


@app.command(epilog=epilog("aioregistry cleanup explain web:pr-1 --policy policy.toml"))
@with_groups
def explain(
    repo: RepositoryReference,
    policy: PolicyFile,
    registry: InRegistry = None,
    after_undo: AfterUndo = False,
    reading: Reading = Reading(),
    access: Access = Access(),
) -> None:
    """Explain why a policy keeps or deletes the tag of REPO:TAG.

    Prints the answer of each rule, marks the one that decides, and says what holds in the end:
    images in use, images that others need, the floor, an undo. Nothing is deleted.
    """
    from aioregistry.cli.cleanup import policy as work

    work.explain(repo, policy, registry, after_undo, reading, access)


@app.command(epilog=epilog("aioregistry cleanup schema > policy.schema.json", interrupts=False))
def schema() -> None:
    """Print a JSON Schema of policy files, for editors."""
    from aioregistry.cli.cleanup import policy as work

    work.schema()
