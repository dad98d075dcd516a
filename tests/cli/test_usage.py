"""The command `aioregistry usage`."""

import importlib.util
import json

import pytest

from aioregistry.cleanup.state_folder import StateFolder
from aioregistry.cleanup.undo.record import UndoRecord
from tests.cleanup.registries import Builder, digest_of


@pytest.fixture
def filled(shell):
    shell.builder.image("v1", blobs=[(digest_of("config"), 10), (digest_of("base"), 500)])
    shell.builder.image("v2", blobs=[(digest_of("other"), 10), (digest_of("base"), 500)])
    shell.builder.image(blobs=[(digest_of("old"), 40), (digest_of("base"), 500)])
    arm = shell.builder.image(platform="linux/arm64", blobs=[(digest_of("arm"), 700)])
    shell.builder.index("multi", children=[arm])
    Builder(shell.sandbox.state, "tools/api").image("latest", blobs=[(digest_of("base"), 500)])
    return shell


def rows(result) -> dict[str, dict]:
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}


def usage(shell, *arguments: str) -> dict[str, dict]:
    return rows(shell.run("usage", *arguments, "-o", "ndjson", "--columns", "all"))


def test_repositories_are_shown_with_what_deleting_them_frees(filled):
    found = usage(filled)
    assert set(found) == {"web", "tools/api"}
    assert found["web"]["tags"] == 3
    assert found["web"]["untagged"] == 1
    assert found["web"]["shared"] == 500
    assert found["tools/api"]["exclusive"] < 500


def test_the_total_is_shown_beside_what_the_api_reports(filled):
    (row,) = usage(filled, "--by", "registry").values()
    assert row["bytes"] == row["reported"]
    assert row["measured"]


def test_each_list_is_read_once(filled):
    usage(filled, "example", "--by", "tag")
    lists = [one.raw_path for one in filled.sandbox.requests if "/repositories/" in one.raw_path]
    assert len(lists) == len(set(lists)) == 2


def test_tags_are_narrowed_by_a_glob(filled):
    found = usage(filled, "--by", "tag", "--match", "web:v*")
    assert set(found) == {"web:v1", "web:v2"}


@pytest.mark.parametrize("by", ["age", "platform", "layer"])
def test_bytes_are_counted_by_other_things(filled, by):
    assert usage(filled, "--by", by)


def test_without_indexes_parts_of_images_count_as_untagged(filled):
    assert usage(filled, "--lists-only")["web"]["untagged"] == 2
    assert not [one for one in filled.sandbox.requests if "/manifests/" in one.raw_path]


def test_what_no_manifest_needs_waits_for_a_collection(filled):
    filled.sandbox.state.registry("example").store([(bytes(32), 12_345)], 0)
    result = filled.run("usage")
    assert "12.3 kB more: no manifest needs them" in result.stderr
    assert "aioregistry gc start example\n" in result.stderr


def test_sentences_are_below_a_table_and_beside_rows_for_programs(filled):
    assert "each blob counted once" in filled.run("usage", "-o", "table").stdout
    result = filled.run("usage", "-o", "json")
    assert "each blob counted once" in result.stderr
    assert len(json.loads(result.stdout)) == 2


def test_several_registries_are_counted_each_by_itself(filled):
    filled.sandbox.state.add_registry("second")
    Builder(filled.sandbox.state, "web")
    filled.sandbox.state.push("second", "app", ["v1"])
    found = usage(filled, "--all-registries", "--by", "registry")
    assert set(found) == {"example", "second"}


def test_a_glob_that_is_none_is_refused_before_anything_is_sent(filled):
    result = filled.run("usage", "--match", "")
    assert result.exit_code == 2
    assert filled.sandbox.request_count == 0


def test_a_registry_that_does_not_exist_is_an_error(filled):
    assert filled.run("usage", "missing").exit_code == 1


def test_the_plan_of_the_account_and_its_end_are_said(filled):
    result = filled.run("usage")
    assert "account: " in result.stderr
    assert "stored" in result.stderr
    assert "by the push dates of what is left" in result.stderr


