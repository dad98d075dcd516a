"""Credentials end: `logout`, the next `login` and the helper revoke what they drop."""

import base64
import io
import json
import os
import sys
from pathlib import Path

import pytest

from aioregistry import cli
from aioregistry.client.revocation import revocation_origin
from aioregistry.sandbox import Fault, Faults
from tests.disks import full_disk

REVOCATION = "/v1/oauth/revoke"
# Holds one set of credentials for each host, as the keychains do.
KEYCHAIN = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
store) cat > kept.json ;;
erase) rm -f kept.json ;;
get) cat kept.json 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
esac
"""


@pytest.fixture
def account(shell):
    shell.host = shell.sandbox.url.removeprefix("http://")
    return shell


@pytest.fixture
def keychain(account, monkeypatch) -> Path:
    folder = account.folder / "keychain"
    folder.mkdir()
    program = folder / "docker-credential-own"
    program.write_text(KEYCHAIN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    write(account, {"credsStore": "own"})
    return folder


def helper(account, monkeypatch, action: str) -> int:
    monkeypatch.setattr(sys, "argv", ["docker-credential-aioregistry", action])
    monkeypatch.setattr(sys, "stdin", io.StringIO(account.host))
    try:
        cli.answer_docker()
    except SystemExit as exited:
        return exited.code
    return 0


def write(account, document: dict) -> None:
    path = account.folder / "docker/config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def config_of(account) -> dict:
    return json.loads((account.folder / "docker/config.json").read_text())


def password(account) -> str:
    auth = config_of(account)["auths"][account.host]["auth"]
    return base64.b64decode(auth).decode().partition(":")[2]


def is_valid(account, secret: str) -> bool:
    state = account.sandbox.state
    return state.keyring.find(secret, state.clock()) is not None


def revocations(account) -> int:
    return sum(one.route == REVOCATION for one in account.sandbox.requests)


def test_logout_revokes_what_login_stored(account):
    account.run("login")
    secret = password(account)
    assert is_valid(account, secret)
    result = account.run("logout")
    assert result.exit_code == 0, result.output
    assert "the credentials are revoked" in result.stderr
    assert not is_valid(account, secret)


def test_logout_needs_no_api_token_to_revoke(account, monkeypatch):
    account.run("login")
    secret = password(account)
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    assert account.run("logout").exit_code == 0
    assert not is_valid(account, secret)


def test_a_login_revokes_the_one_before_once_the_new_one_is_stored(account):
    account.run("login")
    first = password(account)
    result = account.run("login", "--read-write")
    assert "stored before are revoked" in result.stderr
    assert not is_valid(account, first)
    assert is_valid(account, password(account))


def test_a_login_that_fails_leaves_the_one_before(account):
    account.run("login")
    account.sandbox.faults = Faults(Fault(kind="status", status=403, route="*/docker-credentials"))
    assert account.run("login").exit_code == 1
    assert is_valid(account, password(account))
    assert revocations(account) == 0


def test_the_helper_takes_the_place_of_what_is_stored_which_is_revoked(account, monkeypatch):
    account.run("login")
    secret = password(account)
    (account.folder / "docker-credential-aioregistry").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(account.folder))
    before = account.sandbox.request_count
    assert account.run("login", "--use-helper").exit_code == 0
    assert not is_valid(account, secret)
    # It mints nothing: the revocation is all that is sent.
    assert account.sandbox.request_count == before + 1


def test_what_a_credential_store_has_is_revoked(account, keychain):
    account.run("login")
    first = json.loads((keychain / "kept.json").read_text())["Secret"]
    account.run("login")
    second = json.loads((keychain / "kept.json").read_text())["Secret"]
    assert not is_valid(account, first)
    account.run("logout")
    assert not is_valid(account, second)
    assert not (keychain / "kept.json").exists()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (b"#!/bin/sh\necho locked; exit 1\n", "docker-credential-own store failed: locked"),
        (b"#!/bin/sh\nprintf 'gesperrt f\\374r'; exit 1\n", "store failed: gesperrt f\ufffdr"),
        # The subsystem for Linux lacks the means to run what Docker Desktop names.
        (b"MZ\x90\x00\x03\x00", "docker-credential-own, which cannot be run: Exec format error"),
        (b"#!/gone\n", "docker-credential-own, which cannot be run: No such file or directory"),
    ],
)
def test_what_a_store_refuses_is_revoked_at_once(account, keychain, program, said):
    (keychain / "docker-credential-own").write_bytes(program)
    result = account.run("login")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "DOCKER_CONFIG" not in result.stderr
    assert revocations(account) == 1
    assert config_of(account) == {"credsStore": "own"}


@pytest.mark.parametrize("command", ["logout", "login --use-helper"])
def test_a_store_that_erases_only_what_it_has_is_no_hindrance(account, keychain, command):
    write(account, {})
    account.run("login")
    secret = password(account)
    write(account, {**config_of(account), "credsStore": "own"})
    # The file has the credentials, and the store of macOS answers so where it has none.
    said = "The specified item could not be found in the keychain."
    store = KEYCHAIN.replace(
        "rm -f kept.json", f"rm kept.json 2>&- || {{ echo '{said}'; exit 1; }}"
    )
    (keychain / "docker-credential-own").write_text(store)
    (keychain / "docker-credential-aioregistry").touch(mode=0o755)
    result = account.run(*command.split())
    assert result.exit_code == 0, result.output
    assert "auths" not in config_of(account)
    assert not is_valid(account, secret)


def test_a_store_that_does_not_erase_what_it_has_ends_a_logout(account, keychain):
    account.run("login")
    program = keychain / "docker-credential-own"
    program.write_text(KEYCHAIN.replace("rm -f kept.json", "echo locked; exit 1"))
    result = account.run("logout")
    assert result.exit_code == 2
    assert "erase failed: locked" in result.stderr
    assert account.host in config_of(account)["auths"]


def test_credentials_that_cannot_be_merged_into_a_file_are_revoked(account, keychain):
    (keychain / "docker-credential-own").write_text("#!/bin/sh\necho locked; exit 1\n")
    path = account.folder / "own.json"
    path.write_text('{"credsStore": "own"}')
    result = account.run("credentials", "--merge-into", str(path))
    assert result.exit_code == 2
    assert "locked" in result.stderr
    assert revocations(account) == 1


def test_what_login_did_not_make_is_removed_and_not_revoked(account):
    state = account.sandbox.state
    secret = state.issue_credentials("example").secret
    auth = base64.b64encode(f"{secret}:{secret}".encode()).decode()
    write(account, {"auths": {account.host: {"auth": auth}}})
    result = account.run("logout")
    assert result.exit_code == 0
    assert "are not revoked: 'aioregistry login' did not make them" in result.stderr
    assert config_of(account) == {}
    assert is_valid(account, secret)
    assert revocations(account) == 0


def test_a_further_spelling_of_the_host_is_revoked_too(account):
    account.run("login")
    secret = password(account)
    write(
        account, {"auths": {f"https://{account.host}": config_of(account)["auths"][account.host]}}
    )
    account.run("logout")
    assert config_of(account) == {}
    assert not is_valid(account, secret)


@pytest.mark.parametrize(
    ("options", "until"),
    [((), "they are valid until 2"), (("--never-expire",), "they never expire")],
)
def test_what_cannot_be_revoked_is_told_and_removed(account, options, until):
    account.run("login", *options)
    secret = password(account)
    account.sandbox.faults = Faults(Fault(kind="status", status=403, route=REVOCATION))
    result = account.run("logout")
    assert result.exit_code == 1
    assert f"could not be revoked; {until}" in result.stderr
    assert "registry:" not in result.stderr
    assert config_of(account) == {}
    assert is_valid(account, secret)


def test_what_has_expired_counts_as_revoked(account):
    account.run("login")
    account.sandbox.state.keyring.revoke_all("example")
    result = account.run("logout")
    assert result.exit_code == 0
    assert "not" not in result.stderr


def test_credentials_are_revoked_where_they_were_made(account, monkeypatch):
    account.run("login")
    secret = password(account)
    monkeypatch.setenv("AIOREGISTRY_API_URL", "http://127.0.0.1:9")
    account.run("logout")
    assert not is_valid(account, secret)


def test_no_secret_is_noted(account):
    account.run("login")
    (noted,) = account.folder.rglob("logins.json")
    assert password(account) not in noted.read_text()
    assert noted.stat().st_mode & 0o777 == 0o600
    account.run("logout")
    assert json.loads(noted.read_text()) == []


@pytest.mark.parametrize("command", ["login", "credentials", "kubernetes-manifest"])
def test_credentials_that_never_expire_are_warned_of(account, command):
    result = account.run(command, "--never-expire")
    assert result.exit_code == 0
    assert "warning: these credentials never expire" in result.stderr
    assert "warning" not in account.run(command).stderr


def test_the_helper_revokes_what_it_drops(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    secret = json.loads(capsys.readouterr().out)["Secret"]
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    assert helper(account, monkeypatch, "erase") == 0
    assert not is_valid(account, secret)
    assert not list(account.folder.rglob("docker-credentials/*.json"))


def test_the_helper_drops_what_it_kept_under_other_settings(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    secret = json.loads(capsys.readouterr().out)["Secret"]
    monkeypatch.setenv("AIOREGISTRY_EXPIRY", "2h")
    helper(account, monkeypatch, "erase")
    assert not is_valid(account, secret)


def test_the_helper_leaves_what_is_kept_for_other_hosts(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    secret = json.loads(capsys.readouterr().out)["Secret"]
    account.host = "registry.test"
    monkeypatch.setenv("AIOREGISTRY_REGISTRY_URL", "https://registry.test")
    helper(account, monkeypatch, "erase")
    assert is_valid(account, secret)


def test_the_helper_drops_nothing_when_it_is_asked_about_another_host(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    secret = json.loads(capsys.readouterr().out)["Secret"]
    account.host = "registry.test"
    assert helper(account, monkeypatch, "erase") == 1
    assert "credentials not found in native keychain" in capsys.readouterr().out
    assert is_valid(account, secret)


def test_the_helper_tells_what_it_could_not_revoke(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    account.sandbox.faults = Faults(Fault(kind="status", status=403, route=REVOCATION))
    capsys.readouterr()
    assert helper(account, monkeypatch, "erase") == 1
    assert "not revoked: they are valid until" in capsys.readouterr().out


def test_logout_revokes_what_the_helper_keeps(account, monkeypatch, capsys):
    helper(account, monkeypatch, "get")
    secret = json.loads(capsys.readouterr().out)["Secret"]
    write(account, {"credHelpers": {account.host: "aioregistry"}})
    assert account.run("logout").exit_code == 0
    assert config_of(account) == {}
    assert not is_valid(account, secret)


@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_file_that_goes_before_dockers_is_named(account, command):
    path = account.folder / "config/containers/auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {f"{account.host}/example": {"auth": "eDp5"}}}))
    result = account.run(command)
    assert f"{path}: has credentials for {account.host}" in result.stderr
    path.write_text(json.dumps({"auths": {"docker.io": {"auth": "eDp5"}}}))
    assert str(path) not in account.run(command).stderr


def test_logout_tells_what_of_the_helper_it_could_not_revoke(account, monkeypatch):
    helper(account, monkeypatch, "get")
    write(account, {"credHelpers": {account.host: "aioregistry"}})
    account.sandbox.faults = Faults(Fault(kind="status", status=403, route=REVOCATION))
    result = account.run("logout")
    assert result.exit_code == 1
    assert "credentials of the helper could not be revoked" in result.stderr
    assert config_of(account) == {}


def test_the_helper_takes_the_place_of_a_store_which_forgets(account, keychain):
    account.run("login")
    secret = json.loads((keychain / "kept.json").read_text())["Secret"]
    (keychain / "docker-credential-aioregistry").touch(mode=0o755)
    account.run("login", "--use-helper")
    assert not (keychain / "kept.json").exists()
    assert not is_valid(account, secret)
    assert config_of(account)["credHelpers"] == {account.host: "aioregistry"}


def test_the_helper_revokes_nothing_that_has_expired(account, monkeypatch):
    helper(account, monkeypatch, "get")
    (kept,) = account.folder.rglob("docker-credentials/*.json")
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "expires_at": 0, "renew_at": 0}))
    assert helper(account, monkeypatch, "erase") == 0
    assert revocations(account) == 0
    assert not kept.exists()


def test_a_login_that_cannot_be_noted_says_that_it_will_not_be_revoked(account, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", "/dev/null")
    result = account.run("login")
    assert result.exit_code == 0
    assert "'aioregistry logout' will not revoke" in result.stderr
    assert is_valid(account, password(account))
    assert "are not revoked" in account.run("logout").stderr


def test_what_is_neither_noted_nor_stored_is_revoked(account, keychain, monkeypatch):
    monkeypatch.setenv("AIOREGISTRY_STATE_DIR", "/dev/null")
    (keychain / "docker-credential-own").write_text("#!/bin/sh\necho locked; exit 1\n")
    assert account.run("login").exit_code == 2
    assert revocations(account) == 1


def test_a_login_that_cannot_be_stored_says_where_and_leaves_no_credentials(account):
    with full_disk():
        result = account.run("login")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "/config.json: File too large; no credentials were stored; DOCKER_CONFIG names another"
        " folder\n"
    )
    assert revocations(account) == 1


@pytest.mark.parametrize(
    "api_url", ["https://api.digitalocean.com", "HTTPS://API.DigitalOcean.com:443"]
)
def test_what_the_vendors_api_made_is_revoked_at_the_vendors_place(api_url):
    assert revocation_origin(api_url) == "https://cloud.digitalocean.com"
