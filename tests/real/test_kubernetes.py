"""A real API server of Kubernetes is asked what runs there, with the rights that deploy prints."""

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yaml

from aioregistry.cleanup.in_use.cluster import ClusterInUse
from aioregistry.cleanup.in_use.kinds import KINDS, MAKERS
from aioregistry.cleanup.in_use.kube_api import by_account, by_kubeconfig
from aioregistry.cleanup.in_use.kubernetes import ask_kubernetes
from aioregistry.cleanup.in_use.references import InUseError
from tests.cli.registries import shell
from tests.real.kubernetes_server import KubernetesServer, serving_kubernetes
from tests.real.places import program
from tests.sandbox.test_cluster import ANSWERS, compact

__all__ = ["shell"]

pytest.importorskip("kubernetes_asyncio")
pytestmark = [pytest.mark.exhaustive, pytest.mark.slow(30)]

HOST = "registry.digitalocean.com/example"
ROLLOUTS = "argoproj.io/v1alpha1/rollouts"
MANY = 1100


def container(image: str, name: str = "main") -> dict[str, Any]:
    return {"name": name, "image": f"{HOST}/{image}"}


def pod_spec(image: str) -> dict[str, Any]:
    return {
        "containers": [container(f"{image}:main")],
        "initContainers": [
            container(f"{image}:init", "init"),
            container(f"{image}:sidecar", "sidecar") | {"restartPolicy": "Always"},
        ],
        "volumes": [{"name": "data", "image": {"reference": f"{HOST}/{image}:volume"}}],
    }


def made(kind: str, api: str, name: str, spec: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-a"}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": dict(spec)} | more


def template(image: str, restart: str = "Always") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": image}},
        "spec": pod_spec(image) | {"restartPolicy": restart},
    }


def of_app(image: str, **more: Any) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"app": image}},
        "template": template(image),
        **more,
    }


def workloads() -> Iterator[dict[str, Any]]:
    yield made("Deployment", "apps/v1", "web", of_app("web", replicas=0))
    for number in range(3):
        yield made("ReplicaSet", "apps/v1", f"web-{number}", of_app(f"old-{number}", replicas=0))
    yield made("StatefulSet", "apps/v1", "store", of_app("store", serviceName="store"))
    yield made("DaemonSet", "apps/v1", "agent", of_app("agent"))
    for owner in ("store", "agent"):
        revision = made("ControllerRevision", "apps/v1", f"{owner}-1", {})
        del revision["spec"]
        past = {"spec": {"template": template(f"{owner}-before") | {"$patch": "replace"}}}
        yield revision | {"revision": 1, "data": past}
    yield made("Job", "batch/v1", "once", {"template": template("once", "Never")})
    job = {"spec": {"template": template("nightly", "Never")}}
    yield made("CronJob", "batch/v1", "nightly", {"schedule": "1 2 * * *", "jobTemplate": job})
    one = made("PodTemplate", "v1", "template", {}, template=template("template"))
    del one["spec"]
    yield one
    old = of_app("controller") | {"selector": {"app": "controller"}}
    yield made("ReplicationController", "v1", "controller", old)
    yield made("Pod", "v1", "debugged", pod_spec("debugged"))


def definition(kind: str, group: str) -> dict[str, Any]:
    """Define a kind of which any object is valid."""
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [version | {"schema": {"openAPIV3Schema": anything}}],
        },
    }


