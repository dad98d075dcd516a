"""Writing behind the reading."""

import asyncio
import threading
from itertools import chain

from aioregistry.cleanup.manifests import write_behind
from aioregistry.cleanup.manifests.write_behind import WriteBehind

_FOR_EVER = 3600


class Disk:
    """Writes what it is given, once it may."""

    def __init__(self) -> None:
        self.may_write = threading.Event()
        self.written: list[list[int]] = []
        self.at_once = self.most_at_once = 0

    def write(self, things: list[int]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.may_write.wait(120)
        self.written.append(things)
        self.at_once -= 1


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_who_gives_up_waiting_ends_no_write_and_begins_none_beside_it():
    disk = Disk()
    writing = WriteBehind(disk.write, most=1)
    await writing.add(1)
    await until(lambda: disk.at_once == 1)
    for wait in (writing.finish(), writing.add(2), writing.add(3)):
        waiting = asyncio.ensure_future(wait)
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    disk.may_write.set()
    await writing.finish()
    assert disk.written == [[1], [2, 3]]
    assert disk.most_at_once == 1


async def test_a_disk_that_is_slow_holds_those_up_that_add_more_than_may_wait():
    disk = Disk()
    writing = WriteBehind(disk.write, most=2)
    await writing.add(0)
    await until(lambda: disk.at_once == 1)
    await writing.add(1)
    await writing.add(2)
    more = asyncio.ensure_future(writing.add(3))
    await asyncio.sleep(0.05)
    assert not more.done()
    disk.may_write.set()
    await more
    await writing.finish()
    assert list(chain(*disk.written)) == [0, 1, 2, 3]


async def test_what_comes_within_a_moment_is_written_at_once(monkeypatch):
    monkeypatch.setattr(write_behind, "_GATHERING_SECONDS", _FOR_EVER)
    written: list[list[int]] = []
    behind = WriteBehind(written.append)
    for number in range(10):
        await behind.add(number)
        await asyncio.sleep(0)
    await behind.finish()
    assert written == [[*range(10)]]


async def test_many_things_are_written_before_the_moment_is_over(monkeypatch):
    monkeypatch.setattr(write_behind, "_GATHERING_SECONDS", _FOR_EVER)
    written: list[list[int]] = []
    behind = WriteBehind(written.append, most=4)
    for number in range(100):
        await behind.add(number)
        await asyncio.sleep(0)
    assert sum(map(len, written)) >= 90
    await behind.finish()
    assert [*chain.from_iterable(written)] == [*range(100)]


async def test_the_end_waits_for_no_more_to_come(monkeypatch):
    monkeypatch.setattr(write_behind, "_GATHERING_SECONDS", _FOR_EVER)
    written: list[list[int]] = []
    behind = WriteBehind(written.append)
    await behind.add(1)
    await asyncio.sleep(0)
    await behind.finish()
    await behind.add(2)
    await behind.finish()
    assert written == [[1], [2]]


async def test_what_is_added_while_it_ends_is_written_without_delay(monkeypatch):
    monkeypatch.setattr(write_behind, "_GATHERING_SECONDS", _FOR_EVER)
    written: list[list[int]] = []
    behind = WriteBehind(written.append)
    await behind.add(1)
    ending = asyncio.create_task(behind.finish())
    await asyncio.sleep(0)
    await behind.add(2)
    await ending
    assert [*chain.from_iterable(written)] == [1, 2]


async def test_nothing_is_written_where_nothing_was_added():
    written: list[list[int]] = []
    await WriteBehind(written.append).finish()
    assert not written
