"""A list that moves, and a server of its pages, without any I/O."""

from collections.abc import Callable, Iterable, Iterator

from aioregistry.api.decoding import RawPage
from aioregistry.paging.walks import PageRef

URL = "https://api.digitalocean.com/v2/registry/example/repositories/repo/tags"


class MovingList:
    """Names, newest first, and the pages that a server makes of them."""

    def __init__(self, count: int, page_size: int = 10) -> None:
        self.names = [f"v{number}" for number in reversed(range(count))]
        self.page_size = page_size
        self.requests = 0
        self._pushed = 0

    def push(self, count: int) -> None:
        for _ in range(count):
            self.names.insert(0, f"new{self._pushed}")
            self._pushed += 1

    def remove(self, names: Iterable[str]) -> None:
        gone = set(names)
        self.names = [name for name in self.names if name not in gone]

    def remove_at(self, positions: Iterable[int]) -> None:
        self.remove([self.names[position % len(self.names)] for position in positions])

    def answer(self, ref: PageRef) -> RawPage[str]:
        self.requests += 1
        start = (ref.number - 1) * self.page_size
        items = tuple(self.names[start : start + self.page_size])
        more = start + self.page_size < len(self.names)
        last = -(-len(self.names) // self.page_size)
        return RawPage(
            items,
            len(self.names),
            f"{URL}?page={ref.number + 1}&per_page={self.page_size}" if more else None,
            f"{URL}?page={last}&per_page={self.page_size}" if more else None,
        )


def pages(walk, answer: Callable[[PageRef], RawPage[str]]) -> Iterator[tuple[str, ...]]:
    """Walk one page after the other, and yield what each page brought."""
    while (ref := walk.plan()) is not None:
        yield walk.receive(ref, answer(ref))[0]
