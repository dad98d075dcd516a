"""Kubeconfigs, read by kubernetes_asyncio and guarded to say what they say to kubectl."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aioregistry.cleanup.in_use.kinds import ClusterError, KubeconfigError

__all__ = ["files_of_environment", "load_kubeconfig"]

_DEFAULT_FILE = Path("~", ".kube", "config")
_MAX_CONTEXTS_SHOWN = 5
_KINDS = ("contexts", "clusters", "users")
_MAX_CHARACTERS = 300
# How long a plugin that is killed may take to end.
_END_SECONDS = 5.0
_IMPERSONATION = ("as", "as-groups", "as-uid", "as-user-extra")


def files_of_environment() -> list[Path]:
    """Return the files that kubectl reads: of ``KUBECONFIG``, else ``~/.kube/config``."""
    named = os.environ.get("KUBECONFIG") or str(_DEFAULT_FILE)
    return [Path(one) for one in named.split(os.pathsep) if one]


async def load_kubeconfig(configuration: Any, context: str | None, files: Sequence[Path]) -> str:
    """Load a context as kubectl does: of several files, the first that says something wins.

    Args:
        configuration: What it is loaded into.
        context: Its name; None for the current one.
        files: The files; those that do not exist are passed over.

    Returns:
        The context's name.

    Raises:
        KubeconfigError: There is no such context, or it is of no use.
        ClusterError: Its plugin does not log in.
    """
    import yaml  # noqa: PLC0415, it comes with the library
    from kubernetes_asyncio.config.kube_config import (  # noqa: PLC0415
        KubeConfigLoader,
        KubeConfigMerger,
    )

    def merge() -> tuple[Any, str | None]:
        current, found = context, []
        for path in (path.expanduser() for path in files):
            document = yaml.safe_load(path.read_text("utf-8")) if path.exists() else None
            if not document:
                continue
            if not isinstance(document, dict):
                raise KubeconfigError(f"{path}: not a kubeconfig")
            _check_names(path, document)
            found.append(str(path))
            current = current or document.get("current-context") or None
        if not found:
            raise KubeconfigError(f"no kubeconfig: {os.pathsep.join(map(str, files))}")
        return KubeConfigMerger(os.pathsep.join(found)), current

    merged, current = await asyncio.to_thread(merge)
    if current is None:
        raise KubeconfigError("the kubeconfig has no current context: name one, kubernetes:CONTEXT")
    _check_context(merged.config.value, current)
    # Without a folder for all of them, paths are beside the file that names them.
    loader = KubeConfigLoader(
        config_dict=merged.config, active_context=current, config_base_path=None
    )
    user = loader._user  # noqa: SLF001, there is no other way
    if user is None or not user.value:
        raise KubeconfigError(f"the kubeconfig's context {current} has no user")
    _mend_cluster(loader._cluster)  # noqa: SLF001
    _mend_user(user)
    if "exec" in user:
        await _log_in(user)
    await loader.load_and_set(configuration)
    if "tokenFile" in user:
        # By itself the library keeps the newline, and prefers a token that is beside the file.
        token = await asyncio.to_thread(Path(user["tokenFile"]).read_text, "utf-8")
        configuration.api_key["BearerToken"] = f"Bearer {token.strip()}"
    return current


def _check_names(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse a file that says two things of one name, as kubectl does: which is meant?"""
    for kind in _KINDS:
        entries = document.get(kind) or []
        if not isinstance(entries, list):
            raise KubeconfigError(f"{path}: {kind} is no list")
        named = [one for one in entries if isinstance(one, dict)]
        names = [str(one.get("name")) for one in named]
        for name in names:
            if names.count(name) > 1:
                raise KubeconfigError(f"{path}: {kind} has {name!r} twice")


def _check_context(config: Mapping[str, Any], context: str) -> None:
    for kind in _KINDS:
        for entry in config[kind]:
            # By itself an entry is called by all of its text in errors, with a token at a place
            # where none belongs.
            entry.name = f"{entry.path}/{kind}/{_name_of(entry)}"
    names = [_name_of(entry) for entry in config["contexts"]]
    if context not in names:
        more = ", …" if len(names) > _MAX_CONTEXTS_SHOWN else ""
        shown = ", ".join(names[:_MAX_CONTEXTS_SHOWN]) or "none"
        raise KubeconfigError(f"the kubeconfig has no context {context!r}; it has {shown}{more}")


