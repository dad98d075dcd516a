"""The making of a plan, for the commands that begin with one: its policy, its place, its file."""

import os
from datetime import UTC, datetime
from pathlib import Path

import typer

from aioregistry.cleanup.in_use.references import InUse
from aioregistry.cleanup.manifests.reader import ContentReader
from aioregistry.cleanup.plan.make import PlanProgress, make_plan
from aioregistry.cleanup.plan.plan import Plan
from aioregistry.cleanup.policy.policy import Policy
from aioregistry.cleanup.state_folder import RunFiles, state_root
from aioregistry.cli.cleanup.job import open_memory
from aioregistry.cli.cleanup.options import Planning, Reading
from aioregistry.cli.cleanup.rules import read_rules
from aioregistry.cli.connection import Connection
from aioregistry.cli.display.text import reason_of
from aioregistry.cli.errors import UsageError
from aioregistry.cli.exit_codes import SOME_FAILED
from aioregistry.cli.running import refuse
from aioregistry.cli.runs import as_argument, save_plan
from aioregistry.cli.undo.holds import leave_restored
from aioregistry.client.registry import RegistryHandle

__all__ = ["NOTHING", "check_planning", "load_policy", "make", "save"]

NOTHING = "nothing was deleted"
_ELSEWHERE = "AIOREGISTRY_STATE_DIR names another folder, --plan-file a file"
_OWNER_ONLY = 0o700


def load_policy(command: str, path: Path) -> Policy:
    """Return the policy of a file, and say so where it deletes nothing.

    Args:
        command: The command, for errors.
        path: The file.
    """
    policy = read_rules(command, path)
    if not policy.deletes:
        typer.echo(
            f"{path}: no rule deletes anything, and tags that match no rule are kept; to delete"
            " the rest, end the policy with a rule of delete = true",
            err=True,
        )
    return policy


def check_planning(planning: Planning) -> None:
    """Refuse a place for the plan that cannot be written, before anything is read.

    Raises:
        ValueError: It cannot be written, or the options exclude each other.
    """
    path = planning.plan_file
    if planning.all_registries:
        for option, given in (("--plan-file", path), ("--repository", planning.repository)):
            if given:
                raise UsageError(f"{option} is for one registry, not for --all-registries")
    if path is None:
        root = state_root()
        try:
            root.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
        except OSError as error:
            raise ValueError(f"{root}: {error.strerror}; {_ELSEWHERE}") from None
        if not os.access(root, os.W_OK):
            raise ValueError(f"{root}: cannot be written; {_ELSEWHERE}")
        return
    if str(path) == "-":
        raise ValueError("a plan cannot be written to stdout: its journal is kept beside the file")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: cannot be written: not a file in an existing folder")
    journal = RunFiles(path).journal
    if journal.exists():
        raise ValueError(
            f"{journal} exists: the plan {path} was begun. Continue with"
            f" 'aioregistry cleanup apply {as_argument(path)} --resume', or name another file"
            " with --plan-file"
        )


async def make(
    to: Connection,
    registry: RegistryHandle,
    contents: ContentReader,
    policy: Policy,
    uses: InUse | None,
    planning: Planning,
    reading: Reading,
) -> Plan:
    """Make a plan for a registry, and show how far that is.

    Args:
        to: The client.
        registry: The registry.
        contents: Where manifests are read.
        policy: The policy.
        uses: What is in use; None where that is not asked.
        planning: The options of plans.
        reading: The options of what is read.

    Raises:
        RegistryError: Any of its kinds.
    """
    leave = {} if planning.after_undo else leave_restored(registry.name, to.settings)
    async with to.display.stage("Plan", 0, "repositories") as stage:

        def show(progress: PlanProgress) -> None:
            stage.total, stage.done = progress.of, progress.repositories

        with open_memory(registry, reading) as memory:
            return await make_plan(
                registry,
                policy,
                contents,
                in_use=uses,
                repositories=planning.repository,
                leave=leave,
                now=datetime.now(UTC),
                memory=memory,
                # An undo may leave counts and the latest manifest as they were remembered.
                full=planning.full or planning.after_undo,
                estimate=planning.estimate,
                on_progress=show,
            )


def save(command: str, plan: Plan, planning: Planning, to: Connection) -> Path:
    """Write a plan to its file, and return where that is; exit where it cannot be written.

    Args:
        command: The command, for errors.
        plan: The plan.
        planning: The options of plans.
        to: The client, which knows the settings.
    """
    try:
        return save_plan(plan, planning.plan_file, to.settings, planning.keep).plan
    except OSError as error:
        why = reason_of(error, "the plan")
        refuse(command, f"{why}; {NOTHING}; {_ELSEWHERE}", SOME_FAILED)
