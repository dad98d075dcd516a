"""Plans and their outcomes for programs and reviewers."""

import csv
import io
import json

import pytest

from aioregistry.client.repository import RepositoryHandle
from aioregistry.sandbox import Phases


@pytest.fixture
def filled(shell):
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag, days=300)
    return shell


def plan(shell, *arguments):
    return shell.run(
        "cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json", *arguments
    )


def test_a_plan_is_one_object_on_stdout_and_words_on_stderr(filled):
    result = plan(filled, "-o", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["tags_to_delete"] == 2
    assert document["repositories"][0] == {
        "name": "web",
        "tags_before": 4,
        "tags_after": 2,
        "manifests_before": 4,
        "manifests_after": 2,
        "bytes": document["reasons"][0]["bytes"],
    }
    assert {tag for item in document["items"] for tag in item["tags"]} == {"pr-1", "pr-2"}
    assert "plan written to plan.json" in result.stderr


def test_a_run_is_a_line_for_each_outcome_and_one_for_the_summary(filled):
    words = ("cleanup", "run", "--policy", "policy.toml", "--yes", "-o", "ndjson")
    result = filled.run(*words)
    assert result.exit_code == 0, result.stderr
    *outcomes, summary = map(json.loads, result.stdout.splitlines())
    assert [one["status"] for one in outcomes] == ["deleted", "deleted"]
    assert summary["outcomes"]["deleted"] == 2
    assert summary["plan"] == str(filled.plans()[0])


def test_an_apply_says_what_failed(filled):
    plan(filled)
    filled.sandbox.state.registry("example").repository("web").tags.pop("pr-1")
    result = filled.run("cleanup", "apply", "plan.json", "--yes", "-o", "json")
    document = json.loads(result.stdout)
    assert sum(document["outcomes"].values()) == 2
    assert len(document["items"]) == 2


def test_a_collection_is_part_of_the_summary(filled):
    filled.sandbox.state.phases = Phases(*[0] * 6)
    words = ("cleanup", "run", "--policy", "policy.toml", "--yes", "--gc", "-o", "json")
    result = filled.run(*words)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["garbage_collection"]["freed_bytes"] == document["frees_bytes"]


def test_the_exit_code_tells_changes_from_none_when_asked_to(filled):
    assert plan(filled, "--detailed-exitcode").exit_code == 5
    filled.run("cleanup", "apply", "plan.json", "--yes")
    assert plan(filled, "--detailed-exitcode", "--plan-file", "next.json").exit_code == 0


@pytest.mark.parametrize("form", ["table", "md", "csv", "json"])
def test_a_plan_is_shown_without_a_token(filled, monkeypatch, form):
    plan(filled)
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    result = filled.run("cleanup", "show", "plan.json", "-o", form)
    assert result.exit_code == 0
    assert "web" in result.stdout
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert {row["tags"] for row in rows} == {"pr-1", "pr-2"}
    if form == "json":
        assert json.loads(result.stdout)["manifests_to_delete"] == 2
    if form == "md":
        assert "| web | 4 | 2 | 4 | 2 |" in result.stdout
        assert "delete 2 tags and 2 manifests" in result.stdout


def test_each_note_is_shown_once(filled):
    with (filled.folder / "policy.toml").open("a") as file:
        file.write('[[rules]]\ntags = "zz"\ndelete = true\n')
    plan(filled)
    assert filled.run("cleanup", "show", "plan.json").stdout.count("matched nothing") == 1


def test_no_name_in_a_comment_is_markup(filled):
    plan(filled)
    text = (filled.folder / "plan.json").read_text()
    (filled.folder / "plan.json").write_text(text.replace('"pr-1"', '"pr_1__x"'))
    shown = filled.run("cleanup", "show", "plan.json", "-o", "md").stdout
    assert "pr\\_1\\_\\_x" in shown


def test_a_plan_without_deletes_is_shown_as_such(filled):
    (filled.folder / "policy.toml").write_text('[[rules]]\ntags = "zz"\ndelete = true\n')
    plan(filled)
    assert "nothing to delete" in filled.run("cleanup", "show", "plan.json", "-o", "md").stdout


def test_what_was_damaged_is_named(filled, monkeypatch):
    for tag in ("one", "two"):
        filled.builder.image(tag, days=300)
    child = filled.builder.image("pr-3", days=300)
    send = RepositoryHandle.delete_manifests

    async def delete_manifests(handle, *arguments, **options):
        # Between the last look and the DELETEs.
        filled.builder.index("dev", children=[child])
        return await send(handle, *arguments, **{**options, "check": None})

    monkeypatch.setattr(RepositoryHandle, "delete_manifests", delete_manifests)
    words = ("cleanup", "run", "--policy", "policy.toml", "--yes", "-o", "json")
    result = filled.run(*words)
    assert result.exit_code == 1
    damaged = {"repository": "web", "image": "dev", "missing": [child]}
    summary = json.loads(result.stdout)
    assert summary["incomplete"] == [damaged]
    assert summary["unchecked"] == []
    assert f"incomplete: web:dev: lacks {child}" in result.stderr


def test_a_plan_is_written_as_a_page(filled):
    pytest.importorskip("jinja2")
    plan(filled)
    result = filled.run("cleanup", "show", "plan.json", "--html", "plan.html")
    assert result.exit_code == 0, result.output
    assert "Clean-up plan" in (filled.folder / "plan.html").read_text("utf-8")
