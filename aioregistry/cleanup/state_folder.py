"""Where a clean-up keeps its files: plans, journals, archives, memory and records of usage."""

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from attrs import frozen

from aioregistry.api.names import check_registry
from aioregistry.errors import RegistryError
from aioregistry.files import take_lock, user_folder
from aioregistry.session.origins import API_URL, canonical_origin, with_port

__all__ = [
    "RUNS_KEPT",
    "CleanupUnderWayError",
    "RunFiles",
    "StateFolder",
    "order_of_run",
    "state_root",
]

RUNS_KEPT = 30

_VARIABLE = "AIOREGISTRY_STATE_DIR"
_OWNER_ONLY = 0o700
_NEW_ARCHIVE = 0o600
_RUNS = "runs"
_LOCK, _HOLDER = "cleanup.lock", "cleanup.holder"
# Beside the folders, never deleted: it is held while a folder's own lock is taken or deleted.
_LOCK_OF_LOCKS = ".lock"
_SECONDS_FOR_LOCKS = 30.0
_ARCHIVES = "archives"
_ARCHIVES_KEPT_FOR = timedelta(days=60)
_RUN = re.compile(r".*-(?P<time>[0-9]{8}-[0-9]{6})(?:-(?P<number>[0-9]+))?")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")


class CleanupUnderWayError(RegistryError):
    """Another process of this machine cleans the registry up."""


