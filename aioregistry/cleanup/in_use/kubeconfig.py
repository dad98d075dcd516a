"""Kubeconfigs, read by kubernetes_asyncio and guarded to say what they say to kubectl."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aioregistry.cleanup.in_use.kinds import ClusterError

__all__ = ["files_of_environment", "load_kubeconfig"]

_DEFAULT_FILE = Path("~", ".kube", "config")


def files_of_environment() -> list[Path]:
    """Return the files that kubectl reads: of ``KUBECONFIG``, else ``~/.kube/config``."""
    named = os.environ.get("KUBECONFIG") or str(_DEFAULT_FILE)
    return [Path(one) for one in named.split(os.pathsep) if one]


async def load_kubeconfig(configuration: Any, context: str | None, files: Sequence[Path]) -> None:
    """Load a context as kubectl does: of several files, the first that says something wins."""
    import yaml  # noqa: PLC0415, it comes with the library
    from kubernetes_asyncio.config.kube_config import (  # noqa: PLC0415
        KubeConfigLoader,
        KubeConfigMerger,
    )

    def merge() -> tuple[Any, str | None]:
        current, found = context, []
        for path in (path.expanduser() for path in files):
            document = yaml.safe_load(path.read_text("utf-8")) if path.exists() else None
            if document:
                found.append(str(path))
                current = current or document.get("current-context") or None
        if not found:
            raise ClusterError(f"no kubeconfig: {os.pathsep.join(map(str, files))}")
        return KubeConfigMerger(os.pathsep.join(found)), current

    merged, current = await asyncio.to_thread(merge)
    if current is None:
        raise ClusterError("the kubeconfig has no current context: name one, kubernetes:CONTEXT")
    # Without a folder for all of them, paths are beside the file that names them.
    loader = KubeConfigLoader(
        config_dict=merged.config, active_context=current, config_base_path=None
    )
    _mend(loader)
    await loader.load_and_set(configuration)
    _load_token_file(loader, configuration)


def _mend(loader: Any) -> None:
    """Have the library read a context as kubectl does, or refuse it."""
    user, cluster = loader._user, loader._cluster  # noqa: SLF001, there is no other way
    if "certificate-authority-data" in cluster and not cluster["certificate-authority-data"]:
        # It would hide the file that is named beside it.
        del cluster.value["certificate-authority-data"]
    if user is None:
        return
    if any(key in user for key in ("as", "as-groups", "as-uid", "as-user-extra")):
        raise ClusterError("the context's user impersonates another one, which is not supported")
    if "exec" in user:
        plugin = user["exec"].value
        command = str(plugin.get("command", ""))
        if "/" in command or os.sep in command:
            # Beside the file that names it, not beside whatever folder this runs in.
            plugin["command"] = str(_beside(user.path, command))


def _load_token_file(loader: Any, configuration: Any) -> None:
    user = loader._user  # noqa: SLF001
    if user is not None and "exec" not in user and "tokenFile" in user:
        token = _beside(user.path, user["tokenFile"]).read_text("utf-8").strip()
        configuration.api_key["BearerToken"] = f"Bearer {token}"


def _beside(file: str, path: str) -> Path:
    return Path(file).absolute().parent / path
