"""A cluster that is asked what it runs: all of it, or one error. The server is the sandbox's."""

import asyncio
import json
import logging
import os
import shutil
import ssl
import subprocess
from collections import deque
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.kinds import KINDS, MAKERS, cluster_role, parse_kind
from aioregistry.cleanup.in_use.kube_api import (
    ClusterCredentials,
    by_account,
    by_credentials,
    by_kubeconfig,
)
from aioregistry.cleanup.in_use.kubeconfig import load_kubeconfig
from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.references import InUse, InUseError, collect_in_use
from aioregistry.cleanup.in_use.summary import InUseSummary
from aioregistry.sandbox import Sandbox, State

Configuration = pytest.importorskip("kubernetes_asyncio.client").Configuration

WEB = "registry.digitalocean.com/example/web"
PODS = "/api/v1/pods"
DEPLOYMENTS = "/apis/apps/v1/deployments"
SCALED_JOBS = "/apis/keda.sh/v1alpha1/scaledjobs"


async def no_wait(_: float) -> None:
    pass


@pytest.fixture
async def sandbox():
    async with Sandbox(State()) as running:
        yield running


@pytest.fixture
def cluster(sandbox):
    made = sandbox.state.add_cluster("blue")
    made.run(f"{WEB}:1")
    return made


@pytest.fixture
def connect(sandbox, cluster):
    """How it is reached, with the token that it takes at the moment."""

    async def fetch():
        return ClusterCredentials(
            server=f"{sandbox.url}/kubernetes/blue", token=cluster.token or "none"
        )

    return by_credentials(fetch)


@pytest.fixture
def source(connect):
    return ClusterInUse(connect=connect, name="blue", sleep=no_wait)


async def refusal(source) -> str:
    with pytest.raises(InUseError) as caught:
        await source.ask()
    assert caught.value.message.startswith("cannot know what runs in blue")
    return caught.value.message


def names(uses):
    return sorted(str(use.reference) for use in uses)


async def test_pods_and_what_makes_them_are_read(source, cluster):
    def template(image):
        return {"template": {"spec": {"containers": [{"name": "c", "image": f"{WEB}:{image}"}]}}}

    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"):
        cluster.add(kind, "x", template(kind))
    cluster.add("CronJob", "nightly", {"jobTemplate": {"spec": template("CronJob")}})
    revision = {"metadata": {"name": "r"}, "data": {"spec": template("revision")}}
    cluster.objects["/apis/apps/v1/controllerrevisions"] = [revision]
    pod_template = {"metadata": {"name": "t"}, **template("PodTemplate")}
    cluster.objects["/api/v1/podtemplates"] = [pod_template]
    kinds = ["CronJob", "DaemonSet", "Job", "PodTemplate", "ReplicaSet", "ReplicationController"]
    tags = ["1", *kinds, "StatefulSet", "revision"]
    assert names(await source.ask()) == sorted(f"{WEB}:{tag}" for tag in tags)
    (asked,) = source.asked
    assert asked.counts == dict.fromkeys(map(str, KINDS), 1)
    assert asked.server.endswith("/kubernetes/blue")


async def test_where_an_image_runs_names_object_and_cluster(source):
    (use,) = await source.ask()
    assert use.where == "deployment default/web of blue"


async def test_pods_are_read_after_all_that_makes_them(source, cluster):
    await source.ask()
    lists = [path for method, path, _ in cluster.requests if method == "GET"]
    assert lists[0] == "/apis"
    assert len(lists) == 1 + len(KINDS)
    assert lists[-1] == PODS


async def test_every_list_is_read_to_its_end(source, cluster):
    cluster.page = 3
    for number in range(10):
        cluster.run(f"{WEB}:{number}", name=f"app{number}")
    assert len(await source.ask()) == 10
    assert source.asked[0].counts["pods"] == 11
    pages = [query.get("continue") for _, path, query in cluster.requests if path == PODS]
    assert len(pages) == len(set(pages)) == 4


async def test_a_list_whose_place_is_forgotten_is_read_anew(source, cluster):
    cluster.page, cluster.expired = 1, 2
    cluster.run(f"{WEB}:2")
    assert len(await source.ask()) == 2
    cluster.expired = 3
    assert "too old" in await refusal(source)


async def test_asked_as_a_source_it_yields_only_once_all_was_read(source, cluster):
    in_use = await collect_in_use(source)
    assert dict(in_use.tags_of("example", "web")) == {"1": "deployment default/web of blue"}
    assert in_use.asked == source.asked
    cluster.answers[PODS] = deque([(403, "no")])
    with pytest.raises(InUseError):
        await anext(aiter(source))


