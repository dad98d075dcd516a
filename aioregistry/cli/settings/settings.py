"""Settings; precedence: flags, environment, configuration file, defaults."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from attrs import field, frozen

from aioregistry.api.names import check_registry
from aioregistry.cli.options import Access
from aioregistry.cli.settings.config_file import Config, SettingsError, config_path, read_config
from aioregistry.cli.settings.doctl import doctl_path, doctl_token
from aioregistry.cli.settings.values import Setting, scale_of, url_of, whole_seconds
from aioregistry.errors import InvalidNameError
from aioregistry.session.origins import (
    API_URL,
    REGISTRY_HOST,
    TOKEN_VARIABLES,
    canonical_origin,
    is_vendors,
)

if TYPE_CHECKING:
    from aioregistry.ratelimit.limits import RateLimit

__all__ = ["Setting", "Settings", "SettingsError", "whole_seconds"]

_NONE_FOUND = (
    "no API token: set DIGITALOCEAN_TOKEN, use --token-file FILE, add token-file to a profile"
    " ('aioregistry config set token-file FILE'), or log in with 'doctl auth init'"
)
_READ_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
_MAX_TOKEN_CHARACTERS = 4096
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@frozen
class Settings:
    """The settings for one run of a command.

    Attributes:
        config: The configuration file's content.
        profile: The profile in use; None without one.
    """

    config: Config
    profile: Setting | None
    _flags: Mapping[str, str]
    _environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def load(cls, access: Access, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the configuration file, and choose the profile.

        Raises:
            SettingsError: The file is invalid, or there is no such profile.
        """
        required = bool(environment.get("AIOREGISTRY_CONFIG"))
        config = read_config(config_path(environment), required=required)
        flags = {
            "profile": access.profile,
            "token-file": None if access.token_file is None else str(access.token_file),
            "api-url": access.api_url,
            "headroom": None if access.headroom is None else str(access.headroom),
            "rate-limit": access.rate_limit,
            "redis": access.redis,
        }
        given = {key: value for key, value in flags.items() if value is not None}
        return cls(config, _profile(config, given, environment), given, environment)

    def get(self, key: str) -> Setting | None:
        """Return a setting; None where it is not set."""
        return next(self._said(key), None)

    def check(self, key: str) -> None:
        """Check the value of a setting.

        Raises:
            SettingsError: It is invalid.
        """
        checked = {
            "registry": "registry",
            "api-url": "api_url",
            "registry-url": "registry_url",
            "read-write": "read_write",
            "expiry": "expiry",
            "headroom": "rate_limit",
            "rate-limit": "rate_limit",
            "keep": "keep",
        }
        if key in checked:
            getattr(self, checked[key])

    @property
    def api_url(self) -> str:
        """Address of the API, in the one spelling by which it is compared."""
        setting = self.get("api-url")
        return API_URL if setting is None else canonical_origin(url_of("api-url", setting))

    @property
    def registry(self) -> str | None:
        """The registry for commands that name none."""
        setting = self.get("registry")
        if setting is None:
            return None
        try:
            return check_registry(setting.value)
        except InvalidNameError as error:
            raise SettingsError(f"{setting.source}: {error}") from None

    @property
    def registry_url(self) -> str | None:
        """Address of the registry itself."""
        setting = self.get("registry-url")
        return None if setting is None else url_of("registry-url", setting)

    def check_origins(self, registry_url: str | None = None, *, needed: bool = True) -> None:
        """Check that API and registry belong together: one makes credentials for the other.

        Args:
            registry_url: The registry's address; None means the configured one.
            needed: Whether the registry is used: then a foreign API needs its address.

        Raises:
            SettingsError: One of them is the vendor's and the other is not, or has no address.
        """
        url = self.registry_url if registry_url is None else registry_url
        if url is None:
            if needed and self.api_url != API_URL:
                raise SettingsError(
                    f"no registry address for the API at {self.api_url}: set"
                    " AIOREGISTRY_REGISTRY_URL, or use --registry-url URL where a command has it."
                    " A sandbox has the same address for both"
                )
        elif (self.api_url == API_URL) != is_vendors(urlsplit(url).hostname or ""):
            raise SettingsError(
                f"the API is at {self.api_url} and the registry at {url}: the credentials of one"
                " would be sent to the other. Set both api-url and registry-url, or neither"
            )

    def contents_url(self, flag: str | None) -> str | None:
        """Return the address that manifests are read from; None for the host in the credentials.

        Args:
            flag: The value of ``--registry-url``.

        Raises:
            SettingsError: API and registry do not belong together.
        """
        url = self.registry_url
        if flag is not None:
            url = url_of("registry-url", Setting(flag, "--registry-url"))
        self.check_origins(url)
        return url

    @property
    def registry_host(self) -> str:
        """The registry's host in Docker's configuration."""
        url = self.registry_url
        return REGISTRY_HOST if url is None else urlsplit(url).netloc

    def is_registry_host(self, host: str) -> bool:
        """Return whether a host is the registry's, or that of one of its regions."""
        own = self.registry_host
        return host == own or (is_vendors(own) and is_vendors(host))

    @property
    def read_write(self) -> bool:
        """Whether credentials allow pushes."""
        setting = self.get("read-write")
        if setting is None or setting.value.lower() in _FALSE:
            return False
        if setting.value.lower() in _TRUE:
            return True
        raise SettingsError(f"{setting.source}: must be true or false, not {setting.value!r}")

    @property
    def expiry(self) -> int | None:
        """Lifetime of credentials in seconds; None where it is not set."""
        setting = self.get("expiry")
        if setting is None:
            return None
        try:
            return whole_seconds(setting.value)
        except ValueError as error:
            raise SettingsError(f"{setting.source}: {error}") from None

    @property
    def rate_limit(self) -> "RateLimit | None":
        """The quota to use; None for no limit."""
        from aioregistry.ratelimit.limits import RateLimit

        limit = RateLimit()
        share = self.get("headroom")
        if share is not None:
            try:
                limit = RateLimit(headroom=float(share.value))
            except ValueError:
                raise SettingsError(
                    f"{share.source}: headroom must be a number of at least 0 and less than 1,"
                    f" not {share.value!r}"
                ) from None
        chosen = self.get("rate-limit")
        scale = 1.0 if chosen is None else scale_of(chosen)
        return limit.scaled(scale) if scale else None

    @property
    def keep(self) -> int:
        """How many runs of clean-ups are kept of each registry."""
        from aioregistry.cleanup.state_folder import RUNS_KEPT

        setting = self.get("keep")
        if setting is None:
            return RUNS_KEPT
        if not setting.value.isdecimal() or not int(setting.value):
            raise SettingsError(
                f"{setting.source}: keep must be a whole number from 1, not {setting.value!r}"
            )
        return int(setting.value)

    @property
    def redis(self) -> Setting | None:
        """URL of the Redis in which programs share the quota."""
        return self.get("redis")

    @property
    def token(self) -> Setting:
        """The API token.

        Raises:
            SettingsError: There is none, or its file has none.
        """
        found = next(self._tokens(), None)
        if found is None:
            raise SettingsError(_NONE_FOUND)
        return found

    def check_token(self) -> None:
        """Check that there is a token; of one in a pipe, which is read once alone, nothing is read.

        Raises:
            SettingsError: There is none, or its file has none.
        """
        places = (self._flags, self._chosen)
        files = [self._environment.get("AIOREGISTRY_TOKEN_FILE")]
        files += [place.get("token-file") for place in places]
        if not any(file and _is_read_once(Path(file).expanduser()) for file in files):
            _ = self.token

    @property
    def _chosen(self) -> Mapping[str, str]:
        return {} if self.profile is None else self.config.profiles[self.profile.value]

    @property
    def _profile_source(self) -> str:
        name = "" if self.profile is None else self.profile.value
        return f"profile {name!r} in {self.config.path}"

    @property
    def _profile_goes_first(self) -> bool:
        # A profile on the command line is a flag: the token of another account in the environment
        # must not override it.
        return "profile" in self._flags

    def _said(self, key: str) -> Iterator[Setting]:
        """Yield the values of a key, in the order of precedence."""
        if key in self._flags:
            yield Setting(self._flags[key], f"--{key}")
        variable = f"AIOREGISTRY_{key.upper().replace('-', '_')}"
        found = {}
        if self._environment.get(variable):
            found[variable] = Setting(self._environment[variable], variable)
        if self.profile is not None and key in self._chosen:
            found["profile"] = Setting(self._chosen[key], self._profile_source)
        yield from reversed(found.values()) if self._profile_goes_first else found.values()

    def _tokens(self) -> Iterator[Setting]:
        if "token-file" in self._flags:
            yield _from_file(self._flags["token-file"], "--token-file")
        places: list[Callable[[], Iterator[Setting]]] = [self._of_environment, self._of_profile]
        for place in reversed(places) if self._profile_goes_first else places:
            yield from place()
        current = doctl_token(doctl_path(), None)
        if current is not None:
            source = f"context {current[1]!r} of {doctl_path()}"
            yield Setting(current[0], source, _exposed(doctl_path()))

    def _of_environment(self) -> Iterator[Setting]:
        for name in TOKEN_VARIABLES:
            if self._environment.get(name, "").strip():
                yield Setting(self._environment[name].strip(), name)
        if path := self._environment.get("AIOREGISTRY_TOKEN_FILE"):
            yield _from_file(path, "AIOREGISTRY_TOKEN_FILE")
        if context := self._environment.get("AIOREGISTRY_DOCTL_CONTEXT"):
            yield _from_doctl(context, "AIOREGISTRY_DOCTL_CONTEXT")

    def _of_profile(self) -> Iterator[Setting]:
        if self.profile is None:
            return
        source = self._profile_source
        if "token" in self._chosen:
            yield Setting(self._chosen["token"], source, _exposed(self.config.path))
        if "token-file" in self._chosen:
            yield _from_file(self._chosen["token-file"], source)
        if "doctl-context" in self._chosen:
            yield _from_doctl(self._chosen["doctl-context"], source)


