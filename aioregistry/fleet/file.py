"""The file of a fleet: its registries, and what happens to each, as TOML."""

import hashlib
import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import field, frozen

from aioregistry.api.names import check_registry
from aioregistry.cleanup.apply.caps import Caps
from aioregistry.cleanup.in_use.named import is_live
from aioregistry.cleanup.policy.documents import Document, DocumentError, Place, read_document
from aioregistry.cleanup.policy.durations import parse_duration
from aioregistry.cleanup.policy.file import Mistake, PolicyFileError, load_policy
from aioregistry.errors import InvalidNameError, NotFoundError, RegistryError
from aioregistry.files import NotTextError, read_text
from aioregistry.fleet.times import Schedule, Window, zone_of
from aioregistry.fleet.tokens import TokenSource

__all__ = ["Fleet", "FleetFileError", "FleetRegistry", "load_fleet"]

_TOKEN_KINDS = ("env", "file", "command")


class FleetFileError(RegistryError, ValueError):
    """The file of a fleet cannot be used.

    Attributes:
        mistakes: Every mistake in it, each with its line where that is known.
    """

    mistakes: tuple[Mistake, ...] = ()

    @classmethod
    def of(cls, path: Path, mistakes: list[Mistake]) -> "FleetFileError":
        """Return the error of some mistakes."""
        error = cls(f"{path}: " + "; ".join(map(str, mistakes)))
        error.mistakes = tuple(mistakes)
        return error


@frozen(kw_only=True)
class FleetRegistry:
    """One registry of a fleet.

    Attributes:
        name: The registry's name.
        token: Where the token of its account comes from.
        policy: The file of its policy.
        schedule: When its runs begin; None for only when somebody asks.
        window: When work may be done; None for always.
        in_use: What is asked for images that run: ``digitalocean``, ``kubernetes:CONTEXT``,
            ``none``, or files.
        caps: The limits on how much one run may delete.
        gc: Whether garbage is collected after deletes.
        undo_window: How long what was deleted can still be restored: so much later garbage is
            collected.
    """

    name: str
    token: TokenSource
    policy: Path
    schedule: Schedule | None = None
    window: Window | None = None
    in_use: tuple[str, ...] = ()
    caps: Caps = field(factory=Caps)
    gc: bool = True
    undo_window: timedelta = timedelta()

    def due(self, now: datetime) -> str | None:
        """Return the `Run.id` of the run that is due by the schedule; None where none is."""
        due = None if self.schedule is None else self.schedule.due(now)
        return None if due is None else f"{due:%Y%m%dT%H%M%SZ}"


@frozen
class Fleet:
    """The registries of a fleet.

    Attributes:
        registries: The registries, by name.
        server: The address of the server that its workers share; None for none.
    """

    registries: Mapping[str, FleetRegistry]
    server: str | None = None

    def fingerprint(self) -> str:
        """Return the same for fleets of the same registries, schedules and windows."""
        seen = sorted(
            (one.name, str(one.schedule), str(one.window)) for one in self.registries.values()
        )
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]

    def check_keep(self, keep: timedelta) -> None:
        """Check that what was deleted is kept for as long as it can be restored.

        Args:
            keep: For how long archives are kept.

        Raises:
            ValueError: An undo window is longer.
        """
        for each in self.registries.values():
            if each.gc and each.undo_window > keep:
                raise ValueError(
                    f"what is deleted would be kept for {keep}, and can be restored for"
                    f" {each.undo_window}, the undo-window of {each.name}"
                )

    def check_names(self, names: Iterable[str]) -> list[str]:
        """Return names of registries, if the fleet has all of them.

        Raises:
            NotFoundError: It lacks one.
        """
        found = list(names)
        for name in found:
            if name not in self.registries:
                raise NotFoundError(f"the fleet has no registry {name!r}")
        return found


def load_fleet(path: Path) -> Fleet:
    """Return the fleet of a file; every policy in it is read, too.

    Args:
        path: The file; its name ends in .toml.

    Raises:
        FleetFileError: It has mistakes; all of them are told.
        OSError: It cannot be read.
    """
    try:
        document = read_document(read_text(path), path.name)
    except NotTextError as error:
        raise FleetFileError(str(error)) from None
    except DocumentError as error:
        raise FleetFileError(f"{path}: {error}") from None
    reader = _Reader(path, document)
    fleet = reader.fleet()
    if reader.mistakes:
        raise FleetFileError.of(path, reader.mistakes)
    return fleet


