"""The tokens in the configuration of doctl, the vendor's command."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from aioregistry.cli.settings.config_file import SettingsError

__all__ = ["doctl_path", "doctl_token"]

# doctl's name for the context whose token is under access-token.
_DEFAULT = "default"


def doctl_path() -> Path:
    """Return the path of doctl's configuration."""
    return platformdirs.user_config_path("doctl", appauthor=False, roaming=True) / "config.yaml"


def doctl_token(path: Path, context: str | None) -> tuple[str, str] | None:
    """Return a token in doctl's configuration and the name of its context.

    Args:
        path: doctl's configuration file.
        context: The context; None means the current one.

    Returns:
        None where doctl has no configuration or no token, and no context is named.

    Raises:
        SettingsError: There is no such context, or the file cannot be read.
    """
    if context is None and not os.access(path, os.R_OK):
        return None
    document = _read(path)
    current = document.get("context")
    wanted = context or (current if isinstance(current, str) and current else _DEFAULT)
    contexts = document.get("auth-contexts")
    known = dict(contexts) if isinstance(contexts, Mapping) else {}
    known[_DEFAULT] = document.get("access-token")
    token = known.get(wanted)
    if isinstance(token, str) and token:
        return token, wanted
    if context is None:
        return None
    names = [name for name, value in known.items() if value and isinstance(name, str)]
    there = ", ".join(names) or "none"
    raise SettingsError(f"{path}: doctl has no token for context {wanted!r}; contexts: {there}")


def _read(path: Path) -> Mapping[str, object]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    # Most of these are raised by PyYAML for values that do not match their tag.
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        raise SettingsError(f"{path}: not a doctl configuration: not YAML") from None
    return document if isinstance(document, Mapping) else {}
