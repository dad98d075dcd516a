"""Asking a cluster which images are in use, by kubectl: a request that fails is an error."""

import json
import subprocess
from typing import Any

from attrs import frozen

from aioregistry.arguments import Many, refuse_one
from aioregistry.cleanup.in_use.files import read_in_use
from aioregistry.cleanup.in_use.kinds import (
    KINDS,
    MAKERS,
    ClusterError,
    Kind,
    groups_of,
    listed_of,
)
from aioregistry.cleanup.in_use.live_objects import LiveObjects
from aioregistry.cleanup.in_use.references import InUseError, Use

__all__ = ["ask_kubernetes"]

# kubectl lists them one after the other: pods last, as for whoever asks without it.
_KINDS = ",".join(map(str, KINDS))
_MAX_CHARACTERS_SHOWN = 300
# So kubectl tells that an account may not read something, and that a cluster lacks it.
_FORBIDDEN, _NOT_FOUND = "(Forbidden)", "(NotFound)"


def ask_kubernetes(
    context: str | None = None,
    *,
    kubectl: str = "kubectl",
    timeout: float = 120.0,
    ignore_kinds: Many[str] = (),
    notes: list[str] | None = None,
) -> list[Use]:
    """Return the images that a cluster runs, or may run again: of pods and of what makes them.

    Runs ``kubectl get --raw /apis…`` and ``kubectl get`` for each kind of `MAKERS` that the cluster
    has, then ``kubectl get deployments.apps,…,pods --all-namespaces --output json``.

    Args:
        context: The context of kubectl's configuration; None, the default, for the current one.
        kubectl: The program.
        timeout: Seconds after which an answer is given up; 120 by default.
        ignore_kinds: Kinds of objects that need not name an image; with ``Pod`` there need not be a
            pod. As ``scaledjobs.keda.sh``, one of `MAKERS` is not read. None by default.
        notes: A list to which a sentence is added for each image that is passed over, and for each
            kind of `MAKERS` that could not be read.

    Raises:
        InUseError: kubectl is not installed, or cannot list all of these; there is no pod; or an
            object names no image.
    """
    refuse_one("ignore_kinds", ignore_kinds)
    name = "kubernetes" if context is None else f"kubernetes:{context}"
    # One word, so that no context is taken for an option.
    chosen = [] if context is None else [f"--context={context}"]
    asking = _Kubectl(name, (kubectl, *chosen, "get"), timeout)
    makers = _Makers(asking, frozenset(ignore_kinds))
    found = makers.read()
    # Revisions may be of anything: they run images only where they name some.
    ignored = (*ignore_kinds, "ControllerRevision")
    passed_over: list[str] = []
    text = asking.list_all(_KINDS)
    uses = read_in_use(text, name, ignore_kinds=ignored, notes=passed_over)
    if notes is not None:
        notes += (*makers.notes, *passed_over)
    # A pod is among one of both: of one without an image there would be an error.
    seen = (*(use.where for use in uses), *passed_over)
    if "Pod" not in ignore_kinds and not any(each.startswith("pod ") for each in seen):
        raise InUseError(
            f"{name}: not one pod, in any namespace, as where an account may see none; where really"
            " none runs, pass over the kind Pod"
        )
    return [*uses, *found]


class _RefusedError(InUseError):
    """The cluster has what was asked for and does not show it, or does not have it."""


@frozen
class _Kubectl:
    """A kubectl that is run to get something."""

    name: str
    command: tuple[str, ...]
    timeout: float

    def list_all(self, kinds: str, *more: str) -> str:
        """Return all objects of some kinds, of all namespaces, as JSON."""
        return self._run(kinds, "--all-namespaces", "--output", "json", *more)

    def get(self, path: str) -> Any:
        """Return what the server has at a path.

        Raises:
            InUseError: Nothing that can be read; a `_RefusedError` if it says so.
        """
        return self._parsed(self._run("--raw", path))

    def items(self, kind: Kind) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        which = [f"--selector={kind.selector}"] if kind.selector else []
        text = self.list_all(f"{kind.resource}.{kind.version}.{kind.group}", *which)
        match self._parsed(text):
            case {"items": [*items]} if all(isinstance(item, dict) for item in items):
                return items
        raise InUseError(f"{self.name}: the answer for {kind} is no list of objects")

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise InUseError(f"{self.name}: {self.command[0]} printed no JSON") from None

    def _run(self, *arguments: str) -> str:
        kubectl = self.command[0]
        try:
            ran = subprocess.run(  # noqa: S603, no shell
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
                check=False,
            )
        except OSError as error:
            raise InUseError(f"{self.name}: {kubectl} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise InUseError(f"{self.name}: no answer within {self.timeout:g} s") from None
        if ran.returncode:
            lines = ran.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            refused = _FORBIDDEN in lines[-1] or _NOT_FOUND in lines[-1]
            kind = _RefusedError if refused else InUseError
            raise kind(
                f"{self.name}: {kubectl} failed with exit code {ran.returncode}:"
                f" {lines[-1][:_MAX_CHARACTERS_SHOWN]}"
            )
        return ran.stdout.decode(errors="replace")


class _Makers:
    """What a cluster has of `MAKERS`, read as `ClusterInUse` does.

    Attributes:
        notes: A sentence for each kind that was not read, and for each image passed over.
    """

    def __init__(self, asking: _Kubectl, ignored: frozenset[str]) -> None:
        self.notes: list[str] = []
        self._asking = asking
        self._ignored = ignored

    def read(self) -> list[Use]:
        name = self._asking.name
        found = LiveObjects(name, self._ignored)
        try:
            groups = groups_of(self._asking.get("/apis"))
        except _RefusedError:
            self.notes.append(f"{name}: it does not say which kinds it has besides the usual ones")
            return []
        except ClusterError as error:
            raise InUseError(f"{name}: {error}") from None
        for group, versions in groups:
            for kind in self._kinds_of(group, versions):
                self._read_kind(kind, found)
        uses = found.uses()
        self.notes += found.notes
        return uses

    def _kinds_of(self, group: str, versions: list[str]) -> list[Kind]:
        kinds: list[Kind] = []
        wanted, is_told = set(MAKERS.get(group, ())), True
        for version in versions if wanted else ():
            try:
                served = listed_of(self._asking.get(f"/apis/{group}/{version}"))
            except _RefusedError:
                is_told = False
                continue
            except ClusterError as error:
                raise InUseError(f"{self._asking.name}: {group}/{version}: {error}") from None
            kinds += [Kind(one, group, version, may_lack=True) for one in sorted(wanted & served)]
            wanted -= served
        if wanted and not is_told:
            self.notes.append(f"{self._asking.name}: it does not say which kinds of {group} it has")
        return kinds

    def _read_kind(self, kind: Kind, found: LiveObjects) -> None:
        name = self._asking.name
        if str(kind) in self._ignored:
            self.notes.append(f"{name}: {kind} were not read, by option")
            return
        try:
            items = self._asking.items(kind)
        except _RefusedError as error:
            if _FORBIDDEN not in str(error):
                raise
            self.notes.append(
                f"{name}: {kind} may name images that run later, and were not read: the account"
                " may not list them"
            )
            return
        except InUseError as error:
            raise InUseError(f"{error}; to leave them out, ignore the kind {kind}") from None
        for item in items:
            if kind.has_ended(item):
                continue
            found.add(item, str(item.get("kind")), may_lack=kind.may_lack)
