"""The commands `login`, `logout`, `credentials`, `kubernetes-manifest`, and the helper."""

import base64
import io
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aioregistry import cli

# No command looks for it: the sandbox's API makes the credentials.
HOST = "registry.test"


@pytest.fixture
def account(shell, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", f"https://{HOST}")
    return shell


@pytest.fixture
def helper(account, monkeypatch, capsys):
    """Runs docker-credential-aioregistry; returns the exit code and what it printed."""

    def run(action: str, stdin: str = HOST) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["docker-credential-aioregistry", action])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            cli.answer_docker()
        except SystemExit as exited:
            code = exited.code
        return code, capsys.readouterr().out

    run.account = account
    return run


def config_of(account) -> dict:
    return json.loads((account.folder / "docker/config.json").read_text())


def requests(account) -> list[str]:
    return [
        one.raw_path for one in account.sandbox.requests if "docker-credentials" in one.raw_path
    ]


def store(folder: Path, monkeypatch, name: str) -> None:
    """Make a credential helper that keeps what it is given in a file."""
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\ncat > {folder}/$1\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_login_writes_credentials_where_docker_looks(account):
    result = account.run("login")
    assert result.exit_code == 0, result.output
    assert base64.b64decode(config_of(account)["auths"][HOST]["auth"])
    assert stat.S_IMODE((account.folder / "docker/config.json").stat().st_mode) == 0o600
    assert "pull (not push" in result.stderr


def test_what_is_stored_expires_and_reads_unless_told_otherwise(account):
    account.run("login")
    account.run("login", "--read-write", "--expiry", "1h")
    account.run("login", "--never-expire")
    month, hour, never = requests(account)
    assert "expiry_seconds=2592000" in month
    assert "read_write" not in month
    assert "expiry_seconds=3600" in hour
    assert "read_write=true" in hour
    assert "expiry_seconds" not in never


def test_a_profile_may_say_what_credentials_are_good_for(account):
    folder = account.folder / "config/aioregistry"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        "[profiles.default]\nregistry = 'example'\nread-write = true\nexpiry = '2h'\n"
    )
    account.run("login")
    account.run("login", "--read-only")
    profile, flag = requests(account)
    assert "/registries/example/docker-credentials" in profile
    assert "expiry_seconds=7200" in profile
    assert "read_write=true" in profile
    assert "read_write" not in flag


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expiry", "0s"),
        ("--expiry", "x"),
        ("--expiry", "9999999d"),
        ("--expiry", "1h", "--never-expire"),
    ],
)
def test_an_expiry_that_makes_no_sense_is_refused(account, arguments):
    assert account.run("login", *arguments).exit_code == 2
    assert not (account.folder / "docker/config.json").exists()


def test_login_honours_a_credential_store(account, monkeypatch):
    store(account.folder, monkeypatch, "own")
    (account.folder / "docker").mkdir()
    (account.folder / "docker/config.json").write_text('{"credsStore": "own"}')
    assert account.run("login").exit_code == 0
    given = json.loads((account.folder / "store").read_text())
    assert given["ServerURL"] == HOST
    assert given["Secret"]
    assert config_of(account) == {"credsStore": "own", "auths": {HOST: {}}}
    assert account.run("logout").exit_code == 0
    assert (account.folder / "erase").read_text() == HOST
    assert config_of(account) == {"credsStore": "own"}


def test_a_store_that_is_missing_is_told_and_nothing_is_stored(account):
    (account.folder / "docker").mkdir()
    (account.folder / "docker/config.json").write_text('{"credsStore": "nix"}')
    result = account.run("login")
    assert result.exit_code == 2
    assert "docker-credential-nix, which is not installed" in result.stderr
    assert config_of(account) == {"credsStore": "nix"}


def test_logout_takes_away_what_login_wrote(account):
    account.run("login")
    assert account.run("logout").exit_code == 0
    assert config_of(account) == {}
    again = account.run("logout")
    assert again.exit_code == 0
    assert "no credentials for" in again.stderr


def test_logout_names_the_keys_of_the_host_that_stay(account):
    path = account.folder / "docker/config.json"
    path.parent.mkdir()
    entry = {"auth": "eDp5"}
    keys = [HOST, f"https://{HOST}", f"http://{HOST}", f"https://{HOST}/v2/", f"{HOST}/example"]
    path.write_text(json.dumps({"auths": dict.fromkeys(keys, entry)}))
    result = account.run("logout")
    assert set(config_of(account)["auths"]) == set(keys[3:])
    assert all(key in result.stderr for key in keys[3:])


