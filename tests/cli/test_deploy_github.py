"""The workflow for GitHub, carried out: a plan on each pull request, a clean-up after the merge."""

import os
import shutil

import pytest

from tests.cli.github import Runner, git, pull_request, serving_comments

pytestmark = [
    pytest.mark.slow(6),
    pytest.mark.skipif(shutil.which("gh") is None, reason="needs gh"),
]

MARK = "<!-- aioregistry-cleanup -->\n"
PUSH = {"event_name": "push", "base": "main", "event": {}}


@pytest.fixture
def comments():
    with serving_comments() as served:
        yield served


@pytest.fixture
def runner(shell, comments):
    """A repository with the workflow and a policy, whose registry has images to delete."""
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag, days=300)
    repository = shell.folder / "repository"
    workflows = repository / ".github" / "workflows"
    workflows.mkdir(parents=True)
    options = ("--policy", "policy.toml", "--to", str(workflows))
    result = shell.run("deploy", "github", "example", *options)
    assert result.exit_code == 0, result.output
    (repository / "policy.toml").write_text('[[rules]]\ntags = "none"\ndelete = true\n')
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Clean up")
    kept = ("AIOREGISTRY_API_URL", "AIOREGISTRY_REGISTRY_URL", "XDG_CACHE_HOME")
    (shell.folder / "runner").mkdir()
    return Runner(
        shell.folder / "runner",
        repository,
        comments,
        {"DIGITALOCEAN_TOKEN": os.environ["DIGITALOCEAN_TOKEN"]},
        {name: os.environ[name] for name in kept},
    )


def change(runner, tags, branch="change"):
    """Change the policy in a branch."""
    git(runner.repository, "checkout", "-q", "-B", branch)
    policy = f'[[rules]]\ntags = "{tags}"\ndelete = true\n'
    (runner.repository / "policy.toml").write_text(policy)
    git(runner.repository, "commit", "-q", "-a", "-m", "Change the policy")
    git(runner.repository, "checkout", "-q", "main")


def test_from_the_pull_request_to_the_undo(runner, shell, comments):
    comments.add(7, "github-actions[bot]", "coverage: 99 %")
    comments.add(7, "somebody", f"{MARK}not ours")
    change(runner, "pr-1")
    assert runner.events(pull_request(7), ["policy.toml"])
    artefacts = runner.run(pull_request(7), "change")
    coverage, plan = comments.of(7)
    assert coverage == "coverage: 99 %"
    assert plan.startswith(f"{MARK}**example**: delete 1 tag and 1 manifest")
    assert comments.authorized == {"token github-token"}
    assert [path.name for path in artefacts["plan"].iterdir()] == ["plan.json"]

    change(runner, "pr-*")
    runner.run(pull_request(7), "change")
    _, plan = comments.of(7)
    assert "delete 2 tags and 2 manifests" in plan
    assert comments.of(7, "somebody") == [f"{MARK}not ours"]
    assert shell.deletes() == 0

    git(runner.repository, "merge", "-q", "change")
    assert runner.events(PUSH, ["policy.toml"])
    artefacts = runner.run(PUSH, "main")
    assert shell.tags() == {"main", "dev"}
    assert "delete 2 tags" in (runner.folder / "summary.md").read_text()
    # With what is in the artefact, whoever has it puts back what was deleted.
    result = shell.run("cleanup", "undo", str(artefacts["plan"] / "plan.json"))
    assert result.exit_code == 0, result.output
    assert shell.tags() == {"main", "dev", "pr-1", "pr-2"}
    wanted = (runner.folder / "packages").read_text().splitlines()
    assert set(wanted) == {"install aioregistry-do[cli]==0.1.0"}


def test_a_request_of_a_fork_is_checked_without_a_secret(runner, shell, comments):
    change(runner, "pr-*")
    sent = shell.sandbox.request_count
    assert runner.run(pull_request(8, fork=True), "change") == {}
    assert comments.held == []
    assert shell.sandbox.request_count == sent
    git(runner.repository, "checkout", "-q", "change")
    (runner.repository / "policy.toml").write_text("flor = 1\n")
    git(runner.repository, "commit", "-q", "-a", "-m", "A mistake")
    with pytest.raises(AssertionError, match="flor"):
        runner.run(pull_request(8, fork=True), "change")


def test_a_clean_up_that_fails_fails_its_job_and_keeps_the_plan(runner, shell):
    change(runner, "*", "everything")
    git(runner.repository, "merge", "-q", "everything")
    with pytest.raises(AssertionError, match="more than"):
        runner.run(PUSH, "main")
    (plan,) = runner.folder.glob("apply-*/artefact/plan.json")
    assert plan.stat().st_size > 100
    assert shell.tags() == {"main", "dev", "pr-1", "pr-2"}


@pytest.mark.parametrize(
    ("event", "changed", "starts"),
    [
        (pull_request(1), ["README.md"], False),
        (PUSH, ["README.md"], False),
        ({**PUSH, "base": "change"}, ["policy.toml"], False),
        ({"event_name": "schedule", "base": "main"}, [""], True),
        ({"event_name": "workflow_dispatch", "base": "main"}, [""], True),
        ({"event_name": "issue_comment", "base": "main"}, [""], False),
    ],
)
def test_what_starts_it(runner, event, changed, starts):
    assert runner.events(event, changed) is starts


def test_a_plan_that_is_too_long_for_the_summary_of_a_job_is_cut(runner):
    runner.program = "yes '| a row |' | head -c 1200000; touch plan.json"
    runner.run(PUSH, "main")
    assert (runner.folder / "summary.md").stat().st_size == 1_000_000


def test_a_plan_that_is_too_long_for_a_comment_is_cut(runner, comments):
    runner.program = "yes '| a row |' | head -c 70000; touch plan.json"
    runner.run(pull_request(9), "main")
    (plan,) = comments.of(9)
    assert len(plan) == 60_000
