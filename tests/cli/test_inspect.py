"""The command `aioregistry inspect`."""

import io
import json

import pytest
from rich.console import Console

from aioregistry.cli.images.facts import document_of, nodes_of
from aioregistry.cli.images.inspecting import _lines, _tree
from aioregistry.images import ImageConfig, ImageInspection, InspectedLayer, InspectedManifest
from tests.images.pushing import put
from tests.images.test_copying import named, release
from tests.images.test_inspecting import image_with
from tests.real.images import Store

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def filled(shell):
    store = Store()
    shell.root = release(store)
    put(shell.sandbox, store, shell.root, "v1")
    put(shell.sandbox, store, store.image("other", [store.layer("base")]), "pr-1")
    put(shell.sandbox, store, store.signature(shell.root), named(shell.root, ".sig"))
    return shell


def test_plain_lines_in_a_pipe(filled):
    result = filled.run("inspect", "web:v1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"example/web@{filled.root['digest']}  index, ")
    assert "  tags: v1" in lines
    assert any(line.startswith("  linux/amd64  sha256:") for line in lines)
    assert any(line.startswith("  attestation of linux/amd64  sha256:") for line in lines)
    assert any(line.strip().startswith("signature of sha256:") for line in lines)
    assert any(line.endswith("shared with web:pr-1") for line in lines)
    assert any(line.strip() == "name=app amd64" for line in lines)


def test_layers_of_other_repositories_are_looked_for_when_asked(filled):
    store = Store()
    base = store.layer("base")
    put(filled.sandbox, store, store.image("elsewhere", [base]), "v1", to="api")
    assert "api:v1" not in filled.run("inspect", "web:v1").stdout
    assert "api:v1" in filled.run("inspect", "web:v1", "--all-repositories").stdout


def test_a_tree_cuts_no_tag_off(filled, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = filled.run("inspect", "web:v1", "-o", "tree")
    assert f"  {named(filled.root, '.sig')}\n" in result.stdout
    assert "├── tags: v1\n" in result.stdout
    assert filled.root["digest"] not in result.stdout
    assert (
        filled.root["digest"] in filled.run("inspect", "web:v1", "-o", "tree", "--no-trunc").stdout
    )


def test_json_for_programs(filled):
    document = json.loads(filled.run("inspect", "web:v1", "-o", "json").stdout)
    assert document["digest"] == filled.root["digest"]
    assert [one["kind"] for one in document["manifests"]].count("image") == 3
    assert document["manifests"][0]["children"]
    assert document["decisions"] == []


def test_values_of_the_environment_are_shown_when_asked_for(shell):
    store = Store()
    put(shell.sandbox, store, image_with(store, b'{"config": {"Env": ["TOKEN=secret"]}}'), "v1")
    for form in ("tree", "plain", "json"):
        asked = ("inspect", "web:v1", "-o", form)
        hidden, shown = shell.run(*asked), shell.run(*asked, "--show-env")
        assert (hidden.exit_code, shown.exit_code) == (0, 0)
        assert "secret" not in hidden.output
        assert "TOKEN" in hidden.output
        assert "secret" in shown.output


def test_a_policy_says_what_deletes_it(filled):
    result = filled.run("inspect", "web:pr-1", "--policy", "policy.toml")
    assert result.exit_code == 0, result.output
    assert "policy: pr-1 is deleted: matches pr-*" in result.stdout
    kept = filled.run("inspect", "web:v1", "--policy", "policy.toml", "-o", "json")
    (decision,) = json.loads(kept.stdout)["decisions"]
    assert (decision["tag"], decision["deleted"]) == ("v1", False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["web"], "names no image"),
        (["web:v1", "--policy", "missing.toml"], "No such file"),
        (["web:v1", "--in-use", "none"], "--in-use is for --policy"),
    ],
)
def test_wrong_usage_exits_with_2(filled, arguments, said):
    result = filled.run("inspect", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_missing_image_exits_with_1(filled):
    assert filled.run("inspect", "web:v9").exit_code == 1


def hostile() -> ImageInspection:
    config = ImageConfig(
        DIGEST,
        entrypoint=("\x1b[2J", "a b"),
        env={"TOKEN": "secret", "A\u202eB": ""},
        labels={"\x1b]0;x\x07": "x" * 100_000},
        ports=("[red]80[/red]",),
    )
    layers = tuple(InspectedLayer(DIGEST, "\x00", None) for _ in range(1_000))
    top = InspectedManifest(
        DIGEST,
        "image",
        "a/b\nfake: line",
        platform="linux/\x1b[31m",
        config=config,
        layers=layers,
        children=(DIGEST,),
        annotations={"a\r": "b\ud800"},
    )
    return ImageInspection("example", "web", DIGEST, ("v1",), None, (top,))


@pytest.mark.parametrize("short", [True, False])
def test_hostile_content_is_escaped_and_cut(short):
    root = nodes_of(hostile(), show_env=True, short=short, utc=True)
    lines = _lines(root)
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 400
    assert len(lines) < 200
    assert "(shown above)" in "\n".join(lines)
    screen = io.StringIO()
    Console(file=screen, width=10_000).print(_tree(root))
    assert "[red]80[/red]" in screen.getvalue()
    assert all(line.isprintable() for line in screen.getvalue().splitlines())
    json.dumps(document_of(hostile(), show_env=True)).encode()


def test_values_of_variables_are_shown_on_demand_alone():
    plain = "\n".join(_lines(nodes_of(hostile(), show_env=False, short=False, utc=True)))
    assert "TOKEN" in plain
    assert "secret" not in plain
    assert "secret" not in json.dumps(document_of(hostile(), show_env=False))
    shown = "\n".join(_lines(nodes_of(hostile(), show_env=True, short=False, utc=True)))
    assert "TOKEN=secret" in shown
