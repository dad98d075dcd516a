"""Commands whose stdin, stdout and stderr are any mixture of terminal, pipe, file and nothing."""

import contextlib
import fcntl
import multiprocessing
import os
import pty
import struct
import sys
import termios
import threading
from multiprocessing.reduction import DupFd
from pathlib import Path

from attrs import define, field

from aioregistry.cli import main

KINDS = ("terminal", "pipe", "file")
_SECONDS = 60
_CONTEXT = multiprocessing.get_context("forkserver")
# One server forks for all tests of a worker, so this list has to be that of tests/cli/programs.py.
_CONTEXT.set_forkserver_preload(["tests.cli.preloaded"])


@define
class Ended:
    """A command that has ended.

    Attributes:
        code: Its exit code.
        out: All that it wrote to stdout, with `\\n` at the end of lines.
        err: All that it wrote to stderr.
    """

    code: int | None
    out: str
    err: str


@define
class _End:
    """Our end of a stream."""

    kind: str
    theirs: int
    ours: int = -1
    path: Path | None = None
    data: list[bytes] = field(factory=list)

    def read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal's other end is closed
            while data := os.read(self.ours, 65536):
                self.data.append(data)

    @property
    def text(self) -> str:
        content = self.path.read_bytes() if self.path else b"".join(self.data)
        return content.decode().replace("\r\n", "\n")


def run(
    folder: Path,
    arguments: list[str],
    stdin: str = "pipe",
    stdout: str = "pipe",
    stderr: str = "pipe",
    columns: int = 80,
    typed: str = "",
    answer: str = "",
) -> Ended:
    """Run a command whose streams are terminals, pipes or files.

    Args:
        folder: The working directory, and the home of files.
        arguments: The arguments of the command.
        stdin: The kind of stdin; a pipe and a file have `typed`, and nothing after it.
        stdout: The kind of stdout.
        stderr: The kind of stderr.
        columns: The width of terminals.
        typed: What is written to stdin.
        answer: What a person types on the first of the terminals.
    """
    given = _open("stdin", stdin, folder, columns)
    ends = [
        _open(name, kind, folder, columns)
        for name, kind in zip(("stdout", "stderr"), (stdout, stderr), strict=True)
    ]
    if stdin == "file":
        os.write(given.theirs, typed.encode())
        os.lseek(given.theirs, 0, os.SEEK_SET)
    readers = [threading.Thread(target=end.read) for end in (given, *ends) if _is_read(end, given)]
    process = _CONTEXT.Process(
        target=_become,
        args=(
            arguments,
            str(folder),
            {**os.environ, "TERM": "xterm-256color"},
            [DelayedFd(end.theirs) for end in (given, *ends)],
        ),
    )
    process.start()
    for end in (given, *ends):
        os.close(end.theirs)
    for reader in readers:
        reader.start()
    if stdin != "file":
        os.write(given.ours, typed.encode())
    if stdin == "pipe":
        os.close(given.ours)
    terminals = [end for end in (given, *ends) if end.kind == "terminal"]
    if answer and terminals:
        os.write(terminals[0].ours, answer.encode())
    process.join(_SECONDS)
    code = process.exitcode
    process.kill()
    for reader in readers:
        reader.join(_SECONDS)
    for end in (given, *ends):
        if end.ours >= 0 and not (end is given and stdin == "pipe"):
            os.close(end.ours)
    return Ended(code, ends[0].text, ends[1].text)


class DelayedFd:
    """A descriptor that is duplicated into the process that it is sent to."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self):
        return _detach, (DupFd(self.descriptor),)


def _detach(duplicate) -> int:
    return duplicate.detach()


def _is_read(end: _End, given: _End) -> bool:
    return end.kind == "terminal" or (end.kind == "pipe" and end is not given)


def _open(name: str, kind: str, folder: Path, columns: int) -> _End:
    if kind == "terminal":
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        return _End(kind, theirs, ours)
    if kind == "pipe":
        reader, writer = os.pipe()
        return _End(kind, reader, writer) if name == "stdin" else _End(kind, writer, reader)
    if kind == "full":
        return _End(kind, os.open("/dev/full", os.O_WRONLY))
    path = folder / f"{name}.txt"
    return _End(kind, os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), path=path)


def _become(arguments: list[str], folder: str, environment: dict[str, str], streams) -> None:
    """Be the command `aioregistry`, in a process of its own."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    for number in range(3):
        if os.isatty(number):
            with contextlib.suppress(OSError):
                fcntl.ioctl(number, termios.TIOCSCTTY, 0)
                break
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False, encoding="utf-8")
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False, encoding="utf-8")
    sys.stderr = sys.__stderr__ = os.fdopen(
        2, "w", closefd=False, encoding="utf-8", errors="backslashreplace"
    )
    sys.argv = ["aioregistry", *arguments]
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
