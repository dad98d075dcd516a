"""What a terminal shows, and what a pipe."""

import asyncio
import io

import pytest
from rich.console import Console

from aioregistry import RateLimit
from aioregistry.cli.display import progress as render
from aioregistry.cli.display.counting import CountingLimiter
from aioregistry.cli.display.progress import Display
from aioregistry.cli.display.tables import in_table
from tests.ratelimit.strict_server import virtual


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(**settings) -> Console:
    settings = {"width": 80, "force_terminal": True, "color_system": None, **settings}
    return Console(file=Terminal(), _environ={"TERM": "xterm"}, **settings)


def in_pipe(**settings) -> Console:
    return Console(file=io.StringIO(), width=80, _environ={}, **settings)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0:01"), (75, "1:15"), (3599.5, "1:00:00"), (86399, "23:59:59")]
)
def test_times_are_shown_as_on_a_clock(seconds, shown):
    assert render._clock(seconds) == shown


async def bar_of(console: Console, limiter: CountingLimiter, done: int = 1234) -> list[str]:
    """The bar that a stage shows when it is that far, as lines."""
    stage = render.Stage("Delete", 4590, "tags", limiter, 1)
    stage.done = done
    console.print(stage.as_bar())
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 200])
async def test_a_bar_tells_how_far_how_fast_how_long_and_what_quota_is_left(width):
    first, second = await bar_of(on_terminal(width=width), CountingLimiter(RateLimit()))
    assert len(first) <= width
    assert first.startswith("Delete  ━━")
    assert "1,234/4,590 tags" in first
    assert first.endswith("/s  ETA 13:01")
    assert second.strip() == "quota left: minute 250/250, hour 5,000/5,000"


@virtual
async def test_a_bar_tells_who_waits_and_for_how_long():
    limiter = CountingLimiter(RateLimit(windows=((1, 0.5), (100, 60.0))))
    display = Display(on_terminal(), limiter)
    await limiter.acquire()
    limiter.release()
    async with display.stage("Delete", 2, "tags") as stage:
        waiter = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.01)
        line = stage.as_line()
        waiter.cancel()
    assert "quota left: minute 0/1, hour 99/100; 1 wait, 0 s so far" in line


async def test_a_bar_tells_when_a_long_wait_ends():
    limiter = CountingLimiter(RateLimit(windows=((2, 9.5), (2, 89.5))))
    for _ in range(2):
        await limiter.acquire()
        limiter.release()
    waiter = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    line = render.Stage("Delete", 2, "tags", limiter, 1).as_line()
    waiter.cancel()
    assert line.endswith("; 1 wait, room in 1:30")


async def test_a_terminal_sees_a_bar_that_is_gone_at_the_end():
    console = on_terminal()
    async with Display(console, CountingLimiter(RateLimit())).stage("Delete", 1, "tags") as stage:
        await asyncio.sleep(0.01)
        stage.advance()
    shown = console.file.getvalue()
    assert "0/1 tags" in shown
    assert shown.index("\x1b[?25l") < shown.rindex("\x1b[?25h")
    assert shown.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("console", "progress"),
    [
        (in_pipe(), True),
        (in_pipe(force_terminal=True), True),
        (on_terminal(), False),
        (Console(file=Terminal(), _environ={"TERM": "dumb"}), True),
    ],
)
async def test_elsewhere_there_are_plain_lines(monkeypatch, console, progress):
    monkeypatch.setattr(render, "_PLAIN_EVERY", 0.001)
    said = asyncio.Event()

    class Observed(Display):
        def say(self, text, **style):
            super().say(text, **style)
            said.set()

    display = Observed(console, CountingLimiter(RateLimit()), progress=progress)
    async with display.stage("Walk", 400, "tags", items_a_request=200) as stage:
        for _ in range(200):
            stage.advance()
        await said.wait()
    shown = console.file.getvalue()
    assert "200/400 tags" in shown
    assert "\x1b[?25l" not in shown


@pytest.mark.parametrize("console", [in_pipe(), on_terminal()])
def test_a_line_stays_one_line_that_can_be_copied(console):
    Display(console, CountingLimiter(RateLimit())).say("word " * 50, begin="Failed")
    assert console.file.getvalue().count("\n") == 1


def test_what_looks_like_markup_is_printed_as_it_is():
    console = in_pipe()
    Display(console, CountingLimiter(RateLimit())).say("[red]name[/red]", begin="[bold]")
    assert console.file.getvalue() == "[bold]  [red]name[/red]\n"


def test_a_table_fits_the_width_and_needs_no_unicode():
    rows = [[("deleted", "1,234", "of 4,590")], [("seconds", "1.0", "a remark " * 20)]]
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80, _environ={})
    Display(console, CountingLimiter(RateLimit())).show(in_table(rows))
    console.file.seek(0)
    lines = console.file.read().splitlines()
    assert any("deleted" in line and "1,234" in line and "of 4,590" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_what_was_not_attempted_is_not_done():
    stage = render.Stage("Delete", 3, "tags", CountingLimiter(None), 1)
    for status in ("deleted", "not_attempted", "unknown"):
        stage.advance(status)
    assert stage.done == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["delete-tags", "web", "pr-1", "pr-2"],
        ["untag", "web:pr-1", "web:pr-2"],
        ["cleanup", "run", "--policy", "policy.toml", "--force"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_bar_is_told_what_became_of_each_item(shell, monkeypatch, arguments):
    statuses = []
    monkeypatch.setattr(render.Stage, "advance", lambda stage, status: statuses.append(status))
    shell.builder.image("pr-1")
    shell.builder.image("pr-2")
    assert shell.run(*arguments, "--yes").exit_code == 0
    assert set(statuses) == {"deleted"}
