"""A plugin of pytest: all tests once, to see what they cover; then each mutant in a fork.

In a fork everything is imported and collected, so that a mutant costs the tests that cover it and
little else. The first failure ends it.
"""

import contextlib
import json
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from attrs import define, field
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from tests.mutation.sampling import Mutant

# Of a mutant that never ends: in CPU time, and at the wall when it waits for what never comes.
_CPU_SECONDS = 10
_WALL_SECONDS = 300


@define
class Child:
    """A mutant at its tests, in a process of its own."""

    mutant: Mutant
    pid: int
    read_end: int
    started: float = field(factory=time.monotonic)


class MutationRun:
    """Runs mutants instead of the tests.

    Args:
        mutants: What to run.
        results: The file to write to, a line of JSON for each mutant.
        seconds: How much CPU time the tests of one mutant may take together; the cheapest run.
        workers: How many run at once.
    """

    def __init__(self, mutants: list[Mutant], results: Path, seconds: float, workers: int) -> None:
        self._mutants = mutants
        self._results = results
        self._seconds = seconds
        self._workers = workers
        self._items: dict[str, pytest.Item] = {}
        self._cpu: dict[str, float] = {}
        self._covering: dict[str, set[str]] = defaultdict(set)
        # Tests that noticed a mutant of a function notice the next one soonest.
        self._noticed: dict[str, list[str]] = defaultdict(list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of the usual loop."""
        if session.testsfailed:
            return False
        self._see_what_is_covered(session.items)
        os.environ.pop("MUTANT_UNDER_TEST", None)
        running: dict[int, Child] = {}
        with self._results.open("a") as file:
            for mutant in self._mutants:
                while len(running) >= self._workers:
                    self._reap(running, file)
                tests = self._tests_for(mutant)
                if not tests:
                    self._write(file, mutant, "no tests", "")
                    continue
                child = self._fork(mutant, tests)
                running[child.pid] = child
            while running:
                self._reap(running, file)
        return True

    def _see_what_is_covered(self, items: list[pytest.Item]) -> None:
        set_mutant_under_test("stats")
        for item, following in zip(items, [*items[1:], None], strict=True):
            before = time.process_time()
            reports = runtestprotocol(item, nextitem=following, log=False)
            if all(report.passed for report in reports):
                self._items[item.nodeid] = item
                self._cpu[item.nodeid] = time.process_time() - before
                for function in state()._stats:
                    self._covering[function].add(item.nodeid)
            elif any(report.failed for report in reports):
                with self._results.with_suffix(".failed").open("a") as file:
                    file.write(f"{item.nodeid}\n{reports[-1].longrepr or reports[1].longrepr}\n")
            state()._stats.clear()
        set_mutant_under_test("")

    def _tests_for(self, mutant: Mutant) -> list[str]:
        """Return the tests of a mutant: those that found one of its function, then the cheapest."""
        tests, spent = list(self._noticed[mutant.function]), 0.0
        for name in sorted(self._covering[mutant.function], key=self._cpu.__getitem__):
            spent += self._cpu[name]
            if tests and spent > self._seconds:
                break
            tests.append(name)
        return list(dict.fromkeys(tests))

    def _fork(self, mutant: Mutant, tests: list[str]) -> Child:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid:
            os.close(write_end)
            return Child(mutant, pid, read_end)
        status = 70
        try:
            os.setsid()
            most = _CPU_SECONDS + int(3 * sum(self._cpu[name] for name in tests))
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))
            failed = self._run(mutant, tests)
            os.write(write_end, failed.encode())
            status = 1 if failed else 0
        finally:
            os._exit(status)

    def _run(self, mutant: Mutant, tests: list[str]) -> str:
        """Run tests until one fails, and return its name."""
        set_mutant_under_test(mutant.key)
        items = [self._items[name] for name in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            reports = runtestprotocol(item, nextitem=following, log=False)
            if any(report.failed for report in reports):
                return item.nodeid
        return ""

    def _reap(self, running: dict[int, Child], file) -> None:
        """Wait for a mutant to end, or end one whose time is up."""
        while True:
            for child in list(running.values()):
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                late = time.monotonic() - child.started > _WALL_SECONDS
                if not pid and late:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
                    pid, status = os.waitpid(child.pid, 0)
                if pid:
                    del running[pid]
                    self._settle(child, status, file)
                    return
            time.sleep(0.01)

    def _settle(self, child: Child, status: int, file) -> None:
        with os.fdopen(child.read_end, "rb") as pipe:
            failed = pipe.read().decode()
        if os.WIFSIGNALED(status):
            outcome = "timeout"
        elif os.WEXITSTATUS(status) == 0:
            outcome = "survived"
        else:
            outcome = "killed"
        if failed:
            known = self._noticed[child.mutant.function]
            known.insert(0, failed)
            del known[3:]
        self._write(file, child.mutant, outcome, failed)

    def _write(self, file, mutant: Mutant, outcome: str, by: str) -> None:
        line = {"module": mutant.module, "name": mutant.name, "outcome": outcome, "by": by}
        file.write(json.dumps(line) + "\n")
        file.flush()


def read_results(path: Path) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant with how it ended, the last time that it ran."""
    if not path.exists():
        return
    last: dict[Mutant, str] = {}
    for line in path.read_text().splitlines():
        found = json.loads(line)
        last[Mutant(found["module"], found["name"])] = found["outcome"]
    yield from last.items()
