"""Help: it loads quickly, gives an example, and speaks plain English, as do errors."""

import ast
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aioregistry
from aioregistry.cli.app import _COMMANDS, app
from tests.cli.test_app import ALL

PACKAGE = Path(aioregistry.__file__).parent
HEAVY = ("aiohttp", "yarl", "aioregistry.client.client", "aioregistry.cleanup", "redis")
LOADED = f"""
import sys
from aioregistry.cli import main
for command in sys.argv[1:]:
    sys.argv = ["aioregistry", *command.split(), "--help"]
    try:
        main()
    except SystemExit:
        pass
    loaded = [name for name in {HEAVY} if name in sys.modules]
    if loaded:
        sys.exit(f"{{command}}: {{loaded}}")
"""
COMMANDS = [(), *(words for words, _ in ALL)]
RETIRED = [
    r"\bnot so\b",
    r"\bspeaks? of\b",
    r"\bspeaking\b",
    r"\btells?\b",
    r"\b(is|was|are|were) (not )?there\b",
    r"\bgoes on\b",
    r"\bgone already\b",
    r"\bleft alone\b",
    r"\bother way round\b",
    r"\bone a line\b",
    r"\bso many\b",
    r"\bso much\b",
    r"\bno such word\b",
    r"\bwords? of the server\b",
    r"\bserver's word\b",
    r"\bdone; 1, \b",
    r"\bminted?\b",
    r"\bsettled\b",
    r"\bmaybe done\b",
    r"\bDELETEs done\b",
    r"\bmakes? no sense\b",
    r"\bin force\b",
]


def retired(text: str) -> list[str]:
    return [found[0] for word in RETIRED for found in re.finditer(word, text)]


@cache
def help_of(words: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return result.output


@pytest.mark.slow(1)
def test_help_loads_neither_the_client_nor_the_clean_up():
    commands = ["", *_COMMANDS]
    words = [sys.executable, "-c", LOADED, *commands]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.count("Usage:") == len(commands)


@pytest.mark.slow(4)
@pytest.mark.parametrize("columns", [60, 80])
def test_help_in_a_narrow_terminal_cuts_no_name_off(columns):
    for words in COMMANDS:
        environment = {"COLUMNS": str(columns)}
        output = CliRunner().invoke(app, [*words, "--help"], env=environment).output
        names = set(re.findall(r"--[a-z][a-z-]+", help_of(words)))
        assert names <= set(re.findall(r"--[a-z][a-z-]+", output)), words
        assert max(map(len, output.splitlines())) <= columns
        # All that the wide one says, but for the types of options and the order.
        wide = re.sub(r"<[^>]*>", "", help_of(words))
        missing = set(re.findall(r"[\w']+", wide)).difference(re.findall(r"[\w']+", output))
        assert missing == set(), words


def test_help_shows_no_types_of_python():
    types = re.compile(r"<(?:bool|str|int|float|list)\b[^>]*>")
    found = {words: types.findall(help_of(words)) for words in COMMANDS}
    assert {words: shown for words, shown in found.items() if shown} == {}


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("tags",), "tags [OPTIONS] [REPO]"),
        (("tag",), "tag [OPTIONS] REPO:TAG|REPO@DIGEST NEW..."),
        (("delete-tags",), "delete-tags [OPTIONS] REPO [NAME]..."),
    ],
)
def test_usage_is_what_can_be_typed(words, usage):
    assert f" {usage} \n" in re.sub(" +", " ", help_of(words))


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("tags -o xml", r"'xml' is not one of 'table', 'plain', 'json', 'ndjson', 'csv';"),
        ("gc start --type blob", r"'blob' is not one of 'blobs', 'manifests', 'both';"),
        # The words differ between versions of typer.
        ("tags --limit 0", r"'?0'? (should be|is not)"),
        ("tags --limit 1.5", r"'1\.5' (should be|is not)"),
        ("quota --headroom half", r"'half' (should be|is not)"),
    ],
)
def test_an_error_names_the_value_that_is_wrong(words, value):
    result = CliRunner().invoke(app, words.split(), env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert re.search(f": {value}", result.stderr)


def test_help_is_plain_english():
    found = {words: retired(help_of(words)) for words in COMMANDS}
    assert {words: text for words, text in found.items() if text} == {}


def test_every_command_has_an_example_of_itself():
    for words, _ in ALL:
        text = " ".join(help_of(words).split())
        (example,) = re.findall(r"Example: (.*?) Exit codes:", text)
        assert f"aioregistry {' '.join(words)}" in example
        assert shlex.split(example)


def test_every_command_and_its_example_is_in_the_guide():
    guide = (PACKAGE / "cli/README.md").read_text().replace("\\|", "|")
    for words, command in ALL:
        (example,) = re.findall(r"Example: `(.*?)`\n", command.epilog)
        assert f"| `{example}` |" in guide, words


def test_completion_is_installed_at_the_root_alone():
    assert [words for words in COMMANDS if "--install-completion" in help_of(words)] == [()]


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").rglob("README.md")), ids=str)
def test_guides_of_the_command_line_are_plain_english(path):
    assert retired(path.read_text()) == []


def texts(path: Path):
    """Yield the texts of a module that people can read: no docstrings, no names."""
    tree = ast.parse(path.read_text())
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.value


def test_errors_and_reasons_are_plain_english():
    found = [(path, text, retired(text)) for path in PACKAGE.rglob("*.py") for text in texts(path)]
    assert [each for each in found if each[-1]] == []


def test_lists_load_no_clean_up(shell):
    shell.builder.image("main")
    shell.run("config", "set", "registry", "example")
    code = (
        "import sys; from aioregistry.cli import main\n"
        "try: main()\n"
        "finally: print(*[name for name in sys.modules if name.startswith('aioregistry.cleanup')])"
    )
    words = ["tags", "web", "--larger-than", "1", "--sort", "size", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["main"]
