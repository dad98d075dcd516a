"""Where Docker keeps the credentials of a host: in its configuration, or with a helper."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from aioregistry.cli.docker.config import (
    OWN_HELPER,
    CredentialsNotFoundError,
    DockerConfig,
    DockerConfigError,
    for_helper,
    run_helper,
)

if TYPE_CHECKING:
    from aioregistry.api.models import DockerCredentials

__all__ = ["Store", "files_that_go_first"]


@frozen
class Store:
    """The credentials of a host, wherever a Docker configuration has them.

    Attributes:
        path: The configuration's file.
        config: Its content.
        host: The host.
        helper: The credential helper or store that the configuration names for it; None for none.
    """

    path: Path
    config: DockerConfig
    host: str
    helper: str | None

    @classmethod
    def open(cls, path: Path, host: str) -> "Store":
        """Read a configuration.

        Raises:
            DockerConfigError: It is invalid, or names a helper that is not installed.
            OSError: It cannot be read.
        """
        config = DockerConfig.load(path)
        helper = config.helper_for(host)
        if helper not in {None, OWN_HELPER} and shutil.which(f"docker-credential-{helper}") is None:
            raise DockerConfigError(
                f"Docker's configuration names the credential helper docker-credential-{helper},"
                " which is not installed"
            )
        return cls(path, config, host, helper)

    def passwords(self) -> list[str]:
        """Return the passwords that are stored, but for those of our own helper."""
        found = self.config.passwords(self.host)
        if self.helper not in {None, OWN_HELPER}:
            try:
                kept = json.loads(run_helper(self.helper or "", "get", self.host))
                found.append(str(kept["Secret"]))
            except (DockerConfigError, ValueError, KeyError, TypeError):
                # It has none.
                pass
        return list(dict.fromkeys(found))

    def save(self, credentials: "DockerCredentials") -> str:
        """Store credentials, and return where.

        Raises:
            DockerConfigError: The helper refuses them.
            OSError: The file cannot be written.
        """
        if self.helper is None:
            self.config.with_auth(self.host, credentials.config["auths"][credentials.host]).save(
                self.path
            )
            return str(self.path)
        run_helper(self.helper, "store", for_helper(credentials))
        # The empty entry is how Docker notes that the store has them.
        self.config.with_auth(self.host, {}).save(self.path)
        return f"docker-credential-{self.helper}"

    def use_own_helper(self) -> None:
        """Have Docker ask our own helper, in the place of whatever was stored.

        Raises:
            DockerConfigError: The helper that has credentials now does not erase them.
            OSError: The file cannot be written.
        """
        if self.helper not in {None, OWN_HELPER}:
            self._erase()
        self.config.with_helper(self.host, OWN_HELPER).save(self.path)

    def remove(self) -> DockerConfig:
        """Remove the credentials, and return the configuration that is left.

        Raises:
            DockerConfigError: The helper does not erase them.
            OSError: The file cannot be written.
        """
        if self.helper not in {None, OWN_HELPER}:
            self._erase()
        left = self.config.without_auth(self.host)
        if self.helper == OWN_HELPER:
            left = left.without_helper(self.host)
        if left != self.config:
            left.save(self.path)
        return left

    def _erase(self) -> None:
        try:
            run_helper(self.helper or "", "erase", self.host)
        except DockerConfigError:
            # That of macOS refuses to erase what it does not have.
            if not self._is_unknown():
                raise

    def _is_unknown(self) -> bool:
        """Return whether the helper says that it has nothing for the host."""
        try:
            run_helper(self.helper or "", "get", self.host)
        except CredentialsNotFoundError:
            return True
        except DockerConfigError:
            pass
        return False


def files_that_go_first(host: str, environment: Mapping[str, str] = os.environ) -> Iterable[Path]:
    """Yield the files with credentials for a host that podman, skopeo and buildah read before.

    They read ``REGISTRY_AUTH_FILE``, or the files that ``podman login`` writes, and then Docker's.
    """
    if given := environment.get("REGISTRY_AUTH_FILE"):
        places = [Path(given)]
    else:
        config = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        folders = [environment.get("XDG_RUNTIME_DIR"), config]
        places = [Path(each) / "containers/auth.json" for each in folders if each]
    for path in places:
        try:
            known = DockerConfig.load(path)
        except (DockerConfigError, OSError):
            continue
        if host in (known.document.get("auths") or {}) or known.further_keys(host):
            yield path
