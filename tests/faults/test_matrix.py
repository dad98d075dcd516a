"""The fault matrix: each kind of call times each fault, as `tests/FAULTS.md` has it."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from aioregistry.testing.virtual_time import run_virtual
from tests.faults.matrix import ALL, CALLS, cell

TABLE = Path(__file__).parents[1] / "FAULTS.md"
HEAD = """\
# What happens when something goes wrong

Each kind of call, over sockets, through a proxy before a sandbox that goes wrong in one way on the
request that the column names. A cell tells

- what the caller gets: what is raised, or the counts of the report;
- how often the request went out (three attempts are allowed). What is refused for good is not sent
  again, nor is the start of a garbage collection that may have begun;
- what is gone in the end, as the sandbox knows it. In the columns of three, the fault strikes the
  DELETE of the second; no report tells what the sandbox denies. A clean-up that did not come to its
  end is resumed without the fault, and then all that it condemns is gone.

In no cell is a task, a connection or a permit left after the client is closed. The tests run each
cell and compare; `python -m tests.faults.test_matrix` writes this file.

"""


def rows(text: str) -> dict[str, dict[str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    if not lines:
        return {}
    names = [name.strip() for name in lines[0].strip("|").split("|")][1:]
    found = {}
    for line in lines[2:]:
        fault, *cells = (each.strip() for each in line.strip("|").split("|"))
        found[fault] = dict(zip(names, cells, strict=True))
    return found


EXPECTED = rows(TABLE.read_text()) if TABLE.exists() else {}


async def row(fault: str) -> dict[str, str]:
    # What stops the loop or the clock is for one call at a time.
    alone = fault.startswith(("clock", "event loop", "cancelled", "a "))
    if alone:
        return {name: await cell(fault, name) for name in CALLS}
    return dict(
        zip(CALLS, await asyncio.gather(*(cell(fault, name) for name in CALLS)), strict=True)
    )


@pytest.mark.slow(0.2)
@pytest.mark.parametrize("fault", ALL)
def test_each_call_under_a_fault_ends_as_the_table_says(fault):
    assert run_virtual(row(fault)) == EXPECTED[fault]


def test_every_cell_is_filled_and_none_is_a_surprise():
    assert set(EXPECTED) == set(ALL)
    for fault, cells in EXPECTED.items():
        assert set(cells) == set(CALLS), fault
        for name, came in cells.items():
            assert re.search(r"done|`\w+Error`|\d deleted|3 not attempted", came), (fault, name)
            assert "!!" not in came, (fault, name)


def test_the_start_of_a_garbage_collection_goes_out_once_unless_refused():
    """Whatever may have reached the API is not sent again."""
    for fault, cells in EXPECTED.items():
        came = cells["start of a garbage collection"]
        refused = fault.startswith(("429", "412 that names"))
        assert "sent" not in came or "sent 1x" in came or refused, fault


def test_a_clean_up_that_does_not_end_is_resumed_to_its_end():
    for fault, cells in EXPECTED.items():
        came = cells["clean-up of three"]
        ended = not re.search("failed|unknown|not attempted", came)
        assert ended or "resumed to the end" in came, fault


def main() -> None:
    """Write the table."""
    lines = [f"| fault | {' | '.join(CALLS)} |", f"|---|{'---|' * len(CALLS)}"]
    for fault in ALL:
        cells = run_virtual(row(fault))
        lines.append(f"| {fault} | {' | '.join(cells.values())} |")
        sys.stderr.write(f"{lines[-1]}\n")
    table = "".join(f"{line}\n" for line in lines)
    count = len(ALL) * len(CALLS)
    TABLE.write_text(f"{HEAD}{count} cells.\n\n{table}")


if __name__ == "__main__":
    main()