@pytest.mark.parametrize("options", [("--read-write",), ("--expiry", "2h"), ("--never-expire",)])
@pytest.mark.parametrize("how", ["--use-helper", "set before"])
def test_options_that_the_helper_would_not_follow_are_refused(account, monkeypatch, how, options):
    store(account.folder, monkeypatch, "aioregistry")
    if how == "set before":
        account.run("login", "--use-helper")
        how = ""
    result = account.run("login", *([how] if how else []), *options)
    assert result.exit_code == 2
    assert f"{' '.join(options)} has no effect" in result.stderr
    assert account.sandbox.request_count == 0


@pytest.mark.parametrize(
    ("api_url", "registry_url"),
    [
        (None, "https://registry.digitalocean.com"),
        (None, None),
        ("https://api.digitalocean.com", "https://registry.test"),
    ],
)
@pytest.mark.parametrize("command", ["login", "logout", "helper"])
def test_the_api_of_one_place_and_the_registry_of_another_are_refused(
    helper, monkeypatch, command, api_url, registry_url
):
    account = helper.account
    if api_url is not None:
        monkeypatch.setenv("AIOREGISTRY_API_URL", api_url)
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", registry_url or "")
    if command == "helper":
        code, text = helper("get", (registry_url or "https://registry.digitalocean.com")[8:])
    else:
        result = account.run(command)
        code, text = result.exit_code, result.stderr
    assert code == (1 if command == "helper" else 2)
    assert "of one would be sent to the other" in text or "no registry address" in text
    assert account.sandbox.request_count == 0
    assert not (account.folder / "docker").exists()


def test_a_configuration_that_is_broken_is_left_alone(account):
    (account.folder / "docker").mkdir()
    (account.folder / "docker/config.json").write_text("{")
    for command in ("login", "logout"):
        assert account.run(command).exit_code == 2
    assert (account.folder / "docker/config.json").read_text() == "{"
    assert requests(account) == []


def test_a_token_file_that_others_can_read_is_warned_of(account, monkeypatch):
    path = account.folder / "token"
    path.write_text(account.sandbox.token)
    path.chmod(0o644)
    result = account.run("credentials", "--token-file", str(path))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {path} has an API token, and other users")
    path.chmod(0o600)
    assert account.run("credentials", "--token-file", str(path)).stderr == ""


def test_credentials_are_printed(account):
    result = account.run("credentials")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["auths"][HOST]["auth"]


def test_credentials_are_merged_into_the_store_that_the_file_names(account, monkeypatch):
    store(account.folder, monkeypatch, "own")
    path = account.folder / "own.json"
    path.write_text('{"credsStore": "own"}')
    assert account.run("credentials", "--merge-into", str(path)).exit_code == 0
    assert json.loads((account.folder / "store").read_text())["Secret"]
    assert json.loads(path.read_text()) == {"credsStore": "own", "auths": {HOST: {}}}


def test_credentials_are_not_merged_beside_our_own_helper(account):
    path = account.folder / "own.json"
    path.write_text(json.dumps({"credHelpers": {HOST: "aioregistry"}}))
    result = account.run("credentials", "--merge-into", str(path))
    assert result.exit_code == 2
    assert "Docker would use no others" in result.stderr
    assert account.sandbox.request_count == 0


def test_credentials_are_merged_into_a_file(account):
    path = account.folder / "own.json"
    path.write_text('{"auths": {"docker.io": {"auth": "eA=="}}}')
    result = account.run("credentials", "--merge-into", str(path))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert set(json.loads(path.read_text())["auths"]) == {"docker.io", HOST}


def test_a_pull_secret_is_what_kubernetes_takes(account):
    result = account.run("kubernetes-manifest", "--namespace", "web", "--expiry", "90d")
    document = json.loads(result.stdout)
    assert document["type"] == "kubernetes.io/dockerconfigjson"
    assert document["metadata"]["name"] == "registry-example"
    assert document["metadata"]["namespace"] == "web"
    expires = datetime.fromisoformat(document["metadata"]["annotations"]["aioregistry/expires-at"])
    assert timedelta(days=89) < expires - datetime.now(UTC) <= timedelta(days=90)
    assert HOST in base64.b64decode(document["data"][".dockerconfigjson"]).decode()