_OF_A_KUBECONFIG = ("current-context", "clusters", "contexts", "users")
_PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1"}
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
LIST = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "<html>log in</html>"), "not PodList"),
        ((200, {}), "not PodList"),
        ((200, []), "not PodList"),
        ((200, None), "not PodList"),
        ((200, STATUS), "is Status"),
        ((200, LIST | {"kind": "ServiceList"}), "is ServiceList"),
        ((200, LIST | {"kind": "Table"}), "is Table"),
        ((200, LIST | {"items": {}}), "no list of objects"),
        ((200, LIST | {"items": ["x"]}), "no list of objects"),
        ((200, {"kind": "PodList", "items": []}), "not PodList"),
        ((200, LIST | {"metadata": {"remainingItemCount": 3}}), "a part of a list"),
        ((200, LIST | {"metadata": {"continue": 5}}), "continues at no place"),
        ((200, LIST | {"metadata": {"continue": "0"}}), "does not end"),
        ((204, ""), "not PodList"),
        ((403, STATUS | {"message": "pods is forbidden"}), "pods is forbidden"),
        ((403, "nothing to see here"), "403"),
        ((404, "no"), "404"),
    ],
    ids=lambda value: None if isinstance(value, tuple) else value,
)
async def test_what_is_no_whole_list_of_its_kind_is_an_error(source, cluster, answer, said):
    cluster.answers[PODS] = deque([answer] * 4)
    assert said in await refusal(source)
    assert source.asked == ()


@pytest.mark.parametrize("status", [0, 429, 500, 503], ids=["broken", "throttled", "500", "503"])
async def test_a_request_that_may_succeed_is_sent_again_and_then_given_up(source, cluster, status):
    cluster.answers[PODS] = deque([(status, "later")] * 3)
    assert len(await source.ask()) == 1
    # A connection that breaks is tried once more by the library below.
    cluster.answers[PODS] = deque([(status, "later")] * (8 if status == 0 else 4))
    assert "pods" in await refusal(source)


async def test_a_page_in_the_middle_that_fails_is_an_error(source, cluster):
    cluster.page = 1
    cluster.run(f"{WEB}:2")
    first = (200, LIST | {"metadata": {"continue": "abc"}})
    cluster.answers[PODS] = deque([first, *[(500, "")] * 4])
    assert "pods: 500" in await refusal(source)


async def test_a_token_that_ends_meanwhile_is_replaced_once(source, cluster):
    cluster.answers[PODS] = deque([(401, "")])
    assert len(await source.ask()) == 1
    cluster.answers[PODS] = deque([(401, ""), (401, "")])
    assert "401" in await refusal(source)


async def test_all_that_may_not_be_listed_is_named_in_one_error(source, cluster):
    cluster.forbidden = {"pods", "deployments"}
    message = await refusal(source)
    assert "may not list deployments.apps, pods in all namespaces" in message
    assert "kubectl create clusterrole" in message
    cluster.forbidden = {kind.resource for kind in KINDS}
    message = await refusal(source)
    # Whole, however long it is: people copy it.
    assert message.endswith("--serviceaccount=NAMESPACE:NAME, or --user=NAME")
    assert not [path for method, path, _ in cluster.requests if method == "GET"]


async def test_where_no_review_is_answered_the_lists_decide(source, cluster):
    cluster.answers["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = deque([(403, "")])
    assert len(await source.ask()) == 1


async def test_a_cluster_without_a_pod_is_refused_unless_told(source, cluster, connect):
    cluster.objects = {}
    assert "not one pod" in await refusal(source)
    told = ClusterInUse(connect=connect, ignore_kinds=["Pod"], name="blue")
    assert await told.ask() == []


async def test_a_name_that_no_cluster_can_pull_is_reported_and_passed_over(source, cluster):
    cluster.run("${IMAGE}:v1", name="broken")
    assert names(await source.ask()) == [f"{WEB}:1"]
    (note,) = source.notes
    assert note.startswith("deployment default/broken of blue: passed over '${IMAGE}:v1'")


async def test_an_object_without_an_image_is_an_error_unless_ignored(source, cluster, connect):
    cluster.add("Deployment", "empty", {"template": {"spec": {"containers": [{"name": "c"}]}}})
    assert "no image found in deployment default/empty of blue" in await refusal(source)
    told = ClusterInUse(connect=connect, ignore_kinds=["Deployment"], name="blue")
    assert len(await told.ask()) == 1


async def test_further_kinds_are_read_before_the_others(connect, cluster):
    path = "/apis/argoproj.io/v1alpha1/rollouts"
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": f"{WEB}:canary"}]}}}
    cluster.objects[path] = [{"metadata": {"name": "r"}, "spec": spec}]
    source = ClusterInUse(connect=connect, further_kinds=["argoproj.io/v1alpha1/rollouts"])
    assert f"{WEB}:canary" in names(await source.ask())
    assert source.asked[0].counts["rollouts.argoproj.io"] == 1


def scaled_job(image: str) -> dict:
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}
    return {"metadata": {"name": "j", "namespace": "jobs"}, "spec": {"jobTargetRef": spec}}


