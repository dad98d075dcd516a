"""Options of the clean-up commands."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from attrs import evolve, frozen

from aioregistry.cli.options import (
    Access,
    AllRegistries,
    RegistryName,
    ReportFormat,
    as_arguments,
)

__all__ = [
    "AfterUndo",
    "Applying",
    "Notice",
    "PlanFormat",
    "PlanName",
    "PlanReport",
    "Planning",
    "PolicyFile",
    "Reading",
    "Report",
    "Resume",
    "is_address",
    "resume_line",
]

_READING = "Evidence"
_APPLYING = "Limits"
_AFTERWARDS = "After the run"

PolicyFile = Annotated[
    Path, typer.Option("--policy", metavar="FILE", help="Policy file: TOML, YAML or JSON.")
]
PlanName = Annotated[
    str | None,
    typer.Argument(
        metavar="PLAN",
        show_default="the newest in the state directory",
        help="Plan file, or the name of a run that `aioregistry cleanup runs` lists.",
    ),
]


AfterUndo = Annotated[
    bool,
    typer.Option(
        "--after-undo",
        help="Clean up repositories, too, of which `cleanup undo` has restored images: these"
        " are as new as that undo, and rules that keep the newest keep them first.",
    ),
]


@frozen
class Planning:
    """Options on what a plan is made of, and where it is kept."""

    policy: PolicyFile
    registry: RegistryName = None
    all_registries: AllRegistries = False
    repository: Annotated[
        list[str] | None,
        typer.Option(
            "--repository",
            metavar="NAME",
            show_default=False,
            help="Clean up only this repository. Repeatable.",
        ),
    ] = None
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="List every repository, also those that have not changed since the last plan;"
            " one plan in seven does so by itself.",
        ),
    ] = False
    estimate: Annotated[
        bool | None,
        typer.Option(
            "--estimate/--no-estimate",
            show_default="--estimate, with --repository --no-estimate",
            help="List all repositories to count the bytes that are freed: layers are shared.",
        ),
    ] = None
    after_undo: AfterUndo = False
    plan_file: Annotated[
        Path | None,
        typer.Option(
            "--plan-file",
            metavar="FILE",
            show_default="a new one in the state directory",
            help="File to write the plan to; its journal and archive are written beside it.",
        ),
    ] = None
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=1,
            metavar="N",
            show_default="30",
            help="Keep the files of the registry's newest N runs in the state directory; those of"
            " older runs are deleted, and what they deleted can no longer be restored"
            " (AIOREGISTRY_KEEP).",
        ),
    ] = None

    def with_output(self, command: str, output: str) -> "tuple[Planning, ReportFormat]":
        """Return the options and the format that ``--output`` asks for; refuse what is neither.

        Scripts from before ``--plan-file`` give the plan's file there.
        """
        from aioregistry.cli.running import refuse

        try:
            return self, ReportFormat(output)
        except ValueError:
            if not output.endswith(".json"):
                formats = ", ".join(ReportFormat)
                problem = f"{output!r} is not one of {formats}; --plan-file names the plan's file"
                refuse(command, f"--output: {problem}")
        if self.plan_file is not None:
            refuse(command, f"--output: {output!r} is a second file, beside --plan-file")
        return evolve(self, plan_file=Path(output)), ReportFormat.TABLE


class PlanFormat(StrEnum):
    """Formats of a plan."""

    TABLE = "table"
    MARKDOWN = "md"
    CSV = "csv"
    JSON = "json"


Report = Annotated[
    ReportFormat,
    typer.Option(
        "--output",
        "-o",
        help="Format of the report on stdout: a table, one JSON object, or a line of JSON for each"
        " item and one for the summary.",
    ),
]
PlanReport = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="[table|json|ndjson]",
        autocompletion=lambda: list(ReportFormat),
        help="Format of the report on stdout: a table, one JSON object, or a line of JSON for each"
        " item and one for the summary. A FILE.json is taken for --plan-file.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue a run of this plan that was interrupted.")
]


@frozen
class Reading:
    """Options on what is read besides the API's lists."""

    in_use: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_READING,
            help="Keep images in use: the output of `kubectl get pods -A -o json`, which lacks what"
            " is scaled to 0, or image references, one per line; `-` is stdin. `kubernetes` or"
            " `kubernetes:CONTEXT` asks a cluster of the kubeconfig, `in-cluster` the one that this"
            " runs in, `digitalocean` every cluster and app of the account: before the plan,"
            " and again before the deletes. `none` says that nothing runs, and `plan`, for apply,"
            " that the images in use are those of the plan. Repeatable.",
        ),
    ] = None
    in_use_kind: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use-kind",
            metavar="GROUP/VERSION/PLURAL",
            show_default=False,
            rich_help_panel=_READING,
            help="A further kind of objects that clusters are asked for, such as"
            " `argoproj.io/v1alpha1/rollouts`. Repeatable.",
        ),
    ] = None
    in_use_ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--in-use-ignore",
            metavar="KIND",
            show_default=False,
            rich_help_panel=_READING,
            help="Objects of this kind in --in-use need not name an image. `cluster/NAME` and"
            " `app/NAME` leave one of the account out. Repeatable.",
        ),
    ] = None
    registry_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default="the host in the credentials",
            rich_help_panel=_READING,
            help="Address of the registry itself, from which manifests are read"
            " (AIOREGISTRY_REGISTRY_URL).",
        ),
    ] = None
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            rich_help_panel=_READING,
            help="Neither read nor write manifests and lists kept on disk.",
        ),
    ] = False

    def in_use_again(self) -> list[str]:
        """Return the words that ask again what is in use."""
        given = (
            ("--in-use", self.in_use),
            ("--in-use-kind", self.in_use_kind),
            ("--in-use-ignore", self.in_use_ignore),
        )
        return [
            word for option, values in given for each in values or () for word in (option, each)
        ]


