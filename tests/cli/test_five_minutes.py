"""The README's five minutes with a registry, typed into a shell on a terminal of 80 columns.

`python -m tests.cli.test_five_minutes` prints what a newcomer sees.
"""

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import aioregistry
from tests.cli.terminal import Terminal

COLUMNS = 80
PROMPT = "$ "
README = Path(aioregistry.__file__).parent / "cli" / "README.md"


def section() -> str:
    text = README.read_text("utf-8")
    begin = text.index("## Five minutes with your own registry")
    return text[begin : text.index("\n## ", begin)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


def lines() -> list[str]:
    """The lines to type: those of a rehearsal, which has a token of its own."""
    (rehearsal,) = re.findall(r"`(eval [^`]*)`", section())
    (policy,) = blocks("toml")
    first, then = blocks("sh")
    commands = [line.partition("#")[0].strip() for line in (first + then).splitlines()]
    commands = [line for line in commands if not line.startswith("export ")]
    plan = next(n for n, line in enumerate(commands) if "--policy" in line)
    write = f"cat > policy.toml <<'END'\n{policy}END"
    return [rehearsal, *commands[:plan], write, *commands[plan:], "kill $AIOREGISTRY_SANDBOX_PID"]


def typed(home: Path) -> tuple[str, list[int]]:
    """Type it all, and return what the terminal showed, and the exit codes."""
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    kept |= {
        "HISTFILE": "",
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    environment = [f"{name}={value}" for name, value in (kept | {"PS1": PROMPT}).items()]
    shell = ("/usr/bin/env", "-i", f"-C{home}", *environment, "/bin/bash", "--norc", "--noprofile")
    codes = []
    with Terminal(program=(*shell, "-i"), columns=COLUMNS) as terminal:
        terminal.type("bind 'set enable-bracketed-paste off'\n")
        terminal.wait_for(r"paste off'\r?\n.*\$ $")
        begin = len(terminal.text)
        for number, line in enumerate(lines()):
            terminal.type(f"{line}\n")
            while True:
                found = terminal.wait_for(r"(?:\n|^)\$ $|\[y/N\]: $", after=begin)
                begin += found.end()
                if found[0].endswith(PROMPT):
                    break
                terminal.type("y\n")
            terminal.type(f"echo code=$? {number}\n")
            found = terminal.wait_for(rf"code=(\d+) {number}\n\$ $", after=begin)
            codes.append(int(found[1]))
            begin += found.end()
        terminal.type("exit\n")
        terminal.end()
        shown = re.sub(r"echo code=.*\ncode=.*\n\$ ", "", terminal.screen)
        return shown[shown.index(f"{PROMPT}eval") : shown.rindex(f"{PROMPT}exit")], codes


@pytest.mark.slow(10)
def test_all_of_it_works_as_told_and_fits_the_terminal(tmp_path):
    seen, codes = typed(tmp_path)
    assert codes == [0] * len(lines()), seen
    drawn = [line for line in seen.splitlines() if re.match(r"[╭│├╰]|\w+ +\d+ ", line)]
    assert max(map(len, drawn)) <= COLUMNS
    assert "Delete 20 tags and 20 manifests from 'example' (20 DELETEs)? [y/N]: y" in seen
    assert re.search(r"^│ deleted +│ 20 │ of 20 │$", seen, re.MULTILINE)
    assert re.search(r"^[\d.]+ MB in \d+ blobs freed$", seen, re.MULTILINE)
    # All that is left in what was an empty home.
    assert {path.name for path in tmp_path.iterdir()} <= {"policy.toml", ".cache", ".local"}


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        sys.stdout.write(typed(Path(folder))[0])
