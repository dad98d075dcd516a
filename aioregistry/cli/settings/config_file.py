"""The configuration file: profiles, each with the settings of an account."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from attrs import field, frozen

from aioregistry.cli.errors import UsageError

if TYPE_CHECKING:
    from aioregistry.cleanup.policy.documents import Place

__all__ = ["KEYS", "Config", "SettingsError", "config_path", "read_config"]

KEYS = (
    "registry",
    "api-url",
    "registry-url",
    "token",
    "token-file",
    "doctl-context",
    "read-write",
    "expiry",
)
_FLAGS = {"read-write"}


class SettingsError(UsageError):
    """A setting is invalid or missing; the text says which, and what to do."""


@frozen
class Config:
    """The content of a configuration file.

    Attributes:
        path: The file.
        profile: The default profile.
        profiles: The settings of each profile, tokens included.
    """

    path: Path
    profile: str | None = None
    profiles: Mapping[str, Mapping[str, str]] = field(factory=dict, repr=False)


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
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if required:
            raise SettingsError(f"AIOREGISTRY_CONFIG: {path}: No such file or directory") from None
        return Config(path)
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    return _Reader(path, text).config()


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        from aioregistry.cleanup.policy.documents import DocumentError, read_document

        self._path = path
        try:
            self._document = read_document(text, "config.toml")
        except DocumentError as error:
            raise SettingsError(f"{path}: {error}") from None

    def config(self) -> Config:
        said = self._document.value
        self._know(said, (), ("profile", "profiles"))
        profile = said.get("profile")
        if profile is not None and not isinstance(profile, str):
            raise self._wrong(("profile",), "must be text")
        profiles = said.get("profiles", {})
        if not isinstance(profiles, dict):
            raise self._wrong(("profiles",), "must contain tables: [profiles.NAME]")
        read = {name: self._profile(name, values) for name, values in profiles.items()}
        if profile is not None and profile not in read:
            raise self._wrong(("profile",), f"there is no [profiles.{profile}]")
        return Config(self._path, profile, read)

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
        if not isinstance(value, str) or not value:
            raise self._wrong(place, "must be text, and not empty")
        return value

    def _know(self, said: Mapping[str, object], place: "Place", keys: tuple[str, ...]) -> None:
        for key in said:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(keys)}"
                raise self._wrong((*place, key), f"unknown key; {hint}")

    def _wrong(self, place: "Place", what: str) -> SettingsError:
        line = self._document.line_of(place)
        where = f"{self._path}, line {line}" if line is not None else str(self._path)
        return SettingsError(f"{where}: {'.'.join(map(str, place))}: {what}")
