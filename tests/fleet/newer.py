"""A worker of a newer version as a process, with the arguments of `tests.fleet.worker`.

It reads states of the version before, and writes its own, which have more in them; and it queues
its slices under a name of its own. It begins once it gets a line.
"""

import asyncio
import logging
import sys
from pathlib import Path

import msgspec
from attrs import evolve

from aioregistry.fleet import engine, state, store
from tests.fleet.worker import main

NEWER = state.VERSION + 1


def _to_json(run: state.Run) -> bytes:
    told = msgspec.to_builtins(run) | {"version": NEWER, "sweeps": []}
    return msgspec.json.encode(told)


def _read_run(text: bytes) -> state.Run:
    told = msgspec.json.decode(text)
    if told["version"] not in {state.VERSION, NEWER}:
        raise state.StateError(f"version {told['version']}")
    return msgspec.convert(told | {"version": NEWER}, state.Run)


def _next_step(*arguments: object) -> state.Step | None:
    step = state.next_step(*arguments)
    return step and evolve(step, task="sweep" if step.task == "apply" else step.task)


def be_newer() -> None:
    """Have this process be of a newer version."""
    state.Run.to_json = _to_json
    store.read_run = _read_run
    engine.next_step = _next_step
    engine.VERSION = NEWER
    engine._PHASES = (*engine._PHASES, "sweep")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    be_newer()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
