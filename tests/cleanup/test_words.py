"""The words of reasons, notes and errors: those of the glossary, and no others."""

import ast
import re
from pathlib import Path

import pytest

import aioregistry.cleanup

ROOMS = ("policy", "in_use", "plan")
FILES = [
    path
    for room in ROOMS
    for path in sorted((Path(aioregistry.cleanup.__file__).parent / room).glob("*.py"))
]
# What reasons were once written in; plain words have taken the place of each.
RETIRED = re.compile(
    r"\b(speaks? of|speaking|which goes|which stays|stays|goes|tells?|told|said|is there|are there"
    r"|nothing decides|no rule before|not here|left behind|what it|what is|whatever)\b"
)


def texts_of(source: str) -> list[tuple[int, str]]:
    """The texts of a file that users may read: all but docstrings."""
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_reasons_and_errors_are_in_plain_words(path):
    found = [
        f"line {line}: {text}"
        for line, text in texts_of(path.read_text("utf-8"))
        if RETIRED.search(text)
    ]
    assert not found


def test_a_retired_word_is_found():
    source = '"""It speaks of it."""\nreason = f"speaks of {digest}, which goes"\n'
    assert [text for _, text in texts_of(source) if RETIRED.search(text)] == [
        "speaks of ",
        ", which goes",
    ]