def test_a_pull_secret_may_be_called_otherwise_and_never_expire(account):
    document = json.loads(
        account.run("kubernetes-manifest", "--name", "pull", "--never-expire").stdout
    )
    assert document["metadata"]["name"] == "pull"
    assert document["metadata"]["annotations"]["aioregistry/expires-at"] == "never"


def test_a_pull_secret_for_all_namespaces_has_the_vendors_annotation(account):
    result = account.run("kubernetes-manifest", "--all-namespaces", "--name", "pull")
    metadata = json.loads(result.stdout)["metadata"]
    assert metadata["namespace"] == "kube-system"
    assert metadata["annotations"]["digitalocean.com/dosecret-identifier"] == "pull"
    alone = json.loads(account.run("kubernetes-manifest").stdout)["metadata"]
    assert alone["namespace"] == "default"
    assert set(alone["annotations"]) == {"aioregistry/expires-at"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--name", "No"), "'N' is not one of a-z, 0-9, '-' and '.'"),
        (("--name", "a..b"), "'.' must stand between"),
        (("--name", "-a"), "begin and end with a letter or digit"),
        (("--name", "a.b-"), "begin and end with a letter or digit"),
        (("--name", "a" * 254), "254 characters, and Kubernetes allows 253"),
        (("--name", ""), "it is empty"),
        (("--name", "a\n"), "is not one of"),
        (("--namespace", "a.b"), "'.' is not one of a-z, 0-9 and '-'"),
        (("--namespace", "a" * 64), "64 characters, and Kubernetes allows 63"),
        (("--all-namespaces", "--namespace", "web"), "exclude each other"),
    ],
)
def test_a_name_that_kubernetes_refuses_is_refused_unsent(account, arguments, reason):
    result = account.run("kubernetes-manifest", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert account.sandbox.request_count == 0


def test_a_part_of_a_name_may_be_longer_than_a_label(account):
    # Kubernetes limits a subdomain as a whole, and no part of it.
    assert account.run("kubernetes-manifest", "--name", f"{'a' * 64}.b").exit_code == 0


def test_docker_can_be_told_to_ask_the_helper(account, monkeypatch):
    store(account.folder, monkeypatch, "aioregistry")
    account.run("login")
    assert account.run("login", "--use-helper").exit_code == 0
    assert config_of(account) == {"credHelpers": {HOST: "aioregistry"}}
    again = account.run("login")
    assert "runs docker-credential-aioregistry" in again.stderr
    assert account.run("logout").exit_code == 0
    assert config_of(account) == {}


@pytest.mark.parametrize("how", [[], ["--use-helper"]])
def test_logout_and_the_helper_look_under_the_host_that_login_wrote(helper, monkeypatch, how):
    account = helper.account
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", account.sandbox.url)
    host = account.sandbox.url.removeprefix("http://")
    store(account.folder, monkeypatch, "aioregistry")
    assert account.run("login", *how).exit_code == 0
    (found,) = config_of(account).values()
    assert set(found) == {host}
    code, printed = helper("get", host)
    assert code == 0
    assert json.loads(printed)["ServerURL"] == host
    assert account.run("logout").exit_code == 0
    assert config_of(account) == {}


def test_a_store_is_given_the_host_that_docker_knows_the_registry_by(account, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", "http://127.0.0.1:8082")
    store(account.folder, monkeypatch, "own")
    (account.folder / "docker").mkdir()
    (account.folder / "docker/config.json").write_text('{"credsStore": "own"}')
    assert account.run("login").exit_code == 0
    assert json.loads((account.folder / "store").read_text())["ServerURL"] == "127.0.0.1:8082"
    assert set(json.loads(account.run("credentials").stdout)["auths"]) == {"127.0.0.1:8082"}


def test_a_helper_that_docker_would_not_find_is_not_set(account, monkeypatch):
    monkeypatch.setenv("PATH", str(account.folder))
    result = account.run("login", "--use-helper")
    assert result.exit_code == 2
    assert "not on the PATH" in result.stderr
    assert not (account.folder / "docker/config.json").exists()


@pytest.mark.parametrize("host", [HOST, f"https://{HOST}", f"https://{HOST}/v2/\n"])
def test_the_helper_mints_credentials_that_expire(helper, host):
    code, printed = helper("get", host)
    assert code == 0
    said = json.loads(printed)
    assert said["ServerURL"] == HOST
    assert said["Username"]
    assert said["Secret"]
    (url,) = requests(helper.account)
    assert "expiry_seconds=3600" in url


def test_the_helper_keeps_credentials_until_they_are_near_their_end(helper):
    first, again = helper("get"), helper("get")
    assert first == again
    assert len(requests(helper.account)) == 1
    (kept,) = (helper.account.folder / "caches").rglob("docker-credentials/*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    said = json.loads(kept.read_text())
    assert 0 < said["renew_at"] - datetime.now(UTC).timestamp() <= 3240
    kept.write_text(json.dumps({**said, "renew_at": 0}))
    assert helper("get") != first
    assert len(requests(helper.account)) == 2


def test_another_token_finds_other_credentials(helper, monkeypatch):
    helper("get")
    monkeypatch.setenv("AIOREGISTRY_EXPIRY", "2h")
    helper("get")
    assert len(requests(helper.account)) == 2


def test_no_token_is_kept(helper):
    helper("get")
    for path in (helper.account.folder / "caches").rglob("*"):
        assert helper.account.sandbox.token not in str(path)
        assert not path.is_file() or helper.account.sandbox.token not in path.read_text()


@pytest.mark.parametrize(
    ("variable", "value"), [("AIOREGISTRY_READ_WRITE", "true"), ("AIOREGISTRY_EXPIRY", "2h")]
)
def test_what_is_kept_is_given_only_under_the_settings_that_it_was_made_with(
    helper, monkeypatch, variable, value
):
    helper("get")
    first = helper("get")
    monkeypatch.setenv(variable, value)
    assert helper("get") != first
    monkeypatch.delenv(variable)
    assert helper("get") == first
    assert len(requests(helper.account)) == 2


def test_what_is_kept_may_be_anything(helper):
    helper("get")
    (kept,) = (helper.account.folder / "caches").rglob("docker-credentials/*.json")
    for text in ("", "[]", '{"renew_at": "x"}', '{"renew_at": 1e12}', "\udcff"):
        kept.write_text(text, errors="surrogateescape")
        assert helper("get")[0] == 0


def test_where_nothing_can_be_kept_credentials_are_minted_each_time(helper, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert helper("get")[0] == 0
    assert helper("get")[0] == 0
    assert len(requests(helper.account)) == 2


def test_the_helper_knows_no_other_host(helper):
    assert helper("get", "https://index.docker.io/v1/") == (
        1,
        "credentials not found in native keychain\n",
    )
    assert requests(helper.account) == []


def test_the_helper_stores_nothing(helper):
    code, printed = helper("store", "{}")
    assert code == 1
    assert "made for each use" in printed


def test_the_helper_forgets_when_docker_logs_out(helper):
    helper("get")
    assert helper("erase") == (0, "")
    assert json.loads(helper("list")[1]) == {}
    helper("get")
    assert len(requests(helper.account)) == 2


def test_the_helper_lists_what_it_keeps(helper):
    assert helper("list") == (0, "{}")
    secrets = json.loads(helper("get")[1])
    listed = helper("list")[1]
    assert list(json.loads(listed)) == [HOST]
    assert secrets["Username"] not in listed


def test_the_helper_says_its_version_and_its_usage(helper):
    assert helper("version")[1].startswith("docker-credential-aioregistry ")
    code, printed = helper("frob")
    assert code == 1
    assert printed.startswith("usage: ")


def test_the_helper_tells_docker_what_is_wrong(helper, monkeypatch):
    helper.account.sandbox.state.registries.clear()
    code, printed = helper("get")
    assert code == 1
    assert printed.startswith("aioregistry: ")
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    code, printed = helper("get")
    assert code == 1
    assert "no API token" in printed
    assert printed.count("\n") == 1


def test_the_helper_is_a_program(account):
    program = Path(sys.executable).with_name("docker-credential-aioregistry")
    done = subprocess.run([program, "get"], input=HOST, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Secret"]
    assert account.sandbox.request_count > 0
