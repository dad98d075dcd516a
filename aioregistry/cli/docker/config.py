"""Docker's configuration file: the credentials of each host. Everything else in it is kept."""

import base64
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from aioregistry.cli.errors import UsageError
from aioregistry.files import write_file

if TYPE_CHECKING:
    from aioregistry.api.models import DockerCredentials

__all__ = [
    "NOT_FOUND",
    "OWN_HELPER",
    "CredentialsNotFoundError",
    "DockerConfig",
    "DockerConfigError",
    "docker_config_path",
    "for_helper",
    "run_helper",
]

OWN_HELPER = "aioregistry"
# By this text a helper says that it has no credentials for a host: Docker goes on without any.
NOT_FOUND = "credentials not found in native keychain"
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HELPER_SECONDS = 30
_OWNER_ONLY = 0o600


class DockerConfigError(UsageError):
    """Docker's configuration or a credential helper cannot be used; the text says why."""


class CredentialsNotFoundError(DockerConfigError):
    """A credential helper has no credentials for a host."""


def docker_config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where Docker's configuration is: below ``DOCKER_CONFIG``, or ``~/.docker``."""
    folder = environment.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


@frozen
class DockerConfig:
    """Docker's configuration.

    Attributes:
        document: All of it, credentials included.
    """

    document: Mapping[str, Any] = field(factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path) -> "DockerConfig":
        """Read a file; one that does not exist is an empty configuration.

        Raises:
            DockerConfigError: It is no Docker configuration.
            OSError: It cannot be read.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8") or "{}")
        except FileNotFoundError:
            return cls()
        except (ValueError, RecursionError) as error:
            raise DockerConfigError(f"{path} is no Docker configuration: {error}") from None
        known = ("auths", "credHelpers")
        if not isinstance(document, dict) or not all(
            isinstance(document.get(key) or {}, dict) for key in known
        ):
            raise DockerConfigError(f"{path} is no Docker configuration: not an object")
        return cls(document)

    def helper_for(self, host: str) -> str | None:
        """Return the credential helper or store that Docker uses for a host, or None."""
        helpers = self.document.get("credHelpers") or {}
        name = helpers.get(host) or self.document.get("credsStore") or None
        if name is not None and not (isinstance(name, str) and _HELPER_NAME.fullmatch(name)):
            raise DockerConfigError(f"Docker's credential helper has an invalid name: {name!r}")
        return name

    def with_auth(self, host: str, auth: Mapping[str, Any]) -> "DockerConfig":
        """Return a copy with credentials for a host; empty ones mean that a helper has them."""
        return DockerConfig(_with(self.document, "auths", {host: dict(auth)}))

    def with_helper(self, host: str, name: str) -> "DockerConfig":
        """Return a copy with a credential helper for a host."""
        left = self.without_auth(host).document
        return DockerConfig(_with(left, "credHelpers", {host: name}))

    def without_auth(self, host: str) -> "DockerConfig":
        """Return a copy without credentials for a host, in the spellings that Docker removes."""
        left = self
        for spelling in _spellings(host):
            left = left._without("auths", spelling)
        return left

    def further_keys(self, host: str) -> list[str]:
        """Return the keys of credentials that name a host with a path: tools may use them."""
        return [
            key
            for key in self.document.get("auths") or {}
            if key.partition("://")[2].startswith(f"{host}/") or key.startswith(f"{host}/")
        ]

    def passwords(self, host: str) -> list[str]:
        """Return the passwords in the file for a host, in the spellings that Docker removes."""
        entries = self.document.get("auths") or {}
        found = (_password(entries.get(each)) for each in _spellings(host))
        return [each for each in found if each]

    def without_helper(self, host: str) -> "DockerConfig":
        """Return a copy without a credential helper for a host."""
        return self._without("credHelpers", host)

    def save(self, path: Path) -> None:
        """Write it to a file that only its owner can read, whole or not at all.

        Raises:
            DockerConfigError: It is nested too deeply.
            OSError: It cannot be written.
        """
        try:
            text = json.dumps(self.document, indent="\t") + "\n"
        except RecursionError:
            raise DockerConfigError(f"{path} cannot be written: it is nested too deeply") from None
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(path, text, mode=_OWNER_ONLY)

    def _without(self, key: str, host: str) -> "DockerConfig":
        before = self.document.get(key) or {}
        left = {name: value for name, value in before.items() if name != host}
        others = {name: value for name, value in self.document.items() if name != key}
        return DockerConfig({**others, key: left} if left else others)


def _spellings(host: str) -> tuple[str, ...]:
    return host, f"https://{host}", f"http://{host}"


def _password(entry: object) -> str:
    """Return the password of an entry; empty where it has none that can be read."""
    auth = entry.get("auth") if isinstance(entry, dict) else None
    try:
        pair = base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except ValueError:
        return ""
    return pair.partition(":")[2].rstrip("\n")


def _with(document: Mapping[str, Any], key: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, key: {**(document.get(key) or {}), **entries}}


def run_helper(name: str, action: str, stdin: str) -> str:
    """Run a Docker credential helper, and return its output.

    Args:
        name: The helper, without ``docker-credential-``.
        action: ``store``, ``get`` or ``erase``.
        stdin: Its input.

    Raises:
        CredentialsNotFoundError: It has no credentials for what it was asked about.
        DockerConfigError: It cannot be run, refuses, or takes too long.
    """
    import subprocess

    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(  # noqa: S603, Docker runs the same program
            [program, action],
            input=stdin,
            capture_output=True,
            # One of Windows answers in the encoding of its language.
            encoding="utf-8",
            errors="replace",
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except OSError as error:
        found = shutil.which(program) is not None
        why = f"cannot be run: {error.strerror}" if found else "is not installed"
        raise DockerConfigError(
            f"Docker's configuration names the credential helper {program}, which {why}"
        ) from None
    except subprocess.TimeoutExpired:
        raise DockerConfigError(f"{program} did not answer within {_HELPER_SECONDS} s") from None
    if done.returncode:
        said = (done.stdout or done.stderr).strip().splitlines()
        kind = CredentialsNotFoundError if said == [NOT_FOUND] else DockerConfigError
        raise kind(f"{program} {action} failed: {said[0][:200] if said else ''}")
    return done.stdout


def for_helper(credentials: "DockerCredentials") -> str:
    """Return credentials in the format of credential helpers."""
    return json.dumps(
        {
            "ServerURL": credentials.host,
            "Username": credentials.username,
            "Secret": credentials.password,
        }
    )