class _Reader:
    """Reads a document, and collects its mistakes."""

    def __init__(self, path: Path, document: Document) -> None:
        self.mistakes: list[Mistake] = []
        self._path = path
        self._document = document
        self._policies: dict[Path, str] = {}

    def fleet(self) -> Fleet:
        found = self._table(self._document.value, (), ("server", "defaults", "registries"))
        server = self._text(found, "server", ())
        defaults = self._table(
            found.get("defaults", {}), ("defaults",), tuple(_KEYS.keys() - {"name"})
        )
        listed = found.get("registries", [])
        if not isinstance(listed, list) or not listed:
            self._complain(("registries",), "no registry: each is a table [[registries]]")
            listed = []
        registries: dict[str, FleetRegistry] = {}
        for nth, each in enumerate(listed):
            place: Place = ("registries", nth)
            registry = self._registry(each, place, defaults)
            if registry is None:
                continue
            if registry.name in registries:
                self._complain((*place, "name"), f"{registry.name!r} appears twice")
            registries[registry.name] = registry
        return Fleet(registries, server)

    def _registry(
        self, value: Any, place: Place, defaults: Mapping[str, Any]
    ) -> FleetRegistry | None:
        own = self._table(value, place, tuple(_KEYS))
        before = len(self.mistakes)
        for key in ("name", "token", "policy"):
            if key not in own and key not in defaults:
                self._complain(place, f"{key} is missing")
        read: dict[str, Any] = {}
        for key, parse in _KEYS.items():
            where: Place = (*place, key) if key in own else ("defaults", key)
            given = own.get(key, defaults.get(key))
            if given is not None:
                try:
                    read[key] = parse(given)
                except (ValueError, InvalidNameError) as error:
                    self._complain(where, str(error))
        if "token" in read:
            read["token"] = self._token(read["token"])
        if "policy" in read:
            where = (*place, "policy") if "policy" in own else ("defaults", "policy")
            read["policy"] = self._policy(read["policy"], where)
        times = self._times(read, own, place)
        if len(self.mistakes) > before:
            return None
        return FleetRegistry(
            name=read["name"],
            token=read["token"],
            policy=read["policy"],
            in_use=tuple(map(self._source, read.get("in-use", ()))),
            caps=Caps(max_deletes=read.get("max-deletes"), max_fraction=read.get("max-fraction")),
            gc=read.get("gc", True),
            undo_window=read.get("undo-window", timedelta()),
            **times,
        )

    def _times(
        self, read: Mapping[str, Any], own: Mapping[str, Any], place: Place
    ) -> dict[str, Any]:
        zone = read.get("time-zone", zone_of("UTC"))
        made: dict[str, Any] = {}
        makers: dict[str, Callable[..., Any]] = {"schedule": Schedule, "window": Window.parse}
        for key, make in makers.items():
            if key in read:
                try:
                    made[key] = make(read[key], zone)
                except ValueError as error:
                    self._complain((*place, key) if key in own else ("defaults", key), str(error))
        return made

    def _policy(self, text: str, place: Place) -> Path:
        path = self._path.parent / Path(text).expanduser()
        if path not in self._policies:
            self._policies[path] = ""
            try:
                load_policy(path)
            except (PolicyFileError, ModuleNotFoundError) as error:
                self._policies[path] = str(error)
            except OSError as error:
                self._policies[path] = f"{path}: {error.strerror}"
            if problem := self._policies[path]:
                self._complain(place, problem)
        return path

    def _token(self, token: TokenSource) -> TokenSource:
        """Return where a token comes from; a file is found beside the fleet's."""
        if token.kind != "file":
            return token
        return TokenSource("file", str(self._path.parent / Path(token.value).expanduser()))

    def _source(self, text: str) -> str:
        """Return a source of images in use; a file is found beside the fleet's."""
        if text == "none" or is_live(text):
            return text
        return str(self._path.parent / Path(text).expanduser())

    def _table(self, value: Any, place: Place, known: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._complain(place, f"must be a table, not {value!r}")
            return {}
        for key in value:
            if key not in known:
                near = get_close_matches(key, known, 1)
                more = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
                self._complain((*place, key), f"unknown key{more}")
        return value

    def _text(self, table: Mapping[str, Any], key: str, place: Place) -> str | None:
        if key not in table:
            return None
        try:
            return _text(table[key])
        except ValueError as error:
            self._complain((*place, key), str(error))
            return None

    def _complain(self, place: Place, problem: str) -> None:
        name = ""
        for part in place:
            name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else part
        mistake = Mistake(self._document.line_of(place), name or "the file", problem)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be a text, not {value!r}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")  # noqa: TRY004, as all others
    return value


def _token(value: Any) -> TokenSource:
    if isinstance(value, str):
        # It may be the token itself.
        raise ValueError('a token is not written into this file: { env = "ACME_TOKEN" }')  # noqa: TRY004
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _TOKEN_KINDS:
        raise ValueError('write { env = "NAME" }, { file = "PATH" } or { command = "PROGRAM …" }')
    ((kind, text),) = value.items()
    text = _text(text)
    if kind == "command":
        try:
            shlex.split(text)
        except ValueError as error:
            raise ValueError(f"not a command line: {error}") from None
    return TokenSource(kind, text)


def _sources(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise ValueError(f"must be a list such as ['digitalocean'], or ['none'], not {value!r}")
    texts = tuple(map(_text, given))
    if "none" in texts and len(texts) > 1:
        raise ValueError("'none' and other sources exclude each other")
    return texts


def _most(value: Any) -> int | None:
    return Caps(max_deletes=value).max_deletes


def _fraction(value: Any) -> float | None:
    return Caps(max_fraction=value).max_fraction


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda value: check_registry(_text(value)),
    "token": _token,
    "policy": _text,
    "schedule": _text,
    "time-zone": lambda value: zone_of(_text(value)),
    "window": _text,
    "in-use": _sources,
    "max-deletes": _most,
    "max-fraction": _fraction,
    "gc": _flag,
    "undo-window": lambda value: parse_duration(_text(value)),
}
