"""``aioregistry sandbox``: a local registry for tests and rehearsals."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperCommand

from aioregistry.cli.exit_codes import WRONG_USAGE, epilog

if TYPE_CHECKING:
    from aioregistry.cleanup.state_folder import StateFolder
    from aioregistry.sandbox import Limits, Sandbox, State

__all__ = ["app", "sandbox"]

app: typer.Typer = typer.Typer(add_completion=False, rich_markup_mode="markdown")

T = TypeVar("T")

_TAGS = 1000
_REPOSITORIES = 8
_BRANCH_TAGS = 40
# Nobody listens there.
_NOWHERE = "http://127.0.0.1:1"


def _lead_nowhere() -> None:
    """Have a shell that evaluates stdout use no registry, where it was to use a sandbox."""
    if sys.stdout.isatty():
        return
    # What was to be a rehearsal would be in earnest.
    typer.echo(f"export AIOREGISTRY_API_URL={_NOWHERE} DIGITALOCEAN_TOKEN=none; false")
    typer.echo("the commands of this shell now reach no registry at all", err=True)


class _SandboxCommand(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        detached = "--detach" in args
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # `--help` ends it, too.
            if detached and not isinstance(error, typer.Exit):
                _lead_nowhere()
            raise


Tags = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", show_default=str(_TAGS), help="Number of made-up tags."),
]
History = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="Fill the registry from a project's push history;"
        " `aioregistry demo --history-format` describes it.",
    ),
]
StateFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="Fill the registry from a file of `aioregistry.sandbox.statefile.save_state`.",
    ),
]
LimitsText = Annotated[
    str,
    typer.Option(
        metavar="real|scaled:60|off",
        help="Rate limits: the API's, the API's with time running this much faster, or none.",
    ),
]
FaultsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help='Faults to inject: {"seed": 0, "faults": [{"kind": "status", "chance": 0.1}]}.',
    ),
]
Strange = Annotated[
    bool,
    typer.Option(
        "--strange",
        help="Behave as inconveniently as registries do: lists that lag, no list of tags or"
        " referrers, new signatures at each look, collections that take children.",
    ),
]
Port = Annotated[
    int,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        show_default="a free one",
        help="Port to listen on.",
    ),
]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Run in the background; kill $AIOREGISTRY_SANDBOX_PID ends it."),
]


@app.command(
    cls=_SandboxCommand,
    epilog=epilog(
        'eval "$(aioregistry sandbox --limits scaled:60 --detach)"',
        {
            0: "ended by Ctrl-C, or started with --detach",
            2: "wrong usage, a file that cannot be used, or a port in use",
        },
        interrupts=False,
    ),
)
def sandbox(
    tags: Tags = None,
    history: History = None,
    state: StateFile = None,
    limits: LimitsText = "real",
    faults: FaultsFile = None,
    strange: Strange = False,
    port: Port = 0,
    detach: Detach = False,
) -> None:
    """Run a local registry that behaves like the API, until Ctrl-C. No account is needed.

    It prints a line for a shell on stdout, after which `aioregistry` commands in that shell use the
    sandbox, and a line for `python -m asyncio` on stderr. With `--detach`,
    `kill $AIOREGISTRY_SANDBOX_PID` stops it. A cluster of its account runs the oldest image of each
    repository, for `cleanup plan --in-use digitalocean`. What commands kept of it in the state
    directory is deleted when it stops, unless it was filled with `--state`.
    """
    import asyncio

    if detach:
        _detach()
        return
    if sum(option is not None for option in (tags, history, state)) > 1:
        _refuse("--tags, --history and --state exclude each other")
    parsed = _parse_limits(limits)
    from aioregistry.sandbox import STRANGE, Faults, Quirks, Sandbox

    try:
        content = _content(tags or _TAGS, history, state)
        content.quirks = STRANGE if strange else Quirks()
        running = Sandbox(
            content,
            limits=parsed,
            faults=None if faults is None else _load(Faults.load, faults),
            port=port,
        )
        # What a file fills can be filled again, and then is what plans were made of.
        asyncio.run(_serve(running, limits, is_new=state is None))
    except KeyboardInterrupt:
        return


async def _serve(sandbox: "Sandbox", limits: str, *, is_new: bool) -> None:
    import asyncio

    try:
        await sandbox.start()
    except OSError as error:
        _refuse(error.strerror or str(error))
    before = _kept_of(sandbox.url)
    try:
        typer.echo(f"{_describe(sandbox.state)}; limits: {limits}. Ctrl-C ends it.", err=True)
        typer.echo(
            "from aioregistry import RegistryClient;"
            f' client = await RegistryClient(base_url="{sandbox.url}").open()',
            err=True,
        )
        # Alone on stdout, for eval.
        typer.echo(
            f"export DIGITALOCEAN_TOKEN={sandbox.token}"
            f" AIOREGISTRY_API_URL={sandbox.url} AIOREGISTRY_REGISTRY_URL={sandbox.url}"
            f" AIOREGISTRY_RATE_LIMIT={limits}"
        )
        await asyncio.Event().wait()
    finally:
        await sandbox.stop()
        for folder in _kept_of(sandbox.url) if is_new else ():
            # Another server may have had its address before.
            if folder not in before:
                folder.delete()


def _kept_of(url: str) -> "list[StateFolder]":
    """Return the folders of the sandbox's registries in the state directory."""
    from aioregistry.cleanup.state_folder import StateFolder

    addresses = (url, url.replace("127.0.0.1", "localhost"))
    with suppress(OSError):
        return [folder for each in addresses for folder in StateFolder.every(api_url=each)]
    return []


