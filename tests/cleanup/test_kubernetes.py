"""A cluster that is asked by kubectl, here a script."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.references import InUseError

WEB = "registry.digitalocean.com/example/web:1"
POD = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"image": WEB}]}}
JOB = {"kind": "ScaledJob", "metadata": {"name": "s"}, "spec": {"image": f"{WEB}-later"}}
KEDA = "scaledjobs.keda.sh"


@pytest.fixture
def kubectl(tmp_path):
    """Make a kubectl that prints something, and notes its arguments."""

    def make(
        out: object = None,
        err: str = "",
        code: int = 0,
        seconds: float = 0,
        others: Mapping[str, object] = MappingProxyType({}),
        untold: str = "",
        *,
        tells: bool = True,
    ) -> str:
        script = tmp_path / "kubectl"
        text = out if isinstance(out, str) else json.dumps(out)
        # By kind: what is printed, or the error.
        printed = {kind: json.dumps(one) for kind, one in others.items() if isinstance(one, dict)}
        refused = {kind: one for kind, one in others.items() if isinstance(one, str)}
        listed = "\n".join(["pods", "deployments.apps", *others] if tells else [])
        script.write_text(
            f"#!{sys.executable}\nimport sys, time, pathlib\n"
            f"if 'api-resources' in sys.argv: print({listed!r}), sys.exit({untold!r} or 0)\n"
            "for kind in sys.argv:\n"
            f"    if kind in {printed!r}: print({printed!r}[kind]), sys.exit(0)\n"
            f"    if kind in {refused!r}: sys.exit({refused!r}[kind])\n"
            f"pathlib.Path({str(tmp_path / 'arguments')!r}).write_text(' '.join(sys.argv[1:]))\n"
            f"time.sleep({seconds})\nprint({text!r})\n"
            f"print({err!r}, file=sys.stderr)\nsys.exit({code})\n"
        )
        script.chmod(0o755)
        return str(script)

    return make


def refusal(kubectl: str, **options) -> str:
    with pytest.raises(InUseError) as caught:
        ask_kubernetes(kubectl=kubectl, **options)
    return caught.value.message


def test_pods_and_what_makes_them_are_asked_for_in_all_namespaces(kubectl, tmp_path):
    (use,) = ask_kubernetes(kubectl=kubectl({"kind": "List", "items": [POD]}))
    assert (str(use.reference), use.where) == (WEB, "pod p")
    words = (tmp_path / "arguments").read_text().split()
    assert words[0] == "get"
    kinds = words[1].split(",")
    assert {"cronjobs.batch", "deployments.apps", "controllerrevisions.apps"} < {*kinds}
    # As they make pods meanwhile, what makes them comes first.
    assert kinds[-1] == "pods"
    assert words[2:] == ["--all-namespaces", "--output", "json"]


def test_a_revision_runs_images_only_where_it_names_some(kubectl):
    template = {"spec": {"containers": [{"image": f"{WEB}0"}]}}
    revisions = [
        {"kind": "ControllerRevision", "metadata": {"name": "a"}, "data": {"of": "an operator"}},
        {"kind": "ControllerRevision", "data": {"spec": {"template": template}}},
    ]
    uses = ask_kubernetes(kubectl=kubectl({"kind": "List", "items": [*revisions, POD]}))
    assert {str(use.reference) for use in uses} == {WEB, f"{WEB}0"}


@pytest.mark.parametrize("context", ["blue", "--kubeconfig=/x"])
def test_a_context_is_named_and_never_taken_for_an_option(kubectl, tmp_path, context):
    ask_kubernetes(context, kubectl=kubectl({"kind": "List", "items": [POD]}))
    assert (tmp_path / "arguments").read_text().split()[0] == f"--context={context}"


def test_a_request_that_fails_is_an_error_whatever_was_printed(kubectl):
    forbidden = "Error from server (Forbidden): pods is forbidden"
    program = kubectl({"kind": "List", "items": [POD]}, forbidden, code=1)
    assert refusal(program) == f"kubernetes: {program} failed with exit code 1: {forbidden}"


PODS = {"kind": "List", "items": [POD]}


def test_what_makes_pods_later_is_read_as_well(kubectl):
    jobs = {"kind": "List", "items": [JOB, {"kind": "Odd"}]}
    program = kubectl(PODS, others={KEDA: jobs, "scaledobjects.keda.sh": {}})
    uses = ask_kubernetes(kubectl=program)
    assert {(str(use.reference), use.where) for use in uses} == {
        (WEB, "pod p"),
        (f"{WEB}-later", "scaledjob s of kubernetes"),
    }
    notes: list[str] = []
    ask_kubernetes(kubectl=program, ignore_kinds=[KEDA], notes=notes)
    assert notes == [f"kubernetes: {KEDA} were not read, by option"]


def test_runs_that_have_ended_are_not_in_use(kubectl):
    runs = [{"kind": "PipelineRun", "spec": {"image": f"{WEB}-{name}"}} for name in ("a", "b")]
    runs[1]["status"] = {"completionTime": "2026-05-31T12:00:00Z"}
    others = {"pipelineruns.tekton.dev": {"items": runs}}
    uses = ask_kubernetes(kubectl=kubectl(PODS, others=others))
    assert {str(use.reference) for use in uses} == {WEB, f"{WEB}-a"}


def test_what_makes_pods_later_and_may_not_be_listed_is_noted(kubectl):
    notes: list[str] = []
    others = {KEDA: "Error from server (Forbidden): no"}
    assert len(ask_kubernetes(kubectl=kubectl(PODS, others=others), notes=notes)) == 1
    (note,) = notes
    assert note.startswith(f"kubernetes: {KEDA} may name images that run later, and were not read:")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Unable to connect", f"Unable to connect; to leave them out, ignore the kind {KEDA}"),
        ({"kind": "List"}, "is no list of objects"),
    ],
    ids=["error", "no list"],
)
def test_what_makes_pods_later_and_cannot_be_listed_is_an_error(kubectl, answer, why):
    assert why in refusal(kubectl(PODS, others={KEDA: answer}))


UNTOLD = "error: unable to retrieve the complete list of server APIs: {}: it is down"


def test_a_group_of_which_nothing_is_told_is_an_error_where_it_may_make_pods(kubectl):
    metrics = kubectl(PODS, untold=UNTOLD.format("metrics.k8s.io/v1beta1"))
    assert len(ask_kubernetes(kubectl=metrics)) == 1
    keda = kubectl(PODS, untold=UNTOLD.format("keda.sh/v1alpha1"))
    assert "keda.sh/v1alpha1: it is down" in refusal(keda)
    assert "You must be logged in" in refusal(kubectl(PODS, untold="You must be logged in"))


@pytest.mark.parametrize("untold", ["", UNTOLD.format("metrics.k8s.io/v1beta1")])
def test_a_list_of_kinds_without_pods_is_none(kubectl, untold):
    why = refusal(kubectl(PODS, tells=False, untold=untold))
    assert ("metrics.k8s.io/v1beta1" if untold else "no list of what the cluster has") in why


def test_an_empty_cluster_is_refused(kubectl):
    assert "a list without objects" in refusal(kubectl({"kind": "List", "items": []}))


def test_workloads_without_a_single_pod_are_refused_unless_told(kubectl):
    template = {"spec": {"containers": [{"name": "c", "image": WEB}]}}
    deployment = {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    program = kubectl({"kind": "List", "items": [deployment]})
    assert "not one pod" in refusal(program)
    assert len(ask_kubernetes(kubectl=program, ignore_kinds=["Pod"])) == 1


def test_a_pod_that_is_passed_over_is_one(kubectl):
    template = {"spec": {"containers": [{"name": "c", "image": WEB}]}}
    deployment = {"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    waiting = {"state": {"waiting": {"reason": "InvalidImageName"}}, "image": "${IMAGE}"}
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "${IMAGE}"}]},
        "status": {"containerStatuses": [{"name": "c", **waiting}]},
    }
    notes: list[str] = []
    program = kubectl({"kind": "List", "items": [deployment, pod]})
    assert len(ask_kubernetes(kubectl=program, notes=notes)) == 1
    assert len(notes) == 1


def test_a_cluster_that_does_not_answer_is_an_error(kubectl):
    program = kubectl({}, seconds=30)
    assert refusal(program, timeout=0.2) == "kubernetes: no answer within 0.2 s"


def test_a_kubectl_that_is_not_installed_is_an_error(tmp_path):
    missing = str(tmp_path / "kubectl")
    assert refusal(missing, context="blue").startswith(f"kubernetes:blue: {missing} cannot be run")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl: snap install kubectl")
def test_a_real_kubectl_without_a_cluster_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(Path(tmp_path) / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "failed with exit code 1" in refusal("kubectl")
