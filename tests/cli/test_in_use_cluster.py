"""``--in-use kubernetes``: a cluster is asked before the plan, and again before the deletes."""

import json

import pytest

pytest.importorskip("kubernetes_asyncio")

WEB = "registry.digitalocean.com/example/web"


@pytest.fixture
def cluster(shell, monkeypatch):
    """A cluster that runs one of three images, named by a kubeconfig."""
    for tag in ("a", "b", "c"):
        shell.builder.image(tag)
    (shell.folder / "policy.toml").write_text(
        'floor = 0\nmax-fraction = 1.0\n[[rules]]\ntags = "*"\ndelete = true\n'
    )
    cluster = shell.sandbox.state.add_cluster("blue")
    cluster.run(f"{WEB}:a")
    server = f"{shell.sandbox.url}/kubernetes/blue"
    document = {
        "current-context": "blue",
        "clusters": [{"name": "blue", "cluster": {"server": server}}],
        "contexts": [{"name": "blue", "context": {"cluster": "blue", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": cluster.token}}],
    }
    (shell.folder / "kubeconfig").write_text(json.dumps(document))
    monkeypatch.setenv("KUBECONFIG", str(shell.folder / "kubeconfig"))
    return cluster


def plan(shell, *more):
    options = ("--policy", "policy.toml", "--plan-file", "plan.json", "--in-use", "kubernetes:blue")
    return shell.run("cleanup", "plan", *options, *more)


FORMS = ("table", "md", "json")
APPLY = ("cleanup", "apply", "plan.json", "--yes", "--force")


def test_what_a_cluster_runs_is_kept_and_the_plan_says_whom_it_asked(shell, cluster):
    result = plan(shell)
    assert result.exit_code == 0, result.output
    written = (shell.folder / "plan.json").read_text()
    assert "in use: deployment default/web of kubernetes:blue" in written
    assert "asked: kubernetes:blue (http://127.0.0.1:" in result.output
    (asked,) = json.loads(written)["plan"]["in_use"]["asked"]
    assert asked["counts"]["pods"] == 1
    assert shell.run(*APPLY, "--in-use", "kubernetes:blue").exit_code == 0
    assert shell.tags() == {"a"}


def test_what_was_started_since_the_plan_is_kept(shell, cluster):
    plan(shell)
    cluster.run(f"{WEB}:b", name="late")
    shell.run(*APPLY, "--in-use", "kubernetes:blue")
    assert shell.tags() == {"a", "b"}


def test_an_apply_that_asks_another_server_is_refused(shell, cluster):
    plan(shell)
    (shell.folder / "running").write_text(f"{WEB}:a\n")
    result = shell.run(*APPLY, "--in-use", "running")
    assert result.exit_code == 2
    assert "which was not asked now" in result.stderr
    assert shell.tags() == {"a", "b", "c"}


def test_the_images_of_the_plan_do_where_that_is_said(shell, cluster):
    plan(shell)
    assert shell.run(*APPLY, "--in-use", "plan").exit_code == 0
    assert shell.tags() == {"a"}


def test_without_being_asked_again_nothing_is_deleted(shell, cluster):
    plan(shell)
    result = shell.run(*APPLY)
    assert result.exit_code == 2
    assert "--in-use" in result.stderr
    assert shell.tags() == {"a", "b", "c"}


def test_a_cluster_that_cannot_be_asked_stops_the_plan(shell, cluster):
    cluster.token = None
    result = plan(shell)
    assert result.exit_code == 1
    assert "cannot know what runs in kubernetes:blue" in result.stderr
    assert not (shell.folder / "plan.json").exists()


def test_a_cluster_that_cannot_be_asked_again_stops_the_deletes(shell, cluster):
    plan(shell)
    cluster.forbidden = {"pods"}
    result = shell.run(*APPLY, "--in-use", "kubernetes:blue")
    assert result.exit_code == 1
    assert "may not list pods" in result.stderr
    assert shell.tags() == {"a", "b", "c"}


def test_files_and_several_clusters_are_taken_together(shell, cluster):
    (shell.folder / "running").write_text(f"{WEB}:c\n")
    result = plan(shell, "--in-use", "running", "--in-use", "kubernetes")
    assert result.exit_code == 0, result.output
    assert result.output.count("asked: ") == 2
    document = json.loads((shell.folder / "plan.json").read_text())
    assert document["plan"]["in_use"]["read"] == 2


def test_a_run_asks_before_the_plan_and_before_the_deletes(shell, cluster):
    options = ("--policy", "policy.toml", "--yes", "--force", "--in-use", "kubernetes:blue")
    assert shell.run("cleanup", "run", *options).exit_code == 0
    assert shell.tags() == {"a"}
    lists = [path for method, path, _ in cluster.requests if method == "GET"]
    assert lists.count("/api/v1/pods") == 2


def test_the_account_is_asked_for_its_clusters_and_apps(shell, cluster, monkeypatch):
    monkeypatch.delenv("KUBECONFIG")
    image = {"registry_type": "DOCR", "repository": "web", "tag": "b"}
    spec = {"name": "shop", "services": [{"name": "s", "image": image}]}
    shell.sandbox.state.apps.append({"id": "1", "spec": spec})
    options = ("--policy", "policy.toml", "--yes", "--force", "--in-use", "digitalocean")
    result = shell.run("cleanup", "run", *options)
    assert result.exit_code == 0, result.output
    assert "asked: digitalocean (http://127.0.0.1:" in result.output
    assert "asked: digitalocean cluster blue" in result.output
    assert shell.tags() == {"a", "b"}


def test_a_cluster_of_the_account_can_be_left_out(shell, cluster):
    shell.sandbox.state.add_cluster("new").state = "provisioning"
    options = ("--policy", "policy.toml", "--in-use", "digitalocean")
    result = shell.run("cleanup", "plan", *options)
    assert result.exit_code == 1
    assert "its cluster new is provisioning" in result.stderr
    result = shell.run("cleanup", "plan", *options, "--in-use-ignore", "cluster/new")
    assert result.exit_code == 0, result.output
    assert "in use: cluster/new was not asked, by option" in result.stderr
    assert "--in-use digitalocean --in-use-ignore cluster/new" in result.output


def test_a_plan_says_what_was_left_out_and_what_was_passed_over(shell, cluster):
    shell.sandbox.state.add_cluster("new").state = "provisioning"
    cluster.run("${IMAGE}:v1", name="broken")
    options = ("--policy", "policy.toml", "--plan-file", "plan.json", "--in-use", "digitalocean")
    result = shell.run("cleanup", "plan", *options, "--in-use-ignore", "cluster/new")
    assert result.exit_code == 0, result.output
    shown = {form: shell.run("cleanup", "show", "plan.json", "-o", form).stdout for form in FORMS}
    assert "; not asked: cluster/new" in shown["md"]
    assert "deployment default/broken of digitalocean cluster blue: passed over" in shown["md"]
    account, blue = json.loads(shown["json"])["in_use"]["asked"]
    assert (account["left_out"], blue["left_out"]) == (["cluster/new"], [])
    assert len(blue["passed_over"]) == 1
    flat = " ".join(shown["table"].split())
    assert "; not asked: cluster/new" in flat
    assert "passed over '${IMAGE}:v1'" in flat


def test_an_apply_leaves_out_no_more_than_the_plan(shell, cluster):
    image = {"registry_type": "DOCR", "repository": "web", "tag": "b"}
    spec = {"name": "shop", "services": [{"name": "s", "image": image}]}
    shell.sandbox.state.apps.append({"id": "1", "spec": spec})
    options = ("--policy", "policy.toml", "--plan-file", "plan.json", "--in-use", "digitalocean")
    assert shell.run("cleanup", "plan", *options).exit_code == 0
    words = (*APPLY, "--in-use", "digitalocean", "--in-use-ignore", "app/shop")
    result = shell.run(*words)
    assert result.exit_code == 2
    assert "was not asked for app/shop now" in result.stderr
    assert shell.tags() == {"a", "b", "c"}
    shell.run("cleanup", "plan", *options[:-2], *words[-4:], "--plan-file", "other.json")
    result = shell.run("cleanup", "apply", "other.json", *words[3:])
    assert shell.tags() == {"a"}, result.output


AWAY = ("--in-use", "kubernetes:blue")
WRONG = ("--in-use", "kubernetes:blue", "--in-use-kind", "rollouts")
MISSPELT = ("--in-use", "kubernetes:blu")


@pytest.mark.parametrize(
    ("options", "code"), [(AWAY, 1), (WRONG, 2), (MISSPELT, 2)], ids=["away", "wrong", "misspelt"]
)
@pytest.mark.parametrize(
    "words",
    [
        ("cleanup", "plan", "--policy", "policy.toml"),
        ("cleanup", "run", "--policy", "policy.toml", "--yes"),
        ("cleanup", "explain", "web:a", "--policy", "policy.toml"),
        ("inspect", "web:a", "--policy", "policy.toml"),
        APPLY,
    ],
    ids=lambda words: words[1],
)
def test_a_cluster_that_is_away_is_a_failure_and_a_wrong_option_is_wrong_usage(
    shell, cluster, words, options, code
):
    plan(shell)
    cluster.token = None
    result = shell.run(*words, *options)
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    assert shell.tags() == {"a", "b", "c"}


ROLLOUTS = "argoproj.io/v1alpha1/rollouts"


@pytest.mark.parametrize("before", [["a"], []], ids=["some", "none"])
@pytest.mark.parametrize("source", ["kubernetes:blue", "digitalocean"])
def test_an_apply_asks_for_all_kinds_of_the_plan(shell, cluster, before, source):
    """Also for one of which there was no object: what it runs by now is in use."""

    def rollouts(tags):
        return [
            {
                "metadata": {"name": tag, "namespace": "default"},
                "spec": {"template": {"spec": {"containers": [{"image": f"{WEB}:{tag}"}]}}},
            }
            for tag in tags
        ]

    path = f"/apis/{ROLLOUTS}"
    cluster.objects[path] = rollouts(before)
    words = ("--policy", "policy.toml", "--plan-file", "plan.json", "--in-use", source)
    result = shell.run("cleanup", "plan", *words, "--in-use-kind", ROLLOUTS)
    assert result.exit_code == 0, result.output
    cluster.objects[path] = rollouts(["a", "b"])
    result = shell.run(*APPLY, "--in-use", source)
    assert result.exit_code == 2
    assert "was not asked for rollouts.argoproj.io now" in result.stderr
    assert "give --in-use-kind argoproj.io/VERSION/rollouts" in result.stderr
    assert shell.tags() == {"a", "b", "c"}
    shell.run(*APPLY, "--in-use", source, "--in-use-kind", ROLLOUTS)
    assert shell.tags() == {"a", "b"}


def test_what_is_neither_a_source_nor_a_file_is_refused_with_the_sources(shell):
    result = shell.run("cleanup", "plan", "--policy", "policy.toml", "--in-use", "Kubernetes")
    assert result.exit_code == 2
    assert "none of digitalocean, kubernetes[:CONTEXT], in-cluster" in result.stderr
