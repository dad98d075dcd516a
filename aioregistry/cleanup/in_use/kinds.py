"""The kinds of objects that a cluster is asked for: pods, and what makes pods. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from aioregistry.cleanup.in_use.references import InUseError
from aioregistry.errors import printable

__all__ = [
    "KINDS",
    "MAKERS",
    "ClusterError",
    "Kind",
    "KubeconfigError",
    "cluster_role",
    "groups_of",
    "listed_of",
    "parse_kind",
]

_MAX_CHARACTERS = 2000
# The group of deployments.
_ALWAYS = "apps"

_KIND = re.compile(
    r"(?:([a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)/)?(v[0-9a-z]{1,20})/([a-z0-9-]{1,63})"
)


class ClusterError(Exception):
    """A request to a cluster has no usable answer.

    Attributes:
        status: The status of the answer; None where there was none.
        is_passing: Whether the same request may succeed a moment later.
    """

    def __init__(
        self, message: str, status: int | None = None, *, is_passing: bool = False
    ) -> None:
        super().__init__(printable(message[:_MAX_CHARACTERS]))
        self.status = status
        self.is_passing = is_passing


class KubeconfigError(ClusterError):
    """What a kubeconfig says is of no use, or it lacks what was named: nobody was asked yet."""


@frozen
class Kind:
    """A kind of objects.

    Attributes:
        resource: Its name in paths and roles: ``deployments``.
        group: Its group; empty for the core one.
        version: The version that is asked for.
        lists: The kind of its lists; None where it is not known.
        may_lack: Whether an object of it need not name an image.
    """

    resource: str
    group: str = ""
    version: str = "v1"
    lists: str | None = None
    may_lack: bool = False

    @property
    def path(self) -> str:
        """The path of its objects in all namespaces."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/{self.resource}"

    @property
    def selector(self) -> str:
        """The selector of labels of those objects that are read; empty for all."""
        return _RUNS.get(str(self), "") if self.may_lack else ""

    def has_ended(self, item: Mapping[str, Any]) -> bool:
        """Return whether an object is a run that has ended, so that it makes no more pods."""
        status = item.get("status")
        # Of a kind that somebody asks for, all are read.
        if not self.may_lack or str(self) not in _RUNS or not isinstance(status, dict):
            return False
        phase, ended_at = status.get("phase"), status.get("completionTime")
        return (isinstance(phase, str) and phase in _ENDED) or isinstance(ended_at, str)

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


# What makes pods comes before pods: a pod that is made meanwhile is in one of both lists. Those
# that nothing runs of now are what a rollback, or the next run of a cron job, starts.
KINDS: tuple[Kind, ...] = (
    Kind("cronjobs", "batch", lists="CronJobList"),
    Kind("deployments", "apps", lists="DeploymentList"),
    Kind("statefulsets", "apps", lists="StatefulSetList"),
    Kind("daemonsets", "apps", lists="DaemonSetList"),
    Kind("podtemplates", lists="PodTemplateList"),
    # Revisions may be of anything: they run images only where they name some.
    Kind("controllerrevisions", "apps", lists="ControllerRevisionList", may_lack=True),
    Kind("replicasets", "apps", lists="ReplicaSetList"),
    Kind("replicationcontrollers", lists="ReplicationControllerList"),
    Kind("jobs", "batch", lists="JobList"),
    Kind("pods", lists="PodList"),
)

# Of what is widely installed, by group, the kinds of which pods or jobs are made when their time
# comes: until then no object of the kinds above names their images. What others are made of comes
# before these, as above.
MAKERS: Mapping[str, tuple[str, ...]] = {
    "actions.github.com": ("autoscalingrunnersets",),
    "actions.summerwind.dev": ("runnerdeployments", "runnerreplicasets", "runnersets"),
    "agones.dev": ("fleets", "gameserversets"),
    "apps.kruise.io": ("advancedcronjobs", "broadcastjobs", "clonesets", "sidecarsets"),
    "argoproj.io": (
        "clusteranalysistemplates",
        "analysistemplates",
        "analysisruns",
        "clusterworkflowtemplates",
        "workflowtemplates",
        "cronworkflows",
        "sensors",
        "workflows",
    ),
    "batch.volcano.sh": ("cronjobs", "jobs"),
    "execution.furiko.io": ("jobconfigs",),
    "flink.apache.org": ("flinkdeployments",),
    "jobset.x-k8s.io": ("jobsets",),
    "keda.sh": ("scaledjobs",),
    "kubeflow.org": (
        "jaxjobs",
        "mpijobs",
        "paddlejobs",
        "pytorchjobs",
        "scheduledworkflows",
        "tfjobs",
        "xgboostjobs",
    ),
    "kubevirt.io": ("virtualmachines",),
    "postgresql.cnpg.io": ("clusterimagecatalogs", "imagecatalogs", "clusters"),
    "ray.io": ("rayjobs", "rayservices", "rayclusters"),
    "sinks.knative.dev": ("jobsinks",),
    "sparkoperator.k8s.io": ("scheduledsparkapplications", "sparkapplications"),
    "tekton.dev": (
        "clustertasks",
        "stepactions",
        "tasks",
        "pipelines",
        "pipelineruns",
        "taskruns",
    ),
    "trainer.kubeflow.org": ("clustertrainingruntimes", "trainingruntimes", "trainjobs"),
    "triggers.tekton.dev": ("triggertemplates",),
}

