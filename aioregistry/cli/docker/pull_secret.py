"""Secrets of Kubernetes with which images are pulled, and what Kubernetes lets them be called."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aioregistry.cli.errors import UsageError

__all__ = ["ALL_NAMESPACES", "check_namespace", "check_secret_name", "pull_secret"]

# The namespace from which DigitalOcean's clusters copy annotated secrets to all others.
ALL_NAMESPACES = "kube-system"
_COPIED = "digitalocean.com/dosecret-identifier"
_EXPIRES_AT = "aioregistry/expires-at"
# RFC 1123, as Kubernetes reads it: names of secrets are subdomains, those of namespaces labels.
_MAX_SECRET_CHARACTERS = 253
_MAX_NAMESPACE_CHARACTERS = 63


def check_secret_name(name: str) -> str:
    """Return the name of a secret.

    Raises:
        UsageError: Kubernetes would refuse it; the text says why.
    """
    return _check("secret", name, _MAX_SECRET_CHARACTERS, dots=True)


def check_namespace(name: str) -> str:
    """Return the name of a namespace.

    Raises:
        UsageError: Kubernetes would refuse it; the text says why.
    """
    return _check("namespace", name, _MAX_NAMESPACE_CHARACTERS, dots=False)


def pull_secret(
    config: Mapping[str, Any],
    name: str,
    namespace: str,
    expires_at: datetime | None,
    *,
    all_namespaces: bool,
) -> str:
    """Return a secret for ``kubectl apply -f -``.

    Args:
        config: The Docker configuration with the credentials.
        name: The secret's name.
        namespace: Its namespace.
        expires_at: When the credentials expire; None for never.
        all_namespaces: Whether the cluster is to copy it to all namespaces.
    """
    ends = "never" if expires_at is None else expires_at.isoformat(timespec="seconds")
    copied = {_COPIED: name} if all_namespaces else {}
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {_EXPIRES_AT: ends, **copied},
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(json.dumps(config).encode()).decode()},
    }
    # JSON is YAML.
    return json.dumps(document, indent=2) + "\n"


def _check(kind: str, name: str, most: int, *, dots: bool) -> str:
    allowed = "a-z, 0-9, '-' and '.'" if dots else "a-z, 0-9 and '-'"
    wrong = re.search(r"[^a-z0-9.-]" if dots else r"[^a-z0-9-]", name)
    parts = name.split(".")
    problem = ""
    if not name:
        problem = "it is empty"
    elif len(name) > most:
        problem = f"it has {len(name)} characters, and Kubernetes allows {most}"
    elif wrong is not None:
        problem = f"{wrong[0]!r} is not one of {allowed}"
    elif not all(parts):
        problem = "a '.' must stand between other characters"
    elif any(part[0] == "-" or part[-1] == "-" for part in parts):
        problem = "each part must begin and end with a letter or digit"
    if problem:
        raise UsageError(f"invalid name of a {kind}: {name!r}: {problem}")
    return name
