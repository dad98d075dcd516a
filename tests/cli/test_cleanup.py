"""The commands `aioregistry cleanup plan|apply|run`."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from aioregistry.cleanup.plan.plan import Plan
from aioregistry.sandbox import Fault, Faults, Phases
from aioregistry.sizes import size_in_words
from tests.cleanup.registries import Builder
from tests.cli.programs import Program


@pytest.fixture
def filled(shell):
    """A repository with four tags, two of which the policy condemns."""
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag)
    return shell


def test_a_plan_is_written_and_nothing_is_deleted(filled):
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert result.exit_code == 0, result.output
    assert "web" in result.stdout
    assert re.search(
        r"\d requests? with the checks; a garbage collection afterwards frees ", result.stdout
    )
    assert "to carry it out: aioregistry cleanup apply plan.json" in result.stdout
    plan = Plan.load(filled.folder / "plan.json")
    assert {item.tags[0] for _, item in plan.condemned} == {"pr-1", "pr-2"}
    assert filled.deletes() == 0


def test_without_an_estimate_what_no_rule_is_for_is_not_listed(filled):
    Builder(filled.sandbox.state, "api").image("v1")
    rule = '[[rules]]\nrepositories = "web"\ntags = "pr-*"\ndelete = true\n'
    Path("web.toml").write_text(rule)
    plan = ("cleanup", "plan", "--policy", "web.toml")
    assert "at most" in filled.run(*plan, "--no-estimate").stdout
    assert "at most" not in filled.run(*plan).stdout


def test_a_file_given_as_output_is_that_of_the_plan(filled):
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--output", "plan.json")
    assert result.exit_code == 0, result.output
    assert len(list(Plan.load(filled.folder / "plan.json").condemned)) == 2
    assert "to carry it out: aioregistry cleanup apply plan.json" in result.stdout


@pytest.mark.parametrize("flags", [["-o", "yaml"], ["-o", "a.json", "--plan-file", "b.json"]])
def test_an_output_that_is_neither_format_nor_file_is_refused(filled, flags):
    result = filled.run("cleanup", "run", "--policy", "policy.toml", *flags)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("aioregistry cleanup run: --output: ")
    assert "--plan-file" in line


def test_a_plan_is_carried_out(filled):
    filled.run("cleanup", "plan", "example", "--policy", "policy.toml", "--plan-file", "my.json")
    result = filled.run("cleanup", "apply", "my.json", "--yes")
    assert result.exit_code == 0, result.output
    assert re.search(r"deleted +│ +2", result.stdout)
    assert "storage is freed by a garbage collection only" in result.stdout
    assert filled.tags() == {"main", "dev"}
    assert (filled.folder / "my.json.journal").exists()


def test_a_second_plan_says_what_it_has_not_listed(filled):
    plan = ("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    said = "not listed, as unchanged since an earlier plan: 1 of 1 repositories"
    assert said not in filled.run(*plan).stdout
    assert said in filled.run(*plan).stdout
    assert said not in filled.run(*plan, "--full").stdout
    assert said not in filled.run(*plan, "--no-cache").stdout
    filled.run(*plan)
    filled.run("cleanup", "apply", "plan.json", "--yes")
    assert filled.tags() == {"main", "dev"}


def test_a_plan_that_was_begun_is_refused_before_anything_is_asked(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    filled.run("cleanup", "apply", "plan.json", "--yes")
    result = filled.run("cleanup", "apply", "plan.json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "this plan was carried out, and nothing of it is left to delete" in result.stderr
    again = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert again.exit_code == 2
    assert "the plan plan.json was begun" in again.stderr
    assert "--plan-file" in again.stderr


def test_nothing_is_asked_when_a_resumed_plan_has_nothing_left(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    filled.run("cleanup", "apply", "plan.json", "--yes")
    result = filled.run("cleanup", "apply", "plan.json", "--resume")  # without a terminal
    assert result.exit_code == 0, result.output
    assert re.search(r"deleted +│ +2", result.stdout)
    assert filled.deletes() == 2


def test_a_resumed_plan_with_nothing_left_asks_before_garbage_is_collected(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    filled.run("cleanup", "apply", "plan.json", "--yes")
    result = filled.run("cleanup", "apply", "plan.json", "--resume", "--gc")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr


def test_a_plan_that_deletes_nothing_is_not_offered(filled):
    (filled.folder / "policy.toml").write_text('[[rules]]\ntags = "zz"\ndelete = true\n')
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert result.exit_code == 0, result.output
    assert "plan written to plan.json" in result.stdout
    assert "to carry it out" not in result.stdout


def test_the_name_of_a_repository_is_whole_in_a_table(filled):
    name = "platform/billing-and-invoices"
    for tag in ("main", "pr-1"):
        filled.sandbox.state.push("example", name, [tag])
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    cells = [line.split("│")[1].strip() for line in result.stdout.splitlines() if "│" in line]
    assert name in "".join(cells)


def test_all_in_one_go(filled):
    result = filled.run(
        "cleanup", "run", "--policy", "policy.toml", "--yes", "--plan-file", "my.json"
    )
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev"}


def test_the_plan_of_a_run_is_named_for_registry_and_time(filled):
    filled.run("cleanup", "run", "--policy", "policy.toml", "--yes")
    (plan,) = filled.plans()
    assert re.fullmatch(r"example-\d{8}-\d{6}", plan.parent.name)
    assert not list(filled.folder.glob("*.json"))


def test_garbage_is_collected_when_asked_for_and_told_beside_the_estimate(filled):
    # The first look, which is at once, finds it done.
    filled.sandbox.state.phases = Phases(*[0.0] * 6)
    plan = ["cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json"]
    filled.run(*plan)
    estimate = Plan.load(filled.folder / "plan.json").frees.bytes
    result = filled.run("cleanup", "apply", "plan.json", "--yes", "--gc")
    assert result.exit_code == 0, result.output
    size = re.escape(size_in_words(estimate))
    assert re.search(rf"{size} in \d+ blobs freed; the plan said {size}", result.stdout)
    assert "read-only" in result.stderr


def test_without_a_terminal_it_needs_yes(filled):
    result = filled.run("cleanup", "run", "--policy", "policy.toml", "--plan-file", "my.json")
    assert result.exit_code == 2
    assert "nothing was deleted: no terminal to ask on; add --yes" in result.stderr
    assert filled.deletes() == 0
    assert filled.run("cleanup", "apply", "my.json").exit_code == 2
    assert filled.deletes() == 0


def test_nothing_to_delete_is_told(shell):
    shell.builder.image("main")
    result = shell.run("cleanup", "run", "--policy", "policy.toml")
    assert result.exit_code == 0
    assert "nothing to delete" in result.stdout


def test_what_is_in_use_stays(filled):
    (filled.folder / "running.txt").write_text("registry.digitalocean.com/example/web:pr-1\n")
    pods = {"items": [{"kind": "Pod", "spec": {"containers": [{"image": "example/web:pr-2"}]}}]}
    result = filled.run(
        *("cleanup", "run", "--policy", "policy.toml", "--yes"),
        *("--in-use", "running.txt", "--in-use", "-"),
        stdin=json.dumps(pods),
    )
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev", "pr-1", "pr-2"}


def test_only_the_repositories_that_are_named(filled):
    filled.sandbox.state.push("example", "api", ["main"])
    result = filled.run("cleanup", "run", "--policy", "policy.toml", "--yes", "--repository", "api")
    assert result.exit_code == 0
    assert filled.deletes() == 0


def test_drift_alone_has_a_code_of_its_own(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    repository = filled.sandbox.state.registry("example").repository("web")
    repository.point("new", repository.find("pr-1"), 0)
    result = filled.run("cleanup", "apply", "plan.json", "--yes")
    assert result.exit_code == 3
    assert "drift: web:pr-1: it got the tag new" in result.stderr
    assert filled.tags() == {"main", "dev", "pr-1", "new"}


def test_a_failure_is_told_and_can_be_tried_again(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, method="DELETE", times=1))
    result = filled.run("cleanup", "apply", "plan.json", "--yes")
    assert result.exit_code == 1
    assert "failed: web:pr-" in result.stderr
    assert "to try again: aioregistry cleanup apply plan.json --resume" in result.stderr
    assert filled.run("cleanup", "apply", "plan.json", "--yes").exit_code == 2
    assert filled.run("cleanup", "apply", "plan.json", "--yes", "--resume").exit_code == 0
    assert filled.tags() == {"main", "dev"}


@pytest.mark.parametrize("command", [["run", "--policy", "policy.toml"], ["apply", "plan.json"]])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--max-fraction", "0.4"], "more than 40% of the tags"),
        (["--max-deletes", "1"], "1 are allowed"),
    ],
)
def test_a_cap_refuses_with_a_code_of_its_own(filled, command, flags, said):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    result = filled.run("cleanup", *command, *flags, "--yes")
    assert result.exit_code == 4
    assert said in result.stderr
    assert filled.deletes() == 0


def test_force_lifts_the_cap_on_fractions(filled):
    result = filled.run(
        *("cleanup", "run", "--policy", "policy.toml", "--yes"),
        *("--max-fraction", "0.4", "--force"),
    )
    assert result.exit_code == 0


def test_a_repository_that_is_left_alone_fails_the_command(filled):
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/manifests/*"))
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert result.exit_code == 1
    assert "skipped: web: 4 of 4 manifests could not be read" in result.stdout
    result = filled.run("cleanup", "run", "--policy", "policy.toml", "--yes")
    assert result.exit_code == 1


@pytest.mark.parametrize("command", [("plan",), ("run", "--yes")], ids=["plan", "run"])
def test_a_token_that_may_not_list_is_told_as_such(filled, command):
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/digests"))
    result = filled.run("cleanup", *command, "--policy", "policy.toml")
    assert result.exit_code == 1
    assert "The token needs the scope registry:read" in result.stderr
    assert "interrupted" not in result.stderr


def test_a_deadline_ends_it(filled):
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    result = filled.run("cleanup", "apply", "plan.json", "--yes", "--deadline", "0s")
    assert result.exit_code == 1
    assert "the deadline has passed" in result.stderr
    assert filled.deletes() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--policy", "absent.toml"], "absent.toml: No such file or directory"),
        (["plan", "--policy", "bad.toml"], "bad.toml, line 2: rules[0].delete: must be true"),
        (["plan", "--policy", "policy.toml", "--plan-file", "no/plan.json"], "cannot be written"),
        (["plan", "--policy", "policy.toml", "--plan-file", "."], "cannot be written"),
        (
            ["plan", "--policy", "policy.toml", "--plan-file", "begun.json"],
            "begun.json.journal exists",
        ),
        (
            ["plan", "--policy", "policy.toml", "--in-use", "bad.txt"],
            "bad.txt, line 1: not a ref",
        ),
        (["plan", "Bad Name", "--policy", "policy.toml"], "Bad Name"),
        (["apply", "absent.json"], "absent.json: neither a file nor a run that is kept"),
        (["apply", "no/absent.json"], "no/absent.json: No such file"),
        (["apply", "policy.toml"], "policy.toml: not a plan"),
        (["run", "--policy", "policy.toml", "--deadline", "soon"], "not a length of time"),
        (["run", "--policy", "policy.toml", "--max-fraction", "2"], "max-fraction"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(shell, arguments, said):
    (shell.folder / "bad.toml").write_text("[[rules]]\ndelete = 5\n")
    (shell.folder / "bad.txt").write_text("no reference\n")
    (shell.folder / "begun.json.journal").touch()
    result = shell.run("cleanup", *arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert shell.sandbox.request_count == 0


def test_without_a_token_it_says_what_to_set(shell, monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    result = shell.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert result.exit_code == 2
    assert "set DIGITALOCEAN_TOKEN" in result.stderr


def test_a_registry_that_is_not_there_is_told_in_one_line(shell):
    result = shell.run("cleanup", "plan", "nothing", "--policy", "policy.toml")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_contents_are_kept_unless_told_otherwise(filled):
    filled.run(
        "cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json", "--no-cache"
    )
    assert not (filled.folder / "caches").exists()
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    assert (filled.folder / "caches" / "aioregistry" / "manifests.sqlite").exists()


def start(*arguments, **settings):
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
    return Program("cleanup", *arguments, env=environment, **settings)


def read_all(terminal: int) -> str:
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            os.close(terminal)
            return seen.decode()


@pytest.mark.parametrize(
    ("answer", "left", "code"), [(b"y\n", 2, 0), (b"\n", 4, 4), (b"n\n", 4, 4)]
)
def test_on_a_terminal_it_asks_and_no_is_the_answer_unless_told_otherwise(
    filled, answer, left, code
):
    ours, theirs = pty.openpty()
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with start("run", "--policy", "policy.toml", **options) as process:
        os.close(theirs)
        os.write(ours, answer)
        seen = read_all(ours)
    assert process.returncode == code
    asked = " ".join(seen.split())
    assert "Delete 2 tags and 2 manifests from 'example' (2 DELETEs)? [y/N]" in asked
    (folder,) = {path.parent.name for path in filled.plans()}
    assert f"every item, with its reason: aioregistry cleanup show {folder} -o csv" in asked
    assert len(filled.tags()) == left


@pytest.mark.slow(2)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_one_tells_what_was_done_and_how_to_go_on(filled, sent, code):
    # Within the quota of a minute, so that the second run need not wait for it.
    for number in range(220):
        filled.builder.image(f"pr-x{number}")
    filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    filled.sandbox.latency = 0.3
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = ["apply", "plan.json", "--yes", "--force"]
    with start(*arguments, **options) as process:
        while filled.deletes() < 40 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    last = errors.splitlines()[-1]
    assert re.search(r"interrupted; \d+ of 222 deleted, .*\d+ not attempted", last), errors
    assert "; to restore: aioregistry cleanup undo plan.json; " in last
    assert last.endswith("to continue: aioregistry cleanup apply plan.json --resume --force")
    filled.sandbox.latency = 0
    result = filled.run("cleanup", "apply", "plan.json", "--yes", "--force", "--resume")
    assert result.exit_code == 0, result.output
    assert filled.tags() == {"main", "dev"}


def test_a_policy_that_can_delete_nothing_says_so(filled):
    (filled.folder / "keeps.toml").write_text("[[rules]]\nkeep-newest = 3\n")
    result = filled.run("cleanup", "plan", "--policy", "keeps.toml", "--plan-file", "plan.json")
    assert result.exit_code == 0
    assert "keeps.toml: no rule deletes anything" in result.stderr
    assert "nothing to delete" in result.stdout


def test_a_plan_of_nothing_is_applied_without_a_question(filled):
    (filled.folder / "keeps.toml").write_text("[[rules]]\nkeep-newest = 3\n")
    filled.run("cleanup", "plan", "--policy", "keeps.toml", "--plan-file", "plan.json")
    assert filled.run("cleanup", "apply", "plan.json").exit_code == 0
    assert not (filled.folder / "plan.json.journal").exists()


def test_a_plan_does_not_go_to_stdout(filled):
    result = filled.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "-")
    assert result.exit_code == 2
    assert "cannot be written to stdout" in result.stderr
