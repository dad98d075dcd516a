"""The state directory: where each registry's files are, who may read them, and how many stay."""

import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from aioregistry import InvalidNameError
from aioregistry.cleanup import state_folder
from aioregistry.cleanup.state_folder import CleanupUnderWayError, StateFolder, state_root

AT = datetime(2026, 1, 31, 23, 59, 58, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    return StateFolder.of("example", root=tmp_path / "state")


def planned(folder, count):
    runs = [folder.new_run(AT + timedelta(seconds=number)) for number in range(count)]
    for run in runs:
        run.plan.write_text("{}")
    return runs


def test_the_environment_names_the_directory():
    assert state_root({"AIOREGISTRY_STATE_DIR": "/var/lib/x"}) == Path("/var/lib/x")


def test_without_it_the_platform_does(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_root({}) == Path("/state/aioregistry")


def test_registries_of_one_name_behind_two_addresses_share_no_folder(tmp_path):
    ours = StateFolder.of("example", root=tmp_path)
    sandbox = StateFolder.of("example", api_url="http://127.0.0.1:8080", root=tmp_path)
    assert ours.path == tmp_path / "example"
    assert sandbox.path == tmp_path / "example@127.0.0.1_8080"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://LocalHost:80/", "example@localhost"),
        ("HTTP://localhost", "example@localhost"),
        ("https://[::1]:443", "example@_1_"),
        ("http://localhost:443", "example@localhost_443"),
        ("http://localhost/api/", "example@localhost_api"),
        ("https://API.digitalocean.com:443/", "example"),
    ],
)
def test_all_spellings_of_an_address_have_one_folder(tmp_path, url, name):
    assert StateFolder.of("example", api_url=url, root=tmp_path).path.name == name


@pytest.mark.parametrize("name", ["example@localhost_80", "example@LocalHost"])
def test_a_folder_that_was_made_for_another_spelling_stays_in_use(tmp_path, name):
    (tmp_path / name).mkdir()
    for url in ("http://localhost", "http://LocalHost:80"):
        folder = StateFolder.of("example", api_url=url, root=tmp_path)
        assert [folder] == StateFolder.every(api_url=url, root=tmp_path)
        assert folder.path.name == name
    other = StateFolder.of("example", api_url="http://localhost:8080", root=tmp_path)
    assert other.path.name == "example@localhost_8080"
    (tmp_path / "example@localhost").mkdir()
    used = StateFolder.of("example", api_url="http://localhost", root=tmp_path)
    assert used.path.name == "example@localhost"


@pytest.mark.parametrize(
    "name",
    ["example@API.digitalocean.com", "example@api.digitalocean.com_443"],
)
def test_so_does_one_for_another_spelling_of_the_vendors_address(tmp_path, name):
    (tmp_path / name).mkdir()
    folder = StateFolder.of("example", root=tmp_path)
    assert folder.path.name == name
    assert [folder] == StateFolder.every(root=tmp_path)
    (tmp_path / "example").mkdir()
    assert StateFolder.of("example", root=tmp_path).path.name == "example"


def test_no_name_leads_out_of_the_directory(tmp_path):
    with pytest.raises(InvalidNameError):
        StateFolder.of("../example", root=tmp_path)


def test_nothing_is_made_before_something_is_kept(folder):
    assert folder.runs() == []
    assert folder.memory.parent == folder.usage.parent == folder.path
    assert not folder.path.parent.exists()


def test_others_may_not_read_it(folder):
    run = folder.new_run(AT)
    for made in (run.plan.parent, run.plan.parent.parent, folder.path, folder.path.parent):
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0, made


def test_runs_of_one_second_have_folders_of_their_own(folder):
    runs = [folder.new_run(AT) for _ in range(11)]
    for run in runs:
        run.plan.write_text("{}")
    assert runs[0].name == "example-20260131-235958"
    assert folder.runs() == runs[::-1]


def test_files_of_a_run_stand_side_by_side(folder):
    run = folder.new_run(AT)
    assert {run.plan.parent} == {run.journal.parent, run.archive.parent}
    assert run.journal.name == "plan.json.journal"
    assert run.archive.name == "plan.json.archive"


def test_the_newest_runs_are_kept(folder):
    runs = planned(folder, 5)
    assert folder.forget_runs(keep=2) == [run.name for run in reversed(runs[:3])]
    assert folder.runs() == [runs[4], runs[3]]


def test_what_a_killed_process_left_half_deleted_goes_with_the_next(folder):
    runs = planned(folder, 2)
    runs[0].plan.parent.rename(runs[0].plan.parent.with_name(f".{runs[0].name}.deleted"))
    folder.forget_runs(keep=0)
    assert list(runs[0].plan.parent.parent.iterdir()) == []


