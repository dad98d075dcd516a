"""Ports for servers that are started later, which nobody else gets in the meantime."""

import socket
import sys
from contextlib import ExitStack

__all__ = ["Port", "free_port"]

# On Linux a server can listen on a port beside a socket that only has it, if both say that they
# share the address, as servers do. Elsewhere that socket would be in the server's way.
_CAN_KEEP = sys.platform == "linux"
_MAX_TRIES = 1000


class Port:
    """A port of 127.0.0.1 that nobody is given who asks for any, until it is closed.

    Args:
        second: How much higher a second port is that is kept as well; 0 (the default) for none.

    Attributes:
        number: The port.
    """

    def __init__(self, second: int = 0) -> None:
        with ExitStack() as tried:
            for _ in range(_MAX_TRIES):
                # Until the end of the search, so that each is another one.
                kept = tried.enter_context(_bound())
                self.number: int = kept.getsockname()[1]
                try:
                    above = tried.enter_context(_bound(self.number + second)) if second else None
                except (OSError, OverflowError):
                    continue
                break
            else:
                raise OSError(f"no free port that has another one {second} above it")
            # Without Python's warning when it is given up: some are kept to the end.
            found = (kept, above) if above is not None else (kept,)
            self._kept = [socket.dup(each.fileno()) for each in found] if _CAN_KEEP else []

    def close(self) -> None:
        """Let others have it."""
        while self._kept:
            socket.close(self._kept.pop())


def _bound(port: int = 0) -> socket.socket:
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", port))
    except BaseException:
        made.close()
        raise
    return made


def free_port() -> int:
    """Return a port on which nothing listens, and keep it until this process ends."""
    return Port().number
