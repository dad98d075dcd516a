"""Asking a cluster which images are in use, by kubectl: a request that fails is an error."""

import subprocess

from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kinds import KINDS
from aioregistry.cleanup.in_use.references import InUseError, Use

__all__ = ["ask_kubernetes"]

# kubectl lists them one after the other: pods last, as for whoever asks without it.
_KINDS = ",".join(map(str, KINDS))
_MAX_CHARACTERS_SHOWN = 300


def ask_kubernetes(
    context: str | None = None,
    *,
    kubectl: str = "kubectl",
    timeout: float = 120.0,
    ignore_kinds: Many[str] = (),
    notes: list[str] | None = None,
) -> list[Use]:
    """Return the images that a cluster runs, or may run again: of pods and of what makes them.

    Runs ``kubectl get deployments.apps,…,pods --all-namespaces --output json``.

    Args:
        context: The context of kubectl's configuration; None, the default, for the current one.
        kubectl: The program.
        timeout: Seconds after which an answer is given up; 120 by default.
        ignore_kinds: Kinds of objects that need not name an image; with ``Pod`` there need not be a
            pod. None by default.
        notes: A list to which a sentence is added for each image that is passed over.

    Raises:
        InUseError: kubectl is not installed, or cannot list all of these; there is no pod; or an
            object names no image.
    """
    refuse_one("ignore_kinds", ignore_kinds)
    name = "kubernetes" if context is None else f"kubernetes:{context}"
    # One word, so that no context is taken for an option.
    chosen = [] if context is None else [f"--context={context}"]
    command = [kubectl, *chosen, "get", _KINDS, "--all-namespaces", "--output", "json"]
    try:
        ran = subprocess.run(  # noqa: S603, no shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except OSError as error:
        raise InUseError(f"{name}: {kubectl} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise InUseError(f"{name}: no answer within {timeout:g} s") from None
    if ran.returncode:
        lines = ran.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise InUseError(
            f"{name}: {kubectl} failed with exit code {ran.returncode}:"
            f" {lines[-1][:_MAX_CHARACTERS_SHOWN]}"
        )
    # Revisions may be of anything: they run images only where they name some.
    ignored = (*ignore_kinds, "ControllerRevision")
    passed_over: list[str] = []
    text = ran.stdout.decode(errors="replace")
    uses = read_in_use(text, name, ignore_kinds=ignored, notes=passed_over)
    if notes is not None:
        notes += passed_over
    # A pod is among one of both: of one without an image there would be an error.
    seen = (*(use.where for use in uses), *passed_over)
    if "Pod" not in ignore_kinds and not any(each.startswith("pod ") for each in seen):
        raise InUseError(
            f"{name}: not one pod, in any namespace, as where an account may see none; where really"
            " none runs, pass over the kind Pod"
        )
    return uses
