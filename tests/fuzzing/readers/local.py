"""Readers of files on the user's own machine, Docker's and doctl's among them."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from aioregistry.api.names import check_repository, check_tag
from aioregistry.cli.demo.history import HistoryError, read_history
from aioregistry.cli.docker.config import DockerConfig, DockerConfigError
from aioregistry.cli.docker.credential_helper import _host
from aioregistry.cli.docker.kept import Kept
from aioregistry.cli.options import Access
from aioregistry.cli.settings.config_file import SettingsError, read_config
from aioregistry.cli.settings.doctl import doctl_token
from aioregistry.cli.settings.settings import Settings
from aioregistry.sandbox.calls.pages import _name_in, page_token
from aioregistry.sandbox.faults import Faults
from aioregistry.sandbox.refusal import Refusal
from aioregistry.sandbox.seed import generated_state, history_state
from aioregistry.sandbox.state.images import config_of, document_of
from aioregistry.sandbox.state.state import State
from aioregistry.sandbox.statefile import load_state, state_from_json, state_to_json
from tests.fuzzing.readers.reader import Reader, file_of, is_sound, text_of

_HOST = "registry.digitalocean.com"


def read_docker_config(document: bytes) -> None:
    """Docker's configuration keeps all that is in it when credentials come and go."""
    with file_of(document) as path:
        config = DockerConfig.load(path)
        with suppress(DockerConfigError):
            assert config.helper_for(_HOST) is None or is_sound(config.helper_for(_HOST))
        changed = config.with_auth(_HOST, {"auth": "x"}).with_helper("other", "aioregistry")
        changed.save(path)
        again = DockerConfig.load(path)
        assert again.document.keys() == {*config.document, "auths", "credHelpers"}
        assert again.document["auths"][_HOST] == {"auth": "x"}
        assert again.helper_for("other") == "aioregistry"
        left = again.without_auth(_HOST).without_helper("other").document
        assert {key: left.get(key) for key in left if key not in {"auths", "credHelpers"}} == {
            key: value
            for key, value in again.document.items()
            if key not in {"auths", "credHelpers"}
        }


def read_settings(document: bytes) -> None:
    """A configuration file says texts; what else is in it is refused, sooner or later."""
    with file_of(document, ".toml") as path:
        config = read_config(path)
        for values in config.profiles.values():
            assert all(type(value) is str and value for value in values.values())
        for name in list(config.profiles)[:3]:
            settings = Settings.load(Access(profile=name), {"AIOREGISTRY_CONFIG": str(path)})
            assert type(settings.read_write) is bool
            assert settings.expiry is None or settings.expiry > 0
            assert is_sound(settings.registry_host)


def read_doctl(document: bytes) -> None:
    """doctl's configuration gives a token, or none."""
    with file_of(document, ".yaml") as path:
        found = doctl_token(path, None)
        assert found is None or all(type(said) is str and said for said in found)
        token, context = doctl_token(path, "work") or ("", "")
        assert token
        assert context == "work"


def read_pushes(document: bytes) -> None:
    """A history makes a registry with as many images, each with its tags."""
    with file_of(document) as path:
        history = read_history(path)
    check_repository(history.repository_name)
    for push in history.pushes:
        assert len(check_tag(push.commit_tag)) == 12
        assert push.at.astimezone(UTC)
    for keep in (0, 1, 10**6):
        assert len(history.newest_commits(keep)) >= min(
            keep, len({push.commit_tag for push in history.pushes} - history.releases)
        )
    state = history_state(msgspec.to_builtins(history))
    assert state.tag_names("example", history.repository_name)


def read_state(document: bytes) -> None:
    """A state that is understood is written as it is read, and can be shown."""
    with file_of(document) as path:
        state = load_state(path)
    try:
        _show(state)
    except ValueError as error:
        raise AssertionError("it cannot be shown") from error


