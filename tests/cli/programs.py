"""The command as a process of its own."""

import subprocess
from types import TracebackType


class Program(subprocess.Popen):
    """A process that a test which fails does not wait for: who would read what it writes?"""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, traceback)
