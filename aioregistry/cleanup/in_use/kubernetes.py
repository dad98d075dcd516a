"""Asking a cluster which images are in use, by kubectl: a request that fails is an error."""

import json
import subprocess
from typing import Any

from attrs import frozen

from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kinds import KINDS, MAKERS, Kind
from aioregistry.cleanup.in_use.live_objects import LiveObjects
from aioregistry.cleanup.in_use.references import InUseError, Use

__all__ = ["ask_kubernetes"]

# kubectl lists them one after the other: pods last, as for whoever asks without it.
_KINDS = ",".join(map(str, KINDS))
_MAX_CHARACTERS_SHOWN = 300
_MAKERS = tuple(
    Kind(resource, group, may_lack=True) for group, some in MAKERS.items() for resource in some
)
# So kubectl tells that an account may not list something.
_FORBIDDEN = "(Forbidden)"
# So it begins to tell of which groups the cluster does not say what they have.
_INCOMPLETE = "unable to retrieve the complete list of server APIs"


def ask_kubernetes(
    context: str | None = None,
    *,
    kubectl: str = "kubectl",
    timeout: float = 120.0,
    ignore_kinds: Many[str] = (),
    notes: list[str] | None = None,
) -> list[Use]:
    """Return the images that a cluster runs, or may run again: of pods and of what makes them.

    Runs ``kubectl api-resources``, and ``kubectl get`` for each kind of `MAKERS` that is there;
    then ``kubectl get deployments.apps,…,pods --all-namespaces --output json``.

    Args:
        context: The context of kubectl's configuration; None, the default, for the current one.
        kubectl: The program; ``kubectl`` by default.
        timeout: Seconds after which an answer is given up; 120 by default.
        ignore_kinds: Kinds of objects that need not name an image; with ``Pod`` there need not be a
            pod. As ``scaledjobs.keda.sh``, one of `MAKERS` is not read. None by default.
        notes: A list to which a sentence is added for each image that is passed over, and for each
            kind of `MAKERS` that could not be read; None, the default, for none.

    Raises:
        InUseError: kubectl is not installed, or cannot list all of these; there is no pod; or an
            object names no image.
    """
    refuse_one("ignore_kinds", ignore_kinds)
    name = "kubernetes" if context is None else f"kubernetes:{context}"
    # One word, so that no context is taken for an option.
    chosen = [] if context is None else [f"--context={context}"]
    asking = _Kubectl(name, (kubectl, *chosen), timeout)
    unread: list[str] = []
    found = _read_makers(asking, frozenset(ignore_kinds), unread)
    # Revisions may be of anything: they run images only where they name some.
    ignored = (*ignore_kinds, "ControllerRevision")
    passed_over: list[str] = []
    text = asking.list_all(_KINDS)
    uses = read_in_use(text, name, ignore_kinds=ignored, notes=passed_over)
    if notes is not None:
        notes += (*unread, *passed_over)
    # A pod is among one of both: of one without an image there would be an error.
    seen = (*(use.where for use in uses), *passed_over)
    if "Pod" not in ignore_kinds and not any(each.startswith("pod ") for each in seen):
        raise InUseError(
            f"{name}: not one pod, in any namespace, as where an account may see none; where really"
            " none runs, pass over the kind Pod"
        )
    return [*uses, *found]


class _ForbiddenError(InUseError):
    """The account may not list something."""


@frozen
class _Kubectl:
    """A kubectl that is run to read something."""

    name: str
    command: tuple[str, ...]
    timeout: float

    def list_all(self, kinds: str, *more: str) -> str:
        """Return all objects of some kinds, of all namespaces, as JSON."""
        ran = self._run("get", kinds, "--all-namespaces", "--output", "json", *more)
        self._check(ran)
        return ran.stdout.decode(errors="replace")

    def kinds(self) -> frozenset[str]:
        """Return the kinds that the cluster has, as ``scaledjobs.keda.sh``."""
        # Not by their paths: kubectl takes a path for one of the server, without what comes before
        # it in the address of a cluster behind a gateway.
        ran = self._run("api-resources", "--verbs=list", "--output=name")
        told = ran.stderr.decode(errors="replace")
        if _INCOMPLETE not in told or any(f" {group}/" in told for group in MAKERS):
            self._check(ran)
        here = frozenset(ran.stdout.decode(errors="replace").split())
        if "pods" not in here:
            # Every cluster has them: nothing is told by what does not name them.
            self._check(ran)
            raise InUseError(f"{self.name}: the answer is no list of what the cluster has")
        return here

    def items(self, kind: Kind) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        which = [f"--selector={kind.selector}"] if kind.selector else []
        try:
            read = json.loads(self.list_all(str(kind), *which))
        except (ValueError, RecursionError) as error:
            if isinstance(error, InUseError):
                raise
            read = None
        match read:
            case {"items": [*items]} if all(isinstance(item, dict) for item in items):
                return items
        raise InUseError(f"{self.name}: the answer for {kind} is no list of objects")

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603, no shell
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
                check=False,
            )
        except OSError as error:
            raise InUseError(
                f"{self.name}: {self.command[0]} cannot be run: {error.strerror}"
            ) from None
        except subprocess.TimeoutExpired:
            raise InUseError(f"{self.name}: no answer within {self.timeout:g} s") from None

    def _check(self, ran: "subprocess.CompletedProcess[bytes]") -> None:
        if not ran.returncode:
            return
        lines = ran.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        error = _ForbiddenError if _FORBIDDEN in lines[-1] else InUseError
        raise error(
            f"{self.name}: {self.command[0]} failed with exit code {ran.returncode}:"
            f" {lines[-1][:_MAX_CHARACTERS_SHOWN]}"
        )


def _read_makers(asking: _Kubectl, ignored: frozenset[str], notes: list[str]) -> list[Use]:
    """Return what is in use by those of `MAKERS` that the cluster has, as `ClusterInUse` does."""
    found = LiveObjects(asking.name, ignored)
    here = asking.kinds()
    for kind in _MAKERS:
        if str(kind) not in here:
            continue
        if str(kind) in ignored:
            notes.append(f"{asking.name}: {kind} were not read, by option")
            continue
        try:
            items = asking.items(kind)
        except _ForbiddenError:
            notes.append(
                f"{asking.name}: {kind} may name images that run later, and were not read: the"
                " account may not list them"
            )
            continue
        except InUseError as error:
            raise InUseError(f"{error}; to leave them out, ignore the kind {kind}") from None
        for item in items:
            if not kind.has_ended(item):
                found.add(item, str(item.get("kind")), may_lack=kind.may_lack)
    uses = found.uses()
    notes += found.notes
    return uses
