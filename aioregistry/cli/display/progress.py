"""Progress: bars on a terminal, plain lines in a pipe."""

import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aioregistry.cli.display.tables import print_table

if TYPE_CHECKING:
    from aioregistry.cli.display.counting import CountingLimiter

__all__ = ["Display", "Stage"]

_REFRESH = 0.1
_PLAIN_EVERY = 5.0
_LONG_WAIT = 2.0
_WINDOW_NAMES = ("minute", "hour")


class Stage:
    """One part of a job and its progress.

    Attributes:
        done: Items done so far.
        total: Items in all.
    """

    def __init__(
        self,
        name: str,
        total: int,
        unit: str,
        limiter: "CountingLimiter",
        items_a_request: int,
    ) -> None:
        self.done: int = 0
        self._name = name
        self.total = total
        self._unit = unit
        self._limiter = limiter
        self._waited_before = limiter.waited
        self._items_a_request = items_a_request
        self._begun = time.perf_counter()

    def advance(self, status: str = "") -> None:
        """Count one more item.

        Args:
            status: What became of it. What was not attempted, as after Ctrl-C, is not done.
        """
        self.done += status != "not_attempted"

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._begun

    @property
    def waited(self) -> float:
        """Seconds during which any request waited for quota."""
        return self._limiter.waited - self._waited_before

    @property
    def pace(self) -> float:
        """Items a second so far."""
        return self.done / max(self.seconds, 1e-9)

    def as_bar(self) -> RenderableType:
        """Return a bar for a terminal, with the quota below it."""
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(style="bold")
        bar.add_column(ratio=1)
        for _ in range(3):
            bar.add_column(justify="right", no_wrap=True)
        bar.add_row(
            self._name,
            ProgressBar(total=max(self.total, 1), completed=self.done),
            self._progress(),
            f"{self.pace:,.0f}/s",
            f"ETA {self._eta()}",
        )
        indent = " " * (len(self._name) + 2)
        # Not padded: the ^C that a terminal echoes must not begin another line.
        return Group(bar, Text(indent + self._quota(), style="dim", no_wrap=True))

    def as_line(self) -> str:
        """Return the progress as one line of text."""
        return (
            f"{self._name}  {self._progress()}, {self.pace:,.0f}/s, ETA {self._eta()};"
            f" {self._quota()}"
        )

    def _progress(self) -> str:
        return f"{self.done:,}/{self.total:,} {self._unit}"

    def _eta(self) -> str:
        left = math.ceil((self.total - self.done) / self._items_a_request)
        # Apart from waits for quota, the server sets the pace.
        by_pace = (self.seconds - self.waited) / max(self.done, 1) * (self.total - self.done)
        return _clock(max(by_pace if self.done else 0.0, self._limiter.seconds_for(left)))

    def _quota(self) -> str:
        if not self._limiter.is_limited:
            return "no rate limit"
        status = self._limiter.status
        left = ", ".join(
            f"{name} {window.free:,}/{window.limit:,}"
            for name, window in zip(_WINDOW_NAMES, status.windows, strict=False)
        )
        text = f"quota left: {left}"
        if not status.waiting:
            return text
        # Infinite while it depends on answers that are still to come.
        if _LONG_WAIT <= status.next_free < math.inf:
            return f"{text}; {status.waiting} wait, room in {_clock(status.next_free)}"
        return f"{text}; {status.waiting} wait, {self.waited:.0f} s so far"


class Display:
    """The place where a command shows its progress.

    Args:
        console: The console to write to.
        limiter: Knows the quota.
        progress: Whether to draw progress bars, if `console` is a terminal that can.
        lines: Whether to print a line every few seconds where no bar is drawn.

    Attributes:
        waits_for: A long wait of the command outside of stages; None if there is none.
    """

    def __init__(
        self,
        console: Console,
        limiter: "CountingLimiter",
        *,
        progress: bool = True,
        lines: bool = True,
    ) -> None:
        self.limiter = limiter
        self._console = console
        # Asked of the file: FORCE_COLOR makes Rich take a pipe for a terminal.
        is_terminal = console.file.isatty()
        self._draws = progress and is_terminal and not console.is_dumb_terminal
        self._prints = lines
        self._stages = 0
        self.waits_for: str | None = None

    @property
    def width(self) -> int:
        """The columns of the terminal, or those that its environment says."""
        return self._console.width

    @property
    def is_in_stage(self) -> bool:
        """Whether a stage is under way, which shows that something happens."""
        return self._stages > 0

    def say(self, text: str, *, begin: str = "", style: str = "") -> None:
        """Print a line. It stays one, however long: a command in it can be copied.

        Args:
            text: The line.
            begin: Printed before it, in bold.
            style: Its style, in Rich's terms.
        """
        line = Text.assemble((f"{begin}  " if begin else "", "bold"), (text, style))
        self._console.print(line, highlight=False, soft_wrap=True)

    def show(self, table: Table) -> None:
        """Print a table."""
        print_table(table, self._console)

    @asynccontextmanager
    async def stage(
        self,
        name: str,
        total: int,
        unit: str,
        *,
        items_a_request: int = 1,
        shown: bool = True,
        bar: bool = True,
    ) -> AsyncGenerator[Stage]:
        """Show the progress of the work inside, which calls `Stage.advance`.

        Args:
            name: The name of the work.
            total: Items in all.
            unit: The kind of item, in the plural.
            items_a_request: Items that one request handles.
            shown: Whether to show anything.
            bar: Whether a bar may be drawn. If others may write to the terminal meanwhile, it would
                erase their lines: instead a line is printed every few seconds.
        """
        import asyncio

        stage = Stage(name, total, unit, self.limiter, items_a_request)
        self._stages += 1
        draws = self._draws and shown
        work = (
            self._draw(stage)
            if draws and bar
            else self._print(stage, shown and (draws or self._prints))
        )
        ticking = asyncio.create_task(work)
        try:
            yield stage
        finally:
            self._stages -= 1
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _draw(self, stage: Stage) -> None:
        import asyncio

        from rich.live import Live

        # Refreshed from the event loop: no other thread may read the quota.
        with Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            # Redirected, what is written to a pipe would appear on the terminal instead.
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=stage.as_bar,
        ) as live:
            while True:
                live.refresh()
                await asyncio.sleep(_REFRESH)

    async def _print(self, stage: Stage, shown: bool) -> None:
        import asyncio

        while shown:
            await asyncio.sleep(_PLAIN_EVERY)
            self.say(stage.as_line())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
