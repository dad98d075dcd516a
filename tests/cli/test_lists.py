"""The commands `aioregistry repositories`, `tags` and `manifests`."""

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from aioregistry.cleanup.plan import make
from aioregistry.cli.display import listing
from aioregistry.sandbox import Fault, Faults
from aioregistry.session import session
from tests.cleanup.registries import Builder


@pytest.fixture
def filled(shell):
    for number in range(5):
        shell.builder.image(f"v{number}", days=10 * number)
    shell.builder.image(days=50)
    Builder(shell.sandbox.state, "tools/api").image("latest")
    return shell


def rows(result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_repositories_are_listed(filled):
    found = rows(filled.run("repositories", "-o", "ndjson"))
    assert {row["name"]: row["tags"] for row in found} == {"web": 5, "tools/api": 1}


def test_tags_are_listed_in_plain_columns_with_a_header(filled):
    lines = filled.run("tags", "web").stdout.splitlines()
    assert lines[0].split() == ["TAG", "SIZE", "UPDATED", "DIGEST"]
    assert {line.split()[0] for line in lines[1:]} == {f"v{number}" for number in range(5)}


@pytest.fixture
def in_tokyo(monkeypatch):
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_times_are_local_or_in_utc(filled):
    def shown(*options):
        text = filled.run("tags", "web", "--columns", "updated", "--limit", "1", *options).stdout
        return datetime.fromisoformat(text.split()[1])

    local, utc = shown(), shown("--utc")
    assert (local.utcoffset(), utc.utcoffset()) == (timedelta(hours=9), timedelta())
    assert local == utc


def test_manifests_are_listed_with_their_tags(filled):
    found = rows(filled.run("manifests", "web", "-o", "ndjson"))
    assert sorted(tag for row in found for tag in row["tags"]) == [f"v{n}" for n in range(5)]


def test_what_filters_leave_is_listed(filled):
    arguments = ("tags", "web", "--older-than", "1d", "--match", "v[12]", "--quiet")
    assert set(filled.run(*arguments).stdout.split()) == {"v1", "v2"}


def test_by_a_clock_that_is_ahead_nothing_listed_is_older(shell, monkeypatch):
    now, real = datetime.now(UTC), time.time

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=40)

    for tag, days in (("old", 31), ("young", 29)):
        shell.sandbox.state.push("example", "web", [tag], at=now - timedelta(days=days))
    for module in (listing, make):
        monkeypatch.setattr(module, "datetime", Clock)
    wrong = SimpleNamespace(time=lambda: real() + timedelta(days=40).total_seconds())
    monkeypatch.setattr(session, "time", wrong)
    for option, found in (("--older-than", "old"), ("--newer-than", "young")):
        result = shell.run("tags", "web", option, "30d", "--quiet")
        assert result.stdout.split() == [found]
        assert "this machine's clock is 40 days, " in result.stderr
    assert shell.run("tags", "web", "--older-than", "999999d", "--quiet").stdout == ""


def test_untagged_manifests_can_be_listed_alone(filled):
    (row,) = rows(filled.run("manifests", "web", "--untagged", "-o", "ndjson"))
    assert row["tags"] == []


def test_no_tag_is_untagged(filled):
    result = filled.run("tags", "web", "--untagged")
    assert result.exit_code == 2
    assert "every tag is tagged" in result.stderr
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize(
    "repo",
    [
        "tools/api",
        "example/tools/api",
        "registry.digitalocean.com/example/tools/api",
        "registry.digitalocean.com/example/tools/api:latest",
    ],
)
def test_a_repository_may_be_named_as_people_name_it(filled, monkeypatch, repo):
    monkeypatch.delenv("AIOREGISTRY_REGISTRY_URL")
    assert filled.run("tags", repo, "--quiet").stdout == "latest\n"


def test_a_tag_or_digest_narrows_a_list_down(filled):
    digest = filled.run("manifests", "web:v3", "--quiet").stdout.strip()
    assert filled.run("tags", f"web@{digest}", "--quiet").stdout == "v3\n"
    assert filled.run("tags", f"web:v4@{digest}", "--quiet").stdout == ""


def test_the_registry_is_asked_for_only_where_it_is_not_known(filled, monkeypatch):
    filled.run("tags", "web", "--registry", "example")
    assert filled.sandbox.request_count == 1
    monkeypatch.setenv("AIOREGISTRY_REGISTRY", "example")
    filled.run("tags", "web")
    assert filled.sandbox.request_count == 2
    filled.run("tags", "example/web")
    assert filled.sandbox.request_count == 3


