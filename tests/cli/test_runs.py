"""Runs of clean-ups in the state directory: where they are, how they are named, how many stay."""

import json
import re

import pytest

from tests.disks import full_disk

RUN = ("cleanup", "run", "--policy", "policy.toml", "--yes")
PLAN = ("cleanup", "plan", "--policy", "policy.toml")


@pytest.fixture
def filled(shell):
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag)
    return shell


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_nothing_is_written_to_the_current_folder(filled):
    before = set(filled.folder.iterdir())
    filled.run(*RUN)
    assert set(filled.folder.iterdir()) - before == {
        filled.folder / "state",
        filled.folder / "caches",
    }
    (plan,) = filled.plans()
    assert {path.name for path in plan.parent.iterdir()} >= {
        "plan.json",
        "plan.json.journal",
        "plan.json.archive",
    }


def test_the_hints_name_a_run_and_work_when_pasted(filled):
    planned = filled.run(*PLAN)
    line = planned.stdout.splitlines()[-1].partition("carry it out: aioregistry ")[2]
    assert "/" not in line
    applied = filled.run(*line.split(), "--yes")
    assert applied.exit_code == 0, applied.output
    assert filled.tags() == {"main", "dev"}
    line = applied.stdout.splitlines()[-1].partition("deleted: aioregistry ")[2]
    assert filled.run(*line.split()).exit_code == 0
    assert filled.tags() == {"main", "dev", "pr-1", "pr-2"}


def test_without_a_name_the_newest_plan_is_shown(filled):
    filled.run(*PLAN)
    filled.builder.image("pr-3")
    filled.run(*PLAN)
    shown = json.loads(filled.run("cleanup", "show", "-o", "json").stdout)
    assert shown["tags_to_delete"] == 3
    assert shown["plan"] == str(max(filled.plans()))
    named = filled.run("cleanup", "show").stdout
    assert named.startswith(f"plan {max(filled.plans()).parent.name}, made at ")


def test_the_newest_plan_of_nobody_is_an_error(filled):
    result = filled.run("cleanup", "apply")
    assert result.exit_code == 2
    assert "'aioregistry cleanup plan' makes one" in result.stderr


def test_the_newest_plan_is_not_carried_out_unseen(filled):
    filled.run(*PLAN)
    result = filled.run("cleanup", "apply", "--yes")
    assert result.exit_code == 2
    assert "--yes needs PLAN" in result.stderr
    assert filled.deletes() == 0


def test_plans_of_another_api_are_not_the_newest(filled, monkeypatch):
    filled.run(*PLAN)
    monkeypatch.setenv("AIOREGISTRY_API_URL", "http://127.0.0.1:1")
    assert filled.run("cleanup", "show").exit_code == 2


def test_a_file_goes_before_a_run_of_its_name(filled):
    filled.run(*PLAN)
    name = filled.plans()[0].parent.name
    (filled.folder / name).write_text("no plan")
    result = filled.run("cleanup", "show", name)
    assert result.exit_code == 2
    assert name in result.stderr


def test_past_runs_are_listed_newest_first(filled):
    filled.run(*PLAN)
    filled.run(*RUN)
    listed = rows(filled.run("cleanup", "runs", "-o", "ndjson", "--columns", "all"))
    assert [row["begun"] for row in listed] == ["yes", "no"]
    assert [row["registry"] for row in listed] == ["example", "example"]
    assert {row["plan"] for row in listed} == set(map(str, filled.plans()))
    assert listed[0]["archive"] > 0
    assert listed[1]["archive"] is None


def test_runs_are_filtered_like_every_list(filled):
    filled.run(*PLAN)
    result = filled.run("cleanup", "runs", "--match", "other-*", "-q")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_only_so_many_runs_are_kept(filled, monkeypatch, how):
    filled.run("config", "set", "keep", "2")
    option = ("--keep", "1") if how == "option" else ()
    if how == "variable":
        monkeypatch.setenv("AIOREGISTRY_KEEP", "3")
    for _ in range(4):
        assert filled.run(*PLAN, *option).exit_code == 0
    assert len(filled.plans()) == {"option": 1, "variable": 3, "file": 2}[how]


