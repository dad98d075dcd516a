"""The command as a process of its own, forked from one that has imported what commands need.

To start Python and to import it all takes most of the time of a command. What a process does before
it is the command, `tests/cli/test_process.py` looks at in processes that Python starts.
"""

import contextlib
import fcntl
import io
import os
import signal
import subprocess
import sys
import termios
import threading
import traceback
import warnings
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from types import TracebackType
from typing import IO, Any, NoReturn, Self

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.cli.preloaded"])


class Program:
    """`aioregistry` in a process, which a test that fails ends.

    Attributes:
        stdout: What reads its output, where that is a pipe.
        stderr: What reads its errors, where that is a pipe.
        returncode: Its exit code, as soon as it is known.
    """

    def __init__(
        self,
        *arguments: str,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
    ) -> None:
        """Start it.

        Args:
            arguments: Those of the command.
            stdin: Its descriptor; by default none that has anything to read.
            stdout: Its descriptor, or `subprocess.PIPE`; by default ours.
            stderr: The same.
            env: Its environment; by default ours.
            terminal: Whether its stdin is the terminal that it belongs to, whose Ctrl-C ends it.
        """
        self.returncode: int | None = None
        given = [os.open(os.devnull, os.O_RDONLY)] if stdin is None else []
        streams = [given[0] if stdin is None else stdin]
        readers: list[IO[str] | None] = []
        for stream, ours in ((stdout, 1), (stderr, 2)):
            if stream == subprocess.PIPE:
                read, write = os.pipe()
                given.append(write)
                streams.append(write)
                readers.append(os.fdopen(read, encoding="utf-8"))
            else:
                streams.append(ours if stream is None else stream)
                readers.append(None)
        self.stdout: Any = readers[0]
        self.stderr: Any = readers[1]
        environment = dict(os.environ if env is None else env)
        with warnings.catch_warnings():
            # Newer versions warn of threads where a process forks; the server has none.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = _CONTEXT.Process(
                target=_become,
                args=(arguments, [_Stream(each) for each in streams], environment, terminal),
                daemon=True,
            )
            self._process.start()
        for each in given:
            os.close(each)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        self.wait()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return the exit code."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("aioregistry", timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read all that it writes, wait for its end, and return its output and its errors."""
        read: dict[str, str] = {}

        def read_all(name: str, stream: IO[str] | None) -> None:
            read[name] = "" if stream is None else stream.read()

        other = threading.Thread(target=read_all, args=("errors", self.stderr))
        other.start()
        read_all("output", self.stdout)
        other.join()
        self.wait(timeout)
        return read["output"], read["errors"]

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid or 0, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class _Stream:
    """A descriptor on its way into the other process."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __getstate__(self) -> Any:
        return DupFd(self._number)

    def __setstate__(self, there: Any) -> None:
        self._number = there.detach()

    def move_to(self, number: int) -> None:
        os.dup2(self._number, number)
        os.close(self._number)


def _become(
    arguments: tuple[str, ...],
    streams: list[_Stream],
    environment: dict[str, str],
    terminal: bool,
) -> NoReturn:
    """Be the command from here on, as `python -m aioregistry` is."""
    from aioregistry.cli import main  # noqa: PLC0415

    for number, stream in enumerate(streams):
        stream.move_to(number)
    os.setsid()
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    sys.argv = ["aioregistry", *arguments]
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = _writer(1)
    sys.stderr = sys.__stderr__ = _writer(2)
    code: Any = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001, told as Python tells it
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _writer(number: int) -> io.TextIOWrapper:
    return os.fdopen(
        number, "w", encoding="utf-8", closefd=False, buffering=1 if os.isatty(number) else -1
    )