def _profile(
    config: Config, flags: Mapping[str, str], environment: Mapping[str, str]
) -> Setting | None:
    if "profile" in flags:
        chosen = Setting(flags["profile"], "--profile")
    elif environment.get("AIOREGISTRY_PROFILE"):
        chosen = Setting(environment["AIOREGISTRY_PROFILE"], "AIOREGISTRY_PROFILE")
    elif config.profile is not None:
        chosen = Setting(config.profile, str(config.path))
    elif "default" in {*config.profiles, *config.invalid}:
        chosen = Setting("default", str(config.path))
    else:
        return None
    if chosen.value in config.invalid:
        raise config.invalid[chosen.value]
    if chosen.value not in config.profiles:
        known = ", ".join(config.profiles) or "none"
        raise SettingsError(
            f"{chosen.source}: no profile {chosen.value!r} in {config.path}; profiles: {known}"
        )
    return chosen


def _from_file(path: str, source: str) -> Setting:
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig") as file:
            token = file.read(_MAX_TOKEN_CHARACTERS).strip()
    except OSError as error:
        raise SettingsError(f"{source}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        token = ""
    if not token or len(token.split()) != 1:
        raise SettingsError(f"{source}: {path} must contain a token and nothing else")
    source = f"{source}, {path}" if source.startswith("--") else source
    return Setting(token, source, _exposed(Path(path).expanduser()))


def _is_read_once(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _from_doctl(context: str, source: str) -> Setting:
    found = doctl_token(doctl_path(), context)
    if found is None:  # pragma: no cover, a named context exists or is an error
        raise SettingsError(f"{source}: doctl has no context {context!r}")
    return Setting(found[0], f"{source}, doctl's context {context!r}", _exposed(doctl_path()))


def _exposed(path: Path) -> str:
    """Return a warning if other users can read a file with a token; empty if they cannot."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    # Elsewhere the mode says nothing about who can read a file; nor does that of a pipe.
    if os.name != "posix" or not stat.S_ISREG(mode) or not mode & _READ_BY_OTHERS:
        return ""
    return f"{path} has an API token, and other users of this machine can read it: chmod 600 {path}"
