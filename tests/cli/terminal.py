"""A real terminal: a program at one end of a pty, a person at the other."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Self

from tests.cli.programs import Program

# A busy machine takes its time; nothing waits so long for what does come.
_SECONDS = 120
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
_PARTS = re.compile(rf"{_ESCAPES.pattern}|[^\x1b]")
# In its debug mode asyncio tells on the terminal of all that takes long, as a full terminal does.
_NOT_HANDED_ON = {"COLUMNS", "LINES", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE"}
# Makes the pty the terminal that Ctrl-C on it interrupts, and becomes the program.
_BECOME = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A terminal in which `aioregistry` runs, or another program.

    Attributes:
        seen: All that the program has written.
    """

    def __init__(
        self,
        *arguments: str,
        program: tuple[str, ...] = (),
        columns: int = 80,
        lines: int = 24,
    ) -> None:
        self.seen = ""
        self._ours, theirs = pty.openpty()
        self.resize(columns, lines)
        environment = {key: value for key, value in os.environ.items() if key not in _NOT_HANDED_ON}
        environment["TERM"] = "xterm-256color"
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        self._process = (
            subprocess.Popen(
                [sys.executable, "-c", _BECOME, *program, *arguments], env=environment, **streams
            )
            if program
            else Program(*arguments, env=environment, terminal=True, **streams)
        )
        self._name = os.ttyname(theirs)
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """What was written, without colours and movements of the cursor."""
        return _ESCAPES.sub("", self.seen).replace("\r\n", "\n")

    @property
    def screen(self) -> str:
        """What stands on a screen without end, after all movements of the cursor."""
        rows: list[list[str]] = [[]]
        row = column = 0
        for part in _PARTS.findall(self.seen):
            if part.startswith("\x1b"):
                if part.endswith("A"):
                    row = max(0, row - int(part[2:-1] or 1))
                elif part.endswith("K"):
                    rows[row] = []
            elif part == "\r":
                column = 0
            elif part == "\n":
                row += 1
                rows += [[]] * (row == len(rows))
            elif part == "\b":
                column = max(0, column - 1)
            else:
                rows[row] += [" "] * (column - len(rows[row]))
                rows[row][column : column + 1] = part
                column += 1
        return "\n".join("".join(each).rstrip() for each in rows)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Give the window another size, as a person with a mouse would."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def type(self, keys: str) -> None:
        """Type; what stands for a single byte is that byte."""
        os.write(self._ours, keys.encode(errors="surrogateescape"))

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """Read until something shows after the first characters."""
        deadline = time.monotonic() + _SECONDS
        while not (found := re.search(pattern, self.text[after:])):
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} never came:\n{self.text[-3000:]}")
        return found

    def wait_until_read(self) -> None:
        """Wait until the program has read all that was typed."""
        deadline = time.monotonic() + _SECONDS
        while True:
            theirs = os.open(self._name, os.O_RDWR | os.O_NOCTTY)
            try:
                waiting = fcntl.ioctl(theirs, termios.FIONREAD, bytes(4))
            finally:
                os.close(theirs)
            if not any(waiting):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"what was typed is never read:\n{self.text[-3000:]}")
            time.sleep(0.01)

    def end(self) -> int:
        """Read until the program has ended, and return its exit code."""
        deadline = time.monotonic() + _SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(_SECONDS)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def terminate(self) -> None:
        """Send SIGTERM, as a supervisor would."""
        self._process.terminate()

    def hang_up(self) -> int:
        """Close the window, and return the exit code of what ran in it."""
        ours, self._ours = self._ours, os.open(os.devnull, os.O_RDONLY)
        os.close(ours)
        # The kernel has told it, and so does a shell.
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)
        return self._process.wait(_SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            new = os.read(self._ours, 65536)
        except OSError:  # the program has ended
            return False
        self.seen += new.decode(errors="replace")
        return bool(new)
