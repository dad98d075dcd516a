"""Several processes that log in, or ask the helper, at once."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aioregistry.cli.commands import config, credentials
from aioregistry.cli.docker import kept, logins
from aioregistry.cli.settings.config_file import read_config
from aioregistry.cli.settings.turns import one_at_a_time
from tests.cli.test_credentials import account, config_of, helper, requests

__all__ = ["account", "helper"]

NOWHERE = Path("/dev/null/folder")


def test_one_goes_on_when_the_other_is_done(tmp_path):
    order = []

    def other() -> None:
        with one_at_a_time(tmp_path / "new"):
            order.append("other")

    thread = threading.Thread(target=other)
    with one_at_a_time(tmp_path / "new"):
        thread.start()
        # Time enough to go on for one that does not wait.
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_where_nothing_can_be_locked_all_go_on():
    with one_at_a_time(NOWHERE), one_at_a_time(NOWHERE):
        pass


def test_who_waits_for_a_turn_gets_the_credentials_of_others(helper, monkeypatch):
    _, first = helper("get")
    (path,) = (helper.account.folder / "caches").rglob("docker-credentials/*.json")
    text = path.read_text()
    path.unlink()

    @contextmanager
    def turn(folder):
        path.write_text(text)
        yield

    monkeypatch.setattr(kept, "one_at_a_time", turn)
    assert helper("get") == (0, first)
    assert len(requests(helper.account)) == 1


def test_a_login_at_another_registry_meanwhile_is_kept(account, monkeypatch):
    mint, path = credentials._mint, account.folder / "docker/config.json"

    async def mint_meanwhile(*arguments):
        path.parent.mkdir()
        path.write_text('{"auths": {"docker.io": {"auth": "eDp5"}}}')
        return await mint(*arguments)

    monkeypatch.setattr(credentials, "_mint", mint_meanwhile)
    assert account.run("login").exit_code == 0
    assert len(config_of(account)["auths"]) == 2


def test_of_two_logins_at_once_the_first_to_be_stored_is_revoked(account, monkeypatch):
    account.run("login")
    first, path = config_of(account), account.folder / "docker/config.json"
    path.unlink()
    mint = credentials._mint

    async def mint_meanwhile(*arguments):
        path.write_text(json.dumps(first))
        return await mint(*arguments)

    monkeypatch.setattr(credentials, "_mint", mint_meanwhile)
    result = account.run("login")
    assert "stored before are revoked" in result.stderr


def test_of_two_logins_at_once_both_are_noted(tmp_path, monkeypatch):
    noted = logins.Logins(tmp_path / "logins.json")
    ends = datetime.now(UTC) + timedelta(days=1)
    noted.note("other", "https://api.test", ends)
    others = noted.path.read_text()
    noted.path.unlink()

    @contextmanager
    def turn(folder):
        noted.path.write_text(others)
        yield

    monkeypatch.setattr(logins, "one_at_a_time", turn)
    noted.note("own", "https://api.test", ends)
    assert noted.find("own")
    assert noted.find("other")


def test_of_two_settings_that_are_changed_at_once_both_are_kept(account, monkeypatch):
    path = account.folder / "config/aioregistry/config.toml"
    account.run("config", "set", "registry", "example")

    @contextmanager
    def turn(folder):
        path.write_text(path.read_text() + 'expiry = "2h"\n')
        yield

    monkeypatch.setattr(config, "one_at_a_time", turn)
    assert account.run("config", "set", "headroom", "0.1").exit_code == 0
    assert {"registry", "expiry", "headroom"} <= set(read_config(path).profiles["default"])