@pytest.mark.parametrize("value", ["0", "-1", "few", "1.5"])
def test_a_number_of_runs_that_cannot_be_kept_is_refused(filled, monkeypatch, value):
    monkeypatch.setenv("AIOREGISTRY_KEEP", value)
    result = filled.run(*PLAN)
    assert result.exit_code == 2
    assert "keep must be a whole number" in result.stderr


def test_a_state_directory_that_cannot_be_made_is_an_error_before_anything_is_read(
    filled, monkeypatch
):
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", str(filled.folder / "policy.toml" / "state"))
    result = filled.run(*PLAN)
    assert result.exit_code == 2
    assert "policy.toml" in result.stderr
    assert filled.sandbox.requests == []


def test_a_run_with_nothing_to_delete_says_so_and_no_more(shell):
    shell.builder.image("main")
    result = shell.run(*RUN)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("nothing to delete\n")
    assert "deleted" not in result.stdout.replace("nothing to delete", "")
    assert "requests" not in result.stdout


@pytest.mark.parametrize("name", ["platform/billing", "platform/billing-and-more"])
def test_the_name_of_a_repository_is_not_broken_in_a_narrow_terminal(shell, monkeypatch, name):
    name = name[:24]
    monkeypatch.setenv("COLUMNS", "80")
    for tag in ("main", "pr-1"):
        shell.sandbox.state.push("example", name, [tag])
    result = shell.run(*PLAN)
    assert any(name in line for line in result.stdout.splitlines() if "│" in line)
    table = [line for line in result.stdout.splitlines() if "│" in line]
    assert max(map(len, table)) <= 80


def test_where_no_run_was_a_person_is_told_how_to_begin_one(shell):
    result = shell.run("cleanup", "runs", "-o", "table")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no runs yet: 'aioregistry cleanup plan")
    assert shell.run("cleanup", "runs", "-o", "json").stdout == "[]\n"


@pytest.mark.parametrize("command", ["apply", "show", "undo"])
def test_a_run_is_found_beside_other_files_of_the_state_directory(shell, command):
    shell.builder.image("pr-1", days=300)
    shell.builder.image("main")
    shell.run("cleanup", "plan", "--policy", "policy.toml")
    (shell.folder / "state" / "logins.json").write_text("{}")
    result = shell.run("cleanup", command, "no-such-run")
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert result.stderr.endswith(
        "no-such-run: neither a file nor a run that is kept; 'aioregistry cleanup runs' lists"
        " runs\n"
    )
    assert shell.run("cleanup", "show", shell.plans()[0].parent.name).exit_code == 0


def test_a_state_directory_that_cannot_be_written_is_told_before_anything_is_sent(
    shell, monkeypatch
):
    (shell.folder / "file").touch()
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", "file/state")
    result = shell.run("cleanup", "plan", "--policy", "policy.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith("aioregistry cleanup plan: file/state: Not a directory; AIO")
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", str(shell.folder))
    # Root, as whom tests may run, can write everywhere.
    monkeypatch.setattr("os.access", lambda path, _: str(path) != str(shell.folder))
    assert "cannot be written" in shell.run("cleanup", "plan", "--policy", "policy.toml").stderr
    assert shell.sandbox.request_count == 0


def test_a_plan_that_cannot_be_kept_leaves_no_run(shell):
    shell.builder.image("pr-1")
    with full_disk():
        result = shell.run("cleanup", "run", "--policy", "policy.toml", "--yes", "--force")
    assert result.exit_code == 1
    assert re.search(
        r"plan\.json: File too large; nothing was deleted; AIOREGISTRY_STATE_DIR names another"
        r" folder, --plan-file a file\n$",
        result.stderr,
    )
    assert not [*shell.folder.glob("state/*/runs/*")]
    assert shell.deletes() == 0


def test_another_spelling_of_the_address_is_the_same_registry(filled, monkeypatch):
    assert filled.run(*PLAN).exit_code == 0
    (plan,) = filled.plans()
    url = filled.sandbox.url
    # As a version wrote it that knew other spellings.
    plan.write_text(plan.read_text().replace(f'"{url}"', f'"{url.upper()}/"'))
    monkeypatch.setenv("AIOREGISTRY_API_URL", f"{url.upper()}/")
    result = filled.run("cleanup", "apply", plan.parent.name, "--yes")
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev"}
    assert [row["begun"] for row in rows(filled.run("cleanup", "runs", "-o", "ndjson"))] == ["yes"]
