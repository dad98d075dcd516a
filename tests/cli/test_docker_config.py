"""Docker's configuration file, and credential helpers."""

import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioregistry.cli.docker.config import (
    DockerConfig,
    DockerConfigError,
    docker_config_path,
    run_helper,
)

HOST = "registry.digitalocean.com"
OTHERS = {
    "auths": {"docker.io": {"auth": "eA=="}},
    "credHelpers": {"gcr.io": "gcloud"},
    "psFormat": "table {{.Names}}",
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "docker/config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(OTHERS))
    return path


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A credential helper that notes what it is asked."""

    def make(script: str) -> None:
        path = tmp_path / "docker-credential-own"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return make


def test_all_else_stays_as_it_is(path):
    DockerConfig.load(path).with_auth(HOST, {"auth": "eQ=="}).save(path)
    assert json.loads(path.read_text()) == {
        **OTHERS,
        "auths": {"docker.io": {"auth": "eA=="}, HOST: {"auth": "eQ=="}},
    }
    DockerConfig.load(path).without_auth(HOST).save(path)
    assert json.loads(path.read_text()) == OTHERS


@given(
    st.dictionaries(
        st.sampled_from(["auths", "credHelpers", "credsStore", "x"]),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
    )
)
def test_what_is_added_can_be_taken_away_again(document):
    document.pop("auths", None)
    config = DockerConfig(document)
    assert config.with_auth(HOST, {}).without_auth(HOST).document == document


def test_only_its_owner_can_read_it(path):
    path.chmod(0o644)
    DockerConfig.load(path).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(path, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(path)
    DockerConfig().with_auth(HOST, {}).save(link)
    assert link.is_symlink()
    assert HOST in path.read_text()


def test_what_cannot_be_written_leaves_the_old_one(path, monkeypatch):
    def fail(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        DockerConfig().save(path)
    assert json.loads(path.read_text()) == OTHERS
    assert [each.name for each in path.parent.iterdir()] == ["config.json"]


def test_folders_are_made(tmp_path):
    DockerConfig().save(tmp_path / "a/b/config.json")
    assert (tmp_path / "a/b/config.json").read_text() == "{}\n"


@pytest.mark.parametrize("text", ["[]", "{", '{"auths": 3}', '{"credHelpers": []x', "\x00"])
def test_what_is_no_configuration_is_refused_and_left_alone(path, text):
    path.write_text(text)
    with pytest.raises(DockerConfigError, match="no Docker configuration"):
        DockerConfig.load(path)
    assert path.read_text() == text


def test_an_empty_file_says_nothing(path):
    path.write_text("")
    assert DockerConfig.load(path) == DockerConfig({})


def test_the_helper_of_the_host_goes_before_the_store():
    config = DockerConfig({"credsStore": "desktop", "credHelpers": {HOST: "own"}})
    assert config.helper_for(HOST) == "own"
    assert config.helper_for("docker.io") == "desktop"
    assert DockerConfig().helper_for(HOST) is None
    assert DockerConfig({"credsStore": ""}).helper_for(HOST) is None


@pytest.mark.parametrize("name", ["../evil", "a b", "x;rm", 3, "-x"])
def test_a_helper_is_a_plain_name(name):
    with pytest.raises(DockerConfigError, match="an invalid name"):
        DockerConfig({"credsStore": name}).helper_for(HOST)


def test_a_helper_is_given_its_input(program):
    program('echo "$1: $(cat)"')
    assert run_helper("own", "store", "secret") == "store: secret\n"


def test_a_helper_that_refuses_is_told(program):
    program("echo no keychain; exit 3")
    with pytest.raises(DockerConfigError, match="docker-credential-own erase failed: no keychain"):
        run_helper("own", "erase", HOST)


def test_a_helper_that_says_nothing_is_told(program):
    program("exit 1")
    with pytest.raises(DockerConfigError, match="store failed"):
        run_helper("own", "store", "")


def test_a_helper_that_is_missing_is_told():
    with pytest.raises(DockerConfigError, match="docker-credential-nix, which is not installed"):
        run_helper("nix", "store", "")


def test_a_helper_that_hangs_is_told(program, monkeypatch):
    monkeypatch.setattr("aioregistry.cli.docker.config._HELPER_SECONDS", 0.1)
    program("exec sleep 60")
    with pytest.raises(DockerConfigError, match="did not answer"):
        run_helper("own", "store", "")


def test_the_folder_is_dockers(tmp_path, monkeypatch):
    assert docker_config_path({"DOCKER_CONFIG": "/d"}).as_posix() == "/d/config.json"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert docker_config_path({}) == tmp_path / ".docker/config.json"
