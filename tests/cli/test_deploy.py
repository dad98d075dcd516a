"""What `aioregistry deploy` prints: what is in it, and that it runs."""

import json
import os
import pwd
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cleanup.in_use.kube_api import ClusterCredentials, by_credentials
from aioregistry.cli.deploy.kubernetes import yaml_text
from aioregistry.cli.deploy.plan import When
from aioregistry.cli.deploy.source import Source
from aioregistry.version import VERSION
from tests.disks import full_disk
from tests.drawing import draws

USER = pwd.getpwuid(os.getuid()).pw_name
KINDS = ("kubernetes", "github", "systemd", "cron")


@pytest.fixture
def filled(shell):
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag, days=300)
    return shell


def deploy(shell, kind, *options):
    result = shell.run("deploy", kind, "example", "--policy", "policy.toml", *options)
    assert result.exit_code == 0, result.output
    assert shell.sandbox.request_count == 0
    return result.stdout


def objects(text):
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_a_cron_job_runs_alone_as_nobody_on_a_file_system_that_it_cannot_write(shell):
    job = objects(deploy(shell, "kubernetes"))["CronJob"]["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == (
        "17 3 * * *",
        "Etc/UTC",
        "Forbid",
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}


def test_a_role_and_an_account_come_only_with_the_question_what_runs(shell):
    without = objects(deploy(shell, "kubernetes"))
    assert "ClusterRole" not in without
    assert not _pod(without)["automountServiceAccountToken"]
    asking = objects(deploy(shell, "kubernetes", "--in-use", "in-cluster"))
    assert {verb for rule in asking["ClusterRole"]["rules"] for verb in rule["verbs"]} == {"list"}
    assert (
        asking["ClusterRoleBinding"]["roleRef"]["name"] == asking["ClusterRole"]["metadata"]["name"]
    )
    other = objects(deploy(shell, "kubernetes", "--in-use", "in-cluster", "--namespace", "blue"))
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        assert other[kind]["metadata"]["name"] != asking[kind]["metadata"]["name"]
    assert _pod(asking)["automountServiceAccountToken"]


def test_a_further_kind_is_asked_for_with_a_right_to_it(shell):
    options = ("--in-use", "in-cluster", "--in-use-kind", "argoproj.io/v1alpha1/rollouts")
    made = objects(deploy(shell, "kubernetes", *options, "--in-use-ignore", "Rollout"))
    rules = {tuple(rule["apiGroups"]): rule for rule in made["ClusterRole"]["rules"]}
    assert rules["argoproj.io",]["resources"][-1] == "rollouts"
    assert rules["keda.sh",] == {
        "apiGroups": ["keda.sh"],
        "resources": ["scaledjobs"],
        "verbs": ["list"],
    }
    words = " ".join(_pod(made)["containers"][0]["command"])
    assert "--in-use-kind argoproj.io/v1alpha1/rollouts --in-use-ignore Rollout" in words


def test_actions_are_of_versions_that_run_on_the_node_of_todays_runners(shell):
    text = deploy(shell, "github")
    found = dict(re.findall(r"uses: actions/([a-z-]+)@v([0-9]+)", text))
    first = {"checkout": 5, "setup-python": 6, "upload-artifact": 6}
    assert found.keys() == first.keys()
    assert all(int(found[name]) >= version for name, version in first.items())


def test_an_image_is_pulled_with_a_secret_where_one_is_named(shell):
    assert "imagePullSecrets" not in _pod(objects(deploy(shell, "kubernetes")))
    made = objects(deploy(shell, "kubernetes", "--pull-secret", "pull"))
    assert _pod(made)["imagePullSecrets"] == [{"name": "pull"}]