def test_of_several_registries_one_must_be_named(filled):
    filled.sandbox.state.add_registry("other")
    assert filled.run("tags", "example/web").exit_code == 0
    result = filled.run("tags", "web")
    assert result.exit_code == 1
    assert "several registries (example, other)" in result.stderr


@pytest.mark.parametrize(
    ("repo", "problem"),
    [
        ("docker.io/example/web", "the registry's host is"),
        ("sha256:" + "0" * 64, "no repository in"),
        ("Web", "not a reference"),
        ("../web", "not a reference"),
        ("a\x1b[2J", "not a reference"),
    ],
)
def test_what_is_no_repository_of_the_registry_is_refused(filled, repo, problem):
    result = filled.run("tags", repo)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "\x1b" not in result.stderr
    assert filled.sandbox.request_count == 0


def test_a_registry_that_contradicts_the_reference_is_refused(filled):
    host = filled.sandbox.url.removeprefix("http://")
    result = filled.run("tags", f"{host}/example/web", "--registry", "other")
    assert result.exit_code == 2
    result = filled.run("tags", f"{host}/example")
    assert "no repository in '" in result.stderr


def test_no_more_pages_are_read_than_a_limit_needs(filled):
    filled.sandbox.state.push("example", "web", [f"t{number}" for number in range(900)])
    filled.run("tags", "example/web", "--limit", "5", "--registry", "example")
    assert filled.sandbox.request_count <= 2


def test_an_error_is_one_line_with_the_requests_id_and_no_header(filled):
    result = filled.run("tags", "nix")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("aioregistry tags: there is no repository 'nix' in registry 'example'")
    assert "request id" in line


def test_a_traceback_is_for_those_who_ask(filled):
    result = filled.run("tags", "nix", "--debug")
    assert "Traceback" in result.stderr
    assert "404 not_found" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("aioregistry tags: there is no")


def test_a_list_that_breaks_off_is_no_success(filled):
    filled.sandbox.state.push("example", "web", [f"t{number}" for number in range(300)])
    filled.sandbox.faults = Faults(Fault(kind="status", status=403, skip=1, route="*/tags"))
    result = filled.run("tags", "web", "-o", "json")
    assert result.exit_code == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.stdout)


def test_without_a_token_nothing_is_sent(filled, monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    result = filled.run("repositories")
    assert result.exit_code == 2
    assert "no API token: set DIGITALOCEAN_TOKEN" in result.stderr
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize(
    "url", ["ftp://x", "127.0.0.1", "", "http://user:pw@x", "http://127.0.0.1:99999"]
)
def test_an_url_that_is_none_is_told_and_not_shown(filled, url):
    result = filled.run("repositories", "--api-url", url)
    assert result.exit_code == 2
    assert result.stderr == (
        "aioregistry repositories: --api-url: api-url must be http(s)://host[:port][/path],"
        " without a login or query\n"
    )


def test_a_token_that_cannot_be_sent_is_told_with_its_source(filled, monkeypatch):
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "two words")
    result = filled.run("repositories")
    assert result.exit_code == 2
    assert "DIGITALOCEAN_TOKEN: the token must be printable" in result.stderr
    assert "two words" not in result.stderr


def test_a_list_is_sorted_by_name(filled):
    listed = filled.run("repositories", "--sort", "name", "-q").stdout.split()
    assert listed == ["tools/api", "web"]


@pytest.mark.parametrize("words", [["--sort", "size"], ["--larger-than", "1B"]])
def test_the_size_that_repositories_are_chosen_by_is_shown(filled, words):
    assert "SIZE" not in filled.run("repositories", "-o", "plain").stdout
    assert "SIZE" in filled.run("repositories", *words, "-o", "plain").stdout
    chosen = filled.run("repositories", *words, "-o", "plain", "--columns", "name").stdout
    assert "SIZE" not in chosen


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tags", "web", "--match", "v*"), "no tags match: 1 read\n"),
        (("tags", "web", "--match", "v*", "--sort", "size"), "no tags match: 1 read\n"),
        (("manifests", "web", "--untagged"), "no manifests match: 1 read\n"),
        (("gc", "list"), "no garbage collections\n"),
    ],
)
def test_a_person_who_is_shown_no_row_is_told_so(shell, words, told):
    shell.builder.image("main")
    result = shell.run(*words, "-o", "table")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)
    assert shell.run(*words, "-o", "csv").stderr == ""