async def test_what_makes_pods_when_its_time_comes_is_read_where_the_cluster_has_it(
    source, cluster
):
    cluster.objects[SCALED_JOBS] = [scaled_job(f"{WEB}:monthly")]
    cluster.objects["/apis/tekton.dev/v1/tasks"] = []
    cluster.objects["/apis/tekton.dev/v1beta1/clustertasks"] = [scaled_job(f"{WEB}:task")]
    step = {"metadata": {"name": "s"}, "spec": {"image": f"{WEB}:step"}}
    cluster.objects["/apis/tekton.dev/v1beta1/stepactions"] = [step]
    # What names no image, and kinds that make no pods, are no error.
    cluster.objects["/apis/argoproj.io/v1alpha1/workflowtemplates"] = [{"metadata": {"name": "w"}}]
    cluster.objects["/apis/argoproj.io/v1alpha1/applications"] = [{"metadata": {"name": "a"}}]
    found = [f"{WEB}:1", f"{WEB}:monthly", f"{WEB}:step", f"{WEB}:task"]
    assert names(await source.ask()) == found
    assert source.notes == []
    counts = source.asked[0].counts
    assert {kind: count for kind, count in counts.items() if kind not in set(map(str, KINDS))} == {
        "scaledjobs.keda.sh": 1,
        "tasks.tekton.dev": 0,
        "clustertasks.tekton.dev": 1,
        "stepactions.tekton.dev": 1,
        "workflowtemplates.argoproj.io": 1,
    }


def held_back(tag: str) -> dict:
    return {"template": {"spec": {"containers": [{"name": "c", "image": f"{WEB}:{tag}"}]}}}


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        # The second of them starts when the first has ended.
        (
            "jobset.x-k8s.io/v1alpha2/jobsets",
            {"replicatedJobs": [{"name": "late", "template": {"spec": held_back("later")}}]},
        ),
        # Measured by a job, in the middle of a rollout.
        (
            "argoproj.io/v1alpha1/analysistemplates",
            {"metrics": [{"provider": {"job": {"spec": held_back("later")}}}]},
        ),
        # On each node that comes.
        ("apps.kruise.io/v1alpha1/broadcastjobs", held_back("later")),
        # Suspended, as in a queue: of these there is neither a pod nor a job before.
        (
            "kubeflow.org/v1/pytorchjobs",
            {"pytorchReplicaSpecs": {"Worker": held_back("later")}},
        ),
        ("kubeflow.org/v2beta1/mpijobs", {"mpiReplicaSpecs": {"Launcher": held_back("later")}}),
        (
            "ray.io/v1/rayjobs",
            {"rayClusterSpec": {"headGroupSpec": held_back("later")}, "suspend": True},
        ),
        ("flink.apache.org/v1beta1/flinkdeployments", {"image": f"{WEB}:later"}),
        # Hibernated.
        ("postgresql.cnpg.io/v1/clusters", {"imageName": f"{WEB}:later"}),
        # Executors are made by the driver.
        (
            "sparkoperator.k8s.io/v1beta2/sparkapplications",
            {"executor": {"image": f"{WEB}:later"}},
        ),
        # At each event.
        ("sinks.knative.dev/v1alpha1/jobsinks", {"job": {"spec": held_back("later")}}),
        # Scaled to nothing.
        (
            "actions.summerwind.dev/v1alpha1/runnerdeployments",
            {"replicas": 0, "template": {"spec": {"image": f"{WEB}:later"}}},
        ),
        (
            "trainer.kubeflow.org/v1alpha1/clustertrainingruntimes",
            {"template": {"spec": {"replicatedJobs": [{"template": held_back("later")}]}}},
        ),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) else "",
)
async def test_the_image_of_what_has_no_pod_yet_is_in_use(source, cluster, path, spec):
    cluster.objects[f"/apis/{path}"] = [{"metadata": {"name": "x"}, "spec": spec}]
    assert names(await source.ask()) == [f"{WEB}:1", f"{WEB}:later"]


async def test_what_runs_are_made_of_is_read_before_them(source, cluster):
    """A run that begins meanwhile is in its list, or what it is made of was read as it was then."""
    argo, tekton = "/apis/argoproj.io/v1alpha1", "/apis/tekton.dev/v1"
    paths = [f"{argo}/workflowtemplates", f"{argo}/cronworkflows", f"{argo}/workflows"]
    paths += [f"{tekton}/{kind}" for kind in ("tasks", "pipelines", "pipelineruns", "taskruns")]
    cluster.objects |= {path: [] for path in paths}
    await source.ask()
    assert [path for _, path, _ in cluster.requests if path in paths] == paths


FOUND = ("1", "monthly", "waiting")


def run(tag: str, status: object) -> dict:
    spec = {"templates": [{"container": {"image": f"{WEB}:{tag}"}}]}
    return {"metadata": {"name": tag}, "spec": spec, "status": status}