def state_root(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory: ``AIOREGISTRY_STATE_DIR``, or the platform's folder.

    That is ``~/.local/state/aioregistry`` on Linux, or below ``XDG_STATE_HOME``.
    """
    given = environment.get(_VARIABLE)
    if given:
        return Path(given).expanduser()
    return user_folder("state")


@frozen
class RunFiles:
    """The files of one run of a clean-up.

    Attributes:
        plan: The plan's file; the others stand beside it.
    """

    plan: Path

    @property
    def journal(self) -> Path:
        """The record of each DELETE, from which a run continues."""
        return self.plan.with_name(f"{self.plan.name}.journal")

    @property
    def archive(self) -> Path:
        """The manifests and tags that were deleted, from which they are restored."""
        return self.plan.with_name(f"{self.plan.name}.archive")

    @property
    def name(self) -> str:
        """The name of a run in a state folder: ``example-20260131-235959``."""
        return self.plan.parent.name


@frozen
class StateFolder:
    """The folder of one registry in the state directory. It is made when something is kept in it.

    Registries of the same name behind different addresses, such as a sandbox, have different
    folders; two spellings of one address have the same.

    Attributes:
        path: The folder.
        registry: The registry's name.
    """

    path: Path
    registry: str

    @classmethod
    def of(cls, registry: str, *, api_url: str = API_URL, root: Path | None = None) -> Self:
        """Return the folder of a registry.

        Args:
            registry: The registry's name.
            api_url: The address of its API.
            root: The state directory; None means `state_root`.

        Raises:
            InvalidNameError: No registry can have this name.
        """
        name, folders = check_registry(registry), root or state_root()
        return cls(folders / _known(folders, [name + one for one in _suffixes(api_url)]), registry)

    @classmethod
    def every(cls, *, api_url: str = API_URL, root: Path | None = None) -> list[Self]:
        """Return the folders that exist of an API's registries.

        Args:
            api_url: The address of the API.
            root: The state directory; None means `state_root`.

        Raises:
            OSError: The directory cannot be read.
        """
        try:
            paths = sorted((root or state_root()).iterdir())
        except FileNotFoundError:
            return []
        suffixes = {suffix.lower() for suffix in _suffixes(api_url)}
        names = [(path, path.name.partition("@")[0]) for path in paths if path.is_dir()]
        return [
            cls(path, name)
            for path, name in names
            if path.name.removeprefix(name).lower() in suffixes and not name.startswith(".")
        ]

    @property
    def memory(self) -> Path:
        """What is remembered from one plan to the next."""
        return self.path / "memory"

    @property
    def usage(self) -> Path:
        """Records of the storage in use over time."""
        return self.path / "usage"

    def make(self) -> Path:
        """Make the folder, which only its owner may read, and return it.

        Raises:
            OSError: It cannot be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
        self.path.mkdir(exist_ok=True, mode=_OWNER_ONLY)
        return self.path

    @contextmanager
    def alone(self, who: str) -> Iterator[None]:
        """Keep other clean-ups of the registry on this machine away, as long as the block runs.

        A process that is killed leaves nothing that keeps others away.

        Args:
            who: What others are told of this one, such as the command.

        Raises:
            CleanupUnderWayError: Another one is under way; its text says whose.
            OSError: The folder cannot be made, or locked.
            ModuleNotFoundError: The package ``filelock`` is missing.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415  (only here)

        lock = FileLock(self.path / _LOCK, timeout=0, thread_local=False)
        # filelock 3.13 empties a lock's own file when it tries it.
        holder = self.path / _HOLDER
        try:
            with self._taking_locks():
                self.make()
                take_lock(lock)
        except Timeout:
            told = "another process"
            with suppress(OSError, UnicodeDecodeError):
                told = holder.read_text(encoding="utf-8").strip() or told
            raise CleanupUnderWayError(
                f"{self.registry}: another clean-up of this registry is under way: {told}; nothing"
                " was changed; wait for its end, or end it with Ctrl-C or SIGTERM, and try again"
            ) from None
        try:
            with suppress(OSError):
                since = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
                place = f"process {os.getpid()} on {socket.gethostname()}"
                holder.write_text(f"{who}, {place}, since {since}\n", encoding="utf-8")
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
            lock.release()

    def delete(self) -> bool:
        """Delete the folder with all that is in it, and return whether it was deleted.

        While a run is carried out, it stays.

        Raises:
            OSError: The folder cannot be read.
        """
        if not self.path.exists():
            return True
        # Whoever opened a lock's file before it was deleted would lock what nobody else sees.
        with self._taking_locks(), ExitStack() as held:
            locks = [self.path / _LOCK, *(_lock_of(run) for run in self.runs())]
            if not all(_is_taken(lock, held) for lock in locks):
                return False
            return _delete_folder(self.path)

    @contextmanager
    def _taking_locks(self) -> Iterator[None]:
        from filelock import FileLock  # noqa: PLC0415  (only here)

        self.path.parent.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
        lock = self.path.with_name(_LOCK_OF_LOCKS)
        taken = FileLock(lock, timeout=_SECONDS_FOR_LOCKS, thread_local=False)
        take_lock(taken)
        try:
            yield
        finally:
            taken.release()

    def new_run(self, at: datetime) -> RunFiles:
        """Make the folder of a new run, and return the paths of its files.

        Args:
            at: When the run begins; its name is made of this.

        Raises:
            OSError: It cannot be made.
        """
        runs = self.make() / _RUNS
        runs.mkdir(exist_ok=True, mode=_OWNER_ONLY)
        name, number = f"{self.registry}-{at:%Y%m%d-%H%M%S}", 1
        while True:
            try:
                folder = runs / (name if number == 1 else f"{name}-{number}")
                folder.mkdir(mode=_OWNER_ONLY)
            except FileExistsError:
                number += 1
            else:
                return RunFiles(folder / "plan.json")

    def new_archive(self, at: datetime) -> Path:
        """Make an archive for deletes that have no plan, and return its path.

        Archives of more than 60 days ago are deleted.

        Args:
            at: When the deletes begin; its name is made of this.

        Raises:
            OSError: It cannot be made.
        """
        folder = self.make() / _ARCHIVES
        folder.mkdir(exist_ok=True, mode=_OWNER_ONLY)
        for old in self.archives():
            if old.stat().st_mtime < (at - _ARCHIVES_KEPT_FOR).timestamp():
                old.unlink(missing_ok=True)
        name, number = f"deleted-{at:%Y%m%d-%H%M%S}", 1
        while True:
            path = folder / f"{name if number == 1 else f'{name}-{number}'}.archive"
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _NEW_ARCHIVE))
            except FileExistsError:
                number += 1
            else:
                return path

    def archives(self) -> list[Path]:
        """Return the archives of deletes that had no plan, the oldest first."""
        return sorted((self.path / _ARCHIVES).glob("*.archive"))

    def runs(self) -> list[RunFiles]:
        """Return the runs that are kept, the newest first.

        Raises:
            OSError: The folder cannot be read.
        """
        try:
            folders = [each for each in (self.path / _RUNS).iterdir() if each.name[0] != "."]
        except FileNotFoundError:
            return []
        found = [RunFiles(each / "plan.json") for each in folders]
        found = [run for run in found if run.plan.is_file()]
        return sorted(found, key=lambda run: order_of_run(run.name), reverse=True)

    def forget_runs(self, keep: int = RUNS_KEPT) -> list[str]:
        """Delete the files of the oldest runs, and return these runs' names.

        What a forgotten run deleted can no longer be restored. A run that another process carries
        out right now stays.

        Args:
            keep: The number of runs to keep.

        Raises:
            OSError: The folder cannot be read.
        """
        forgotten = []
        for run in self.runs()[max(keep, 0) :]:
            with ExitStack() as held:
                if _is_taken(_lock_of(run), held):
                    _delete_folder(run.plan.parent)
                    forgotten.append(run.name)
        return forgotten


def _suffixes(api_url: str) -> list[str]:
    """Return what follows the name in folders of an API: that of a new one first.

    The others are by further spellings of the address.
    """
    canonical = canonical_origin(api_url)
    spelled = [_suffix(canonical), _suffix(with_port(canonical))]
    # The vendor's own address is not in names, but in capitals it once was.
    return ["", *spelled] if canonical == API_URL else spelled


def _known(folders: Path, names: list[str]) -> str:
    """Return the first name of a folder that exists, in any case; the first of all for none."""
    # By the spelling of an address, earlier versions made folders of their own.
    try:
        listed = [each.name for each in folders.iterdir()]
    except OSError:
        return names[0]
    found = {each.lower(): each for each in listed} | {each: each for each in listed}
    return next((found[name] for name in names if name in found), names[0])


def _suffix(api_url: str) -> str:
    return "@" + _NOT_IN_NAMES.sub("_", api_url.partition("://")[2])


def order_of_run(name: str) -> tuple[str, int]:
    """Return what runs are sorted by, given their names: the time when they began."""
    # Of runs of one second, the later have a number.
    found = _RUN.fullmatch(name)
    return ("", 0) if found is None else (found["time"], int(found["number"] or 1))


def _lock_of(run: RunFiles) -> Path:
    return run.journal.with_name(f"{run.journal.name}.lock")


def _is_taken(path: Path, held: ExitStack) -> bool:
    """Take a lock until `held` ends, and return whether nobody else has it."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  (only here)

    lock = FileLock(path, timeout=0)
    try:
        take_lock(lock)
    except (Timeout, OSError):
        return False
    held.callback(lock.release)
    return True


def _delete_folder(path: Path) -> bool:
    """Delete a folder, and before that its name, so that nobody begins anything in it meanwhile."""
    aside = path.with_name(f".{path.name}.deleted")
    # Those of a process that was killed in the middle of it are under no name that is looked for.
    for left in path.parent.glob(".*.deleted"):
        shutil.rmtree(left, ignore_errors=True)
    with suppress(OSError):
        # Windows does not rename a folder with open files.
        path = path.rename(aside)
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()
