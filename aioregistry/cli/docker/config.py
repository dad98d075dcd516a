"""Docker's configuration file: whose credentials are where. All else in it stays as it is."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from aioregistry.api.models import DockerCredentials
from aioregistry.cli.settings.config_file import SettingsError

__all__ = [
    "OWN_HELPER",
    "DockerConfig",
    "DockerConfigError",
    "docker_config_path",
    "for_helper",
    "run_helper",
]

OWN_HELPER = "aioregistry"
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HELPER_SECONDS = 30
_OWNER_ONLY = 0o600


class DockerConfigError(SettingsError):
    """Docker's configuration, or a credential helper, is not to be used; the text says why."""


def docker_config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where Docker's configuration is: below ``DOCKER_CONFIG``, or ``~/.docker``."""
    folder = environment.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


@frozen
class DockerConfig:
    """What Docker's configuration says.

    Attributes:
        document: All of it; credentials are among it.
    """

    document: Mapping[str, Any] = field(factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path) -> "DockerConfig":
        """Return what a file says; one that is not there says nothing.

        Raises:
            DockerConfigError: It is no configuration of Docker's.
            OSError: It cannot be read.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8") or "{}")
        except FileNotFoundError:
            return cls()
        except (ValueError, RecursionError) as error:
            raise DockerConfigError(f"{path} is no configuration of Docker's: {error}") from None
        known = ("auths", "credHelpers")
        if not isinstance(document, dict) or not all(
            isinstance(document.get(key) or {}, dict) for key in known
        ):
            raise DockerConfigError(f"{path} is no configuration of Docker's: not an object")
        return cls(document)

    def helper_for(self, host: str) -> str | None:
        """Return the credential helper that Docker asks for a host; None where it asks none."""
        helpers = self.document.get("credHelpers") or {}
        name = helpers.get(host) or self.document.get("credsStore") or None
        if name is not None and not (isinstance(name, str) and _HELPER_NAME.fullmatch(name)):
            raise DockerConfigError(f"Docker's credential helper has no usable name: {name!r}")
        return name

    def with_auth(self, host: str, auth: Mapping[str, Any]) -> "DockerConfig":
        """Return the same with credentials for a host; empty ones tell that a helper has them."""
        return DockerConfig(_with(self.document, "auths", {host: dict(auth)}))

    def with_helper(self, host: str, name: str) -> "DockerConfig":
        """Return the same with a credential helper for a host."""
        left = self.without_auth(host).document
        return DockerConfig(_with(left, "credHelpers", {host: name}))

    def without_auth(self, host: str) -> "DockerConfig":
        """Return the same without credentials for a host."""
        return self._without("auths", host)

    def without_helper(self, host: str) -> "DockerConfig":
        """Return the same without a credential helper for a host."""
        return self._without("credHelpers", host)

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all, for its owner's eyes alone.

        Raises:
            DockerConfigError: It is too deep to be written.
            OSError: It cannot be written.
        """
        # Where the file is a link, the link stays.
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self.document, file, indent="\t")
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(_OWNER_ONLY)
            Path(name).replace(path)
        except BaseException as error:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            if isinstance(error, RecursionError):
                raise DockerConfigError(f"{path} cannot be written: it is too deep") from None
            raise

    def _without(self, key: str, host: str) -> "DockerConfig":
        before = self.document.get(key) or {}
        left = {name: value for name, value in before.items() if name != host}
        others = {name: value for name, value in self.document.items() if name != key}
        return DockerConfig({**others, key: left} if left else others)


def _with(document: Mapping[str, Any], key: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, key: {**(document.get(key) or {}), **entries}}


def run_helper(name: str, action: str, stdin: str) -> str:
    """Run a credential helper of Docker's, and return what it prints.

    Args:
        name: The helper, without ``docker-credential-``.
        action: ``store`` or ``erase``.
        stdin: What it is given.

    Raises:
        DockerConfigError: It is missing, refuses, or takes too long.
    """
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(  # noqa: S603, Docker runs the same program
            [program, action],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise DockerConfigError(
            f"Docker's configuration names the credential helper {program}, which is not there"
        ) from None
    except subprocess.TimeoutExpired:
        raise DockerConfigError(f"{program} has not answered in {_HELPER_SECONDS} s") from None
    if done.returncode:
        said = (done.stdout or done.stderr).strip().splitlines()
        raise DockerConfigError(f"{program} {action} failed: {said[0][:200] if said else ''}")
    return done.stdout


def for_helper(credentials: DockerCredentials) -> str:
    """Return credentials as a credential helper takes and gives them."""
    return json.dumps(
        {
            "ServerURL": credentials.host,
            "Username": credentials.username,
            "Secret": credentials.password,
        }
    )