def _pod(made):
    return made["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@draws(50)
@given(st.text(max_size=40) | st.text("a\n\r\t -:{}#|>\"'%\u2028\x85\x1b", max_size=20))
def test_any_policy_comes_out_as_it_went_in(text):
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    value = yaml.safe_load(f"data:\n  policy.toml: {yaml_text(text, 4)}\nnext: 1\n")
    assert value["next"] == 1
    came = value["data"]["policy.toml"]
    assert came == text or came == text.replace("\r\n", "\n").rstrip("\n") + "\n"


def test_the_command_of_a_cron_job_cleans_up(filled):
    made = objects(deploy(filled, "kubernetes"))
    (filled.folder / "copy.toml").write_text(made["ConfigMap"]["data"]["policy.toml"])
    words = _pod(made)["containers"][0]["command"]
    assert words[0] == "aioregistry"
    words[words.index("--policy") + 1] = "copy.toml"
    result = filled.run(*words[1:])
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev"}


def test_a_cron_job_keeps_what_its_cluster_runs(filled, monkeypatch):
    pytest.importorskip("kubernetes_asyncio")
    made = objects(deploy(filled, "kubernetes", "--in-use", "in-cluster"))
    cluster = filled.sandbox.state.add_cluster("blue")
    cluster.run("registry.digitalocean.com/example/web:pr-1")

    async def account():
        url = f"{filled.sandbox.url}/kubernetes/blue"
        return ClusterCredentials(server=url, token=cluster.token)

    # Where Kubernetes mounts the account of a pod, there is none here.
    place = "aioregistry.cleanup.in_use.cluster.by_account"
    monkeypatch.setattr(place, lambda: by_credentials(account))
    words = _pod(made)["containers"][0]["command"]
    words[words.index("--policy") + 1] = "policy.toml"
    result = filled.run(*words[1:])
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev", "pr-1"}
    # Before the plan, and again before the deletes.
    listed = [path for _, path, _ in cluster.requests if path == "/api/v1/pods"]
    assert len(listed) == 2


def test_only_the_steps_that_ask_the_api_have_the_token(shell):
    jobs = yaml.safe_load(deploy(shell, "github"))["jobs"]
    for job in jobs.values():
        assert "env" not in job
        having = {
            step.get("name") for step in job["steps"] if "DIGITALOCEAN_TOKEN" in step.get("env", {})
        }
        assert having <= {"Plan", "Apply"}
        assert having == {"Plan", "Apply"} & {step.get("name") for step in job["steps"]}


@pytest.mark.parametrize("word", ["1.10", "0x1", "null"])
def test_what_looks_like_a_number_stays_the_text_that_it_is(shell, word):
    name = word.replace(".", "-")
    workflow = yaml.safe_load(deploy(shell, "github", "--branch", word, "--name", name))
    assert workflow["jobs"]["apply"]["steps"][0]["with"]["ref"] == word
    assert (workflow["name"], workflow["jobs"]["apply"]["concurrency"]["group"]) == (name, name)
    options = ("--name", name, "--namespace", name, "--secret", word, "--in-use", "in-cluster")
    made = objects(deploy(shell, "kubernetes", *options))
    texts = [made[kind]["metadata"] for kind in ("ServiceAccount", "CronJob", "ConfigMap")]
    assert {(each["name"], each["namespace"]) for each in texts} == {(name, name)}
    assert made["CronJob"]["metadata"]["labels"]["app.kubernetes.io/instance"] == name
    (container,) = _pod(made)["containers"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == word
    bound = made["ClusterRoleBinding"]
    assert bound["roleRef"]["name"] == made["ClusterRole"]["metadata"]["name"]
    assert isinstance(bound["roleRef"]["name"], str)


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_two_deployments_on_a_machine_have_no_file_in_common(shell, kind):
    def places(name):
        text = deploy(shell, kind, "--name", name)
        found = set(re.findall(r"/(?:etc|var)/[\w./-]*\w|\w+Directory=.*", text))
        assert {"policy.toml", "token"} <= {each.rsplit("/", 1)[-1] for each in found}
        return found

    assert places("blue") & places("green") <= {"/etc/systemd/system", "/etc/cron.d"}


@pytest.mark.slow(2)
def test_the_line_of_a_crontab_cleans_up(filled):
    *head, line = deploy(filled, "cron", "--user", USER).splitlines()
    schedule, command = line.split(f" {USER} ", 1)
    assert schedule == "17 3 * * *"
    # Where the test may write; what it reads beforehand makes all that the line needs.
    script = "\n".join(each.removeprefix("#   ") for each in head if each.startswith("#   "))
    for old, new in {
        "/etc/aioregistry": f"{filled.folder}/etc",
        "/var/": f"{filled.folder}/var/",
        "/usr/local/bin/aioregistry": f"{sys.executable} -m aioregistry",
    }.items():
        command, script = command.replace(old, new), script.replace(old, new)
    prepared = subprocess.run(
        ["/bin/sh", "-ec", script], input=filled.sandbox.token, text=True, check=False
    )
    assert prepared.returncode == 0
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode)
        for each in (filled.folder / "etc/aioregistry-cleanup").iterdir()
    }
    assert modes == {"policy.toml": 0o644, "token": 0o400}
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert filled.tags() == {"main", "dev"}


