"""Accounts with several registries: one is named, or all are used."""

import json
import re

import pytest

from aioregistry.sandbox import Fault, Faults, Phases

RUN = ("cleanup", "run", "--policy", "policy.toml", "--all-registries")


@pytest.fixture
def two(shell):
    """Two registries, each with two tags of which the policy condemns one."""
    shell.sandbox.state.add_registry("second")
    for name in ("example", "second"):
        for tag in ("main", "pr-1"):
            shell.sandbox.state.push(name, "web", [tag])
    return shell


def tags(shell):
    return {
        f"{name}:{tag}"
        for name in ("example", "second")
        for tag in shell.sandbox.state.registry(name).repository("web").tags
    }


def test_one_policy_cleans_up_every_registry(two):
    result = two.run(*RUN, "--yes")
    assert result.exit_code == 0, result.output
    assert tags(two) == {"example:main", "second:main"}
    assert "registry example\n" in result.stdout
    assert "registry second\n" in result.stdout
    assert [plan.parent.name.rsplit("-", 2)[0] for plan in two.plans()] == ["example", "second"]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_what_became_of_each_is_one_document(two, form):
    result = two.run(*RUN, "--yes", "-o", form)
    if form == "json":
        summaries = json.loads(result.stdout)
        items = [item for one in summaries for item in one["items"]]
    else:
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        summaries = [line for line in lines if line["kind"] == "summary"]
        items = [line for line in lines if line["kind"] == "outcome"]
    assert [one["registry"] for one in summaries] == ["example", "second"]
    assert [one["registry"] for one in items] == ["example", "second"]


def test_every_registry_is_planned(two):
    result = two.run("cleanup", "plan", "--policy", "policy.toml", "--all-registries")
    assert result.exit_code == 0, result.output
    assert len(two.plans()) == 2
    assert two.deletes() == 0


def test_a_registry_that_fails_does_not_stop_the_others(two):
    two.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/repositoriesV2", times=1))
    result = two.run(*RUN, "--yes")
    assert result.exit_code == 1
    assert "aioregistry cleanup run: example: " in result.stderr
    assert tags(two) == {"example:main", "example:pr-1", "second:main"}


def test_a_limit_of_one_registry_does_not_stop_the_others(two):
    for number in range(2, 5):
        two.sandbox.state.push("example", "web", [f"pr-{number}"])
    result = two.run(*RUN, "--yes", "--max-deletes", "2")
    assert result.exit_code == 4
    assert "second:pr-1" not in tags(two)
    assert "example:pr-1" in tags(two)


def test_without_a_terminal_nothing_is_deleted(two):
    result = two.run(*RUN)
    assert result.exit_code == 2
    assert two.deletes() == 0


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("example",), "example"),
        (("--plan-file", "x.json"), "--plan-file"),
        (("--repository", "web"), "--repository"),
        (("--archive", "x"), "--archive"),
    ],
)
def test_what_is_for_one_registry_is_refused(two, more, named):
    result = two.run(*RUN, *more, "--yes")
    assert result.exit_code == 2
    assert named in result.stderr
    assert "--all-registries" in result.stderr
    assert two.deletes() == 0


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("tags web", "as REGISTRY/web"),
        ("gc status", "as REGISTRY"),
        ("repositories", "as REGISTRY"),
        ("cleanup plan --policy policy.toml", "as REGISTRY"),
    ],
)
def test_the_hint_names_the_registries_and_where_to_name_one(two, line, named):
    result = two.run(*line.split())
    assert result.exit_code == 1
    assert f"(example, second): name one, {named}" in result.stderr
    assert "aioregistry config set registry NAME" in result.stderr


def test_the_configured_registry_is_not_all(two, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY", "second")
    two.run(*RUN, "--yes")
    assert tags(two) == {"example:main", "second:main"}


def test_an_account_without_registries_has_none_to_clean_up(shell):
    shell.sandbox.state.registries.clear()
    result = shell.run(*RUN, "--yes")
    assert result.exit_code == 1
    assert "the account has no registry" in result.stderr


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("repositories", {"example/api", "example/web", "second/web"}),
        ("tags", {"example/api:v1"} | {f"{one}/web:{tag}" for one in ("example", "second")
                                       for tag in ("main", "pr-1")}),
    ],
)  # fmt: skip
def test_lists_of_all_registries_name_where_each_is(two, line, names):
    two.sandbox.state.push("example", "api", ["v1"])
    result = two.run(line, "--all-registries", "-q")
    assert result.exit_code == 0, result.output
    assert set(result.stdout.splitlines()) == names
    table = two.run(line, "--all-registries", "-o", "table").stdout.splitlines()
    assert table[0].split()[:2] == ["registry", "name" if line == "repositories" else "repository"]
    assert len(table) == 1 + len(names)


def test_lists_of_one_registry_need_no_repository(two):
    two.sandbox.state.push("example", "api", ["v1"])
    result = two.run("tags", "--registry", "example", "-o", "csv", "--sort", "name")
    rows = [line.split(",")[:2] for line in result.stdout.splitlines()]
    assert rows == [["repository", "tag"], ["web", "main"], ["web", "pr-1"], ["api", "v1"]]


def test_manifests_of_all_registries_have_references_for_names(two):
    result = two.run("manifests", "--all-registries", "-q")
    references = result.stdout.split()
    assert len(references) == 4
    assert all(re.fullmatch(r"(example|second)/web@sha256:[0-9a-f]{64}", r) for r in references)


def test_a_limit_counts_over_all_lists(two):
    assert len(two.run("tags", "--all-registries", "-q", "--limit", "3").stdout.split()) == 3


def test_garbage_collections_of_all_registries_are_one_list(two):
    for name in ("example", "second"):
        assert two.run("gc", "start", name, "--yes", "--no-wait").exit_code == 0
    two.sandbox.state.phases = Phases(*[0.0] * 6)
    two.run("gc", "wait", "second", "--interval", "0.01")
    result = two.run("gc", "list", "--all-registries", "-o", "csv", "--columns", "registry,status")
    assert result.exit_code == 0, result.output
    assert "second," in result.stdout


@pytest.mark.parametrize("line", ["repositories example", "tags web", "gc list example"])
def test_one_and_all_exclude_each_other(two, line):
    result = two.run(*line.split(), "--all-registries")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
