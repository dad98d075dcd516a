"""Files that people write, as editors and shells of any system leave them."""

import codecs

import pytest

from aioregistry.fleet.file import load_fleet

MARKED = {
    "a byte order mark": "utf-8-sig",
    "UTF-16 of PowerShell": "utf-16",
}
encodings = pytest.mark.parametrize("encoding", MARKED.values(), ids=MARKED)
PODS = """{"apiVersion": "v1", "kind": "List", "items": [
  {"kind": "Pod", "spec": {"containers": [{"image": "HOST/example/web:pr-1"}]}}
]}"""
FLEET = """
[[registries]]
name = "example"
token = { env = "TOKEN" }
policy = "policy.toml"
"""


@pytest.fixture
def filled(shell):
    for name in ("pr-1", "pr-2", "main", "other"):
        shell.builder.image(name)
    return shell


def rewrite(path, encoding: str) -> None:
    path.write_text(path.read_text(), encoding=encoding, newline="\r\n")
    assert path.read_bytes().startswith((codecs.BOM_UTF8, codecs.BOM_UTF16))


@encodings
def test_a_policy_a_plan_and_what_is_in_use(filled, encoding):
    rewrite(filled.folder / "policy.toml", encoding)
    host = filled.sandbox.url.removeprefix("http://")
    (filled.folder / "pods.json").write_text(PODS.replace("HOST", host))
    rewrite(filled.folder / "pods.json", encoding)
    asked = ["--in-use", "pods.json"]
    assert filled.run("cleanup", "check", "policy.toml").exit_code == 0
    planned = filled.run(
        *("cleanup", "plan", "--policy", "policy.toml", *asked, "--plan-file", "plan.json")
    )
    assert planned.exit_code == 0, planned.stderr
    rewrite(filled.folder / "plan.json", encoding)
    assert filled.run("cleanup", "show", "plan.json", "-o", "csv").stdout.count("pr-2") == 1
    applied = filled.run("cleanup", "apply", "plan.json", "--yes", *asked)
    assert applied.exit_code == 0, applied.stderr
    assert filled.tags() == {"pr-1", "main", "other"}


def test_names_from_stdin(filled):
    deleted = filled.run("delete-tags", "web", "-", "--yes", stdin="\ufeffpr-1\r\npr-2\r\n")
    assert deleted.exit_code == 0, deleted.stderr
    assert filled.tags() == {"main", "other"}


def test_a_token(filled, monkeypatch):
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    (filled.folder / "token").write_text(filled.sandbox.token, encoding="utf-8-sig")
    listed = filled.run("tags", "web", "--token-file", "token", "-q")
    assert listed.exit_code == 0, listed.stderr


@encodings
def test_a_configuration(filled, encoding):
    path = filled.folder / "config/aioregistry/config.toml"
    filled.run("config", "set", "registry", "example")
    rewrite(path, encoding)
    shown = filled.run("config", "show", "-o", "csv")
    assert shown.exit_code == 0, shown.stderr
    assert "registry,example," in shown.stdout


@encodings
def test_a_fleet(filled, encoding):
    path = filled.folder / "fleet.toml"
    path.write_text(FLEET)
    rewrite(path, encoding)
    assert list(load_fleet(path).registries) == ["example"]


@pytest.mark.parametrize(
    "words",
    [
        "cleanup plan example --policy latin",
        "cleanup plan example --policy policy.toml --in-use latin",
        "config show",
        "config set registry example",
        "deploy cron example --policy latin",
        "cleanup run example --policy policy.toml --notify true --notify-template latin",
    ],
)
def test_a_file_in_another_encoding_is_named(filled, monkeypatch, words):
    latin = filled.folder / "latin.toml"
    latin.write_bytes(b"# caf\xe9\n")
    if words.startswith("config"):
        monkeypatch.setenv("AIOREGISTRY_CONFIG", str(latin))
    result = filled.run(*words.replace("latin", "latin.toml").split())
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith("latin.toml: not a text in UTF-8")
    assert "codec" not in line


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("cleanup check -", 1),
        ("cleanup plan example --policy policy.toml --in-use -", 2),
        ("delete-tags web - --yes", 2),
    ],
)
def test_so_is_stdin_in_another_encoding(filled, words, code):
    result = filled.run(*words.split(), stdin=b"caf\xe9\n")
    assert result.exit_code == code
    assert result.output.splitlines()[-1].endswith("stdin: not a text in UTF-8")
