"""Flags over the environment over the configuration file, and whose token it is."""

import os
from pathlib import Path

import pytest

from aioregistry import RateLimit
from aioregistry.cli.options import Access
from aioregistry.cli.settings.config_file import with_setting
from aioregistry.cli.settings.settings import Settings, SettingsError

CONFIG = """\
profile = "work"

[profiles.work]
registry = "works"
api-url = "http://127.0.0.1:1"
token = "work-token"
read-write = true
expiry = "2h"

[profiles.home]
token-file = "~/home-token"

[profiles.official]
doctl-context = "team"
"""
DOCTL = """\
access-token: default-token
auth-contexts:
  team: team-token
context: team
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for path, text in (
        ("config/aioregistry/config.toml", CONFIG),
        ("home-token", "home-token\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def doctl(folder):
    path = folder / "config/doctl/config.yaml"
    path.parent.mkdir()
    path.write_text(DOCTL)
    return path


def load(access: Access | None = None, **environment: str) -> Settings:
    return Settings.load(access or Access(), environment)


@pytest.mark.usefixtures("folder")
def test_the_file_says_what_nothing_else_says():
    settings = load()
    assert settings.registry == "works"
    assert settings.api_url == "http://127.0.0.1:1"
    assert settings.read_write
    assert settings.expiry == 7200
    assert settings.token.value == "work-token"


@pytest.mark.usefixtures("folder")
def test_the_environment_goes_before_the_file():
    settings = load(
        AIOREGISTRY_REGISTRY="other",
        AIOREGISTRY_READ_WRITE="false",
        AIOREGISTRY_EXPIRY="1h",
        DIGITALOCEAN_TOKEN="t",
    )
    assert settings.registry == "other"
    assert not settings.read_write
    assert settings.expiry == 3600
    assert settings.token.value == "t"
    assert settings.token.source == "DIGITALOCEAN_TOKEN"


def test_a_flag_goes_before_the_environment(folder):
    (folder / "t").write_text("flag-token")
    access = Access(api_url="http://flag", token_file=folder / "t")
    settings = load(access, AIOREGISTRY_API_URL="http://other", DIGITALOCEAN_TOKEN="t")
    assert settings.api_url == "http://flag"
    assert settings.token.value == "flag-token"


@pytest.mark.usefixtures("folder")
def test_another_accounts_token_does_not_take_the_place_of_a_profile_that_is_asked_for():
    settings = load(Access(profile="home"), DIGITALOCEAN_TOKEN="other", AIOREGISTRY_REGISTRY="r")
    assert settings.token.value == "home-token"
    assert settings.registry == "r"
    settings = load(AIOREGISTRY_PROFILE="home", DIGITALOCEAN_TOKEN="other")
    assert settings.token.value == "other"


@pytest.mark.usefixtures("folder", "doctl")
@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({"AIOREGISTRY_PROFILE": "official"}, "team-token"),
        ({"AIOREGISTRY_DOCTL_CONTEXT": "default"}, "default-token"),
        ({"DIGITALOCEAN_ACCESS_TOKEN": "a"}, "a"),
        ({"DIGITALOCEAN_TOKEN": " ", "DIGITALOCEAN_ACCESS_TOKEN": "a\n"}, "a"),
        ({"AIOREGISTRY_TOKEN_FILE": "~/home-token"}, "home-token"),
    ],
)
def test_a_token_comes_from_where_tokens_are(environment, token):
    assert load(**environment).token.value == token


def test_doctls_current_context_is_the_last_resort(folder, doctl):
    (folder / "config/aioregistry/config.toml").unlink()
    settings = load()
    assert settings.token.value == "team-token"
    assert str(doctl) in settings.token.source
    doctl.write_text("access-token: only\n")
    assert load().token.value == "only"
    doctl.write_text("context: gone\n")
    with pytest.raises(SettingsError, match="no API token: set DIGITALOCEAN_TOKEN"):
        _ = load().token


@pytest.mark.parametrize("text", ["a: [", "[]", "a: !!python/object:os.system x"])
def test_what_doctl_wrote_may_be_anything(folder, doctl, text):
    (folder / "config/aioregistry/config.toml").unlink()
    doctl.write_text(text)
    with pytest.raises(SettingsError, match=r"no API token|not YAML"):
        _ = load().token


@pytest.mark.usefixtures("doctl")
def test_a_context_that_doctl_does_not_know_is_refused_with_those_it_knows():
    with pytest.raises(SettingsError, match="'nix'; contexts: team, default"):
        _ = load(AIOREGISTRY_DOCTL_CONTEXT="nix").token


@pytest.mark.usefixtures("folder")
def test_a_context_without_doctl_is_refused():
    with pytest.raises(SettingsError, match="No such file"):
        _ = load(AIOREGISTRY_DOCTL_CONTEXT="nix").token


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("access", "environment"),
    [(Access(profile="nix"), {}), (None, {"AIOREGISTRY_PROFILE": "nix"})],
)
def test_a_profile_that_is_not_there_is_refused_with_those_that_are(access, environment):
    with pytest.raises(SettingsError, match=r"no profile 'nix' .* profiles: work, home, official"):
        load(access, **environment)


@pytest.mark.parametrize("text", ["", "two words", "\xff"])
def test_a_token_file_holds_a_token_and_nothing_else(folder, text):
    (folder / "t").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=r"--token-file: .* must contain a token"):
        _ = load(Access(token_file=folder / "t")).token


def test_a_token_file_that_is_not_there_is_told(folder):
    with pytest.raises(SettingsError, match="No such file"):
        _ = load(Access(token_file=folder / "nix")).token


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("profil = 'a'", "line 1: profil: unknown key; did you mean profile"),
        ("[profiles.a]\ntokn = 'x'", r"line 2: profiles.a.tokn: .* did you mean token"),
        ("[profiles.a]\nzzz = 'x'", "the keys are registry, api-url"),
        ("[profiles.a]\nread-write = 'yes'", "must be true or false"),
        ("[profiles.a]\nregistry = 3", "must be text"),
        ("profile = 3", "line 1: profile: must be text"),
        ("profile = 'b'\n[profiles.a]", r"line 1: profile: there is no \[profiles.b\]"),
        ("profiles = 3", "must contain tables"),
        ("[profiles]\na = 3", "must be a table"),
        ("a = ", "not TOML"),
        ("\xff", "not a text in UTF-8"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(folder, text, problem):
    path = folder / "config/aioregistry/config.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=problem) as caught:
        load(Access(profile="a"))
    assert str(path) in str(caught.value)


def test_a_mistake_in_one_profile_stops_that_one_alone(folder):
    path = folder / "config/aioregistry/config.toml"
    path.write_text("[profiles.good]\nregistry = 'one'\n[profiles.bad]\nregistri = 'two'\n")
    assert load(Access(profile="good")).registry == "one"
    with pytest.raises(SettingsError, match=r"line 4: profiles.bad.registri: unknown key"):
        load(Access(profile="bad"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '[profiles.p]\nregistry = "x"\n'),
        (
            "# mine\n[profiles.p]\nexpiry = '1h'",
            "# mine\n[profiles.p]\nregistry = \"x\"\nexpiry = '1h'\n",
        ),
        (
            "[profiles.p] # a\nregistry='y' # b\n[profiles.q]\n",
            '[profiles.p] # a\nregistry = "x"\n[profiles.q]\n',
        ),
        (
            '[profiles."p"]\n\n[profiles.q]\nregistry="z"',
            '[profiles."p"]\nregistry = "x"\n\n[profiles.q]\nregistry="z"\n',
        ),
    ],
)
def test_one_setting_is_changed_and_all_else_kept(text, expected):
    assert with_setting(text, "p", "registry", "x") == expected


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({}, RateLimit()),
        ({"AIOREGISTRY_HEADROOM": "0.2"}, RateLimit(headroom=0.2)),
        ({"AIOREGISTRY_RATE_LIMIT": "scaled:60"}, RateLimit().scaled(60)),
        ({"AIOREGISTRY_RATE_LIMIT": "off"}, None),
    ],
)
def test_the_quota_to_use_is_a_setting(folder, given, limit):
    assert load(**given).rate_limit == limit


def test_the_quota_of_flags_goes_first(folder):
    access = Access(headroom=0.5, rate_limit="scaled:2")
    settings = load(access, AIOREGISTRY_HEADROOM="0.2", AIOREGISTRY_RATE_LIMIT="off")
    assert settings.rate_limit == RateLimit(headroom=0.5).scaled(2)


@pytest.mark.parametrize(
    "given",
    [
        {"AIOREGISTRY_HEADROOM": "1"},
        {"AIOREGISTRY_HEADROOM": "a lot"},
        {"AIOREGISTRY_RATE_LIMIT": "fast"},
        {"AIOREGISTRY_RATE_LIMIT": "scaled:0"},
    ],
)
def test_a_quota_that_cannot_be_used_is_refused_with_its_source(folder, given):
    with pytest.raises(SettingsError, match=f"{next(iter(given))}: .* must be"):
        _ = load(**given).rate_limit


def test_without_a_file_nothing_is_configured(folder):
    (folder / "config/aioregistry/config.toml").unlink()
    settings = load()
    assert settings.profile is None
    assert settings.registry is None
    assert settings.expiry is None
    assert not settings.read_write
    assert settings.api_url == "https://api.digitalocean.com"
    assert settings.registry_host == "registry.digitalocean.com"


def test_the_default_profile_needs_no_mention(folder):
    (folder / "config/aioregistry/config.toml").write_text("[profiles.default]\nregistry = 'r'\n")
    assert load().registry == "r"


def test_a_file_that_is_named_must_be_there(folder):
    with pytest.raises(SettingsError, match=r"^AIOREGISTRY_CONFIG: .*: No such file"):
        load(AIOREGISTRY_CONFIG=str(folder / "nix.toml"))
    with pytest.raises(SettingsError, match="Is a directory"):
        load(AIOREGISTRY_CONFIG=str(folder))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("EXPIRY", "0s", "never expire"),
        ("EXPIRY", "9999999d", "more than 100 years"),
        ("EXPIRY", "x", "length of time"),
        ("READ_WRITE", "x", "tr"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_its_source(key, value, problem):
    settings = load(**{f"AIOREGISTRY_{key}": value})
    with pytest.raises(SettingsError, match=rf"AIOREGISTRY_{key}: .*{problem}"):
        _ = settings.expiry, settings.read_write


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("key", ["API_URL", "REGISTRY_URL"])
def test_what_is_no_url_is_told_with_its_source_and_not_shown(key):
    settings = load(**{f"AIOREGISTRY_{key}": "http://user:secret@host"})
    name = key.lower().replace("_", "-")
    with pytest.raises(SettingsError, match=rf"^AIOREGISTRY_{key}: {name} must be http") as refused:
        _ = settings.api_url, settings.registry_host
    assert "secret" not in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_manifests_are_read_where_the_flag_says_else_the_setting_else_the_credentials():
    there = {"AIOREGISTRY_REGISTRY_URL": "http://there/"}
    assert load(**there).contents_url("http://flag") == "http://flag"
    assert load(**there).contents_url(None) == "http://there"
    vendor = {"AIOREGISTRY_API_URL": "https://api.digitalocean.com/"}
    assert load(**vendor).contents_url(None) is None
    with pytest.raises(SettingsError, match=r"^--registry-url: registry-url must be http"):
        load(**there).contents_url("there")


@pytest.mark.usefixtures("folder")
def test_what_another_api_mints_is_not_sent_to_the_vendor():
    with pytest.raises(SettingsError, match=r"http://127.0.0.1:1: set AIOREGISTRY_REGISTRY_URL"):
        load().contents_url(None)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("api_url", "registry_url", "flag"),
    [
        ("https://api.digitalocean.com", "https://mirror.test", None),
        ("http://127.0.0.1:1", "https://fra1.registry.digitalocean.com", None),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", "https://registry.digitalocean.com"),
    ],
)
def test_the_vendors_api_and_another_registry_do_not_mix(api_url, registry_url, flag):
    settings = load(AIOREGISTRY_API_URL=api_url, AIOREGISTRY_REGISTRY_URL=registry_url)
    with pytest.raises(SettingsError, match=r"would be sent to the other"):
        settings.contents_url(flag)


@pytest.mark.usefixtures("folder")
def test_api_and_registry_may_be_the_vendors_or_neither():
    for api_url, registry_url in [
        ("https://api.digitalocean.com", "https://fra1.registry.digitalocean.com"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2"),
    ]:
        load(AIOREGISTRY_API_URL=api_url, AIOREGISTRY_REGISTRY_URL=registry_url).check_origins()


@pytest.mark.skipif(os.name != "posix", reason="the mode says who can read a file")
@pytest.mark.usefixtures("folder")
def test_a_token_that_others_can_read_is_warned_of(tmp_path):
    path = tmp_path / "token"
    path.write_text("file-token")
    for mode, is_exposed in ((0o600, False), (0o640, True), (0o604, True)):
        path.chmod(mode)
        warning = load(AIOREGISTRY_TOKEN_FILE=str(path)).token.warning
        assert bool(warning) is is_exposed
        assert "file-token" not in warning


@pytest.mark.usefixtures("folder")
def test_no_token_shows_in_a_representation():
    settings = load(DIGITALOCEAN_TOKEN="secret-token")
    shown = repr(settings) + repr(settings.token)
    assert "secret-token" not in shown
    assert "work-token" not in shown


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("registry.digitalocean.com", True),
        ("fra1.registry.digitalocean.com", True),
        ("evilregistry.digitalocean.com", False),
        ("registry.digitalocean.com.evil.example", False),
        ("docker.io", False),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_registrys_hosts_are_known(host, is_ours):
    assert load().is_registry_host(host) is is_ours