def _detach() -> None:
    """Start the same command in the background, and print its line once it listens."""
    arguments = [each for each in sys.argv[1:] if each != "--detach"]
    process = subprocess.Popen(  # noqa: S603, this program
        [sys.executable, "-m", "aioregistry", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if process.stdout is None or process.stderr is None:  # pragma: no cover, both are pipes
        raise RuntimeError
    line = process.stdout.readline().strip()
    if not line:
        typer.echo(process.stderr.read(), err=True, nl=False)
        _lead_nowhere()
        raise typer.Exit(process.wait())
    typer.echo(
        "a sandbox with a made-up registry runs in the background, and the commands of this shell"
        " use it; to stop it: kill $AIOREGISTRY_SANDBOX_PID",
        err=True,
    )
    typer.echo(f"{line} AIOREGISTRY_SANDBOX_PID={shlex.quote(str(process.pid))}")


def _describe(state: "State") -> str:
    registries = [
        f"Registry {registry.name} (repositories: {len(registry.repositories):,},"
        f" tags: {sum(len(each.tags) for each in registry.repositories.values()):,})"
        for registry in state.registries.values()
    ]
    return ", ".join(registries) or "No registry"


def _run_some(state: "State", registry: str) -> None:
    """Run an image of each repository in a cluster of the account, its oldest with a tag."""
    cluster = state.add_cluster("production")
    for repository in state.registry(registry).repositories.values():
        if not repository.tags:
            continue
        oldest = min(repository.tags.values(), key=lambda tag: tag.at)
        image = f"registry.digitalocean.com/{registry}/{repository.name}:{oldest.name}"
        cluster.run(image, name=repository.name.replace("/", "-"))


def _content(tags: int, history: Path | None, state: Path | None) -> "State":
    import msgspec

    from aioregistry.cli.demo.content import REGISTRY
    from aioregistry.cli.demo.history import HistoryError, read_history
    from aioregistry.sandbox.seed import generated_state, history_state
    from aioregistry.sandbox.statefile import load_state

    if state is not None:
        return _load(load_state, state)
    if history is None:
        now = datetime.now(UTC)
        branches = min(_BRANCH_TAGS, tags // 10)
        repositories = min(tags, _REPOSITORIES)
        made = generated_state(tags - branches, repositories, registry=REGISTRY, until=now)
        (first, *_) = made.registry(REGISTRY).repositories
        for number in range(branches):
            # Policies delete the images of pull requests when they are old.
            made.push(REGISTRY, first, [f"pr-{number + 1}"], at=now - timedelta(days=3 * number))
        _run_some(made, REGISTRY)
        return made
    try:
        return history_state(msgspec.to_builtins(read_history(history)), REGISTRY)
    except HistoryError as error:
        _refuse(str(error))


def _parse_limits(text: str) -> "Limits | None":
    from aioregistry.sandbox import Limits

    known = re.fullmatch(r"off|real|scaled:(\d{1,4}(?:\.\d+)?)", text)
    scale = float(known[1] or 1) if known else 0.0
    if not scale:
        _refuse(f"--limits must be real, off, or scaled:60 with a positive number, not {text}")
    return None if text == "off" else Limits(scale=scale)


def _load(read: Callable[[Path], T], path: Path) -> T:
    try:
        return read(path)
    except OSError as error:
        _refuse(f"{path}: {error.strerror or error}")
    except (ValueError, RecursionError) as error:
        _refuse(f"{path}: {error}")


def _refuse(message: str) -> NoReturn:
    typer.echo(f"aioregistry sandbox: {message}", err=True)
    raise typer.Exit(WRONG_USAGE)
