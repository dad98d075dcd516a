"""Mutants of the modules that pyproject.toml names, made by mutmut, and a sample of them."""

import difflib
import hashlib
import re
import shutil
import tomllib
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from random import Random

from attrs import frozen
from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).parents[2]
# The tests import the mutated package from here.
WORK = ROOT / "build" / "mutation"
_KEPT = ROOT / "build" / "mutants"
_COPIED = ("aioregistry", "tests", "benchmarks", "pyproject.toml", "README.md")


@frozen
class Mutant:
    """One change in one function.

    Attributes:
        module: The module's dotted name.
        name: Its name within the module; one module never has two of a name.
    """

    module: str
    name: str

    @property
    def key(self) -> str:
        """What mutmut's trampolines know it by."""
        return f"{self.module}.{self.name}"

    @property
    def function(self) -> str:
        """What mutmut's trampolines call the function that is changed."""
        return self.key.partition("__mutmut_")[0]


def settings() -> dict:
    """Return what pyproject.toml says of mutmut."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]


def make_mutants() -> dict[str, list[Mutant]]:
    """Copy package and tests, write all mutants into the copy, and return them by module."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, WORK / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, WORK / name)
    chosen = settings()["only_mutate"]
    found: dict[str, list[Mutant]] = {}
    for path in sorted((WORK / "aioregistry").rglob("*.py")):
        within = path.relative_to(WORK)
        module = ".".join(within.with_suffix("").parts)
        if not any(fnmatch(str(within), pattern) for pattern in chosen):
            continue
        code = _mutated(str(within), path.read_text())
        names = re.findall(r"^ *(?:async )?def (x\w*__mutmut_\d+)\(", code, re.MULTILINE)
        if names:
            path.write_text(code)
            found[module] = [Mutant(module, name) for name in names]
    return found


def _mutated(name: str, source: str) -> str:
    """Return the code of a module with all of its mutants; what was made once is kept."""
    kept = _KEPT / hashlib.sha256(f"{version('mutmut')} {name}\n{source}".encode()).hexdigest()
    if not kept.exists():
        _KEPT.mkdir(parents=True, exist_ok=True)
        kept.write_text(mutate_file_contents(name, source).code)
    return kept.read_text()


def sample(module: str, mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return at most so many mutants of a module, in a random order that the seed decides.

    A smaller sample is the beginning of a larger one.
    """
    order = list(mutants)
    Random(f"{seed} {module}").shuffle(order)
    return order[:size]


def diff(mutant: Mutant) -> str:
    """Return what a mutant changes."""
    path = WORK.joinpath(*mutant.module.split(".")).with_suffix(".py")
    code = path.read_text()
    name = mutant.name.partition("__mutmut_")[0]
    before = _function(code, f"{name}__mutmut_orig")
    after = [
        line.replace(mutant.name, f"{name}__mutmut_orig") for line in _function(code, mutant.name)
    ]
    lines = difflib.unified_diff(before, after, lineterm="", n=1)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _function(code: str, name: str) -> list[str]:
    found = re.search(rf"^( *)(?:async )?def {re.escape(name)}\(", code, re.MULTILINE)
    assert found is not None, name
    lines = code[found.start() :].splitlines()
    inside = f"{found[1]} "
    end = next(
        (
            nth
            for nth, line in enumerate(lines)
            if nth and line.strip() and not line.startswith((inside, f"{found[1]})"))
        ),
        len(lines),
    )
    return [
        line.removesuffix("  # type: ignore # mutmut generated").rstrip() for line in lines[:end]
    ]