# Those of which an object is one run, each with a selector of labels that leaves out most that have
# ended; empty where there is none.
_RUNS: Mapping[str, str] = {
    "analysisruns.argoproj.io": "",
    "jaxjobs.kubeflow.org": "",
    "mpijobs.kubeflow.org": "",
    "paddlejobs.kubeflow.org": "",
    "pytorchjobs.kubeflow.org": "",
    "pipelineruns.tekton.dev": "",
    "taskruns.tekton.dev": "",
    "tfjobs.kubeflow.org": "",
    "workflows.argoproj.io": "workflows.argoproj.io/completed!=true",
    "xgboostjobs.kubeflow.org": "",
}
_ENDED = frozenset({"Succeeded", "Successful", "Failed", "Error", "Inconclusive"})


def parse_kind(text: str) -> Kind:
    """Return a kind that is written as ``GROUP/VERSION/PLURAL``.

    Raises:
        InUseError: It is none.
    """
    found = _KIND.fullmatch(text)
    if found is None:
        raise InUseError(
            f"no kind: {text[:80]!r}; write GROUP/VERSION/PLURAL, as argoproj.io/v1alpha1/rollouts"
        )
    group, version, resource = found.groups()
    return Kind(resource, group or "", version)


def groups_of(answer: Any) -> list[tuple[str, list[str]]]:
    """Return each group of a list of groups, with its versions, the preferred one first.

    Raises:
        ClusterError: It is none, or not all of one.
    """
    groups = answer.get("groups") if isinstance(answer, dict) else None
    if not isinstance(groups, list):
        raise ClusterError("the answer is no list of groups")
    found: list[tuple[str, list[str]]] = []
    for one in groups:
        match one:
            case {"name": str(name), "versions": [*versions]}:
                given = [one.get("preferredVersion"), *versions]
                named = [each.get("version") for each in given if isinstance(each, dict)]
                known = [each for each in dict.fromkeys(named) if isinstance(each, str)]
                if not known:
                    raise ClusterError("the answer is no list of groups")
                found.append((name, known))
            case _:
                raise ClusterError("the answer is no list of groups")
    if _ALWAYS not in dict(found):
        raise ClusterError(f"the list of groups lacks {_ALWAYS}, which every cluster has")
    return found


def listed_of(answer: Any) -> set[str]:
    """Return the names of the resources of a version that can be listed.

    Raises:
        ClusterError: It is no list of resources.
    """
    resources = answer.get("resources") if isinstance(answer, dict) else None
    if not isinstance(resources, list):
        raise ClusterError("the answer is no list of resources")
    found: set[str] = set()
    for one in resources:
        match one:
            case {"name": str(name), "verbs": [*verbs]} if "list" in verbs:
                found.add(name)
    return found


def cluster_role(further: Iterable[Kind] = (), name: str = "aioregistry-in-use") -> str:
    """Return the role that a cluster has to give whoever asks it, as YAML: lists, nothing else.

    Args:
        further: Kinds besides `KINDS` and `MAKERS`; none by default.
        name: The role's name; ``aioregistry-in-use`` by default.
    """
    rules: dict[str, list[str]] = {group: [*resources] for group, resources in MAKERS.items()}
    for kind in (*KINDS, *further):
        rules.setdefault(kind.group, []).append(kind.resource)
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: ClusterRole",
        "metadata:",
        f"  name: {json.dumps(name)}",
        "rules:",
    ]
    for group, resources in sorted(rules.items()):
        names = ", ".join(dict.fromkeys(resources))
        lines += [f'  - apiGroups: ["{group}"]', f"    resources: [{names}]", "    verbs: [list]"]
    return "\n".join(lines) + "\n"
