"""The file of a fleet: read as it is meant, and every mistake told at once, with its line."""

from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aioregistry.cleanup import Caps
from aioregistry.fleet import FleetFileError, TokenSource, load_fleet

GOOD = """\
server = "redis://10.0.0.7/0"

[defaults]
policy = "policy.toml"
schedule = "30 2 * * *"
time-zone = "Europe/Berlin"
in-use = ["kubernetes:production", "running.json"]

[[registries]]
name = "acme"
token = { env = "ACME_TOKEN" }
window = "22:00-05:30"
max-deletes = 5000
max-fraction = 0.9
undo-window = "2d"

[[registries]]
name = "other"
token = { command = "vault read -field=token secret/other" }
policy = "strict.toml"
in-use = "none"
gc = false
"""


@pytest.fixture
def load(tmp_path):
    for name in ("policy.toml", "strict.toml"):
        (tmp_path / name).write_text("[[rules]]\nkeep-newest = 5\n")

    def load(text: str):
        (tmp_path / "fleet.toml").write_text(text)
        return load_fleet(tmp_path / "fleet.toml")

    return load


def mistakes(load, text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(FleetFileError) as caught:
        load(text)
    assert all(str(one) in str(caught.value) for one in caught.value.mistakes)
    return [(one.line, one.key, one.problem) for one in caught.value.mistakes]


def test_a_fleet_is_read_as_it_is_meant(load, tmp_path):
    fleet = load(GOOD)
    assert fleet.server == "redis://10.0.0.7/0"
    acme, other = fleet.registries.values()
    assert (acme.name, other.name) == ("acme", "other")
    assert acme.token == TokenSource("env", "ACME_TOKEN")
    assert acme.policy == tmp_path / "policy.toml"
    assert acme.in_use == ("kubernetes:production", str(tmp_path / "running.json"))
    assert (acme.schedule.text, acme.schedule.zone) == ("30 2 * * *", ZoneInfo("Europe/Berlin"))
    assert (acme.window.start, acme.window.end) == (time(22), time(5, 30))
    assert acme.window.zone == ZoneInfo("Europe/Berlin")
    assert acme.caps == Caps(max_deletes=5000, max_fraction=0.9)
    assert (acme.gc, acme.undo_window) == (True, timedelta(days=2))
    assert (other.policy, other.in_use, other.gc) == (tmp_path / "strict.toml", ("none",), False)
    assert other.schedule == acme.schedule


def test_all_mistakes_are_told_at_once_each_with_its_line(load):
    text = GOOD.replace("30 2 * * *", "30 25 * * *").replace("22:00-05:30", "late")
    text = text.replace('"acme"', '"A C M E"').replace("gc = false", 'gc = "no"\nkepp = 3')
    assert [(line, key) for line, key, _ in mistakes(load, text)] == [
        (10, "registries[1].name"),
        (5, "defaults.schedule"),
        (12, "registries[1].window"),
        (23, "registries[2].kepp"),
        (22, "registries[2].gc"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('{ env = "ACME_TOKEN" }', '"dop_v1_secret"', "a token is not written into this file"),
        ('{ env = "ACME_TOKEN" }', '{ vault = "x" }', 'write { env = "NAME" }'),
        ('{ env = "ACME_TOKEN" }', '{ command = "a \'b" }', "not a command line"),
        ('"Europe/Berlin"', '"Mars"', "no time zone 'Mars'"),
        ('"policy.toml"', '"missing.toml"', "No such file"),
        ("5000", "-1", "max_deletes must be a whole number"),
        ("0.9", "2", "max_fraction must be 0 to 1"),
        ('"2d"', '"soon"', "not a length of time"),
        ('in-use = "none"', 'in-use = ["none", "kubernetes"]', "exclude each other"),
        ('in-use = "none"', "in-use = []", "must be a list"),
        ('name = "other"', 'name = "acme"', "'acme' appears twice"),
        ('name = "other"\n', "", "name is missing"),
        ("window =", "windows =", "did you mean window?"),
        ("server =", "servers =", "did you mean server?"),
        ('server = "redis://10.0.0.7/0"', "server = 7", "must be a text"),
    ],
)
def test_a_mistake_is_told(load, old, new, problem):
    assert old in GOOD
    found = mistakes(load, GOOD.replace(old, new))
    assert any(problem in told for _, _, told in found), found


def test_a_token_in_the_file_is_not_shown(load):
    with pytest.raises(FleetFileError) as caught:
        load(GOOD.replace('{ env = "ACME_TOKEN" }', '"dop_v1_secret"'))
    assert "dop_v1_secret" not in str(caught.value)


def test_a_mistake_in_a_policy_is_one_of_the_fleet(load, tmp_path):
    (tmp_path / "bad.toml").write_text("[[rules]]\nkep-newest = 5\n")
    found = mistakes(load, GOOD.replace('"strict.toml"', '"bad.toml"'))
    assert [(line, key) for line, key, _ in found] == [(20, "registries[2].policy")]
    assert "line 2" in found[0][2]


@pytest.mark.parametrize("text", ["registries = 3", "", "[[registries]]\n", "defaults = 1", "= x"])
def test_a_file_of_anything_else_is_refused(load, text):
    with pytest.raises(FleetFileError):
        load(text)


def test_the_file_of_a_token_is_found_beside_the_fleets(load, tmp_path):
    text = '[[registries]]\nname = "acme"\npolicy = "policy.toml"\ntoken = { file = "%s" }\n'
    for given, found in (
        ("secret", tmp_path / "secret"),
        ("/run/secret", Path("/run/secret")),
        ("~/secret", Path("~/secret").expanduser()),
    ):
        token = load(text % given).registries["acme"].token
        assert token == TokenSource("file", str(found))
