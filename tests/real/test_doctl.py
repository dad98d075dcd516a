"""doctl and our commands, side by side on a sandbox: what each sends, prints and misses.

Needs doctl on the PATH. Seen with 1.166.0, the newest that the Go module proxy serves, built by
``go build github.com/digitalocean/doctl/cmd/doctl`` in a module that requires it.
"""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from aioregistry.cli.app import app
from aioregistry.sandbox import Fault, Faults, Phases, Sandbox, State
from aioregistry.testing.background import running_sandbox

DOCTL = shutil.which("doctl")
pytestmark = [
    pytest.mark.skipif(DOCTL is None, reason="needs doctl: snap install doctl"),
    pytest.mark.slow(1),
]
HOST = "registry.digitalocean.com"
TAGS = 450


class Account:
    """An account with a registry, asked by doctl and by us."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder

    def doctl(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(DOCTL), "--api-url", self.sandbox.url, "--http-retry-max", "0", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def doctl_json(self, *arguments: str) -> Any:
        return json.loads(self.doctl(*arguments, "-o", "json"))

    def ours(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    def stdout(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    def ours_json(self, *arguments: str) -> Any:
        return json.loads(self.stdout(*arguments, "-o", "json"))

    def sent(self) -> list[str]:
        """Method, path and query of what was sent since this was last asked."""
        lines = [f"{one.method} {one.raw_path}" for one in self.sandbox.requests]
        self.sandbox._record.clear()
        return lines

    def tags(self) -> set[str]:
        return set(self.sandbox.state.registry("example").repository("web").tags)

    def docker(self) -> dict[str, Any]:
        return json.loads((self.folder / "docker/config.json").read_text())

    def is_valid(self, auth: str) -> bool:
        password = base64.b64decode(auth).decode().partition(":")[2]
        return self.sandbox.state.keyring.find(password, self.sandbox.state.clock()) is not None


@pytest.fixture
def account(tmp_path, monkeypatch) -> Iterator[Account]:
    state = State()
    state.add_registry("example")
    state.phases = Phases(*[60] * 6)
    for number in range(TAGS):
        state.push("example", "web", [f"v{number}"])
    state.push("example", "app/api", ["v1"])
    with running_sandbox(Sandbox(state)) as sandbox:
        for name in list(os.environ):
            if name.startswith(("AIOREGISTRY_", "DIGITALOCEAN_", "XDG_")):
                monkeypatch.delenv(name)
        for name, value in {
            "HOME": str(tmp_path),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
            "DIGITALOCEAN_ACCESS_TOKEN": sandbox.token,
            "AIOREGISTRY_API_URL": sandbox.url,
            "AIOREGISTRY_REGISTRY_URL": sandbox.url,
        }.items():
            monkeypatch.setenv(name, value)
        yield Account(sandbox, tmp_path)


# Lists


def test_both_list_the_same(account):
    assert [one["name"] for one in account.doctl_json("registries", "list")] == ["example"]
    assert [one["name"] for one in account.ours_json("registry", "list")] == ["example"]
    theirs = {one["name"] for one in account.doctl_json("registry", "repository", "list-v2")}
    assert theirs == {one["name"] for one in account.ours_json("repositories")}
    for kind, key in (("tags", "tag"), ("manifests", "digest")):
        for repository in ("web", "app/api"):
            them = account.doctl_json("registry", "repository", f"list-{kind}", repository)
            us = account.ours_json(kind, repository, "--columns", "all")
            assert {one[key] for one in them} == {one[key] for one in us}


def test_registries_lists_one_page_without_a_word(account):
    for kind in ("tags", "manifests"):
        listed = account.doctl("registries", "repository", f"list-{kind}", "example", "web")
        assert len(listed.splitlines()) == 1 + 200
        assert len(account.ours(kind, "web", "-q").split()) == TAGS


def test_registry_drops_a_page_that_fails_without_a_word(account):
    refused = Fault(kind="status", status=400, route="*/tags", skip=2, times=1)
    account.sandbox.faults = Faults(refused)
    listed = account.doctl("registry", "repository", "list-tags", "web")
    assert len(listed.splitlines()) < 1 + TAGS
    assert "rror" not in listed
    account.sandbox.faults = Faults(refused)
    assert "400" in account.ours("tags", "web", "-q", code=1)


def test_format_and_no_header_are_ignored_below_repository(account):
    listed = account.doctl(
        *("registry", "repository", "list-tags", "app/api", "--format", "Tag", "--no-header")
    )
    assert listed.startswith("Tag ")
    assert "sha256:" in listed
    assert account.doctl("registry", "get", "--format", "Name", "--no-header") == "example\n"
    assert account.ours("tags", "app/api", "--columns", "tag", "--no-header") == "v1\n"


# Deletes


def test_both_delete_tags_and_report_those_that_are_not_there(account):
    said = account.doctl(
        "registry", "repository", "delete-tag", "web", "v1", "no", "v2", "-f", code=1
    )
    assert "tags/no: 404" in said
    assert account.tags().isdisjoint({"v1", "v2"})
    # What is not there is no failure: it is what was asked for.
    assert "no: does not exist" in account.ours("delete-tags", "web", "v3", "no", "v4", "--yes")
    assert account.tags().isdisjoint({"v3", "v4"})


def test_both_refuse_to_delete_without_a_terminal(account):
    for said in (
        account.doctl("registry", "repository", "delete-tag", "web", "v1", code=1),
        account.ours("delete-tags", "web", "v1", code=2),
    ):
        assert "force" in said or "--yes" in said
    assert "v1" in account.tags()


def test_doctl_deletes_a_manifest_that_a_kept_image_needs(account):
    state = account.sandbox.state
    child = state.push("example", "multi")
    state.push_index("example", "multi", [child], ["v1"])
    kept = account.ours("delete-manifests", "multi", child, "--yes", code=1)
    assert "kept: part of sha256:" in kept
    account.doctl("registry", "repository", "delete-manifest", "multi", child, "--force")
    assert state.registry("example").repository("multi").find(child) is None


# Garbage collections


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        ((), "unreferenced blobs only"),
        (("--include-untagged-manifests",), "untagged manifests and unreferenced blobs"),
        (
            ("--include-untagged-manifests", "--exclude-unreferenced-blobs"),
            "untagged manifests only",
        ),
    ],
)
def test_garbage_is_collected_by_both(account, theirs, kind):
    state = account.sandbox.state
    account.doctl("registry", "garbage-collection", "start", *theirs, "--force")
    active = state.active_collection("example")
    assert active.kind == kind
    assert active.uuid in account.doctl("registry", "garbage-collection", "get-active")
    assert active.uuid in account.ours("gc", "status")
    account.doctl("registry", "garbage-collection", "cancel", active.uuid)
    assert active.status == "cancelling"
    for listed in (
        account.doctl("registry", "garbage-collection", "list"),
        account.ours("gc", "list"),
    ):
        assert active.uuid in listed


def test_a_loop_of_doctl_asks_for_the_registry_in_each_call(account):
    account.sent()
    account.doctl("registry", "repository", "list-tags", "web")
    listing = account.sent()
    assert listing.count("GET /v2/registry") == 1
    account.doctl("registry", "repository", "delete-tag", "web", "v1", "--force")
    assert account.sent() == [
        "GET /v2/registry",
        "DELETE /v2/registry/example/repositories/web/tags/v1",
    ]


# Docker


def test_what_a_login_may_and_how_long(account):
    account.doctl("registry", "login")
    assert "expiry_seconds=2592000&read_write=true" in account.sent()[-1]
    account.doctl("registry", "docker-config")
    assert account.sent()[-1].endswith("?read_write=false")
    account.ours("login")
    (ours,) = [one for one in account.sent() if "docker-credentials" in one]
    assert ours.endswith("?expiry_seconds=2592000")


def test_logout_of_both_revokes(account):
    revocation = f"--authorization-server-endpoint={account.sandbox.url}/v1/oauth/revoke"
    account.doctl("registry", "login")
    auth = account.docker()["auths"][HOST]["auth"]
    account.doctl("registry", "logout", revocation)
    assert not account.is_valid(auth)
    account.ours("login")
    (entry,) = account.docker()["auths"].values()
    account.ours("logout")
    assert not account.is_valid(entry["auth"])


def test_a_second_login_leaves_the_first_token_of_doctl_valid(account):
    account.doctl("registry", "login")
    first = account.docker()["auths"][HOST]["auth"]
    account.doctl("registry", "login")
    assert account.is_valid(first)


def test_pull_secrets(account):
    theirs = yaml.safe_load(account.doctl("registry", "kubernetes-manifest"))
    assert account.sent()[-1].endswith("?read_write=false")
    ours = json.loads(account.ours("kubernetes-manifest", "--all-namespaces"))
    assert theirs["type"] == ours["type"]
    copied = "digitalocean.com/dosecret-identifier"
    for key in ("name", "namespace"):
        assert theirs["metadata"][key] == ours["metadata"][key]
    assert theirs["metadata"]["annotations"][copied] == ours["metadata"]["annotations"][copied]
    # Of a name that Kubernetes refuses, doctl says nothing.
    account.doctl("registry", "kubernetes-manifest", "--name", "A_b")
    account.ours("kubernetes-manifest", "--name", "A_b", code=2)


def test_registries_annotates_a_pull_secret_with_the_registrys_name(account):
    secret = yaml.safe_load(
        account.doctl("registries", "kubernetes-manifest", "example", "--name", "pull")
    )
    (annotation,) = secret["metadata"]["annotations"].values()
    assert (secret["metadata"]["name"], annotation) == ("pull", "example")


# The rest


def test_options_and_quota(account):
    assert "basic" in account.doctl("registry", "options", "subscription-tiers")
    assert "fra1" in account.doctl("registry", "options", "available-regions")
    assert "5000" in account.doctl("account", "ratelimit")


def test_several_registries_must_be_named(account):
    account.sandbox.state.subscribe("professional")
    account.doctl("registries", "create", "second", "--subscription-tier", "professional")
    said = account.doctl("registry", "repository", "list-tags", "web", code=1)
    assert "specify one with --registry" in said
    named = account.doctl("registry", "repository", "list-tags", "app/api", "--registry", "example")
    assert "v1" in named
    assert "example, second" in account.ours("tags", "web", code=1)
    assert account.ours("tags", "example/app/api", "-q") == "v1\n"
    account.doctl("registries", "delete", "second", "--force")
    assert re.search(r"^DELETE /v2/registries/second$", "\n".join(account.sent()), re.MULTILINE)