def test_what_a_policy_would_free_is_said_and_nothing_is_deleted(filled):
    filled.builder.image("pr-1", blobs=[(digest_of("preview"), 5_000)])
    result = filled.run("usage", "--policy", "policy.toml")
    assert result.exit_code == 0, result.output
    assert "example: the policy would free 5." in result.stderr
    assert not filled.deletes()


def test_a_policy_frees_nothing_of_what_an_undo_has_restored(filled):
    filled.builder.image("pr-1", blobs=[(digest_of("preview"), 5_000)])
    folder = StateFolder.of("example", api_url=filled.sandbox.url)
    UndoRecord.of(folder).note_restored(["web"])
    result = filled.run("usage", "--policy", "policy.toml")
    assert result.exit_code == 0, result.output
    assert "example: the policy would free 5." not in result.stderr
    assert "not counted, as a clean-up leaves it alone: web: an undo of" in result.stderr


def test_a_policy_with_a_mistake_is_refused_before_anything_is_sent(filled):
    (filled.folder / "bad.toml").write_text("[[rules]]\nfrob = 1\n")
    assert filled.run("usage", "--policy", "bad.toml").exit_code == 2
    assert filled.run("usage", "--policy", "missing.toml").exit_code == 2
    assert filled.sandbox.request_count == 0


def test_records_are_drawn_with_those_of_clean_ups(filled):
    filled.builder.image("pr-1")
    for _ in range(2):
        filled.run("usage", "--record")
    done = filled.run("cleanup", "run", "--policy", "policy.toml", "--in-use", "none", "--yes")
    assert done.exit_code == 0, done.output
    result = filled.run("usage", "--trend")
    assert result.exit_code == 0, result.output
    assert "example: 2 records" in result.stdout
    assert "1 clean-up with 1 DELETEs" in result.stdout


def test_a_trend_counts_nothing(filled):
    assert filled.run("usage", "--trend", "--record").exit_code == 2
    filled.run("usage", "example", "--trend")
    assert filled.sandbox.request_count == 0


def test_figures_are_written_for_prometheus(filled):
    pytest.importorskip("prometheus_client")
    result = filled.run("usage", "--openmetrics", "usage.prom", "--per-repository")
    assert result.exit_code == 0, result.output
    text = (filled.folder / "usage.prom").read_text()
    assert 'aioregistry_tags{registry="example"} 4.0' in text
    assert 'repository="tools/api"' in text
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--openmetrics", "missing/usage.prom"),
        ("--per-repository",),
        ("--openmetrics", "usage.prom", "--trend"),
        ("--trend", "-o", "json"),
        ("--openmetrics", "usage.prom", "--per-repository", "--by", "tag"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_sent(filled, arguments):
    assert filled.run("usage", *arguments).exit_code == 2
    assert filled.sandbox.request_count == 0


def test_a_page_is_written_beside_the_rows(filled, tmp_path):
    pytest.importorskip("jinja2")
    page = tmp_path / "usage.html"
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\ntags = "v1"\ndelete = true\n')
    # What is printed is narrowed; the page has all.
    narrow = ("--by", "repository", "--match", "tools/*", "--top", "1")
    found = usage(filled, "example", *narrow, "--policy", str(policy), "--html", str(page))
    assert set(found) == {"tools/api"}
    text = page.read_text("utf-8")
    assert '["tools/api","web"]' in text or '["web","tools/api"]' in text
    assert "What the policy deletes" in text
    assert "at $5.00 a month" in text
    lists = [one.raw_path for one in filled.sandbox.requests if "/digests" in one.raw_path]
    assert len(lists) == 4


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_sent(filled, tmp_path):
    result = filled.run("usage", "--html", str(tmp_path / "missing" / "usage.html"))
    assert result.exit_code == 2
    assert "is no folder" in result.stderr
    assert filled.sandbox.request_count == 0


@pytest.mark.parametrize(
    ("option", "package", "extra"),
    [("--html", "jinja2", "report"), ("--openmetrics", "prometheus_client", "metrics")],
)
def test_a_missing_extra_is_named_before_anything_is_sent(
    filled, monkeypatch, option, package, extra
):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else found(name)
    )
    result = filled.run("usage", option, "file")
    assert result.exit_code == 2
    assert f"pip install 'aioregistry-do[{extra}]'" in result.stderr
    assert filled.sandbox.request_count == 0
