"""The work of the commands on policies: check, explain, schema."""

import json
from pathlib import Path

import typer

from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.cleanup.plan.explain import Explanation, explain_tag
from aioregistry.cleanup.policy.check import check_policy
from aioregistry.cleanup.policy.file import PolicyFileError
from aioregistry.cleanup.policy.schema import policy_schema
from aioregistry.cli.asking import read_text
from aioregistry.cli.cleanup.options import Reading
from aioregistry.cli.cleanup.rules import read_rules
from aioregistry.cli.cleanup.uses import read_uses
from aioregistry.cli.connection import Connection, check_names_tag
from aioregistry.cli.display.text import counted, reason_of, safe
from aioregistry.cli.exit_codes import DONE, SOME_FAILED
from aioregistry.cli.options import Access
from aioregistry.cli.running import refuse, run_connected
from aioregistry.cli.undo.holds import leave_restored
from aioregistry.files import NotTextError

__all__ = ["check", "explain", "schema"]


def check(paths: list[Path]) -> None:
    """Print everything that is wrong with policy files; exit with 1 if one cannot be used."""
    code = DONE
    for path in paths:
        try:
            findings = check_policy(read_text(path), str(path))
        except PolicyFileError as error:
            typer.echo(safe(str(error)))
            code = SOME_FAILED
            continue
        except (OSError, ModuleNotFoundError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            refuse("cleanup check", f"{path}: {reason}")
        except NotTextError as error:
            typer.echo(safe(str(error)))
            code = SOME_FAILED
            continue
        errors = sum(one.is_error for one in findings)
        for one in findings:
            typer.echo(safe(f"{path}: {one}"))
        if errors:
            code = SOME_FAILED
            typer.echo(f"{path}: {counted(errors, 'mistake')}")
        else:
            notes = f", with {counted(len(findings), 'note')}" if findings else ""
            typer.echo(f"{path}: a valid policy{notes}")
    raise typer.Exit(code)


def explain(
    repo: str,
    policy: Path,
    registry: str | None,
    after_undo: bool,
    reading: Reading,
    access: Access,
) -> None:
    """Print what each rule of a policy says of a tag, and why the tag is kept or deleted."""
    command = "cleanup explain"
    try:
        rules, uses = read_rules(command, policy), read_uses(reading, access)
    except OSError as error:
        refuse(command, reason_of(error))
    except (PolicyFileError, InUseError, ModuleNotFoundError, ValueError) as error:
        refuse(command, error)

    async def work(to: Connection) -> int:
        check_names_tag(repo)
        target = await to.target(repo, registry)
        tag = target.reference.tag or ""
        handle = to.client.registry(target.repository.registry_name)
        leave = {} if after_undo else leave_restored(handle.name, to.settings)
        async with to.contents(
            handle, reading.registry_url, cache=not reading.no_cache
        ) as contents:
            explanation = await explain_tag(
                handle, rules, contents, target.repository.name, tag, in_use=uses, leave=leave
            )
        _show(explanation)
        return DONE

    run_connected(command, access, work)


def schema() -> None:
    """Print the JSON Schema of policy files."""
    typer.echo(json.dumps(policy_schema(), indent=2))


def _show(explanation: Explanation) -> None:
    time = explanation.time
    since = "at an unknown time" if time is None else f"{time:%Y-%m-%d %H:%M:%S %Z}"
    typer.echo(
        f"{explanation.repository}:{explanation.tag} is on {explanation.digest}, set {since}"
    )
    for answer in explanation.rules:
        typer.echo(safe(f"{'*' if answer.decides else ' '} {answer}"))
    does = "deleted" if explanation.deleted else "kept"
    typer.echo(safe(f"{does}: {explanation.reason}"))