def _name_of(entry: Any) -> str:
    return str(entry.value.get("name")) if isinstance(entry.value, dict) else "?"


def _mend_cluster(cluster: Any) -> None:
    """Have the library read a cluster as kubectl does, or refuse it."""
    given: dict[str, Any] = cluster.value
    authorities = ("certificate-authority", "certificate-authority-data")
    for key in authorities:
        if not given.get(key):
            # One that is empty would hide the other.
            given.pop(key, None)
    if given.get("insecure-skip-tls-verify") and any(key in given for key in authorities):
        raise KubeconfigError(
            "the kubeconfig names an authority of the cluster, and says not to check it"
            " (insecure-skip-tls-verify)"
        )


def _mend_user(user: Any) -> None:
    """Have the library read a user as kubectl does, or refuse it."""
    given: dict[str, Any] = user.value
    if any(given.get(key) for key in _IMPERSONATION):
        raise KubeconfigError("the context's user impersonates another one, which is not supported")
    for key in ("tokenFile", "client-certificate", "client-key"):
        if path := given.pop(key, None):
            # Beside the file that names it, not beside that of the cluster.
            given[key] = str(_beside(user.path, path))
    if given.get("token") or "tokenFile" in given:
        # kubectl logs in with these alone.
        given.pop("exec", None)


async def _log_in(user: Any) -> None:
    """Have a user's plugin log in, and put in its place what it answers.

    By itself the library takes no certificate beside a token, even where the token is empty.
    """
    from kubernetes_asyncio.config.exec_provider import ExecProvider  # noqa: PLC0415

    plugin: dict[str, Any] = user["exec"].value
    command = str(plugin.get("command", ""))
    if "/" in command or os.sep in command:
        # Beside the file that names it, not beside whatever folder this runs in.
        plugin["command"] = str(_beside(user.path, command))
    try:
        status = await _answer_of(ExecProvider(user["exec"]), command)
    except OSError as error:
        raise ClusterError(
            f"the kubeconfig's plugin {command!r} cannot be run: {error.strerror}"
        ) from None
    found = {
        "token": status.get("token"),
        "client-certificate-data": _encoded(status.get("clientCertificateData")),
        "client-key-data": _encoded(status.get("clientKeyData")),
    }
    if not found["token"] and not (found["client-certificate-data"] and found["client-key-data"]):
        raise ClusterError(
            f"the kubeconfig's plugin {command!r} gives neither a token nor a certificate with key"
        )
    given: dict[str, Any] = user.value
    del given["exec"]
    given.update({key: value for key, value in found.items() if value})


async def _answer_of(provider: Any, command: str) -> Mapping[str, Any]:
    """Run a plugin, and return the status in what it answers; it does not outlive this.

    By itself the library leaves one that hangs behind, and waits for one that says much in errors.

    Raises:
        ClusterError: It answers nothing of use.
        OSError: It cannot be run.
    """
    version = provider.api_version
    request = {
        "apiVersion": version,
        "kind": "ExecCredential",
        "spec": {"interactive": sys.stdout.isatty()},
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *provider.args,
        env={**provider.env, "KUBERNETES_EXEC_INFO": json.dumps(request)},
        stdout=pipe,
        stderr=pipe,
    )
    try:
        said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            # Others that it has started may have its pipes.
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await process.wait()
    where = f"the kubeconfig's plugin {command!r}"
    if process.returncode:
        why = " ".join(complained.decode(errors="replace").split())[:_MAX_CHARACTERS]
        raise ClusterError(f"{where} ended with {process.returncode}: {why}".removesuffix(": "))
    answer: Any = None
    with suppress(ValueError):
        answer = json.loads(said)
    match answer:
        case {"apiVersion": given, "kind": _, "status": {**status}} if given == version:
            return {str(key): value for key, value in status.items()}
        case {"apiVersion": given, "kind": _, "status": _} if given != version:
            raise ClusterError(f"{where} speaks {given!r}, and the kubeconfig says {version!r}")
    raise ClusterError(f"{where} answers with no credentials")


def _encoded(text: object) -> str | None:
    return base64.b64encode(text.encode()).decode() if isinstance(text, str) and text else None


def _beside(file: str, path: str) -> Path:
    return Path(file).absolute().parent / path