def _show(state: State) -> None:
    written = state_to_json(state)
    assert state_to_json(state_from_json(json.loads(json.dumps(written)))) == written
    for registry in state.registries.values():
        assert registry.storage_bytes == sum(registry.blobs.values())
        assert all(size >= 0 for size in registry.blobs.values())
        for at in (registry.created_at, registry.storage_at):
            assert datetime.fromtimestamp(at / 1e6, UTC)
        for repository in registry.repositories.values():
            check_repository(repository.name)
            for tag in repository.tags.values():
                check_tag(tag.name)
                assert datetime.fromtimestamp(tag.at / 1e6, UTC)
            for manifest in repository.newest_manifests:
                assert registry.size_of(manifest) >= 0
                assert document_of(registry, manifest) is not None
                assert manifest.form.document is not None or config_of(manifest)
                assert datetime.fromtimestamp(manifest.at / 1e6, UTC)
                assert is_sound(f"{manifest.form.media_type}{manifest.form.platform.upper()}")


def read_faults(document: bytes) -> None:
    """Faults strike requests, whatever they are."""
    with file_of(document) as path:
        faults = Faults.load(path)
    for fault in faults.strike("GET", "/v2/registry/{registry}/repositories/{repository}/tags"):
        assert 0 <= fault.seconds < 10**9
    assert Faults.from_json(json.loads(json.dumps(faults.as_json()))).as_json() == faults.as_json()


def read_page_token(document: bytes) -> None:
    """A page token of the sandbox is a repository's name, or a 400."""
    name = _name_in(text_of(document))
    assert page_token(name)


def read_host(document: bytes) -> None:
    """What Docker hands its helper is a host; what the helper keeps is credentials, or nothing."""
    _host(text_of(document))
    with file_of(document) as path:
        kept = Kept.read(path)
    assert kept is None or type(kept.username) is type(kept.password) is str


_CONFIG = b"""profile = "work"

[profiles.work]
registry = "example"
api-url = "https://api.digitalocean.com"
token = "abc"
read-write = true
expiry = "1h30m"

[profiles."at home"]
registry-url = "https://registry.example:5000/"
token-file = "~/token"
"""
_DOCTL = b"""access-token: abc
auth-contexts:
  work: def
  home: ghi
context: work
output: text
tag: {create: {tag-name: ""}}
"""
_PUSH = {
    "at": "2024-03-01T10:00:00Z",
    "sha": "0123456789abcdef0123456789abcdef01234567",
    "on_default_branch": True,
    "releases": ["v1.0.0"],
}
_DOCKER = {
    "auths": {_HOST: {"auth": "dXNlcjpzZWNyZXQ="}, "index.docker.io": {}},
    "credHelpers": {"gcr.io": "gcloud"},
    "credsStore": "desktop",
    "HttpHeaders": {"User-Agent": "x"},
    "psFormat": "é",
}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


READERS = (
    Reader(
        "docker-config",
        read_docker_config,
        (DockerConfigError,),
        (_json(_DOCKER), json.dumps(_DOCKER, indent=1).encode(), b"", b'{"auths": null}'),
    ),
    Reader("settings", read_settings, (SettingsError,), (_CONFIG,)),
    Reader("doctl", read_doctl, (SettingsError,), (_DOCTL, b'{"auth-contexts": {"work": "x"}}')),
    Reader(
        "history",
        read_pushes,
        (HistoryError,),
        (
            _json({"repository": "owner/name", "pushes": [_PUSH, _PUSH | {"sha": "b" * 64}]}),
            _json({"repository": "a/b/Web-1", "pushes": [_PUSH | {"releases": []}]}),
        ),
    ),
    Reader(
        "state",
        read_state,
        (ValueError, json.JSONDecodeError, UnicodeDecodeError),
        (_json(state_to_json(generated_state(3))),),
    ),
    Reader(
        "faults",
        read_faults,
        (ValueError, json.JSONDecodeError, UnicodeDecodeError),
        (
            b'{"seed": 1, "faults": [{"kind": "delay", "seconds": 1.5, "spread": "uniform"}]}',
            b'{"faults": [{"kind": "html", "route": "*/tags", "times": 2, "chance": 0.5}]}',
        ),
    ),
    Reader("page-token", read_page_token, (Refusal,), (page_token("my/web").encode(),)),
    Reader(
        "docker-helper",
        read_host,
        (),
        (
            b"https://registry.digitalocean.com/v1/\n",
            b'{"Username": "x", "Secret": "y", "renew_at": 1e12}',
        ),
    ),
)
