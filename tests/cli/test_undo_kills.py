"""`aioregistry cleanup undo` in a process of its own that is killed, again and again."""

import os
import subprocess
import sys
from random import Random

import pytest

PLAN = ("cleanup", "plan", "--policy", "policy.toml", "--plan-file", "plan.json")


def undo(seconds: float | None) -> int | None:
    """Start an undo, and kill it after a time; return its exit code, or None if it was killed."""
    command = [sys.executable, "-m", "aioregistry", "cleanup", "undo", "plan.json"]
    process = subprocess.Popen(
        command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_it_comes_to_the_same_end(shell, seed):
    random = Random(seed)
    for number in range(100):
        shell.builder.image(f"pr-{number}", f"pr-also-{number}")
    shell.builder.image("main")
    before = shell.tags()
    shell.run(*PLAN)
    shell.run("cleanup", "apply", "plan.json", "--yes", "--force")
    assert shell.tags() == {"main"}
    for _ in range(6):
        undo(random.uniform(0.4, 2.5))
    assert undo(None) == 0
    assert shell.tags() == before
    assert "nothing that was deleted" in shell.run("cleanup", "undo", "--list").stdout
