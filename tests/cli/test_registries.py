"""The commands on registries and the account, `quota`, and `config`."""

import json

import pytest

from aioregistry.sandbox import Fault, Faults


def document(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_registry_is_shown(shell):
    (row,) = document(shell.run("registry", "get", "-o", "json"))
    assert row["name"] == "example"
    assert row["storage"] is not None


def test_registries_are_listed_and_filtered(shell):
    shell.sandbox.state.add_registry("other")
    assert shell.run("registry", "list", "-q").stdout.split() == ["example", "other"]
    assert shell.run("registry", "list", "-q", "--match", "o*").stdout == "other\n"
    assert shell.run("registry", "list", "-q", "--sort", "name", "--reverse").stdout == (
        "other\nexample\n"
    )


def test_a_registry_is_created_and_deleted(shell):
    created = shell.run("registry", "create", "second", "--tier", "professional", "--yes")
    assert created.exit_code == 0, created.output
    assert "second" in shell.sandbox.state.registries
    refused = shell.run("registry", "delete", "second")
    assert refused.exit_code == 2
    assert "second" in shell.sandbox.state.registries
    assert shell.run("registry", "delete", "second", "--yes").exit_code == 0
    assert "second" not in shell.sandbox.state.registries


def test_a_registry_is_created_in_a_region(shell):
    command = ("registry", "create", "second", "--tier", "professional", "--yes", "--region")
    refused = shell.run(*command, "nowhere")
    assert refused.exit_code == 1
    assert "invalid region" in refused.stderr
    assert shell.run(*command, "sfo3").exit_code == 0
    assert shell.sandbox.state.registry("second").region == "sfo3"


def test_a_registry_needs_a_tier(shell):
    result = shell.run("registry", "create", "second")
    assert result.exit_code == 2
    assert "--tier" in result.stderr


def test_a_name_that_no_registry_can_have_is_refused_unsent(shell):
    for command in (("create", "Bad_", "--tier", "basic"), ("delete", "Bad_", "--yes")):
        assert shell.run("registry", *command).exit_code == 2
    assert shell.sandbox.request_count == 0


def test_what_a_registry_can_be_created_with_is_listed(shell):
    slugs = shell.run("options", "tiers", "-q").stdout.split()
    assert "basic" in slugs
    assert shell.run("options", "regions", "-q").stdout.split()


def test_the_subscription_is_shown_and_changed(shell):
    (row,) = document(shell.run("subscription", "-o", "json"))
    assert row["tier"] == "basic"
    assert shell.run("subscription", "--change-to", "professional").exit_code == 2
    (row,) = document(
        shell.run("subscription", "--change-to", "professional", "--yes", "-o", "json")
    )
    assert row["tier"] == "professional"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("free-one", 0, "available"), ("example", 1, "taken"), ("Bad_", 1, "not a valid registry")],
)
def test_a_name_is_validated(shell, name, code, said):
    result = shell.run("validate-name", name)
    assert result.exit_code == code
    assert said in result.stdout


def test_a_column_that_is_not_there_is_refused_unsent(shell):
    for command in (("registry", "get"), ("options", "tiers"), ("quota",), ("config", "show")):
        result = shell.run(*command, "--columns", "nix")
        assert result.exit_code == 2, command
        assert "no column 'nix'" in result.stderr
    assert shell.sandbox.request_count == 0


def test_the_quota_is_what_the_server_says(shell):
    (row,) = document(shell.run("quota", "-o", "json"))
    assert row["limit"] == 5000
    assert row["remaining"] == 4999
    assert 0 <= row["frees_in"] <= 3601
    assert row["frees_at"].endswith("Z")


def test_a_quota_that_is_spent_is_told_without_a_wait_for_it(shell):
    shell.sandbox.faults = Faults(Fault(kind="status", status=429, retry_after=120))
    result = shell.run("quota", "-o", "json", "--timeout", "10s")
    assert (result.exit_code, shell.sandbox.request_count) == (0, 1)
    assert json.loads(result.stdout)[0]["frees_in"] == 120


def test_the_quota_can_be_asked_for_where_there_is_no_registry(shell):
    shell.sandbox.state.registries.clear()
    assert document(shell.run("quota", "-o", "json"))[0]["limit"] == 5000


def test_the_configuration_is_shown_with_its_sources_and_no_secret(shell, monkeypatch):
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_0123456789abcdef")
    rows = document(shell.run("config", "show", "-o", "json", "--api-url", "http://flag"))
    found = {row["key"]: (row["value"], row["source"]) for row in rows}
    assert found["api-url"] == ("http://flag", "--api-url")
    assert found["token"] == ("********cdef", "DIGITALOCEAN_TOKEN")
    assert shell.sandbox.request_count == 0


def test_a_short_token_is_masked_whole(shell, monkeypatch):
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_abcd")
    assert "abcd" not in shell.run("config", "show").stdout


def test_without_a_token_the_configuration_says_what_to_do(shell, monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    assert "no API token: set DIGITALOCEAN_TOKEN" in shell.run("config", "show").stdout


def test_a_profile_is_shown_by_name(shell):
    folder = shell.folder / "config/aioregistry"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[profiles.work]\nregistry = 'works'\n")
    shown = shell.run("config", "show", "--profile", "work").stdout
    assert "works" in shown
    assert "profile 'work' in" in shown


def test_an_account_that_may_not_is_told(shell):
    shell.sandbox.faults = Faults(Fault(kind="status", status=401, times=9))
    result = shell.run("registry", "get")
    assert result.exit_code == 1
    assert result.stderr.startswith("aioregistry registry get: 401")
