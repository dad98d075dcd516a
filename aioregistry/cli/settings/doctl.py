"""The token that doctl, the official command, has been given."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from aioregistry.cli.settings.config_file import SettingsError

__all__ = ["doctl_path", "doctl_token"]

# doctl's own word for the context whose token stands under access-token.
_DEFAULT = "default"


def doctl_path() -> Path:
    """Return where doctl keeps its configuration."""
    return platformdirs.user_config_path("doctl", appauthor=False, roaming=True) / "config.yaml"


def doctl_token(path: Path, context: str | None) -> tuple[str, str] | None:
    """Return a token of doctl's configuration and its context's name.

    Args:
        path: doctl's configuration file.
        context: Which context; None means the current one.

    Returns:
        None where doctl has no configuration or no token, and no context was asked for.

    Raises:
        SettingsError: There is no such context, or the file cannot be read.
    """
    if context is None and not os.access(path, os.R_OK):
        return None
    said = _read(path)
    current = said.get("context")
    wanted = context or (current if isinstance(current, str) and current else _DEFAULT)
    contexts = said.get("auth-contexts")
    known = dict(contexts) if isinstance(contexts, Mapping) else {}
    known[_DEFAULT] = said.get("access-token")
    token = known.get(wanted)
    if isinstance(token, str) and token:
        return token, wanted
    if context is None:
        return None
    names = [name for name, value in known.items() if value and isinstance(name, str)]
    there = ", ".join(names) or "none"
    raise SettingsError(f"{path}: doctl has no token for the context {wanted!r}; it has: {there}")


def _read(path: Path) -> Mapping[str, object]:
    import yaml  # noqa: PLC0415  (only where doctl's word is needed)

    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    # Most of them are how PyYAML refuses values that are not what their tag says.
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        raise SettingsError(f"{path} is no configuration of doctl: not YAML") from None
    return said if isinstance(said, Mapping) else {}