async def test_a_run_is_in_use_until_it_has_ended(source, cluster, connect):
    path, began = "/apis/argoproj.io/v1alpha1/workflows", "2026-05-31T12:00:00Z"
    cluster.objects[path] = [
        run("waiting", None),
        run("running", {"phase": "Running"}),
        *(run("ended", {"phase": phase}) for phase in ("Succeeded", "Failed", "Error")),
    ]
    cluster.objects["/apis/tekton.dev/v1/pipelineruns"] = [
        run("started", {"startTime": began}),
        run("completed", {"startTime": began, "completionTime": began}),
    ]
    cluster.objects["/apis/argoproj.io/v1alpha1/analysisruns"] = [
        run("measuring", {"phase": "Running"}),
        *(run("measured", {"phase": phase}) for phase in ("Successful", "Inconclusive")),
    ]
    cluster.objects["/apis/kubeflow.org/v1/tfjobs"] = [run("trained", {"completionTime": began})]
    cluster.objects["/apis/tekton.dev/v1/tasks"] = [run("reusable", {"phase": "Succeeded"})]
    found = [f"{WEB}:1", f"{WEB}:measuring"]
    found += [f"{WEB}:{tag}" for tag in ("reusable", "running", "started", "waiting")]
    assert names(await source.ask()) == found
    (query,) = [query for _, asked, query in cluster.requests if asked == path]
    assert query["labelSelector"] == "workflows.argoproj.io/completed!=true"
    kind = "argoproj.io/v1alpha1/workflows"
    named = ClusterInUse(connect=connect, further_kinds=[kind])
    assert f"{WEB}:ended" in names(await named.ask())


async def test_what_the_account_may_not_list_of_these_is_noted_and_recorded(source, cluster):
    cluster.objects[SCALED_JOBS] = [scaled_job(f"{WEB}:monthly")]
    cluster.forbidden = {"scaledjobs"}
    assert names(await source.ask()) == [f"{WEB}:1"]
    (note,) = source.notes
    assert "blue: scaledjobs.keda.sh may name images that run later, and were not read" in note
    assert source.asked[0].passed_over == (note,)
    # Asked for by name it is an error.
    cluster.forbidden = {"scaledjobs"}
    source = ClusterInUse(
        connect=source._connect, name="blue", further_kinds=["keda.sh/v1alpha1/scaledjobs"]
    )
    assert "may not list scaledjobs.keda.sh" in await refusal(source)


async def test_one_of_these_that_cannot_be_listed_can_be_left_out(source, cluster, connect):
    cluster.objects[SCALED_JOBS] = [scaled_job(f"{WEB}:monthly")]
    cluster.answers[SCALED_JOBS] = deque([(500, "no webhook")] * 8)
    message = await refusal(source)
    assert "scaledjobs.keda.sh: 500" in message
    assert message.endswith("to leave them out, --in-use-ignore scaledjobs.keda.sh")
    told = ClusterInUse(connect=connect, name="blue", ignore_kinds=["scaledjobs.keda.sh"])
    assert names(await told.ask()) == [f"{WEB}:1"]
    assert told.notes == ["blue: scaledjobs.keda.sh were not read, by option"]
    assert "scaledjobs.keda.sh" not in told.asked[0].counts


@pytest.mark.parametrize("status", [403, 404])
async def test_a_cluster_that_does_not_tell_its_kinds_is_asked_for_the_usual_ones(
    source, cluster, status
):
    cluster.answers["/apis"] = deque([(status, "")])
    assert names(await source.ask()) == [f"{WEB}:1"]
    assert source.notes == ["blue: it does not say which kinds it has besides the usual ones"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"groups": [{"name": "keda.sh"}]},
        {"groups": [5]},
        {"groups": None},
        {"groups": [{"name": "keda.sh", "versions": []}]},
        {"groups": [{"name": "keda.sh", "versions": ["v1alpha1"], "preferredVersion": 1}]},
    ],
)
async def test_a_list_of_kinds_that_is_none_is_an_error(source, cluster, answer):
    cluster.answers["/apis"] = deque([(200, answer)])
    assert "the answer is no list of groups" in await refusal(source)
    cluster.objects[SCALED_JOBS] = []
    cluster.answers["/apis/keda.sh/v1alpha1"] = deque([(200, answer)])
    assert "the answer is no list of resources" in await refusal(source)


@pytest.mark.parametrize("listed", [[], ["keda.sh"]])
async def test_a_list_of_kinds_without_those_of_every_cluster_is_an_error(source, cluster, listed):
    groups = [{"name": one, "versions": [{"version": "v1"}]} for one in listed]
    cluster.answers["/apis"] = deque([(200, {"groups": groups})])
    assert "the list of groups lacks apps" in await refusal(source)


async def test_a_version_of_a_group_that_does_not_answer_is_named(source, cluster):
    """As of an API that is served elsewhere, whose server is away."""
    cluster.objects[SCALED_JOBS] = []
    cluster.answers["/apis/keda.sh/v1alpha1"] = deque([(503, "")] * 4)
    assert "the kinds of keda.sh/v1alpha1: 503" in await refusal(source)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_group_whose_kinds_are_not_told_hides_no_other(source, cluster, status):
    cluster.objects["/apis/argoproj.io/v1alpha1/cronworkflows"] = []
    cluster.objects[SCALED_JOBS] = [scaled_job(f"{WEB}:monthly")]
    cluster.answers["/apis/argoproj.io/v1alpha1"] = deque([(status, "")])
    assert names(await source.ask()) == [f"{WEB}:1", f"{WEB}:monthly"]
    assert source.notes == ["blue: it does not say which kinds of argoproj.io it has"]