@pytest.mark.parametrize(
    ("at", "on", "cron", "calendar"),
    [
        ("03:17", None, "17 3 * * *", "*-*-* 03:17:00 UTC"),
        ("0:00", "sun", "0 0 * * 0", "Sun *-*-* 00:00:00 UTC"),
        ("23:59", "fri, mon,FRI", "59 23 * * 1,5", "Mon,Fri *-*-* 23:59:00 UTC"),
    ],
)
def test_a_time_is_the_same_to_cron_and_systemd(at, on, cron, calendar):
    when = When.of(at, on)
    assert (when.cron, when.calendar) == (cron, calendar)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("kubernetes", ("--at", "24:00"), "--at: "),
        ("kubernetes", ("--on", "funday"), "--on: no day 'funday'"),
        ("kubernetes", ("--image", "x\n  evil: 1"), "--image: cannot be"),
        ("kubernetes", ("--namespace", "A"), "--namespace: cannot be"),
        ("kubernetes", ("--pull-secret", "a}"), "--pull-secret: cannot be"),
        ("kubernetes", ("--name", "x" * 60), "--name: cannot be"),
        ("kubernetes", ("--in-use", "$(TOKEN)"), "--in-use: cannot be"),
        ("kubernetes", ("--in-use-kind", "a/v1/b"), "--in-use-kind and --in-use-ignore are for"),
        (
            "kubernetes",
            ("--in-use", "in-cluster", "--in-use-kind", "rollouts"),
            "--in-use-kind: no kind: 'rollouts'",
        ),
        ("github", ("--in-use", "digitalocean", "--in-use-ignore", "$(x)"), "--in-use-ignore: "),
        ("kubernetes", ("--undo-window", "1h"), "--undo-window is for --gc"),
        ("kubernetes", ("--deadline", "soon"), "--deadline: not a length of time"),
        ("github", ("--branch", "${{ x }}"), "--branch: cannot be"),
        ("github", ("--package", "x'; y"), "--package: cannot be"),
        ("github", ("--package", "https://me:secret@host/a.whl"), "--package: leave the login out"),
        ("github", ("--package", "git+ssh://host/a.git"), "--package: an address begins with"),
        ("github", ("--token-secret", "a b"), "--token-secret: cannot be"),
        ("github", ("--in-use", "in-cluster"), "--in-use in-cluster is for"),
        ("systemd", ("--program", "aioregistry"), "--program: cannot be"),
        ("cron", ("--user", "a b"), "--user: cannot be"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(shell, kind, options, said):
    result = shell.run("deploy", kind, "example", "--policy", "policy.toml", *options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"aioregistry deploy {kind}: {said}")
    assert "secret@" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_with_mistakes_is_not_deployed(shell, kind):
    (shell.folder / "policy.toml").write_text("flor = 1\n")
    result = shell.run("deploy", kind, "--policy", "policy.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "policy.toml" in result.stderr


def test_a_dockerfile_begins_with_the_base_that_is_named(shell):
    made = shell.run("deploy", "dockerfile", "--base", "python:3.12-slim")
    assert made.exit_code == 0, made.stderr
    assert "ARG BASE=python:3.12-slim\n" in made.stdout


@pytest.mark.parametrize("kind", [*KINDS, "dockerfile"])
def test_no_file_is_overwritten(shell, kind):
    words = ["deploy", kind, "--to", "."]
    if kind != "dockerfile":
        words += ["--policy", "policy.toml"]
    assert shell.run(*words).exit_code == 0
    result = shell.run(*words)
    assert result.exit_code == 1
    assert "File exists" in result.stderr


def test_on_a_full_disk_the_file_is_named_and_no_part_of_it_is_left(shell):
    with full_disk(4):
        result = shell.run("deploy", "dockerfile", "--to", ".")
    assert result.exit_code == 1
    assert "aioregistry deploy dockerfile: Dockerfile: File too large\n" in result.stderr
    assert not Path("Dockerfile").exists()


WHEEL = "wheels/aioregistry_do-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("document", "requirement"),
    [
        ({}, f"aioregistry-do[cli]=={VERSION}"),
        (
            {"archive_info": {}, "url": "https://host/a.whl"},
            "aioregistry-do[cli] @ https://host/a.whl",
        ),
        (
            {"vcs_info": {"vcs": "git", "commit_id": "0a1b"}, "url": "https://host/x.git"},
            "aioregistry-do[cli] @ git+https://host/x.git@0a1b",
        ),
    ],
)
def test_a_workflow_installs_what_this_program_was_installed_from(document, requirement):
    source = Source.of_direct_url(json.dumps(document)) if document else Source()
    assert (source.requirement("cli"), source.only_here) == (requirement, "")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"dir_info": {"editable": True}, "url": "file:///home/me/x"}, "/home/me/x"),
        ({"archive_info": {}, "url": "file:///tmp/a.whl"}, "/tmp/a.whl"),
        ({"archive_info": {}, "url": "https://me:secret@host/a.whl"}, "https://***@host/a.whl"),
        ({"archive_info": {}, "url": "https://me@host/a.whl?key=1"}, "https://***@host/a.whl"),
        ({"archive_info": {}, "url": "https://host/a'; rm -rf x"}, "a place of its own"),
        ([], "a place of its own"),
    ],
)
def test_what_only_this_machine_has_is_not_installed_elsewhere(document, told):
    source = Source.of_direct_url(json.dumps(document))
    assert source.only_here == told
    assert source.requirement("cli") == f"aioregistry-do[cli]=={VERSION}"


def test_where_no_other_machine_has_this_program_that_is_said(shell, monkeypatch):
    source = Source(only_here="/home/me/x")
    monkeypatch.setattr(Source, "installed", lambda: source)
    words = ("deploy", "github", "example", "--policy", "policy.toml")
    result = shell.run(*words)
    assert "warning: this program was installed from /home/me/x: pip finds it" in result.stderr
    assert "; --package names its wheel in the repository, or an address\n" in result.stderr
    result = shell.run(*words, "--package", WHEEL)
    assert result.stderr == ""
    assert result.stdout.count(f"- run: pip install './{WHEEL}[cli]'\n") == 2
    yaml.safe_load(result.stdout)
    result = shell.run("deploy", "dockerfile")
    assert "build --build-arg PACKAGE=...' names another source\n" in result.stderr
    assert "warning" not in result.stdout