def images_that_kubectl_sees(server: KubernetesServer) -> set[str]:
    """The images of all objects, by the paths that Kubernetes documents: nothing of ours."""
    found: set[str] = set()

    def of_pod(spec: Mapping[str, Any]) -> None:
        for key in ("containers", "initContainers", "ephemeralContainers"):
            found.update(one["image"] for one in spec.get(key, ()))
        volumes = spec.get("volumes", ())
        found.update(one["image"]["reference"] for one in volumes if "image" in one)

    for item in server.get("pods"):
        of_pod(item["spec"])
        for one in item["status"].get("containerStatuses", ()):
            found.update({one["image"], one["imageID"]})
    for kind in (
        *("deployments", "replicasets", "statefulsets", "daemonsets", "jobs"),
        *("replicationcontrollers", "rollouts.argoproj.io"),
    ):
        for item in server.get(kind):
            of_pod(item["spec"]["template"]["spec"])
    for item in server.get("cronjobs"):
        of_pod(item["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    for item in server.get("podtemplates"):
        of_pod(item["template"]["spec"])
    for item in server.get("controllerrevisions"):
        of_pod(item["data"]["spec"]["template"]["spec"])
    return {image for image in found if image}


async def create_pods(server: KubernetesServer, count: int) -> None:
    user = server.user_by_certificate("hurried", "system:masters")
    context = ssl.create_default_context(cafile=str(server.authority_file))
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    url = f"{server.url}/api/v1/namespaces/team-b/pods"
    gate = asyncio.Semaphore(8)
    connector = aiohttp.TCPConnector(ssl=context)

    async with aiohttp.ClientSession(connector=connector) as session:

        async def create(number: int) -> None:
            spec = {"containers": [container(f"many:{number}")]}
            document = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"many-{number}"},
                "spec": spec,
            }
            async with gate, session.post(url, json=document) as answer:
                assert answer.status == 201, await answer.text()

        await asyncio.gather(*map(create, range(count)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving_kubernetes(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture(scope="module")
def deployed(server, tmp_path_factory):
    """What `aioregistry deploy kubernetes` prints, applied as it is."""
    folder = tmp_path_factory.mktemp("deploy")
    policy = folder / "policy.toml"
    policy.write_text('[[rules]]\ntags = "pr-*"\ndelete-older-than = "30d"\n')
    words = ["deploy", "kubernetes", "example", "--policy", str(policy)]
    done = subprocess.run(
        [sys.executable, "-m", "aioregistry", *words, "--in-use", "in-cluster"],
        capture_output=True,
        text=True,
        check=True,
    )
    server.kubectl("apply", "--validate=strict", "-f", "-", given=done.stdout)
    wait_for_right(server, "aioregistry-cleanup")
    return done.stdout


@pytest.fixture(scope="module")
def filled(server, deployed):
    server.kubectl("create", "namespace", "team-a")
    server.kubectl("create", "namespace", "team-b")
    server.create(definition("Rollout", "argoproj.io"))
    server.create(*workloads())
    server.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io")
    server.create(made("Rollout", "argoproj.io/v1alpha1", "canary", of_app("canary")))
    path = "/api/v1/namespaces/team-a/pods/debugged"
    debugged = json.loads(server.kubectl("get", "--raw", path).stdout)
    debugged["spec"]["ephemeralContainers"] = [container("debugger:1", "debugger")]
    server.kubectl(
        *("replace", "--raw", f"{path}/ephemeralcontainers", "-f", "-"),
        given=json.dumps(debugged),
    )
    server.set_status(
        path,
        {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "main",
                    "image": f"{HOST}/debugged:pulled",
                    "imageID": f"{HOST}/debugged@sha256:{'a' * 64}",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
            ],
        },
    )
    asyncio.run(create_pods(server, MANY))
    return server


@pytest.fixture
def account(filled, tmp_path):
    """A kubeconfig of the service account that deploy makes, whose token is in a file."""
    (tmp_path / "token").write_text(f"{filled.token('aioregistry-cleanup')}\n")
    return filled.write_kubeconfig(tmp_path / "kubeconfig", {"tokenFile": "token"})


def source_of(kubeconfig, **more):
    return ClusterInUse(connect=by_kubeconfig(None, [kubeconfig]), name="real", **more)


def names(uses):
    return {str(use.reference) for use in uses}


async def refusal(source) -> str:
    with pytest.raises(InUseError) as caught:
        await source.ask()
    return caught.value.message


async def test_a_cluster_without_a_pod_is_refused(server, deployed, tmp_path):
    (tmp_path / "token").write_text(server.token("aioregistry-cleanup"))
    config = server.write_kubeconfig(tmp_path / "kubeconfig", {"tokenFile": "token"})
    assert "not one pod" in await refusal(source_of(config))
    assert names(await source_of(config, ignore_kinds=["Pod"]).ask()) == {"aioregistry:latest"}


async def test_what_deploy_prints_is_valid_and_its_account_may_list_and_nothing_else(
    server, deployed
):
    server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=deployed)
    account = "system:serviceaccount:default:aioregistry-cleanup"
    listed = server.kubectl("auth", "can-i", "--list", "--no-headers", f"--as={account}").stdout
    rights = {line.split()[0]: line.rsplit("[", 1)[1] for line in listed.splitlines()}
    own = {
        name: verbs
        for name, verbs in rights.items()
        if name[0] != "[" and not name.startswith("self")
    }
    makers = {f"{name}.{group}" for group, some in MAKERS.items() for name in some}
    assert set(own) == set(map(str, KINDS)) | makers
    assert set(own.values()) == {"list]"}


async def test_the_pod_that_deploy_describes_may_run_where_pods_are_restricted(server, deployed):
    server.kubectl("create", "namespace", "restricted")
    label = "pod-security.kubernetes.io/enforce=restricted"
    server.kubectl("label", "namespace", "restricted", label)
    (job,) = [one for one in yaml.safe_load_all(deployed) if one["kind"] == "CronJob"]
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    words = ("create", "--dry-run=server", "-n", "restricted", "-f", "-")
    server.kubectl(*words, given=json.dumps(pod))


@pytest.mark.parametrize("asked", ANSWERS)
async def test_the_sandbox_answers_as_the_real_one(filled, asked):
    path, query, who, status, kind, part = ANSWERS[asked]
    context = ssl.create_default_context(cafile=str(filled.authority_file))
    if who == "me":
        # One who may do everything: others are refused before a path is looked for.
        me = filled.user_by_certificate("asking", "system:masters")
        context.load_cert_chain(me["client-certificate"], me["client-key"])
    headers = {"Authorization": who} if who not in {"", "me"} else {}
    connector = aiohttp.TCPConnector(ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.get(filled.url + path, params=query) as answer,
    ):
        assert answer.status == status
        assert kind in answer.content_type
        # How many are left is another number.
        part = re.sub("[0-9]+$", "", part)
        assert part in compact(await answer.text())


async def test_all_that_kubectl_sees_is_found(filled, account):
    source = source_of(account)
    assert "may not list rollouts.argoproj.io" in await refusal(
        source_of(account, further_kinds=[ROLLOUTS])
    )
    admin = source_of(filled.kubeconfig, further_kinds=[ROLLOUTS])
    wanted = images_that_kubectl_sees(filled)
    assert names(await admin.ask()) == wanted
    without = {image for image in wanted if f"{HOST}/canary" not in image}
    assert names(await source.ask()) == without
    counts = dict(source.asked[0].counts)
    assert counts == {str(kind): len(filled.get(str(kind))) for kind in KINDS}
    assert counts["pods"] == MANY + 1


def test_asked_by_kubectl_it_names_the_same(filled, account, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(account))
    uses = names(ask_kubernetes("real", kubectl=program("kubectl")))
    assert uses == names(asyncio.run(source_of(account).ask()))


class _Watched:
    """A cluster's API that calls back after each page."""

    def __init__(self, api, after):
        self._api, self._after = api, after
        self.server, self.identity = api.server, api.identity

    async def get(self, path, query):
        answer = await self._api.get(path, query)
        await self._after(path, query, answer)
        return answer

    async def post(self, path, document):
        return await self._api.post(path, document)


def watched(kubeconfig, after):
    @asynccontextmanager
    async def connect():
        async with by_kubeconfig(None, [kubeconfig])() as api:
            yield _Watched(api, after)

    return ClusterInUse(connect=connect, name="real")


async def test_a_place_that_is_really_forgotten_begins_the_list_anew(filled, account):
    pages = []

    async def after(path, query, answer):
        if path == "/api/v1/pods":
            pages.append((query.get("continue", "") != "", len(answer["items"])))
            if len(pages) == 1:
                await asyncio.to_thread(filled.compact)

    uses = names(await watched(account, after).ask())
    assert {f"{HOST}/many:{number}" for number in range(MANY)} <= uses
    assert pages == [(False, 500), (False, 500), (True, 500), (True, MANY + 1 - 1000)]


async def test_the_credentials_are_read_anew_when_they_end_meanwhile(filled, tmp_path):
    """An account that is deleted and made again ends its token in the middle of the lists."""
    filled.kubectl("create", "serviceaccount", "passing")
    role = "--clusterrole=default:aioregistry-cleanup"
    words = ("create", "clusterrolebinding", "passing", role, "--serviceaccount=default:passing")
    filled.kubectl(*words)
    (tmp_path / "token").write_text(filled.token("passing"))
    await asyncio.to_thread(wait_for_right, filled, "passing")
    config = filled.write_kubeconfig(tmp_path / "kubeconfig", {"tokenFile": "token"})
    lists = []

    async def after(path, query, answer):
        lists.append(path)
        if path == "/apis/apps/v1/replicasets":
            await asyncio.to_thread(replace, True)

    def replace(again):
        filled.kubectl("delete", "serviceaccount", "passing")
        if again:
            filled.kubectl("create", "serviceaccount", "passing")
            (tmp_path / "token").write_text(filled.token("passing"))

    found = names(await watched(config, after).ask())
    assert {f"{HOST}/many:{number}" for number in range(MANY)} <= found
    assert f"{HOST}/controller:main" in found
    replace(again=False)
    assert "401" in await refusal(source_of(config))


def wait_for_right(server, account):
    """Wait until the server has heard of a new role and its binding, which it does by itself."""
    who = f"--as=system:serviceaccount:default:{account}"
    for kind in KINDS:
        words = ("auth", "can-i", "list", str(kind), "-A", who)
        end = time.monotonic() + 120
        while server.kubectl(*words, check=False).stdout.strip() != "yes":
            assert time.monotonic() < end, words
            time.sleep(0.1)


async def test_a_right_that_is_taken_away_is_named_and_nothing_is_read(filled, account):
    role = "default:aioregistry-cleanup"
    kept = filled.kubectl("get", "clusterrole", role, "-o", "json").stdout
    fewer = json.loads(kept)
    for rule in fewer["rules"]:
        rule["resources"] = [one for one in rule["resources"] if one not in {"jobs", "pods"}]
    fewer["rules"] = [rule for rule in fewer["rules"] if rule["resources"]]
    del fewer["metadata"]["resourceVersion"]
    filled.kubectl("replace", "-f", "-", given=json.dumps(fewer))
    source = source_of(account)
    try:
        message = await refusal(source)
        assert "may not list jobs.batch, pods in all namespaces" in message
        assert source.asked == ()
        # With the commands that the error prints, the right is there again.
        role, binding = re.findall(r"kubectl ([^;,]*(?:,[^ ;]+)*)", message)
        filled.kubectl(*role.split())
        filled.kubectl(*binding.replace("NAMESPACE:NAME", "default:aioregistry-cleanup").split())
        wait_for_right(filled, "aioregistry-cleanup")
        assert len(await source.ask()) > MANY
        filled.kubectl("delete", "clusterrolebinding", "aioregistry-in-use")
    finally:
        restored = json.loads(kept)
        del restored["metadata"]["resourceVersion"]
        filled.kubectl("replace", "-f", "-", given=json.dumps(restored))


async def test_a_role_in_one_namespace_is_not_enough(filled, tmp_path):
    filled.kubectl("create", "serviceaccount", "narrow")
    role = "--clusterrole=default:aioregistry-cleanup"
    words = ("create", "rolebinding", "narrow", "-n", "team-a", role)
    filled.kubectl(*words, "--serviceaccount=default:narrow")
    config = filled.write_kubeconfig(tmp_path / "kubeconfig", {"token": filled.token("narrow")})
    assert "may not list cronjobs.batch, deployments.apps" in await refusal(source_of(config))


async def test_nobody_in_particular_may_not_ask(filled, tmp_path):
    config = filled.write_kubeconfig(tmp_path / "kubeconfig", {"username": "a", "password": "b"})
    assert 'User "system:anonymous" cannot list' in await refusal(source_of(config))


async def test_a_kind_of_a_definition_is_read_with_the_role_that_names_it(filled, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\ntags = "pr-*"\ndelete = true\n')
    words = ["kubernetes", "example", "--policy", str(policy), "--name", "further"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aioregistry", "deploy", *words),
        *("--in-use", "in-cluster", "--in-use-kind", ROLLOUTS),
        stdout=subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    filled.kubectl("apply", "--validate=strict", "-f", "-", given=printed.decode())
    await asyncio.to_thread(wait_for_right, filled, "further")
    user = {"token": filled.token("further")}
    config = filled.write_kubeconfig(tmp_path / "kubeconfig", user)
    source = source_of(config, further_kinds=[ROLLOUTS])
    assert f"{HOST}/canary:main" in names(await source.ask())
    assert source.asked[0].counts["rollouts.argoproj.io"] == 1


async def test_what_makes_pods_when_its_time_comes_is_read_by_what_the_server_says(filled, account):
    filled.create(definition("ScaledJob", "keda.sh"))
    filled.kubectl("wait", "--for=condition=Established", "crd/scaledjobs.keda.sh")
    filled.create(made("ScaledJob", "keda.sh/v1alpha1", "monthly", of_app("monthly")))
    source = source_of(account)
    assert f"{HOST}/monthly:main" in names(await source.ask())
    assert (source.asked[0].counts["scaledjobs.keda.sh"], source.notes) == (1, [])
    filled.kubectl("create", "serviceaccount", "older")
    role = ("create", "clusterrole", "older", "--verb=list")
    filled.kubectl(*role, f"--resource={','.join(map(str, KINDS))}")
    binding = ("create", "clusterrolebinding", "older", "--clusterrole=older")
    filled.kubectl(*binding, "--serviceaccount=default:older")
    await asyncio.to_thread(wait_for_right, filled, "older")
    path = account.with_name("older")
    source = source_of(filled.write_kubeconfig(path, {"token": filled.token("older")}))
    assert f"{HOST}/monthly:main" not in names(await source.ask())
    (note,) = source.notes
    assert "scaledjobs.keda.sh may name images that run later, and were not read" in note
    filled.kubectl("delete", "crd", "scaledjobs.keda.sh")


async def test_a_kind_that_the_cluster_lacks_is_an_error(filled):
    source = source_of(filled.kubeconfig, further_kinds=["keda.sh/v1alpha1/scaledjobs"])
    assert "the cluster has no /apis/keda.sh/v1alpha1/scaledjobs" in await refusal(source)
    version = source_of(filled.kubeconfig, further_kinds=["argoproj.io/v9/rollouts"])
    assert "the cluster has no /apis/argoproj.io/v9/rollouts" in await refusal(version)


async def test_a_pod_asks_with_its_account(filled, tmp_path, monkeypatch):
    host, port = filled.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (tmp_path / "token").write_text(filled.token("aioregistry-cleanup"))
    (tmp_path / "ca.crt").write_bytes(filled.authority_file.read_bytes())
    source = ClusterInUse(connect=by_account(tmp_path), name="in-cluster")
    assert len(await source.ask()) > MANY


async def test_of_several_kubeconfigs_the_cluster_is_that_of_kubectl(
    filled, account, tmp_path, monkeypatch
):
    other = {"server": "https://127.0.0.1:1"}
    last = filled.write_kubeconfig(tmp_path / "last", {"token": "x"}, context="other", **other)
    none = filled.write_kubeconfig(tmp_path / "none", {"token": "x"}, is_current=False, **other)
    (tmp_path / "empty").touch()
    files = [tmp_path / "missing", tmp_path / "empty", account, none, last]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    words = ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    process = await asyncio.create_subprocess_exec(
        program("kubectl"), *words, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.decode() == filled.url
    source = ClusterInUse()
    await source.ask()
    assert source.asked[0].server == filled.url


def test_a_clean_up_keeps_what_the_cluster_runs_and_asks_again(filled, account, shell, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(account))
    for tag in ("main", "init", "late", "pr-1"):
        shell.builder.image(tag, days=300)
    (shell.folder / "policy.toml").write_text(
        'floor = 0\nmax-fraction = 1.0\n[[rules]]\ntags = "*"\ndelete = true\n'
    )
    options = ("--policy", "policy.toml", "--plan-file", "plan.json", "--in-use", "kubernetes:real")
    result = shell.run("cleanup", "plan", *options)
    assert result.exit_code == 0, result.output
    (asked,) = json.loads((shell.folder / "plan.json").read_text())["plan"]["in_use"]["asked"]
    assert asked["counts"]["pods"] == len(filled.get("pods"))
    filled.create(made("Pod", "v1", "late", {"containers": [container("web:late")]}))
    words = ("cleanup", "apply", "plan.json", "--yes", "--force", "--in-use", "kubernetes:real")
    result = shell.run(*words)
    assert shell.tags() == {"main", "init", "late"}, result.output
    filled.kubectl("delete", "pod", "late", "-n", "team-a", "--force")


def test_without_its_right_nothing_is_planned(filled, shell, tmp_path, monkeypatch):
    filled.kubectl("create", "serviceaccount", "poor")
    user = {"token": filled.token("poor")}
    config = filled.write_kubeconfig(tmp_path / "poor.json", user)
    monkeypatch.setenv("KUBECONFIG", str(config))
    result = shell.run(*("cleanup", "plan", "--policy", "policy.toml", "--in-use", "kubernetes"))
    assert result.exit_code == 1
    assert result.stderr.count("cannot know what runs") == 1
    assert "kubectl create clusterrole aioregistry-in-use --verb=list" in result.stderr
    assert not shell.plans()