@pytest.mark.parametrize("image", ["{{inputs.parameters.image}}", "$(params.image)"])
async def test_an_image_that_a_template_leaves_open_is_reported_as_such(source, cluster, image):
    cluster.objects[SCALED_JOBS] = [scaled_job(image)]
    assert names(await source.ask()) == [f"{WEB}:1"]
    (note,) = source.notes
    assert note.endswith("it is filled in when it is used, with values that are unknown before")


async def test_one_that_does_not_answer_in_time_is_an_error(cluster, connect, sandbox):
    sandbox.latency = 5.0
    source = ClusterInUse(connect=connect, name="blue", timeout=0.05)
    assert "no answer within 0.05 s" in await refusal(source)


async def test_what_does_not_answer_in_time_is_named(cluster, connect):
    cluster.objects[SCALED_JOBS] = []
    cluster.answers[SCALED_JOBS] = deque([(500, "no webhook")])

    async def no_time_is_left(_):
        raise TimeoutError

    source = ClusterInUse(connect=connect, name="blue", sleep=no_time_is_left)
    said = f"no answer within 120 s; the last request was for {SCALED_JOBS}"
    assert (await refusal(source)).endswith(said)


async def test_secrets_are_neither_logged_nor_in_errors(source, cluster, caplog):
    caplog.set_level(logging.DEBUG)
    cluster.objects[PODS][0]["spec"]["containers"][0]["env"] = [{"value": "hunter2"}]
    cluster.answers[DEPLOYMENTS] = deque([(403, STATUS)])
    message = await refusal(source)
    assert len(await source.ask()) == 1
    for text in (message, caplog.text):
        assert "hunter2" not in text
        assert "cluster-token" not in text


async def test_a_token_is_not_sent_without_https():
    async def fetch():
        return ClusterCredentials(server="http://example.com", token="secret")

    source = ClusterInUse(connect=by_credentials(fetch), name="blue")
    assert "not https" in await refusal(source)