def test_a_run_that_another_process_carries_out_is_kept(folder):
    runs = planned(folder, 3)
    with FileLock(f"{runs[0].journal}.lock"):
        assert folder.forget_runs(keep=1) == [runs[1].name]
    assert folder.forget_runs(keep=1) == [runs[0].name]


def test_a_folder_of_another_name_comes_last(folder):
    (run,) = planned(folder, 1)
    other = run.plan.parent.with_name("mine")
    other.mkdir()
    (other / "plan.json").write_text("{}")
    assert [each.name for each in folder.runs()] == [run.name, "mine"]


def test_archives_of_deletes_without_a_plan_have_names_of_their_own(folder):
    made = [folder.new_archive(AT) for _ in range(3)]
    assert folder.archives() == sorted(made)
    assert len(set(made)) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


def test_archives_older_than_sixty_days_are_deleted(folder):
    old, young = folder.new_archive(AT), folder.new_archive(AT + timedelta(seconds=1))
    for path, days in ((old, 61), (young, 59)):
        then = (AT - timedelta(days=days)).timestamp()
        os.utime(path, (then, then))
    new = folder.new_archive(AT + timedelta(seconds=2))
    assert folder.archives() == [young, new]


def test_a_folder_in_which_a_run_is_carried_out_is_not_deleted(folder):
    run = folder.new_run(datetime.now(UTC))
    run.plan.write_text("{}")
    with FileLock(run.journal.with_name(f"{run.journal.name}.lock")):
        assert not folder.delete()
        assert folder.path.exists()
    assert folder.delete()
    assert not folder.path.exists()


def test_nobody_begins_a_clean_up_in_a_folder_that_is_being_deleted(folder, monkeypatch):
    folder.make()
    usual, refused = shutil.rmtree, []
    monkeypatch.setattr(state_folder, "_SECONDS_FOR_LOCKS", 0.0, raising=False)

    def begin_and_delete(path, **options):
        # The lock's file goes first, as by the order of a directory.
        (path / "cleanup.lock").unlink(missing_ok=True)
        with pytest.raises(CleanupUnderWayError), folder.alone("another"):
            pytest.fail("it was let in")
        refused.append(path)
        usual(path, **options)

    monkeypatch.setattr(shutil, "rmtree", begin_and_delete)
    assert folder.delete()
    assert refused
    assert StateFolder.every(root=folder.path.parent) == []
    with folder.alone("another"):
        pass


def test_nobody_finds_a_run_any_more_while_it_is_forgotten(folder, monkeypatch):
    runs = planned(folder, 2)
    usual, deleted = shutil.rmtree, []

    def look_and_delete(path, **options):
        if path.exists():
            assert folder.runs() == [runs[1]]
            deleted.append(path)
            (lock,) = path.rglob("*.lock")
            with pytest.raises(Timeout):
                FileLock(lock, timeout=0).acquire()
        usual(path, **options)

    monkeypatch.setattr(shutil, "rmtree", look_and_delete)
    assert folder.forget_runs(keep=1) == [runs[0].name]
    assert len(deleted) == 1
    assert [each.name for each in runs[1].plan.parent.parent.iterdir()] == [runs[1].name]


def test_a_second_clean_up_is_told_whose_is_under_way(folder):
    with folder.alone("aioregistry cleanup run"):
        with (
            pytest.raises(CleanupUnderWayError) as told,
            folder.alone("aioregistry cleanup apply"),
        ):
            pytest.fail("both were let in")
        assert not folder.delete()
    assert str(told.value).startswith(
        "example: another clean-up of this registry is under way: aioregistry cleanup run,"
        f" process {os.getpid()} on "
    )
    with folder.alone("aioregistry cleanup apply"):
        pass


def test_clean_ups_of_two_registries_do_not_wait_for_each_other(folder):
    other = StateFolder(folder.path.with_name("other"), "other")
    with folder.alone("one"), other.alone("another"):
        pass


def test_a_clean_up_that_was_killed_keeps_nobody_away(folder):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from aioregistry.cleanup.state_folder import StateFolder\n"
        "with StateFolder(Path(sys.argv[1]), 'example').alone('the first one'):\n"
        "    print('begun', flush=True); time.sleep(60)\n"
    )
    words = (sys.executable, "-c", script, str(folder.path))
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        with (
            pytest.raises(CleanupUnderWayError, match=f"the first one, process {process.pid} "),
            folder.alone("the second one"),
        ):
            pytest.fail("both were let in")
        process.kill()
        process.wait()
    with folder.alone("the second one"):
        pass
