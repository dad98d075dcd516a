"""The file that `aioregistry demo --history` takes, and the line that writes it."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aioregistry.cli.demo.history import FORMAT, GIT_LINE, HistoryError, read_history

SHA = "0123456789abcdef0123456789abcdef01234567"


def push(**changes):
    fields = {"at": "2024-03-01T10:00:00Z", "sha": SHA, "on_default_branch": True, "releases": []}
    return {**fields, **changes}


def without(field):
    fields = push()
    del fields[field]
    return fields


def of(*pushes, repository="owner/name"):
    return {"repository": repository, "pushes": list(pushes)}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "history.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(json.dumps(content))
        return path

    return write


def test_a_history_is_read(write):
    history = read_history(write(of(push(releases=["v1"]), repository="Owner/Some.Name")))
    assert history.repository_name == "some.name"
    assert history.releases == {"v1"}
    assert history.pushes[0].at == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert history.pushes[0].commit_tag == SHA[:12]


def test_the_example_of_the_format_is_a_history(write):
    example = FORMAT[FORMAT.index("{\n") : FORMAT.index("\n}\n") + 3]
    assert len(read_history(write(example.encode())).pushes) == 1


def test_fields_that_the_format_does_not_have_are_passed_over(write):
    assert read_history(write({**of(push(branch="main")), "source": "git"}))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"repository": "\xff"}', "utf-8"),
        (b'{"more":' * 100_000, "recursion"),
        ([], "`object`"),
        ({"pushes": [push()]}, "`repository`"),
        ({"repository": "owner/name"}, "`pushes`"),
        (of(), "$.pushes"),
        (of(push(), repository="owner/"), "$.repository"),
        (of(push(), repository="owner/a b"), "$.repository"),
        (of(push(), repository=7), "$.repository"),
        (of(push(), without("at")), "`at` - at `$.pushes[1]`"),
        (of(without("sha")), "`sha` - at `$.pushes[0]`"),
        (of(without("on_default_branch")), "`on_default_branch` - at `$.pushes[0]`"),
        (of(without("releases")), "`releases` - at `$.pushes[0]`"),
        (of(push(at="yesterday")), "$.pushes[0].at"),
        (of(push(at="2024-03-01T10:00:00")), "$.pushes[0].at"),
        (of(push(sha=SHA[:12])), "$.pushes[0].sha"),
        (of(push(sha=SHA + "\n")), "$.pushes[0].sha"),
        (of(push(on_default_branch="yes")), "$.pushes[0].on_default_branch"),
        (of(push(releases="v1")), "$.pushes[0].releases"),
        (of(push(), push(releases=["v1", "a/b"])), "$.pushes[1].releases[1]"),
    ],
)
def test_a_file_of_another_format_is_refused_in_one_line_that_names_the_field(
    write, content, named
):
    path = write(content)
    with pytest.raises(HistoryError) as caught:
        read_history(path)
    text = str(caught.value)
    assert str(path) in text
    assert named in text
    assert "\n" not in text


@pytest.mark.parametrize(("name", "why"), [("absent", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, why):
    with pytest.raises(HistoryError, match=why):
        read_history(tmp_path / name)


def test_the_newest_commits_are_those_of_the_latest_pushes(write):
    pushes = [push(sha=f"{day:040x}"[::-1], at=f"2024-03-{day:02}T10:00:00Z") for day in (3, 1, 2)]
    history = read_history(write(of(*pushes)))
    assert history.newest_commits(2) == {"300000000000", "200000000000"}
    assert history.newest_commits(9) == {"100000000000", "200000000000", "300000000000"}
    assert history.newest_commits(0) == set()


def test_commits_of_the_moment_of_the_last_that_is_kept_are_all_kept(write):
    pushes = [push(sha=f"{n:040x}"[::-1], at="2024-03-01T10:00:00Z") for n in (1, 2, 3)]
    assert len(read_history(write(of(*pushes))).newest_commits(1)) == 3


def test_a_commit_that_a_release_is_named_like_counts_as_the_release(write):
    history = read_history(write(of(push(), push(sha="f" * 40, releases=[SHA[:12]]))))
    assert history.newest_commits(5) == {"f" * 12}


# The line of git log


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A function that runs git in an empty repository, with nobody's settings."""
    checkout = tmp_path / "Some-Project"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.com")

    def git(*arguments, day=1):
        at = f"2024-03-{day:02}T12:00:00+02:00"
        monkeypatch.setenv("GIT_COMMITTER_DATE", at)
        monkeypatch.setenv("GIT_AUTHOR_DATE", at)
        subprocess.run(["git", *arguments], check=True, capture_output=True)

    git("init", "-b", "main")
    return git


def commit(git, message, day):
    git("commit", "--allow-empty", "-m", message, day=day)


def history_of_checkout():
    subprocess.run(GIT_LINE, shell=True, check=True)
    return read_history(Path("history.json"))


def test_the_line_of_git_log_gives_a_push_for_each_commit_the_oldest_first(git):
    for day, message in enumerate(("one", "two", "three"), start=1):
        commit(git, message, day)
    history = history_of_checkout()
    assert history.repository_name == "some-project"
    assert [push.at for push in history.pushes] == [
        datetime(2024, 3, day, 10, tzinfo=UTC) for day in (1, 2, 3)
    ]
    assert all(push.on_default_branch and push.releases == () for push in history.pushes)


def test_the_line_of_git_log_keeps_the_order_of_commits_of_one_moment(git):
    for message in ("one", "two", "three"):
        commit(git, message, 1)
    shas = subprocess.check_output(["git", "rev-list", "--reverse", "HEAD"], text=True).split()
    assert [push.sha for push in history_of_checkout().pushes] == shas


def test_the_line_of_git_log_takes_tags_of_every_kind_for_releases(git):
    commit(git, "one", 1)
    git("tag", "v1")
    git("tag", "-a", "-m", "annotated", "v1.0.0")
    git("tag", "a,b")
    commit(git, "two", 2)
    git("tag", "@scope/package@2.0+build")
    first, second = history_of_checkout().pushes
    assert set(first.releases) == {"v1", "v1.0.0", "a_b"}
    assert second.releases == ("_scope_package_2.0_build",)


def test_the_line_of_git_log_leaves_out_what_was_merged_but_not_what_was_released_elsewhere(git):
    commit(git, "one", 1)
    git("switch", "-c", "topic")
    commit(git, "on a topic", 2)
    git("switch", "main")
    git("merge", "--no-ff", "-m", "merge", "topic", day=3)
    git("switch", "-c", "release-1")
    commit(git, "not released", 4)
    commit(git, "a fix", 5)
    git("tag", "v1.0.1")
    git("switch", "main")
    commit(git, "two", 6)
    found = [(p.at.day, p.on_default_branch, p.releases) for p in history_of_checkout().pushes]
    assert found == [(1, True, ()), (3, True, ()), (5, False, ("v1.0.1",)), (6, True, ())]
