"""Every command, in every mixture of terminal, pipe and file on its three streams."""

import itertools
import json
import re

import pytest

from tests.cli.mixtures import KINDS, run

TAGS = 450
# Three parts of all mixtures, in each of which any two streams meet in every way.
PARTS = [
    [
        tuple(KINDS[kind] for kind in kinds)
        for kinds in itertools.product(range(3), repeat=3)
        if sum(kinds) % 3 == part
    ]
    for part in range(3)
]
# Those in which people use a command most, and in which it has failed.
USUAL = [
    ("terminal", "terminal", "terminal"),
    ("terminal", "pipe", "terminal"),
    ("terminal", "file", "terminal"),
    ("file", "terminal", "pipe"),
]
ESCAPE = re.compile(r"\x1b")

# Each with what must be on stdout, once a row, and how many rows that is.
COMMANDS = {
    "tags web --quiet": (r"^t\d{3}$", TAGS),
    "tags web --sort name --quiet": (r"^t\d{3}$", TAGS),
    "tags web": (r"^t\d{3} ", TAGS),
    "tags web -o ndjson": (r'"tag": "t\d{3}"', TAGS),
    "tags web -o csv --columns tag,digest": (r"^t\d{3},sha256:[0-9a-f]{64}$", TAGS),
    "tags web -o json --columns tag --sort size": (r'"tag": "t\d{3}"', TAGS),
    "tags web --no-trunc --limit 3": (r"^t\d{3} .*sha256:[0-9a-f]{64}$", 3),
    "manifests web --quiet": (r"^sha256:[0-9a-f]{64}$", TAGS),
    "manifests web": (r"\bt\d{3}\b", TAGS),
    "repositories": (r"^web ", 1),
    "registry get": (r"^example ", 1),
    "registry list -q": (r"^example$", 1),
    "options tiers": (r"^basic ", 1),
    "options regions -q": (r"^fra1$", 1),
    "subscription": (r"^(professional|basic|starter) ", 1),
    "quota -o json": (r'"remaining": \d+', 1),
    "gc list -o csv": (r"^uuid,", 1),
    "gc status": (r"^no garbage collection is active$", 1),
    "validate-name free-one": (r"^free-one: available$", 1),
    "config show -o plain": (r"^registry +example ", 1),
    "delete-tags web t001 t002 --dry-run": (r"^example/web t00[12]$", 2),
    "credentials": (r'"auths"', 1),
    "kubernetes-manifest": (r"dockerconfigjson", 2),
    "cleanup plan --policy policy.toml --plan-file new.json": (r"^plan written to new.json", 1),
    "--version": (r"^aioregistry-do ", 1),
    "tags --help": (r"Exit codes: 0 success", 1),
}

# The same, of the matrix alone: they print as those above do.
MORE = {
    "usage": (r"^web ", 1),
    "usage -o json": (r'"name": "web"', 1),
    "inspect web:t001": (r"\btags: t001$", 1),
    "tag web:t001 stable --dry-run": (r"^stable ", 1),
    "untag web:t001 --dry-run": (r"^web:t001 ", 1),
    "copy web:t001 other --dry-run": (r"^t001 +copied", 1),
    "cleanup show plan.json": (r"\bweb\b", 1),
    "cleanup show plan.json -o md": (r"^\| web \|", 1),
    "cleanup runs -q": (r"^example-", 1),
    "cleanup explain web:t001 --policy policy.toml": (r"^kept: no rule decides on it$", 1),
    "cleanup check policy.toml": (r"^policy.toml: a valid policy$", 1),
    "cleanup schema": (r'"\$schema"', 1),
    "cleanup undo --list": (r"^nothing that was deleted can be restored", 1),
    "registry list": (r"^example ", 1),
    "man": (r"^\.SH NAME$", 1),
}

# Those that send nothing, and so have no bars to hide.
WITHOUT_BARS = ("--version", "man", "cleanup show", "cleanup check", "cleanup schema")

# Those whose rows must fit in the terminal.
TABLES = [
    line
    for line in COMMANDS
    if line.split()[0] in {"tags", "manifests", "repositories", "registry", "options", "gc"}
    and not {"-o", "--no-trunc", "--quiet"} & set(line.split())
]


@pytest.fixture
def filled(shell, monkeypatch):
    for number in range(TAGS):
        shell.sandbox.state.push("example", "web", [f"t{number:03}"])
    monkeypatch.setenv("AIOREGISTRY_REGISTRY", "example")
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shell.run("cleanup", "plan", "--policy", "policy.toml")
    (shell.folder / "deletes.toml").write_text('[[rules]]\ntags = "t00*"\ndelete = true\n')
    shell.run("cleanup", "plan", "--policy", "deletes.toml", "--plan-file", "plan.json")
    return shell


def check(shell, line, stdin, stdout, stderr, columns, bars):
    words = line.split()
    if not bars and not line.startswith(WITHOUT_BARS) and "--help" not in words:
        words.append("--no-progress")
    ended = run(shell.folder, words, stdin, stdout, stderr, columns)
    assert ended.code == 0, (ended.out, ended.err)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.out)
    pattern, count = (COMMANDS | MORE)[line]
    assert len(re.findall(pattern, plain, re.MULTILINE)) == count, (ended.out, ended.err)
    # No row, and nothing of one, is anywhere else.
    assert not re.search(r"\bt\d{3}\b", ended.err)
    if stdout != "terminal":
        assert not ESCAPE.search(ended.out)
    if stderr != "terminal":
        assert not ESCAPE.search(ended.err)
    if "json" in line.split() and "-o" in line.split():
        json.loads(plain)
    if stdout == "terminal" and line in TABLES:
        assert max(map(len, plain.splitlines())) <= columns
    (shell.folder / "new.json").unlink(missing_ok=True)


@pytest.mark.parametrize("line", COMMANDS)
def test_rows_go_to_stdout_in_the_usual_mixtures(filled, line):
    for cell in USUAL:
        check(filled, line, *cell, columns=80, bars=True)


@pytest.mark.exhaustive
@pytest.mark.slow(3)
@pytest.mark.parametrize(("nth", "line"), list(enumerate(COMMANDS | MORE)))
def test_rows_go_to_stdout_whichever_two_streams_meet(filled, nth, line):
    # What takes all three streams is the same code for every command: neighbours share it out.
    for cell, bars in zip(PARTS[nth % 3], itertools.cycle((True, False)), strict=False):
        # Narrow where a table on stdout has to fit although stdin is no terminal.
        check(filled, line, *cell, columns=200 if cell[0] == "terminal" else 80, bars=bars)


@pytest.mark.parametrize(("stdin", "stderr"), list(itertools.product(KINDS, KINDS)))
def test_a_disk_that_is_full_is_an_error_of_one_line_in_every_mixture(filled, stdin, stderr):
    ended = run(filled.folder, ["tags", "web"], stdin, "full", stderr)
    assert ended.code == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.err)
    assert "output: No space left on device" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("stdout", "stderr"), list(itertools.product(KINDS, KINDS)))
def test_names_on_stdin_leave_the_question_to_the_terminal(filled, stdout, stderr):
    ended = run(
        filled.folder,
        ["delete-tags", "web", "-"],
        "pipe",
        stdout,
        stderr,
        typed="t001\nt002\n",
        answer="y\n",
    )
    if "terminal" in {stdout, stderr}:
        assert (ended.code, filled.deletes()) == (0, 2)
    else:
        assert (ended.code, filled.deletes()) == (2, 0)
        assert "no terminal to ask on" in ended.err
