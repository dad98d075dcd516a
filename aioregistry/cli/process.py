"""A command as a process: the streams it was given, the signals that end it, its exit code."""

import atexit
import io
import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TextIO

from aioregistry.errors import printable

__all__ = [
    "hangups",
    "interruptible",
    "output_is_piped",
    "reader_is_gone",
    "run_program",
    "until_readable",
]

_INTERRUPTED = 128 + signal.SIGINT


def run_program(name: str, program: Callable[[], object]) -> NoReturn:
    """Run a program to its end, and exit with its code.

    A reader of its output that has gone is no failure: what is written further goes nowhere. What
    cannot be written for another reason is one, told in a line on stderr. SIGTERM ends it as
    Ctrl-C does, but for the code, and so does SIGHUP, by which a terminal that is closed ends what
    runs in it.

    Args:
        name: What it is called in errors.
        program: Does it all; it may end by SystemExit.
    """
    code: Any = _INTERRUPTED
    # Outermost, since Ctrl-C may come at any moment.
    with suppress(KeyboardInterrupt), _streams() as output, _ended_by_signals() as came:
        code = _code_of(name, program, output)
        if came and code == _INTERRUPTED:
            code = 128 + came[0]
    # While Python ends, there is nothing left to interrupt.
    atexit.register(_ignore_ctrl_c)
    sys.exit(code)


def _code_of(name: str, program: Callable[[], object], output: "_Stream") -> Any:
    """Run a program, write out what it has written, and return its exit code."""
    code: Any = 0
    try:
        program()
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        code = _INTERRUPTED
        begin = "\r" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{begin}{name}: interrupted\n")
    except OSError as error:
        if output.error is None:
            if error.filename is None:
                raise
            told = printable(f"{error.filename}: {error.strerror or error}")
            sys.stderr.write(f"{name}: {told}\n")
            code = 1
    with suppress(OSError):
        sys.stdout.flush()
    if output.error is not None and not code:
        sys.stderr.write(f"{name}: output: {output.error.strerror}\n")
        code = 1
    sys.stderr.flush()
    return code


def _ignore_ctrl_c() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def reader_is_gone() -> bool:
    """Return whether what is written to stdout goes nowhere, as its reader has had enough."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Stream) and raw.reader_is_gone


def hangups() -> list[signal.Signals]:
    """Return what a terminal that is closed sends: SIGHUP, or nothing where it is ignored.

    So `nohup` lets what it starts outlive the terminal. Windows has no such signal.
    """
    found = getattr(signal, "SIGHUP", None)
    return [] if found is None or signal.getsignal(found) is signal.SIG_IGN else [found]


def output_is_piped() -> bool:
    """Return whether another program reads stdout while this one writes."""
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end what blocks inside, such as reading what somebody types.

    While asyncio runs, its own handler only cancels a task, which would be told afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def until_readable(stream: TextIO) -> None:
    """Wait until a terminal has something to read, or a signal has come.

    One that comes right before a read does not end the read: it would wait for the next key.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        waiting: list[TextIO | int] = [stream, read]
        select.select(waiting, [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)


class _Stream(io.RawIOBase):
    """Where a standard stream goes.

    Attributes:
        reader_is_gone: Whether it is a pipe that nobody reads any more.
        error: Why else it could not be written; it is raised once.
    """

    def __init__(self, stream: TextIO, *, matters: bool) -> None:
        super().__init__()
        self._stream = stream
        buffer: Any = getattr(stream, "buffer", None)
        # Unbuffered, as with `python -u`, it is the raw stream itself.
        self._raw = getattr(buffer, "raw", buffer)
        self._matters = matters
        self.reader_is_gone = False
        self.error: OSError | None = None

    def as_text(self) -> io.TextIOWrapper:
        """Return what writes text to it, as the stream that it takes over does.

        A character that the stream's encoding lacks is escaped, as Python does it on stderr: it
        would end a command in the middle of its work.
        """
        like: Any = self._stream
        return io.TextIOWrapper(
            io.BufferedWriter(self),
            encoding=like.encoding,
            errors="backslashreplace" if like.errors == "strict" else like.errors,
            line_buffering=like.line_buffering or like.write_through,
        )

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._raw.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any, /) -> int | None:
        if self.reader_is_gone or self.error is not None:
            return len(data)
        try:
            written: int | None = self._raw.write(data)
        except BrokenPipeError:
            self.reader_is_gone = True
            return len(data)
        except OSError as error:
            self.error = error
            if self._matters:
                raise
            return len(data)
        return written


@contextmanager
def _streams() -> Iterator[_Stream]:
    """Take stdout and stderr over for a while; what is yielded is the former."""
    before = sys.stdin, sys.stdout, sys.stderr
    wrong_way = (
        ("stdin", "r", os.O_WRONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_RDONLY),
    )
    for name, mode, flag in wrong_way:
        # What was closed fails when it is used, and no socket gets its number.
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flag)
            setattr(sys, name, open(descriptor, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
    output = _Stream(sys.stdout, matters=True)
    # What somebody has put in their place is theirs.
    if before[1] is sys.__stdout__:
        sys.stdout = output.as_text()
    if before[2] is sys.__stderr__:
        # Where errors cannot be told, the exit code still tells them.
        sys.stderr = _Stream(sys.stderr, matters=False).as_text()
    try:
        yield output
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does; what is yielded has those that have come."""
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Of a terminal that is closed, the kernel and the shell tell one after the other; a second
        # Ctrl-C would not wait for what is under way.
        is_repeated = number in came and number != signal.SIGTERM
        came.append(number)
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and not is_repeated:
            handler(signal.SIGINT, frame)

    on_main_thread = threading.current_thread() is threading.main_thread()
    ours = [
        each
        for each in (signal.SIGTERM, *hangups())
        if on_main_thread and signal.getsignal(each) is signal.SIG_DFL
    ]
    if not ours:
        yield came
        return
    deaf = sys.platform != "win32" and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if deaf:
        # A script's `command &` ignores Ctrl-C. That it does still, but asyncio, which takes over
        # no handler but Python's own, shall have one that the others can use.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in ours:
        signal.signal(each, interrupt)
    try:
        yield came
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
        if deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
