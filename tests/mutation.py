"""Writes the table of tests/MUTATION.md from what mutmut has found.

``pip install mutmut && mutmut run && python -m tests.mutation``
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

PAGE = Path(__file__).with_name("MUTATION.md")
# What is below is written by hand.
EXPLAINED = "## What survives"
# A test that hangs has noticed something.
NOTICED = {"killed", "timeout", "segfault", "suspicious"}


def found() -> dict[str, Counter[str]]:
    """Return how many mutants of each module ended how."""
    command = [sys.executable, "-m", "mutmut", "results", "--all", "true"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    modules: dict[str, Counter[str]] = {}
    for line in told.splitlines():
        name, _, status = line.strip().rpartition(": ")
        modules.setdefault(name.rpartition(".")[0], Counter())[status] += 1
    return modules


def row(name: str, ended: Counter[str]) -> str:
    killed = sum(ended[status] for status in NOTICED)
    return f"| {name} | {ended.total():,} | {killed:,} | {killed / ended.total():.1%} |\n"


def main() -> None:
    modules = found()
    if unchecked := sum(ended["not checked"] for ended in modules.values()):
        sys.exit(f"{unchecked} mutants are not checked: mutmut run")
    table = "| module | mutants | killed | score |\n|---|---:|---:|---:|\n"
    table += "".join(row(f"`{name}`", modules[name]) for name in sorted(modules))
    table += row("all", sum(modules.values(), Counter()))
    before, _, rest = PAGE.read_text().partition("| module")
    _, heading, explained = rest.partition(EXPLAINED)
    PAGE.write_text(f"{before}{table}\n{heading}{explained}")
    sys.stdout.write(table)


if __name__ == "__main__":
    main()
