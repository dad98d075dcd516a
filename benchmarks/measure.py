"""Measuring: fresh processes in interleaved rounds, and what their figures come to."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from attrs import frozen

from benchmarks.job import Job

__all__ = ["Clock", "Samples", "interleave", "ratios", "run_module"]

Clock = Literal["wall", "cpu"]


@frozen
class Samples:
    """The seconds that a job took each candidate, one for each round."""

    wall: dict[str, tuple[float, ...]]
    cpu: dict[str, tuple[float, ...]]

    def by(self, clock: Clock) -> dict[str, tuple[float, ...]]:
        """Return the seconds on one clock."""
        return self.wall if clock == "wall" else self.cpu


def run_module(module: str, *args: str) -> list[float]:
    """Run a module of this package in a process of its own, and return the figures it prints.

    Raises:
        RuntimeError: It failed.
    """
    # An import that compiles its sources anew each time is no import that anybody waits for.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *args],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(args)} failed:\n{done.stderr[-2000:]}")
    figures: list[float] = json.loads(done.stdout)
    return figures


def interleave(names: Iterable[str], job: Callable[[str, int], Job], rounds: int) -> Samples:
    """Let each candidate do a job once in each round, and begin each round with another one.

    Args:
        names: The candidates.
        job: Returns the job of a candidate in a round.
        rounds: How many.
    """
    order = list(names)
    seconds: dict[str, list[list[float]]] = {name: [] for name in order}
    for nth in range(rounds):
        for name in order:
            seconds[name].append(run_module("candidates", name, job(name, nth).to_json()))
        order.append(order.pop(0))
    return Samples(
        {name: tuple(wall for wall, _ in each) for name, each in seconds.items()},
        {name: tuple(cpu for _, cpu in each) for name, each in seconds.items()},
    )


def ratios(over: Sequence[float], under: Sequence[float], clock: Clock) -> tuple[float, ...]:
    """Return how many times as long one took as the other.

    On wall time, one ratio for each round, as what disturbs a round disturbs both. On CPU time,
    the ratio of the best.
    """
    if clock == "cpu":
        return (min(over) / min(under),)
    return tuple(one / other for one, other in zip(over, under, strict=True))
