"""The configuration file: profiles, each with the settings of an account."""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from attrs import field, frozen

from aioregistry.cli.errors import UsageError
from aioregistry.files import NotTextError, read_text

if TYPE_CHECKING:
    from aioregistry.cleanup.policy.documents import Document, Place

__all__ = [
    "KEYS",
    "Config",
    "SettingsError",
    "check_kind",
    "config_path",
    "parse_config",
    "read_config",
    "with_setting",
]

KEYS = (
    "registry",
    "api-url",
    "registry-url",
    "token",
    "token-file",
    "doctl-context",
    "read-write",
    "expiry",
    "headroom",
    "rate-limit",
    "redis",
    "keep",
    "notify",
)
_FLAGS = {"read-write"}
_NUMBERS = {"headroom", "keep"}
_SHORT_CHARACTERS = 4096
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class SettingsError(UsageError):
    """A setting is invalid or missing; the text says which, and what to do."""


@frozen
class Config:
    """The content of a configuration file.

    Attributes:
        path: The file.
        profile: The default profile.
        profiles: The settings of each valid profile, tokens included.
        invalid: The error of each invalid profile.
    """

    path: Path
    profile: str | None = None
    profiles: Mapping[str, Mapping[str, str]] = field(factory=dict, repr=False)
    invalid: Mapping[str, SettingsError] = field(factory=dict, repr=False)


def config_path(environment: Mapping[str, str]) -> Path:
    """Return the configuration file's path: ``AIOREGISTRY_CONFIG``, or the platform's folder."""
    given = environment.get("AIOREGISTRY_CONFIG")
    if given:
        return Path(given).expanduser()
    return platformdirs.user_config_path("aioregistry", appauthor=False) / "config.toml"


def read_config(path: Path, *, required: bool = False) -> Config:
    """Read a configuration file; one that does not exist is empty.

    Args:
        path: The file.
        required: Whether the file must exist.

    Raises:
        SettingsError: The file is invalid, cannot be read, or is required and does not exist.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        if required:
            raise SettingsError(f"AIOREGISTRY_CONFIG: {path}: No such file or directory") from None
        return Config(path)
    except NotTextError as error:
        raise SettingsError(str(error)) from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    return parse_config(path, text)


def parse_config(path: Path, text: str) -> Config:
    """Return the content of a configuration file whose text is known.

    Raises:
        SettingsError: The text is invalid outside of profiles.
    """
    return _Reader(path, text).config()


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text

    def config(self) -> Config:
        document = self._value_of_all()
        self._know(document, (), ("profile", "profiles"))
        profile = document.get("profile")
        if profile is not None and not isinstance(profile, str):
            raise self._wrong(("profile",), "must be text")
        profiles = document.get("profiles", {})
        if not isinstance(profiles, dict):
            raise self._wrong(("profiles",), "must contain tables: [profiles.NAME]")
        read: dict[str, dict[str, str]] = {}
        invalid: dict[str, SettingsError] = {}
        for name, values in profiles.items():
            try:
                read[name] = self._profile(name, values)
            except SettingsError as error:
                # A mistake in one profile must not stop work with another.
                invalid[name] = error
        if profile is not None and profile not in profiles:
            raise self._wrong(("profile",), f"there is no [profiles.{profile}]")
        return Config(self._path, profile, read, invalid)

    def _value_of_all(self) -> dict[str, Any]:
        if len(self._text) <= _SHORT_CHARACTERS:
            # Loading what finds the lines of mistakes takes longer than most commands.
            with suppress(ValueError, RecursionError):
                return tomllib.loads(self._text)
        value: dict[str, Any] = self._document().value
        return value

    def _document(self) -> "Document":
        from aioregistry.cleanup.policy.documents import DocumentError, read_document

        try:
            return read_document(self._text, "config.toml")
        except DocumentError as error:
            raise SettingsError(f"{self._path}: {error}") from None

    def _profile(self, name: str, values: object) -> dict[str, str]:
        place = ("profiles", name)
        if not isinstance(values, dict):
            raise self._wrong(place, f"must be a table: [profiles.{name}]")
        self._know(values, place, KEYS)
        return {key: self._value((*place, key), value) for key, value in values.items()}

    def _value(self, place: "Place", value: object) -> str:
        if place[-1] in _FLAGS:
            if not isinstance(value, bool):
                raise self._wrong(place, "must be true or false")
            return str(value).lower()
        if place[-1] in _NUMBERS:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._wrong(place, "must be a number")
            return str(value)
        if not isinstance(value, str) or not value:
            raise self._wrong(place, "must be text, and not empty")
        return value

    def _know(self, document: Mapping[str, object], place: "Place", keys: tuple[str, ...]) -> None:
        for key in document:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(keys)}"
                raise self._wrong((*place, key), f"unknown key; {hint}")

    def _wrong(self, place: "Place", what: str) -> SettingsError:
        line = self._document().line_of(place)
        where = f"{self._path}, line {line}" if line is not None else str(self._path)
        return SettingsError(f"{where}: {'.'.join(map(str, place))}: {what}")


def check_kind(key: str, value: str) -> None:
    """Check that a value is of the kind that a setting has.

    Raises:
        SettingsError: It is not.
    """
    if key in _FLAGS and value not in {"true", "false"}:
        raise SettingsError(f"{key} must be true or false, not {value!r}")
    if key in _NUMBERS and not _NUMBER.fullmatch(value):
        raise SettingsError(f"{key} must be a number, not {value!r}")


def with_setting(text: str, profile: str, key: str, value: str) -> str:
    """Return the text of a configuration file with one setting changed, all else kept.

    Args:
        text: The text before.
        profile: The profile; it is added where it does not exist.
        key: The setting.
        value: Its value.
    """
    written = value if key in _FLAGS | _NUMBERS else json.dumps(value, ensure_ascii=False)
    line = f"{key} = {written}"
    name = profile if _BARE_KEY.fullmatch(profile) else json.dumps(profile, ensure_ascii=False)
    header = re.compile(
        rf"""\s*\[\s*profiles\s*\.\s*(?:{re.escape(name)}|"{re.escape(profile)}")\s*\]\s*(?:#.*)?"""
    )
    lines = text.splitlines()
    begin = next((n for n, each in enumerate(lines) if header.fullmatch(each)), None)
    if begin is None:
        lines += [*([""] if lines else []), f"[profiles.{name}]", line]
        return "\n".join(lines) + "\n"
    end = next(
        (n for n, each in enumerate(lines) if n > begin and each.lstrip().startswith("[")),
        len(lines),
    )
    for number in range(begin + 1, end):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            lines[number] = line
            break
    else:
        lines.insert(begin + 1, line)
    return "\n".join(lines) + "\n"
