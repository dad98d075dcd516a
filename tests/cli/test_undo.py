"""The command `aioregistry cleanup undo`."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from aioregistry.cleanup.plan import make
from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cleanup.undo import record
from aioregistry.cleanup.undo.record import UndoRecord
from aioregistry.cli.cleanup import work
from aioregistry.cli.undo import holds
from aioregistry.sandbox import Fault, Faults, Phases
from aioregistry.session import session
from tests.cleanup.registries import Builder
from tests.disks import full_disk

pytestmark = pytest.mark.slow(0.1)


@pytest.fixture
def cleaned(shell):
    """A repository of which a plan has deleted two tags of four."""
    for tag in ("main", "dev", "pr-1", "pr-2"):
        shell.builder.image(tag)
    shell.run("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")
    shell.sandbox.state.phases = Phases(*[0.001] * 6)
    result = shell.run("cleanup", "apply", "plan.json", "--yes")
    assert shell.tags() == {"main", "dev"}
    assert "aioregistry cleanup undo plan.json\n" in result.stdout
    return shell


def test_what_a_plan_deleted_comes_back(cleaned):
    result = cleaned.run("cleanup", "undo", "plan.json")
    assert result.exit_code == 0, result.output
    assert cleaned.tags() == {"main", "dev", "pr-1", "pr-2"}
    assert "restored" in result.stdout


def test_on_a_full_disk_an_undo_says_what_it_restored_and_how_to_continue(cleaned):
    with full_disk():
        result = cleaned.run("cleanup", "undo", "plan.json")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "plan.json.archive.undo-journal: cannot be written: File too large; 0 items restored or"
        " found to exist; the same command continues\n"
    )
    assert cleaned.tags() == {"main", "dev"}
    assert cleaned.run("cleanup", "undo", "plan.json").exit_code == 0
    assert cleaned.tags() == {"main", "dev", "pr-1", "pr-2"}


POLICY_OF_TWO = """
[[rules]]
tags = "pr-*"
keep-newest = 2
[[rules]]
tags = "pr-*"
delete = true
"""


@pytest.fixture
def restored(shell):
    """A repository of five tags: a run deleted the three oldest, and an undo restored them."""
    (shell.folder / "two.toml").write_text(POLICY_OF_TWO)
    for age in range(5):
        shell.builder.image(f"pr-{age}", days=10 * (age + 1))
    run = ("cleanup", "run", "--policy", "two.toml", "--yes", "--max-fraction", "1")
    assert shell.run(*run, "--plan-file", "plan.json").exit_code == 0
    assert shell.tags() == {"pr-0", "pr-1"}
    result = shell.run("cleanup", "undo", "plan.json")
    assert "clean-ups of this machine leave web alone until one is made" in result.stderr
    assert len(shell.tags()) == 5
    return shell


def test_a_clean_up_after_an_undo_deletes_nothing_in_favour_of_what_is_restored(restored):
    """Restored tags are new: the newest two would be among them."""
    for nth in range(2):
        result = restored.run(
            *("cleanup", "run", "--policy", "two.toml", "--yes", "--max-fraction", "1"),
            *("--plan-file", f"{nth}.json"),
        )
        assert result.exit_code == 1
        assert "--after-undo cleans it up all the same" in result.output
        assert len(restored.tags()) == 5


@pytest.mark.parametrize("command", ["cleanup explain", "inspect"])
def test_after_an_undo_what_clean_ups_leave_alone_is_said_to_be_kept(restored, command):
    condemned, _ = sorted(
        restored.sandbox.state.registry("example").repository("web").tags.values(),
        key=lambda tag: tag.at,
    )[:2]
    words = (*command.split(), f"web:{condemned.name}", "--policy", "two.toml")
    result = restored.run(*words)
    assert result.exit_code == 0, result.output
    assert "kept: the repository is skipped: an undo of " in result.stdout
    assert "--after-undo cleans it up all the same\n" in result.stdout
    if command == "cleanup explain":
        assert "* rule 2 deletes it" in result.stdout
        assert "deleted: rule 2" not in result.stdout
        after = restored.run(*words, "--after-undo").stdout
        assert after.splitlines()[-1].startswith("deleted: ")


def test_after_an_undo_a_repository_is_cleaned_up_when_that_is_asked_for(restored):
    run = ("cleanup", "run", "--policy", "two.toml", "--yes", "--max-fraction", "1")
    result = restored.run(*run, "--plan-file", "new.json", "--after-undo")
    assert result.exit_code == 0, result.output
    assert len(restored.tags()) == 2
    # That was the word for it: from then on it is a repository as any other.
    restored.sandbox.state.push("example", "web", ["pr-9"], at=datetime.now(UTC))
    result = restored.run(*run, "--plan-file", "next.json")
    assert result.exit_code == 0, result.output
    assert len(restored.tags()) == 2


@pytest.mark.parametrize("more", [(), ("--resume",)], ids=["anew", "resumed"])
def test_a_plan_that_is_older_than_an_undo_is_refused(restored, more):
    result = restored.run("cleanup", "apply", "plan.json", "--yes", "--max-fraction", "1", *more)
    assert result.exit_code == 2
    assert "older than the undo that restored images of web" in result.stderr
    assert len(restored.tags()) == 5


@pytest.mark.parametrize("differ", [timedelta(seconds=-5), timedelta(seconds=65)])
def test_by_a_clock_that_is_ahead_a_plan_made_after_an_undo_is_newer(cleaned, monkeypatch, differ):
    (cleaned.folder / "two.toml").write_text(POLICY_OF_TWO)
    ahead, real = timedelta(days=40), time.time

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + ahead

    for module in (make, record):
        monkeypatch.setattr(module, "datetime", Clock)
    wrong = SimpleNamespace(time=lambda: real() + ahead.total_seconds())
    monkeypatch.setattr(session, "time", wrong)
    monkeypatch.setattr(holds, "_TIMES_DIFFER", differ)
    cleaned.sandbox.state.push("example", "web", ["pr-3"], at=datetime.now(UTC))
    assert cleaned.run("cleanup", "undo", "plan.json").exit_code == 0
    options = ("--policy", "two.toml", "--after-undo", "--plan-file", "new.json")
    assert cleaned.run("cleanup", "plan", *options).exit_code == 0
    result = cleaned.run("cleanup", "apply", "new.json", "--yes", "--max-fraction", "1")
    # By a clock that is a minute ahead or less, a plan has that clock's time.
    is_certain = differ < timedelta()
    assert ("older than the undo" in result.stderr) is not is_certain, result.output
    assert (len(cleaned.tags()) == 4) is is_certain


def test_an_undo_that_ends_while_a_question_is_open_is_noticed(restored, monkeypatch):
    options = ("--policy", "two.toml", "--max-fraction", "1", "--after-undo")
    monkeypatch.setattr(work, "ask", lambda *_, **__: note_restored("web"))
    result = restored.run("cleanup", "run", *options, "--plan-file", "new.json")
    assert result.exit_code == 2
    assert "older than the undo" in result.stderr
    assert len(restored.tags()) == 5
    assert "--after-undo" in restored.run("cleanup", "plan", "--policy", "two.toml").output


def test_a_plan_made_in_the_midst_of_an_undo_is_refused(restored):
    options = ("--policy", "two.toml", "--after-undo", "--plan-file", "new.json")
    assert restored.run("cleanup", "plan", *options).exit_code == 0
    # As an undo does at its end.
    note_restored("web")
    result = restored.run("cleanup", "apply", "new.json", "--yes", "--max-fraction", "1")
    assert result.exit_code == 2
    assert "older than the undo" in result.stderr
    assert len(restored.tags()) == 5


def test_a_clean_up_that_failed_before_its_deletes_has_taken_nothing_on(restored):
    (restored.folder / "junk").write_text("no archive")
    options = ("--policy", "two.toml", "--max-fraction", "1", "--yes")
    run = ("cleanup", "run", *options)
    result = restored.run(*run, "--after-undo", "--archive", "junk", "--plan-file", "new.json")
    assert result.exit_code == 2
    assert restored.run(*run, "--plan-file", "next.json").exit_code == 1
    assert len(restored.tags()) == 5


def test_a_clean_up_that_deleted_nothing_it_was_to_has_taken_nothing_on(restored):
    options = ("--policy", "two.toml", "--max-fraction", "1", "--yes")
    late = ("--after-undo", "--deadline", "0s", "--plan-file", "new.json")
    result = restored.run("cleanup", "run", *options, *late)
    assert result.exit_code == 1, result.output
    assert restored.run("cleanup", "run", *options, "--plan-file", "next.json").exit_code == 1
    assert len(restored.tags()) == 5


def test_a_repository_in_which_nothing_is_left_to_delete_is_as_any_other(restored):
    (restored.folder / "all.toml").write_text(POLICY_OF_TWO.replace("2", "9"))
    run = ("cleanup", "run", "--yes", "--policy")
    assert restored.run(*run, "all.toml", "--after-undo", "--plan-file", "a.json").exit_code == 0
    more = ("--max-fraction", "1", "--plan-file", "b.json")
    assert "--after-undo" not in restored.run(*run, "two.toml", *more).output


OF_OTHERS = '[[rules]]\nrepositories = "api"\ndelete-older-than = "1d"\n'


@pytest.mark.parametrize(
    ("policy", "more"),
    [
        (OF_OTHERS, ()),
        ('exclude = "web"\n' + OF_OTHERS, ()),
        (POLICY_OF_TWO.replace("2", "9"), ("--repository", "api", "--estimate")),
    ],
    ids=["rules", "exclude", "option"],
)
def test_a_plan_that_is_about_others_takes_nothing_on(restored, policy, more):
    Builder(restored.sandbox.state, "api").image("pr-1")
    (restored.folder / "others.toml").write_text(policy)
    run = ("cleanup", "run", "--yes", "--max-fraction", "1", "--policy")
    options = (*more, "--after-undo", "--plan-file", "a.json")
    result = restored.run(*run, "others.toml", *options)
    assert result.exit_code == 0, result.output
    assert restored.run(*run, "two.toml", "--plan-file", "b.json").exit_code == 1
    assert len(restored.tags()) == 5


def test_untagged_manifests_that_were_restored_are_the_newest_too(shell):
    rules = "keep-newest-untagged = 1", 'delete-untagged-older-than = "1d"'
    (shell.folder / "untagged.toml").write_text("".join(f"[[rules]]\n{rule}\n" for rule in rules))
    shell.builder.image("main")
    for age in range(3):
        shell.builder.image(days=10 * (age + 1))
    run = ("cleanup", "run", "--policy", "untagged.toml", "--yes", "--plan-file")
    assert shell.run(*run, "plan.json").exit_code == 0
    assert shell.run("cleanup", "undo", "plan.json").exit_code == 0
    result = shell.run(*run, "next.json")
    assert result.exit_code == 1
    assert "--after-undo cleans it up all the same" in result.output


def test_without_the_record_of_undos_nothing_is_planned(restored):
    (record,) = restored.folder.glob("state/*/undo.jsonl")
    record.unlink()
    record.mkdir()
    result = restored.run("cleanup", "plan", "--policy", "two.toml", "--plan-file", "new.json")
    assert result.exit_code == 2
    assert "it says what an undo has restored" in result.stderr


def test_an_undo_that_restores_no_tag_holds_nothing_back(restored):
    note = UndoRecord.of(folder_of())
    note.note_cleaned(["web"])
    assert restored.run("cleanup", "undo", "plan.json").exit_code == 0
    assert UndoRecord.of(folder_of()).restored == {}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=403, route="/v2/*/docker-credentials*"),
        Fault(kind="status", status=403, method="PUT"),
    ],
    ids=["credentials", "put"],
)
def test_an_undo_that_is_refused_holds_nothing_back(cleaned, fault):
    cleaned.sandbox.faults = Faults(fault)
    assert cleaned.run("cleanup", "undo", "plan.json").exit_code != 0
    assert cleaned.tags() == {"main", "dev"}
    assert UndoRecord.of(folder_of()).restored == {}


def test_an_undo_of_which_no_answer_comes_holds_back(cleaned):
    cleaned.sandbox.faults = Faults(Fault(kind="status", status=502, method="PUT"))
    assert cleaned.run("cleanup", "undo", "plan.json").exit_code == 1
    assert UndoRecord.of(folder_of()).restored.keys() == {"web"}


def folder_of():
    return StateFolder.of("example", api_url=os.environ["AIOREGISTRY_API_URL"])


def note_restored(repository):
    UndoRecord.of(folder_of()).note_restored([repository])


def test_a_repository_without_restored_tags_is_cleaned_up_after_an_undo(restored):
    other = Builder(restored.sandbox.state, "api")
    for age in range(4):
        other.image(f"pr-{age}", days=age + 1)
    run = ("cleanup", "run", "--policy", "two.toml", "--yes", "--max-fraction", "1")
    assert restored.run(*run, "--plan-file", "new.json").exit_code == 1
    assert set(restored.sandbox.state.registry("example").repository("api").tags) == {
        "pr-0",
        "pr-1",
    }
    assert len(restored.tags()) == 5


def test_an_archive_can_be_named_itself(cleaned):
    assert cleaned.run("cleanup", "undo", "plan.json.archive").exit_code == 0
    assert cleaned.tags() == {"main", "dev", "pr-1", "pr-2"}


def test_one_tag_alone(cleaned):
    assert cleaned.run("cleanup", "undo", "plan.json", "--tag", "pr-1").exit_code == 0
    assert cleaned.tags() == {"main", "dev", "pr-1"}


def test_a_dry_run_writes_nothing(cleaned):
    result = cleaned.run("cleanup", "undo", "plan.json", "--dry-run")
    assert result.exit_code == 0
    assert "nothing was written" in result.stdout
    assert cleaned.tags() == {"main", "dev"}


def test_a_dry_run_names_what_a_garbage_collection_took(cleaned):
    assert cleaned.run("gc", "start", "--yes", "--interval", "0.01").exit_code == 0
    result = cleaned.run("cleanup", "undo", "plan.json", "--dry-run")
    assert result.exit_code == 1
    assert "no longer exist" in result.stderr
    again = cleaned.run("cleanup", "undo", "plan.json", "-o", "ndjson")
    assert again.exit_code == 1
    *outcomes, summary = map(json.loads, again.stdout.splitlines())
    lost = [one for one in outcomes if one["status"] == "lost"]
    assert lost
    assert all(one["missing"] for one in lost)
    assert summary["outcomes"]["lost"] == len(lost)
    assert not summary["complete"]


def test_the_report_is_json_for_programs(cleaned):
    result = cleaned.run("cleanup", "undo", "plan.json", "-o", "json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["outcomes"]["restored"] == 4
    assert {one["tag"] for one in report["items"]} == {None, "pr-1", "pr-2"}


def test_the_list_needs_no_request(cleaned):
    before = len(cleaned.sandbox.requests)
    result = cleaned.run("cleanup", "undo", "plan.json", "--list")
    assert result.exit_code == 0
    assert "web" in result.stdout
    (one,) = json.loads(cleaned.run("cleanup", "undo", "plan.json", "--list", "-o", "json").stdout)
    assert (one["repository"], one["tags"], one["manifests"]) == ("web", 2, 2)
    line = cleaned.run("cleanup", "undo", "plan.json", "--list", "-o", "ndjson").stdout
    assert [json.loads(each) for each in line.splitlines()] == [one]
    assert len(cleaned.sandbox.requests) == before


def test_a_tag_that_was_set_since_is_kept_and_has_an_exit_code(cleaned):
    cleaned.builder.image("pr-1", days=0)
    result = cleaned.run("cleanup", "undo", "plan.json")
    assert result.exit_code == 3
    assert "moved: web:pr-1" in result.stderr
    assert cleaned.tags() == {"main", "dev", "pr-1", "pr-2"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.json"], "neither a file nor a run that is kept"),
        (["policy.toml"], "was not carried out"),
        (["plan.json", "--tag", "v9"], "no tag 'v9'"),
        (["plan.json", "--repository", "api"], "nothing of the repository 'api'"),
    ],
)
def test_wrong_usage_sends_nothing(cleaned, arguments, said):
    before = len(cleaned.sandbox.requests)
    result = cleaned.run("cleanup", "undo", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(cleaned.sandbox.requests) == before


@pytest.fixture
def tagged(shell):
    """A repository with three tags, one manifest of which has two."""
    shell.both = shell.builder.image("a", "b")
    shell.builder.image("c")
    return shell


def undo_line(result) -> list[str]:
    (line,) = [line for line in result.stderr.splitlines() if "aioregistry cleanup undo" in line]
    return line.partition("aioregistry ")[2].split()


def test_deleted_tags_come_back_by_the_command_that_is_printed(tagged):
    result = tagged.run("delete-tags", "web", "a", "c", "--yes")
    assert result.exit_code == 0, result.output
    assert tagged.tags() == {"b"}
    assert tagged.run(*undo_line(result)).exit_code == 0
    assert tagged.tags() == {"a", "b", "c"}


def test_deleted_manifests_come_back_with_their_tags(tagged):
    result = tagged.run("delete-manifests", "web", tagged.both, "--yes")
    assert tagged.tags() == {"c"}
    assert tagged.run(*undo_line(result)).exit_code == 0
    assert tagged.tags() == {"a", "b", "c"}


@pytest.mark.parametrize("options", [(), ("--no-check",)])
def test_an_archive_that_is_named_grows(tagged, options):
    for tag in ("a", "c"):
        tagged.run("delete-tags", "web", tag, "--yes", "--archive", "mine.gz", *options)
    assert tagged.tags() == {"b"}
    assert tagged.run("cleanup", "undo", "mine.gz").exit_code == 0
    assert tagged.tags() == {"a", "b", "c"}


@pytest.mark.parametrize("option", ["--no-archive", "--no-check", "--dry-run"])
def test_nothing_is_archived_when_told_so(tagged, option):
    result = tagged.run("delete-tags", "web", "a", "--yes", option)
    assert result.exit_code == 0
    assert "undo" not in result.output
    assert not list(tagged.folder.rglob("*.archive"))


def test_without_the_registrys_address_nothing_is_deleted_and_the_way_out_is_told(
    tagged, monkeypatch
):
    monkeypatch.delenv("AIOREGISTRY_REGISTRY_URL")
    result = tagged.run("delete-tags", "web", "a", "--yes")
    assert result.exit_code == 2
    assert "--no-archive" in result.stderr
    assert tagged.tags() == {"a", "b", "c"}


def test_what_can_be_restored_is_listed_without_a_request(cleaned):
    cleaned.builder.image("a")
    cleaned.run("delete-tags", "web", "a", "--yes")
    before = len(cleaned.sandbox.requests)
    result = cleaned.run("cleanup", "undo", "--list", "-o", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["tags"], row["manifests"]) for row in rows] == [(2, 2), (1, 0)]
    assert "plan.json" in cleaned.run("cleanup", "undo", "--list").stdout
    assert len(cleaned.sandbox.requests) == before


def test_what_was_restored_is_no_longer_listed(cleaned):
    assert cleaned.run("cleanup", "undo", "plan.json").exit_code == 0
    result = cleaned.run("cleanup", "undo", "--list")
    assert "nothing that was deleted can be restored" in result.stdout


def test_a_garbage_collection_says_what_it_ends_and_is_remembered(cleaned):
    result = cleaned.run("gc", "start", "--yes", "--interval", "0.01")
    assert "2 tags and 2 manifests that were deleted" in result.stderr
    assert "can be restored only until the" in result.stderr
    assert "nothing" in cleaned.run("cleanup", "undo", "--list").stdout
    again = cleaned.run("gc", "start", "--yes", "--interval", "0.01")
    assert "can be restored only until the" not in again.stderr


def test_one_of_untagged_manifests_alone_ends_nothing(cleaned):
    cleaned.run("gc", "start", "--yes", "--type", "manifests", "--interval", "0.01")
    assert "plan.json" in cleaned.run("cleanup", "undo", "--list").stdout


def test_without_a_name_there_is_nothing_to_undo(cleaned):
    result = cleaned.run("cleanup", "undo")
    assert result.exit_code == 2
    assert "cleanup undo --list" in result.stderr


class TestUndoWindow:
    """`cleanup run --gc --undo-window`."""

    @pytest.fixture
    def first(self, shell):
        shell.sandbox.state.phases = Phases(*[0.001] * 6)
        shell.builder.image("main")
        shell.builder.image("dev")
        self.run(shell, "pr-1")
        assert shell.tags() == {"main", "dev"}
        return shell

    def run(self, shell, tag, window="20h"):
        shell.builder.image(tag)
        options = ("--policy", "policy.toml", "--yes", "--gc", "--undo-window", window)
        result = shell.run("cleanup", "run", *options)
        assert result.exit_code == 0, result.output
        return result

    def collections(self, shell) -> int:
        return sum(
            one.method == "POST" and one.raw_path.endswith("/garbage-collection")
            for one in shell.sandbox.requests
        )

    def test_the_collection_is_left_to_the_next_run(self, first):
        assert self.collections(first) == 0
        assert "a garbage collection is due at" in first.run("cleanup", "undo", "--list").stderr

    def test_a_run_within_the_window_deletes_nothing(self, first):
        result = self.run(first, "pr-2")
        assert "this run deletes nothing" in result.stdout
        assert first.tags() == {"main", "dev", "pr-2"}
        assert self.collections(first) == 0

    def test_a_run_after_it_collects_and_then_deletes(self, first, monkeypatch):
        later = datetime.now(UTC) + timedelta(hours=21)

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return later

        monkeypatch.setattr("aioregistry.cli.cleanup.job.datetime", Clock)
        result = self.run(first, "pr-2")
        assert "freed" in result.stdout
        assert self.collections(first) == 1
        assert first.tags() == {"main", "dev"}
        # What this run deleted can be restored, what the first did not any more.
        rows = json.loads(first.run("cleanup", "undo", "--list", "-o", "json").stdout)
        assert [row["tags"] for row in rows] == [1]

    def test_it_needs_gc(self, shell):
        options = ("--policy", "policy.toml", "--undo-window", "1d")
        result = shell.run("cleanup", "run", *options)
        assert result.exit_code == 2
        assert "--undo-window is for --gc" in result.stderr


def test_a_list_with_a_wrong_configuration_is_one_line(shell, monkeypatch):
    (shell.folder / "config.toml").write_text("[")
    monkeypatch.setenv("AIOREGISTRY_CONFIG", "config.toml")
    result = shell.run("cleanup", "undo", "--list")
    assert result.exit_code == 2
    assert result.stderr.startswith("aioregistry cleanup undo: config.toml: not TOML: ")
    assert result.stderr.count("\n") == 1
