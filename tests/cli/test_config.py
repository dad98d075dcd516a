"""The commands that write the configuration."""

import stat

import pytest

from tests.disks import full_disk


@pytest.fixture
def path(shell):
    return shell.folder / "config/aioregistry/config.toml"


def test_a_file_is_written_once_with_all_settings_as_comments(shell, path):
    assert shell.run("config", "init").exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "# registry = " in path.read_text()
    assert shell.run("config", "show").exit_code == 0
    again = shell.run("config", "init")
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_the_file_is_shown_with_its_source(shell, path, monkeypatch):
    first = shell.run("config", "show", "-o", "csv").stdout.splitlines()[1]
    assert first == f"config,{path},the default path; no such file"
    shell.run("config", "init")
    monkeypatch.setenv("AIOREGISTRY_CONFIG", str(path))
    first = shell.run("config", "show", "-o", "csv").stdout.splitlines()[1]
    assert first == f"config,{path},AIOREGISTRY_CONFIG"


def test_a_setting_is_used_once_it_is_set(shell, path):
    shell.run("config", "init")
    assert shell.run("config", "set", "registry", "example").exit_code == 0
    assert shell.run("config", "set", "headroom", "0.25").exit_code == 0
    shown = shell.run("config", "show", "-o", "plain").stdout
    assert "example" in shown
    assert "0.25" in shown
    assert "# token-file" in path.read_text()


def test_a_setting_of_another_profile_is_set_where_it_is_named(shell, path):
    assert shell.run("config", "set", "registry", "two", "--profile", "work").exit_code == 0
    assert path.read_text() == '[profiles.work]\nregistry = "two"\n'


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["token", "secret"], "stays in the shell's history"),
        (["registri", "x"], "unknown key 'registri'"),
        (["read-write", "perhaps"], "must be true or false"),
        (["expiry", "soon"], "not a length of time"),
        (["api-url", "nowhere"], "api-url"),
        (["registry", "Bad Name"], "not a valid registry: 'Bad Name'"),
        (["keep", "0"], "must be a whole number from 1"),
        (["headroom", "2"], "must be a number of at least 0"),
        (["rate-limit", "fast"], "must be real"),
    ],
)
def test_what_cannot_be_used_is_not_written(shell, path, arguments, problem):
    result = shell.run("config", "set", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not path.exists()


def test_a_mistake_in_another_profile_does_not_stop_it(shell, path):
    path.parent.mkdir(parents=True)
    path.write_text("[profiles.bad]\nregistri = 'x'\n")
    assert shell.run("config", "set", "registry", "example").exit_code == 0
    assert path.read_text().startswith("[profiles.bad]\nregistri = 'x'\n")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("keep", "abc", "keep must be a number, not 'abc'"),
        ("headroom", "nan", "headroom must be a number, not 'nan'"),
        ("read-write", "yes", "read-write must be true or false, not 'yes'"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_setting(shell, key, value, told):
    result = shell.run("config", "set", key, value)
    assert (result.exit_code, result.stderr) == (2, f"aioregistry config set: {told}\n")


@pytest.mark.parametrize("words", [("init",), ("set", "registry", "example")])
def test_a_file_that_cannot_be_written_is_named_with_what_names_another(shell, monkeypatch, words):
    monkeypatch.setenv("AIOREGISTRY_CONFIG", str(shell.folder / "config.toml"))
    if words[0] == "set":
        (shell.folder / "config.toml").write_text("")
    with full_disk():
        result = shell.run("config", *words)
    assert result.exit_code == 1
    assert result.stderr == (
        f"aioregistry config {words[0]}: {shell.folder}/config.toml: File too large;"
        " nothing was changed; AIOREGISTRY_CONFIG names another file\n"
    )