class Notice(StrEnum):
    """What others are told after a run."""

    JSON = "json"
    CHAT = "chat"


@frozen
class Applying:
    """Options that limit what an apply may delete, and for how long."""

    max_deletes: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            show_default="the policy's, or any number",
            rich_help_panel=_APPLYING,
            help="Refuse a plan with more DELETE requests than this.",
        ),
    ] = None
    max_fraction: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            show_default="the policy's, or 0.5",
            rich_help_panel=_APPLYING,
            help="Refuse a plan that deletes more than this share of any repository's tags.",
        ),
    ] = None
    force: Annotated[
        bool,
        typer.Option("--force", rich_help_panel=_APPLYING, help="Do not check --max-fraction."),
    ] = False
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_APPLYING,
            help="Start nothing new after this time: 90m, 2h.",
        ),
    ] = None
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            show_default="PLAN.archive",
            rich_help_panel=_APPLYING,
            help="File that keeps deleted manifests and tags for `cleanup undo`; it grows.",
        ),
    ] = None
    gc: Annotated[
        bool,
        typer.Option(
            "--gc",
            rich_help_panel=_APPLYING,
            help="Collect garbage afterwards; the registry is read-only until that ends.",
        ),
    ] = False
    undo_window: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            rich_help_panel=_APPLYING,
            help="With --gc: leave this time to undo, such as 20h. The next run collects the"
            " garbage once it is over, before it deletes anything; a run before that deletes"
            " nothing.",
        ),
    ] = None
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="COMMAND|URL",
            show_default=False,
            rich_help_panel=_AFTERWARDS,
            help="Tell others how it ended: the summary goes to the stdin of a command, or by POST"
            " to an http(s) address. Repeatable. An address that is a secret is better kept in"
            " AIOREGISTRY_NOTIFY. If it fails, that is told, and the exit code stays.",
        ),
    ] = None
    notify_as: Annotated[
        Notice | None,
        typer.Option(
            "--notify-as",
            show_default="json",
            rich_help_panel=_AFTERWARDS,
            help="What they get: `json`, the whole summary; or `chat`, its text, for an address as"
            " the JSON that Slack, Mattermost and others take.",
        ),
    ] = None
    notify_template: Annotated[
        Path | None,
        typer.Option(
            "--notify-template",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_AFTERWARDS,
            help="What they get in place of these: JSON of your own, in whose texts {text},"
            " {command}, {exit_code} and {problem} are filled in; for an address so that nothing in"
            " them is a mention, a tag or a link.",
        ),
    ] = None


def is_address(target: str) -> bool:
    """Return whether a value of ``--notify`` is the address of a webhook, not a command."""
    return target.lower().startswith(("http://", "https://"))


def resume_line(plan: str, applying: Applying, reading: Reading, access: Access) -> str:
    """Return the command line that continues a plan with the same options.

    Args:
        plan: The plan as an argument, quoted.
        applying: Options of the run.
        reading: Options of the run.
        access: Options of the run.
    """
    words = ["--resume"]
    # An address may be a secret, which is not printed.
    had = applying.notify or ()
    commands = [each for each in had if not is_address(each)]
    applying = evolve(applying, notify=commands or None)
    if had and not commands:
        # Without anybody to tell, these are refused.
        applying = evolve(applying, notify_as=None, notify_template=None)
    for group in (applying, reading, access):
        words += as_arguments(group)
    return f"aioregistry cleanup apply {plan} {shlex.join(words)}"