async def test_no_credentials_of_others_are_in_the_way(source, cluster, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert len(await source.ask()) == 1


async def test_an_authority_is_checked(cluster):
    async with Sandbox(State(), tls=True) as sandbox:
        sandbox.state.clusters["blue"] = cluster

        async def fetch(authority):
            return ClusterCredentials(
                server=f"{sandbox.url}/kubernetes/blue",
                token=cluster.token,
                certificate_authority=authority,
            )

        trusting = by_credentials(lambda: fetch(sandbox.certificates.authority))
        assert len(await ClusterInUse(connect=trusting, name="blue").ask()) == 1
        doubting = by_credentials(lambda: fetch(b""))
        source = ClusterInUse(connect=doubting, name="blue", sleep=no_wait)
        assert "ertificate" in await refusal(source)


async def test_another_cluster_at_the_address_of_the_plans_is_refused(cluster):
    """As at the near end of a tunnel: there only the authority tells one from the other."""

    async def asked_of(server, trusted):
        async def fetch():
            url = f"{server.url}/kubernetes/blue"
            return ClusterCredentials(
                server=url, token=cluster.token, certificate_authority=trusted
            )

        source = ClusterInUse(connect=by_credentials(fetch), name="blue")
        await source.ask()
        return source.asked

    async with Sandbox(State(), tls=True) as server:
        server.state.clusters["blue"] = cluster
        own = server.certificates.authority
        (here,) = await asked_of(server, own)
        # Other text around it is the same authority.
        same = b"# Ours\n" + own.replace(b"\n", b"\r\n")
        recorded = InUseSummary(read=1, asked=(here,))
        for trusted in (own, same):
            in_use = InUse(["example/web:1"], await asked_of(server, trusted))
            assert (await collect_in_use(in_use, recorded)) is in_use
        more = InUse(["example/web:1"], await asked_of(server, own + bare_authority()[0]))
        with pytest.raises(InUseError, match="not the cluster that the plan asked"):
            await collect_in_use(more, recorded)
        older = evolve(recorded, asked=(evolve(here, authority=""),))
        assert (await collect_in_use(more, older)) is more


async def test_an_authority_as_many_a_cluster_has_it_is_enough(cluster, monkeypatch, tmp_path):
    """One without the extensions that Python asks for from 3.13 on, as of old clusters."""
    plain = ssl.create_default_context

    def strict(*args, **kwargs):
        context = plain(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    sandbox = Sandbox(State(), tls=True)
    authority, pair = bare_authority()
    server = plain(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "pair.pem").write_bytes(pair)
    server.load_cert_chain(tmp_path / "pair.pem")
    sandbox.certificates = evolve(sandbox.certificates, server=server)
    sandbox.state.clusters["blue"] = cluster
    monkeypatch.setattr(ssl, "create_default_context", strict)

    async def fetch(trusted=authority):
        url = f"{sandbox.url}/kubernetes/blue"
        return ClusterCredentials(server=url, token=cluster.token, certificate_authority=trusted)

    async with sandbox:
        assert len(await ClusterInUse(connect=by_credentials(fetch)).ask()) == 1
        other = by_credentials(lambda: fetch(bare_authority()[0]))
        source = ClusterInUse(connect=other, name="blue", sleep=no_wait)
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(source)


def bare_authority() -> tuple[bytes, bytes]:
    """An authority, and a key with a certificate of it, as PEM."""
    now = datetime.now(UTC)

    def signed(subject, public, extension, *, critical):
        made = x509.CertificateBuilder(
            issuer_name=named("kubernetes"),
            subject_name=named(subject),
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(hours=1),
        ).add_extension(extension, critical=critical)
        return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    basic = x509.BasicConstraints(ca=True, path_length=None)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    secret = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    authority = signed("kubernetes", key.public_key(), basic, critical=True)
    return authority, secret + signed("server", own.public_key(), address, critical=False)


async def test_an_apply_asks_the_servers_of_the_plan(source):
    await source.ask()
    plan = InUseSummary(read=1, references=(f"{WEB}:1",), asked=source.asked)
    assert (await collect_in_use(source, plan)).asked[0].server == source.asked[0].server
    with pytest.raises(InUseError, match="which was not asked now"):
        await collect_in_use([f"{WEB}:1"], plan)


def test_the_role_lists_and_does_nothing_else():
    role = cluster_role([parse_kind("argoproj.io/v1alpha1/rollouts")])
    groups = {kind.group for kind in KINDS} | {*MAKERS}
    assert role.count("verbs: [list]") == role.count("apiGroups") == role.count("verbs")
    assert role.count("apiGroups") == len(groups)
    assert "secrets" not in role
    assert "workflows, rollouts]" in role


@pytest.mark.parametrize("text", ["rollouts", "Rollouts.argoproj.io", "a/b", "../v1/pods", ""])
def test_what_is_no_kind_is_refused(text):
    with pytest.raises(InUseError, match="GROUP/VERSION/PLURAL"):
        parse_kind(text)


class TestKubeconfig:
    """A cluster that a kubeconfig names."""

    @pytest.fixture
    def write(self, tmp_path, sandbox, cluster, monkeypatch):
        def write(name, *, server=None, context="blue", current="blue", user=None, **more):
            path = tmp_path / name
            document = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": current,
                "clusters": [
                    {
                        "name": context,
                        "cluster": {"server": server or f"{sandbox.url}/kubernetes/blue"} | more,
                    }
                ],
                "contexts": [{"name": context, "context": {"cluster": context, "user": "me"}}],
                "users": [{"name": "me", "user": user or {"token": cluster.token}}],
            }
            path.write_text(json.dumps(document))
            monkeypatch.setenv("KUBECONFIG", str(path))
            return path

        return write

    async def test_the_current_context_is_asked(self, write):
        write("config")
        source = ClusterInUse()
        assert len(await source.ask()) == 1
        assert source.asked[0].source == "kubernetes"

    async def test_of_several_files_the_first_says_which_cluster(self, write, monkeypatch):
        one = write("one")
        two = write("two", server="http://127.0.0.1:1", context="red", current="red")
        empty = one.with_name("empty")
        empty.write_text("")
        monkeypatch.setenv("KUBECONFIG", f"{one.with_name('missing')}:{empty}:{one}:{two}")
        assert len(await ClusterInUse().ask()) == 1
        with pytest.raises(InUseError, match="kubernetes:red"):
            await ClusterInUse("red", sleep=no_wait).ask()

    @pytest.mark.parametrize("kind", ["contexts", "clusters", "users"])
    async def test_a_file_that_says_two_things_of_one_name_is_refused_as_by_kubectl(
        self, write, kind
    ):
        path = write("config")
        document = json.loads(path.read_text())
        document[kind].append(document[kind][0])
        path.write_text(json.dumps(document))
        with pytest.raises(InUseError, match=f"config: {kind} has '(blue|me)' twice"):
            await ClusterInUse().ask()

    async def test_a_context_that_does_not_exist_is_an_error(self, write):
        write("config")
        with pytest.raises(InUseError, match="green"):
            await ClusterInUse("green").ask()

    async def test_without_a_current_context_one_must_be_named(self, write):
        write("config", current="")
        with pytest.raises(InUseError, match="no current context"):
            await ClusterInUse().ask()
        assert len(await ClusterInUse("blue").ask()) == 1

    async def test_without_a_file_it_is_an_error_and_no_other_cluster(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
        with pytest.raises(InUseError, match="no kubeconfig"):
            await ClusterInUse().ask()

    async def test_a_token_file_is_read_without_its_newline(self, write, cluster, tmp_path):
        (tmp_path / "token").write_text(f"{cluster.token}\n")
        write("config", user={"tokenFile": "token", "token": "old"})
        assert len(await ClusterInUse().ask()) == 1

    async def test_a_plugin_beside_the_file_is_run_again_when_its_token_ends(
        self, write, cluster, tmp_path
    ):
        plugin = tmp_path / "plugin"
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": cluster.token},
        }
        plugin.write_text(
            f"#!/bin/sh\necho run >> {tmp_path}/runs\necho '{json.dumps(credential)}'\n"
        )
        plugin.chmod(0o755)
        command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}
        write("config", user={"exec": command})
        cluster.answers[PODS] = deque([(401, "")])
        assert len(await ClusterInUse().ask()) == 1
        assert (tmp_path / "runs").read_text().split() == ["run", "run"]

    async def test_a_plugin_that_hangs_does_not_outlive_the_question(self, write, tmp_path):
        """A clean-up asks every ten minutes, and would leave one behind each time."""
        plugin, found = tmp_path / "plugin", tmp_path / "process"
        plugin.write_text(
            f"#!/bin/sh\necho $$ > {found}.new\nmv {found}.new {found}\nexec sleep 60\n"
        )
        plugin.chmod(0o755)
        command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}
        write("config", user={"exec": command})
        asking = asyncio.create_task(ClusterInUse().ask())
        while not await asyncio.to_thread(found.exists):
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        with pytest.raises(ProcessLookupError):
            os.kill(int(found.read_text()), 0)

    @pytest.mark.parametrize(
        ("script", "problem"),
        [
            ("head -c 1000000 /dev/zero >&2; cat answer", None),
            ("echo no  luck >&2; exit 3", "'./plugin' ended with 3: no luck$"),
            ("exit 3", "'./plugin' ended with 3$"),
            ("echo", "'./plugin' answers with no credentials"),
            ("echo 7", "'./plugin' answers with no credentials"),
            ("sed s/{/[/ answer", "'./plugin' answers with no credentials"),
            ("sed s/v1/v2/ answer", "speaks 'client.authentication.k8s.io/v2', and the kubeconf"),
        ],
    )
    async def test_what_a_plugin_says_is_taken_or_told(
        self, write, cluster, tmp_path, script, problem
    ):
        api = "client.authentication.k8s.io/v1"
        credential = {"apiVersion": api, "kind": "ExecCredential"}
        answer = credential | {"status": {"token": cluster.token}}
        (tmp_path / "answer").write_text(json.dumps(answer))
        plugin = tmp_path / "plugin"
        plugin.write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        plugin.chmod(0o755)
        write("config", user={"exec": {"apiVersion": api, "command": "./plugin"}})
        if problem is None:
            assert len(await ClusterInUse().ask()) == 1
        else:
            with pytest.raises(InUseError, match=problem):
                await ClusterInUse().ask()

    async def test_a_token_is_preferred_to_a_plugin_as_by_kubectl(self, write, cluster):
        command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./no-such"}
        write("config", user={"token": cluster.token, "exec": command})
        assert len(await ClusterInUse().ask()) == 1

    async def test_the_certificate_of_a_plugin_is_used_beside_an_empty_token(self, write, tmp_path):
        issued = trustme.CA().issue_cert("me")
        certificate = issued.cert_chain_pems[0].bytes()
        status = {
            "token": "",
            "clientCertificateData": certificate.decode(),
            "clientKeyData": issued.private_key_pem.bytes().decode(),
        }
        api = "client.authentication.k8s.io/v1beta1"
        credential = {"apiVersion": api, "kind": "ExecCredential", "status": status}
        (tmp_path / "answer").write_text(json.dumps(credential))
        plugin = {"apiVersion": api, "command": "cat", "args": [str(tmp_path / "answer")]}
        path = write("config", server="https://127.0.0.1:1", user={"exec": plugin})
        configuration = Configuration()
        await load_kubeconfig(configuration, None, [path])
        assert Path(configuration.cert_file).read_bytes() == certificate  # noqa: ASYNC240
        assert "BearerToken" not in configuration.api_key

    async def test_paths_are_beside_the_file_that_has_them(self, write, cluster, tmp_path):
        write("config", user={})
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        (folder / "token").write_text(cluster.token)
        user = write("elsewhere/user", user={"tokenFile": "token"})
        document = json.loads(user.read_text())
        user.write_text(json.dumps({"users": document["users"]}))
        cluster_file = write("clusters", user={})
        document = json.loads(cluster_file.read_text())
        cluster_file.write_text(json.dumps(document | {"users": []}))
        connect = by_kubeconfig(None, [cluster_file, user])
        assert len(await ClusterInUse(connect=connect).ask()) == 1

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"user": {"token": "t0ken", "as": "admin"}}, "impersonates"),
            ({"user": {"exec": {}}}, "missing key 'command'"),
            ({"user": {"exec": {**_PLUGIN, "command": "no-such"}}}, "'no-such' cannot be run: No"),
            ({"user": {"exec": {**_PLUGIN, "command": "true"}}}, "answers with no credentials"),
            ({"users": [{"name": "me", "token": "t0ken"}]}, "Expected key user in .*/users/me"),
            ({"users": [{"user": {"token": "t0ken"}}]}, "to have .name. key"),
            ({"users": []}, "context blue has no user"),
            ({"clusters": [{"name": "blue", "server": "t0ken"}]}, "Expected key cluster"),
            ({"current-context": "green"}, "no context 'green'; it has blue"),
            ({"server": "https://me:t0ken@127.0.0.1:1"}, "a user or password in it"),
            ({"insecure-skip-tls-verify": True, "certificate-authority": "x"}, "not to check it"),
        ],
    )
    async def test_what_kubectl_cannot_use_either_is_refused_without_its_secrets(
        self, write, change, said
    ):
        """Refused alike by kubectl, but for the first, at a real API server."""
        more = {key: change.pop(key) for key in list(change) if key not in _OF_A_KUBECONFIG}
        path = write("config", **more)
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(InUseError, match=said) as caught:
            await ClusterInUse(sleep=no_wait).ask()
        assert "t0ken" not in str(caught.value)

    async def test_a_file_that_is_no_kubeconfig_is_an_error(self, write):
        write("config").write_text("a text")
        with pytest.raises(InUseError, match="config: not a kubeconfig"):
            await ClusterInUse().ask()

    async def test_a_kubeconfig_whose_users_are_no_list_is_an_error(self, write):
        path = write("config")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"users": 3}))
        with pytest.raises(InUseError, match="config: users is no list"):
            await ClusterInUse().ask()

    @pytest.mark.slow(1)
    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")
    async def test_kubectl_sees_the_same_pods(self, tmp_path, cluster, write):
        cluster.page = 2
        for number in range(5):
            cluster.run(f"{WEB}:{number}", name=f"app{number}")
        async with Sandbox(State(), tls=True) as sandbox:
            sandbox.state.clusters["blue"] = cluster
            (tmp_path / "ca.pem").write_bytes(sandbox.certificates.authority)
            server = f"{sandbox.url}/kubernetes/blue"
            path = write("config", server=server, **{"certificate-authority": "ca.pem"})
            process = await asyncio.create_subprocess_exec(
                *("kubectl", f"--kubeconfig={path}", f"--cache-dir={tmp_path}/cache"),
                *("get", "pods", "-A", "-o", "json", "--chunk-size=2"),
                stdout=subprocess.PIPE,
            )
            output, _ = await process.communicate()
            source = ClusterInUse()
            assert len(await source.ask()) == 5
        assert process.returncode == 0
        assert len(json.loads(output)["items"]) == source.asked[0].counts["pods"] == 6

    @pytest.mark.slow(2)
    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")
    async def test_by_kubectl_the_same_is_in_use(self, tmp_path, cluster, write, monkeypatch):
        cluster.objects[SCALED_JOBS] = [scaled_job(f"{WEB}:monthly")]
        path = "/apis/argoproj.io/v1alpha1/workflows"
        cluster.objects[path] = [run("waiting", None), run("ended", {"phase": "Failed"})]
        cluster.objects["/apis/tekton.dev/v1/tasks"] = []
        cluster.forbidden = {"sensors"}
        cluster.objects["/apis/argoproj.io/v1alpha1/sensors"] = [scaled_job(f"{WEB}:unseen")]
        async with Sandbox(State(), tls=True) as sandbox:
            sandbox.state.clusters["blue"] = cluster
            (tmp_path / "ca.pem").write_bytes(sandbox.certificates.authority)
            server = f"{sandbox.url}/kubernetes/blue"
            file = write("config", server=server, **{"certificate-authority": "ca.pem"})
            monkeypatch.setenv("KUBECONFIG", str(file))
            monkeypatch.setenv("HOME", str(tmp_path))
            source = ClusterInUse()
            notes: list[str] = []
            asked = await asyncio.to_thread(ask_kubernetes, notes=notes)
            assert names(await source.ask()) == [f"{WEB}:{tag}" for tag in FOUND]
        assert {*names(asked)} == {f"{WEB}:{tag}" for tag in FOUND}
        assert notes == source.notes
        assert "sensors.argoproj.io may name images that run later" in notes[0]


class TestAccountOfAPod:
    """The cluster in which this runs; here nothing answers at its address."""

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.crt")
        (tmp_path / "token").write_text("a-secret\n")
        return tmp_path

    async def test_it_is_asked_at_the_address_that_the_pod_is_given(self, folder):
        source = ClusterInUse(connect=by_account(folder), name="blue", sleep=no_wait)
        message = await refusal(source)
        assert "(https://127.0.0.1:1)" in message
        assert "a-secret" not in message

    @pytest.mark.parametrize("missing", ["token", "ca.crt"])
    async def test_without_an_account_it_is_an_error(self, folder, missing):
        (folder / missing).unlink()
        source = ClusterInUse(connect=by_account(folder), name="blue")
        assert "does not exist" in await refusal(source)

    async def test_outside_of_a_cluster_it_is_an_error(self, folder, monkeypatch):
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
        source = ClusterInUse(connect=by_account(folder), name="blue")
        assert "this runs in no pod" in await refusal(source)

    def test_it_is_used_only_where_it_is_asked_for(self):
        with pytest.raises(ValueError, match="exclude each other"):
            ClusterInUse("blue", in_cluster=True)
        assert ClusterInUse(in_cluster=True).name == "in-cluster"
